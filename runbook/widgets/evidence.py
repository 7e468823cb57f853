"""Evidence: what was read back after applying, and from where; request ids folded away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table

_SHOWN = ("what", "value", "source")


class EvidenceTable(Panel):
    """Rows of ``what``, ``value``, ``source`` and ``request_id``, and notes below them."""

    def __init__(self, rows: Sequence[Mapping[str, str]], notes: Sequence[str] = ()) -> None:
        self._rows, self._notes = tuple(rows), tuple(notes)

    def table(self) -> Table:
        ids = ("request_id",) if any(row.get("request_id") for row in self._rows) else ()
        return _table(self._rows, _SHOWN + ids, "Evidence: read back after applying")

    def text(self) -> str:
        return "\n\n".join([self.table().text(), *self._notes])

    def fragment(self) -> str:
        notes = "".join(f'<p class="soft">{markup.escape(note)}</p>' for note in self._notes)
        requests = [row for row in self._rows if row.get("request_id")]
        ids = _table(requests, ("what", "request_id")).html()
        folded = markup.fold(f"{len(requests)} request ids", ids) if requests else ""
        return f"<h3>Evidence: read back after applying</h3>{_table(self._rows, _SHOWN).html()}{notes}{folded}"


def _table(rows: Sequence[Mapping[str, str]], fields: Sequence[str], caption: str = "") -> Table:
    names = tuple(field.replace("_", " ").capitalize() for field in fields)
    return Table(names, tuple(tuple(row.get(field, "") for field in fields) for row in rows), caption, ("Value",))
