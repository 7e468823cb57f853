"""The front page: the eight steps with their state, what is missing, and links to their notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table


@dataclass(frozen=True)
class Chapter:
    """One step of the guide: its state in a word, why, and its notebook."""

    number: int
    title: str
    state: str
    reason: str
    notebook: str


class GuideList(Panel):
    """The steps in order, as the tenant says."""

    def __init__(self, chapters: Sequence[Chapter], missing: Sequence[str] = ()) -> None:
        self._chapters, self._missing = tuple(chapters), tuple(missing)

    def table(self) -> Table:
        rows = tuple((f"{c.number}", c.title, c.state, c.reason, c.notebook) for c in self._chapters)
        return Table(("Step", "What", "State", "Why", "Notebook"), rows, "The guide", ("State",))

    def text(self) -> str:
        return "\n".join([self.table().text(), *(f"Missing: {text}" for text in self._missing)])

    def fragment(self) -> str:
        rows = "".join(
            f'<tr><td>{c.number}</td><th scope="row"><a href="{markup.escape(c.notebook)}">{markup.escape(c.title)}</a>'
            f"</th><td>{markup.word(c.state)}</td><td>{markup.escape(c.reason)}</td></tr>"
            for c in self._chapters
        )
        head = "".join(f'<th scope="col">{name}</th>' for name in ("Step", "What", "State", "Why"))
        missing = "".join(f"<li>{markup.escape(text)}</li>" for text in self._missing)
        needed = (
            f'<div class="bar wait"><span class="word">Before you begin</span><ul>{missing}</ul></div>'
            if missing
            else ""
        )
        return f"{needed}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
