"""The plan: what / now / wanted / change, with a sign and a word for each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table

__all__ = ["PlanTable", "Planned", "counts"]

SIGNS = {"added": "+", "changed": "~", "removed": "−", "same": "=", "unknown": "?"}
TONES = {"added": "good", "changed": "info", "removed": "bad", "same": "none", "unknown": "wait"}


class Planned(Protocol):
    """What the plan needs of a change (``runbook.tenant.base.Change``)."""

    @property
    def what(self) -> str: ...
    @property
    def now(self) -> str: ...
    @property
    def wanted(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def note(self) -> str: ...


def counts(changes: Sequence[Planned]) -> str:
    """The changes counted in words: ``2 added, 1 removed, 7 same``."""
    found = Counter(change.kind for change in changes)
    return ", ".join(f"{found[kind]} {kind}" for kind in SIGNS if found[kind]) or "nothing to do"


class PlanTable(Panel):
    """The changes of one section; unchanged rows are folded away, and one line is left when nothing changes."""

    def __init__(self, changes: Sequence[Planned], title: str = "Plan") -> None:
        self._changes = tuple(changes)
        self._title = title

    @property
    def value(self) -> tuple[Planned, ...]:
        return self._changes

    @property
    def changing(self) -> tuple[Planned, ...]:
        """The changes that are more than "same"."""
        return tuple(change for change in self._changes if change.kind != "same")

    def table(self) -> Table:
        return _table(self._changes, f"{self._title}: {self._headline()}")

    def text(self) -> str:
        return self.table().text() if self.changing else f"{self._title}: {self._headline()}"

    def fragment(self) -> str:
        same = tuple(change for change in self._changes if change.kind == "same")
        head = f"<h3>{markup.escape(self._title)}: {markup.escape(self._headline())}</h3>"
        shown = _table(self.changing).html() if self.changing else ""
        folded = markup.fold(f"{len(same)} unchanged", _table(same).html()) if same else ""
        return head + shown + folded

    def _headline(self) -> str:
        if not self.changing:
            return f"nothing changes, {len(self._changes)} as wanted" if self._changes else "nothing changes"
        return counts(self._changes)


def _table(changes: Sequence[Planned], caption: str = "") -> Table:
    noted = any(change.note for change in changes)
    columns = ("What", "Now", "Wanted", "Change") + (("Note",) if noted else ())
    rows = tuple(
        (change.what, change.now or "—", change.wanted or "—", f"{SIGNS[change.kind]} {change.kind}")
        + ((change.note,) if noted else ())
        for change in changes
    )
    return Table(columns, rows, caption, {"Change": {f"{SIGNS[kind]} {kind}": tone for kind, tone in TONES.items()}})
