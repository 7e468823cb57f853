"""The plan: what is, what is wanted and the difference, with a sign and a word for each change."""

from __future__ import annotations

from collections.abc import Sequence

from runbook import words
from runbook.tenant.changes import Change, pending
from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table


class PlanTable(Panel):
    """The changes of one section; unchanged rows are folded away, and one line is left when nothing changes."""

    def __init__(self, changes: Sequence[Change], title: str = "Plan") -> None:
        self._changes, self._pending = tuple(changes), pending(changes)
        said = counts(changes) if self._pending else "nothing changes"
        if not self._pending and changes:
            said += f", {len(changes)} as wanted"
        self._headline = f"{title}: {said}"

    def table(self) -> Table:
        return _table(self._changes, self._headline)

    def text(self) -> str:
        return self.table().text() if self._pending else self._headline

    def fragment(self) -> str:
        same = [change for change in self._changes if change.kind == "same"]
        folded = markup.fold(f"{len(same)} unchanged", _table(same).html()) if same else ""
        return f"<h3>{markup.escape(self._headline)}</h3>{_table(self._pending).html()}{folded}"


def counts(changes: Sequence[Change]) -> str:
    """The changes counted in words: ``2 added, 1 removed, 7 same``."""
    return words.tally((change.kind for change in changes), "nothing to do")


def _table(changes: Sequence[Change], caption: str = "") -> Table:
    columns, rows = words.plan_table(change.shown() for change in changes)
    return Table(columns, tuple(rows), caption, toned=("Change",))
