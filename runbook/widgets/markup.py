"""Small pieces of HTML: escaped text, words with a colour behind them, a button that copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from html import escape as escape
from importlib.resources import files

from runbook import words


@cache
def style() -> str:
    """The style sheet of everything shown, as a ``<style>`` element."""
    css = files("runbook.widgets").joinpath("style.css").read_text(encoding="utf-8")
    return f"<style>{' '.join(css.split())}</style>"


def page(fragment: str) -> str:
    """The fragment in the frame that carries the style."""
    # JupyterLab takes what stands between two dollar signs for mathematics; ours are $select, $top and $ref.
    return f'{style()}<div class="rb mathjax_ignore tex2jax_ignore">{fragment}</div>'


def word(text: str, says: object = None) -> str:
    """A word that says the state, coloured by its tone, or by the tone of ``says`` where it says that in other words.

    A word without a tone is plain text.
    """
    tone = words.tone(text if says is None else says)
    return escape(text) if tone == "none" else f'<span class="word {tone}">{escape(text)}</span>'


def copy_button(value: str, label: str) -> str:
    """A button that puts ``value`` on the clipboard of the browser; the value must not be secret."""
    script = (
        "navigator.clipboard.writeText(this.dataset.value).then(()=>{const t=this.textContent;"
        "this.textContent='Copied';setTimeout(()=>{this.textContent=t},1500)})"
    )
    return (
        f'<button type="button" class="copy" data-value="{escape(value)}" aria-label="Copy {escape(label)}" '
        f'onclick="{escape(script)}">Copy</button>'
    )


def link(address: str, text: str = "") -> str:
    """A link that opens beside the notebook; only web addresses become links."""
    if not address.startswith(("https://", "http://")):
        return escape(text or address)
    return f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">{escape(text or address)}</a>'


def linked(text: str) -> str:
    """Text in which web addresses are links."""
    return " ".join(link(part) for part in text.split(" "))


def facts(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """Names and (already escaped) values in one line that wraps."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return (
        '<dl class="facts">'
        + "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in items)
        + "</dl>"
    )


def fold(summary: str, fragment: str, *, opened: bool = False) -> str:
    """A part that is folded away until somebody wants it."""
    return f"<details{' open' if opened else ''}><summary>{escape(summary)}</summary>{fragment}</details>"
