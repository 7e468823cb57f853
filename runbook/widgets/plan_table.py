"""The plan: what is, what is wanted and the difference, with a sign and a word for each change."""

from __future__ import annotations

from collections.abc import Sequence

from runbook import words
from runbook.tenant.changes import Change, pending
from runbook.widgets.panel import Panel, Table


class PlanTable(Panel):
    """The changes of one section; unchanged rows are folded away, and one line is left when nothing changes."""

    def __init__(self, changes: Sequence[Change], title: str = "Plan") -> None:
        waiting = pending(changes)
        said = counts(changes) if waiting else "nothing changes" + (f", {len(changes)} as wanted" if changes else "")
        self.headline = f"{title}: {said}"
        self.waiting, self.same = _table(waiting), _table([change for change in changes if change.kind == "same"])
        self._all = _table(changes, self.headline)

    def text(self) -> str:
        return self._all.text() if self.waiting.rows else self.headline


def counts(changes: Sequence[Change]) -> str:
    """The changes counted in words: ``2 added, 1 removed, 7 same``."""
    return words.tally((change.kind for change in changes), "nothing to do")


def _table(changes: Sequence[Change], caption: str = "") -> Table:
    columns, rows = words.plan_table(change.shown() for change in changes)
    return Table(columns, tuple(rows), caption, toned=("Change",))
