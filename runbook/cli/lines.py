"""Text and tables within the width of a terminal: broken between words, and never where somebody is to copy."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

_GAP = 2
_TO_PASTE = re.compile(r"runbook [a-z]|://|`")


def wrapped(text: str, width: int) -> str:
    """``text`` in lines of ``width``. A line with a command or an address stays whole; the terminal breaks it."""
    return "\n".join(line if _TO_PASTE.search(line) else "\n".join(_wrapped(line, width)) for line in text.split("\n"))


def _wrapped(line: str, width: int) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    lines = textwrap.wrap(
        line, max(width, 20), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return lines or [""]


def widths(rows: Sequence[Sequence[str]], most: int) -> list[int] | None:
    """The width of each column of ``rows`` so that a row takes ``most`` and no word is broken; None: it cannot be."""
    columns = [*zip(*rows, strict=True)]
    least = [max(len(word) for cell in column for word in (*cell.split(), "")) for column in columns]
    found = [max(max(map(len, cell.split("\n"))) for cell in column) for column in columns]
    room = most - _GAP * (len(found) - 1)
    if sum(least) > room:
        return None
    while sum(found) > room:
        widest = max(range(len(found)), key=lambda each: (found[each] > least[each], found[each]))
        found[widest] -= 1
    return found
