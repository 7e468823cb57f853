"""Which rules of the style sheet a shown page lacks, judged by a library's reading of CSS selectors."""

from __future__ import annotations

import re

import soupsieve
import tinycss2
from bs4 import BeautifulSoup

from runbook.widgets.panel import style

_STATE = re.compile(r"::?(hover|after|focus-visible|disabled|before)\b")


def _rules() -> list[tuple[str, str]]:
    """Each rule of the whole style sheet with the selector of what it is for; of rules for small pages, the first's."""
    found = []
    for rule in tinycss2.parse_stylesheet(style().removeprefix("<style>").removesuffix("</style>"), True, True):
        text = rule.serialize()
        inner = tinycss2.parse_stylesheet(rule.content, True, True)[0] if rule.type == "at-rule" else rule
        found.append((_STATE.sub("", tinycss2.serialize(inner.prelude)), text))
    return found


def lacking(html: str) -> list[str]:
    """The rules that are for something on the page ``html``, and are not in a ``<style>`` of it."""
    page = BeautifulSoup(html, "html.parser")
    have = " ".join(each.text for each in page("style"))
    return [text for selector, text in _rules() if text not in have and soupsieve.select_one(selector, page)]
