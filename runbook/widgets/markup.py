"""HTML from ``panels.html.j2``: one macro a panel, every value escaped."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from runbook import words


@cache
def _macros() -> Any:
    loader = PackageLoader("runbook.widgets", ".")
    environment = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters["tone"] = words.tone
    return environment.get_template("panels.html.j2").module


def render(macro: str, *values: object) -> str:
    """What a macro makes of ``values``: a text that a template takes as it is."""
    made: str = getattr(_macros(), macro)(*values)
    return made.strip()


@cache
def style() -> str:
    """The style sheet of everything shown, as a ``<style>`` element."""
    css = files("runbook.widgets").joinpath("style.css").read_text(encoding="utf-8")
    return f"<style>{' '.join(css.split())}</style>"


def page(fragment: str) -> str:
    """The fragment in the frame that carries the style."""
    # JupyterLab takes what stands between two dollar signs for mathematics; ours are $select, $top and $ref.
    return f'{style()}<div class="rb mathjax_ignore tex2jax_ignore">{fragment}</div>'
