"""What a cell shows: HTML for a person, text for a terminal; the same facts in each.

The HTML is from ``panels.html.j2``: one macro a panel, every value escaped.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from textwrap import wrap
from typing import Any
from uuid import uuid4

from jinja2 import Environment, PackageLoader, StrictUndefined

from runbook import data, words

_WIDEST = 60  # characters of a column in text before it is wrapped


@dataclass(frozen=True)
class Table:
    """Rows of words under named columns. Words in the columns ``toned`` are coloured by what they say."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    toned: Collection[str] = ()
    groups: tuple[tuple[str, int], ...] = ()
    """What stands above the columns, each over how many of them."""

    def text(self) -> str:
        """Columns side by side, long words wrapped; an empty table says so."""
        head = [self.caption] if self.caption else []
        if not self.rows:
            return "\n".join([*head, "(nothing)"])
        cells = [[_wrap(cell) for cell in row] for row in (self.columns, *self.rows)]
        widths = [max(len(line) for row in cells for line in row[i]) for i in range(len(self.columns))]
        lines = [line for row in cells for line in _side_by_side(row, widths)]
        ruler = "  ".join("-" * width for width in widths)
        return "\n".join([*head, lines[0], ruler, *lines[1:]])


def _wrap(cell: str) -> list[str]:
    return [line for part in cell.split("\n") for line in (wrap(part, _WIDEST) or [""])]


def _side_by_side(row: list[list[str]], widths: list[int]) -> list[str]:
    height = max(len(cell) for cell in row)
    return [
        "  ".join(
            (cell[i] if i < len(cell) else "").ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for i in range(height)
    ]


class Panel(ABC):
    """One thing shown. Saved notebooks keep its text and its HTML, so nothing is lost without a live widget."""

    @abstractmethod
    def text(self) -> str:
        """The facts as plain text."""

    def fragment(self) -> str:
        """The inner HTML, escaped, without the style sheet: the macro of this class's name."""
        return render(type(self).__name__, self)

    def html(self) -> str:
        """The complete HTML with its style sheet."""
        return page(self.fragment())

    def display(self, display_id: str | None = None, *, again: bool = False, wait: str = "") -> None:
        """Show it in the running cell, or ``again`` wherever ``display_id`` was shown before.

        ``wait``: what is waited for meanwhile, for the one who executes the notebook.
        """
        from IPython.display import display

        bundle = self._repr_mimebundle_()
        marks = {"runbook": {"wait": wait}} if wait else {}
        display(bundle, raw=True, display_id=display_id, update=again, metadata=marks)  # type: ignore[no-untyped-call]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        return {"text/plain": words.visible(self.text()), "text/html": self.html()}


class Several(Panel):
    """Panels one below the other."""

    def __init__(self, panels: Sequence[Panel]) -> None:
        self.panels = tuple(panels)

    def text(self) -> str:
        return "\n\n".join(panel.text() for panel in self.panels)


class Live(Panel):
    """A panel of widgets. Beside them stands its plain twin, which follows every change (:meth:`changed`).

    The twin is an ordinary output: a page without the widgets, such as a notebook that is opened without its kernel,
    shows it. Where the widgets are, they hide it.
    """

    _twin: str = ""

    @property
    @abstractmethod
    def layout(self) -> Any:
        """The widgets, made when they are first asked for."""

    def html(self) -> str:
        return f'<div id="{self._twin}">{super().html()}</div>' if self._twin else super().html()

    def changed(self) -> None:
        """Let the plain twin say what the widgets say now."""
        if self._twin:
            self.display(self._twin, again=True)

    def _ipython_display_(self) -> None:
        from IPython.display import display
        from ipywidgets import HTML, VBox

        self._twin = f"rb-{uuid4().hex}"
        hidden = HTML(f"{style()}<style>#{self._twin} {{ display: none }}</style>")
        live = VBox([hidden, self.layout]).add_class("rb-live")
        view = {"application/vnd.jupyter.widget-view+json": live.get_view_spec(), "text/plain": ""}
        display(view, raw=True, metadata={"runbook": {"live": True}})  # type: ignore[no-untyped-call]
        self.display(self._twin)


class Area:
    """A place in a notebook whose content may change after its cell has ended.

    It is an ordinary output with a display id, not a widget: what it shows last is what the saved notebook holds.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._display_id = uuid4().hex

    def show(self, panel: Panel) -> None:
        """Replace what is shown, wherever the area has been displayed."""
        self.panel = panel
        panel.display(self._display_id, again=True)

    def _ipython_display_(self) -> None:
        self.panel.display(self._display_id)


@cache
def macros() -> Any:
    """The templates, compiled once a process: a tenth of a second."""
    loader = PackageLoader("runbook.widgets", ".")
    environment = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters.update(tone=words.tone, plural=words.plural)
    return environment.get_template("panels.html.j2").module


def render(macro: str, *values: object) -> str:
    """What a macro makes of ``values``: a text that a template takes as it is."""
    made: str = getattr(macros(), macro)(*values)
    return made.strip()


# A rule is for names of classes and elements. The first of these is the frame; the others a script gives to rows.
_NAME, _LATER = re.compile(r"\.?\w[\w-]*"), frozenset({".rb", ".short", ".long"})
_NOT_NAMED = re.compile(r"::?[\w-]+(\([^)]*\))?|\[[^]]*\]|\.jp-[\w-]+")
_CLASSES, _ELEMENT = re.compile(r'class=(?:"([^"]*)"|([^\s>]+))'), re.compile(r"<(\w+)")


@cache
def _sheet() -> list[tuple[str, list[frozenset[str]]]]:
    """Each rule and, for each of its selectors, what must be there; of a rule for small pages the first selector."""
    text = re.sub(r"\s*([{};])\s*", r"\1", " ".join(data.text("widgets/style.css").split()))
    text, rules, depth, begin = re.sub(r"(?<=[\w-]): ", ":", text).replace(";}", "}"), [], 0, 0
    for brace in re.finditer(r"[{}]", text):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            rule, begin = text[begin : brace.end()], brace.end()
            head = _NOT_NAMED.sub("", re.sub("^@[^{]*{", "", rule).partition("{")[0])
            rules.append((rule, [frozenset(_NAME.findall(each)) - _LATER for each in head.split(",")]))
    return rules


@cache
def _rules_for(there: frozenset[str] | None) -> str:
    return "".join(rule for rule, needs in _sheet() if there is None or any(each <= there for each in needs))


def style(fragment: str | None = None) -> str:
    """The style sheet, or what of it ``fragment`` needs, as a ``<style>`` element."""
    there = None
    if fragment is not None:
        classes = {f".{name}" for either in _CLASSES.findall(fragment) for name in "".join(either).split()}
        there = frozenset(classes.union(_ELEMENT.findall(fragment)))
    return f"<style>{_rules_for(there)}</style>"


def page(fragment: str) -> str:
    """The fragment in the frame that carries the style."""
    # JupyterLab takes what stands between two dollar signs for mathematics; ours are $select, $top and $ref.
    return f'{style(fragment)}<div class="rb mathjax_ignore tex2jax_ignore">{fragment}</div>'
