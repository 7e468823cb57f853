"""Permissions and actions against wanted, requested, granted, in token, used: words in cells, never colour alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from runbook import words
from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table

STAGES = ("wanted", "requested", "granted", "in_token")


class PermissionMatrix(Panel):
    """One row a permission and type: wanted / requested / granted / in token, and why it is there.

    ``permissions`` has the shape of the summary: type -> rows of ``name`` and the four stages, each True, False
    or None (unknown, which is never shown as good). ``why`` gives the reason by type and name.
    """

    def __init__(
        self, permissions: Mapping[str, Sequence[Mapping[str, Any]]], why: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self._permissions, self._why = permissions, why or {}

    def table(self) -> Table:
        rows = [row for kind in self._permissions for row in self._rows(kind)]
        return Table(("Type", "Permission", *map(_title, STAGES), "Because of"), tuple(rows), "Permissions")

    def fragment(self) -> str:
        return "".join(self._kind(kind) for kind in self._permissions)

    def _kind(self, kind: str) -> str:
        rows = tuple(row[1:] for row in self._rows(kind))
        names = tuple(map(_title, STAGES))
        table = Table(("Permission", *names, "Because of"), rows, "", names)
        return f"<h3>{markup.escape(kind.capitalize())} permissions ({len(rows)})</h3>{table.html()}"

    def _rows(self, kind: str) -> list[tuple[str, ...]]:
        why = self._why.get(kind, {})
        return [
            (kind, str(row["name"]), *(words.word(row.get(stage)) for stage in STAGES), why.get(str(row["name"]), ""))
            for row in self._permissions[kind]
        ]


class ActionMatrix(Panel):
    """One row an action: for each permission type, and through StackOne, the first stage that fails or "used".

    ``actions`` has the shape of the summary: ``name``, ``delegated``, ``application`` and optionally ``stackone``,
    each a mapping of stage to True, False, None or a word, plus ``verdict`` and ``explanation``.
    """

    def __init__(self, actions: Sequence[Mapping[str, Any]]) -> None:
        self._actions = tuple(actions)

    def table(self) -> Table:
        roads = [road for road in ("delegated", "application", "stackone") if any(road in a for a in self._actions)]
        stages = {road: _stages(self._actions, road) for road in roads}
        columns = ["Action", *(_column(road, stage) for road in roads for stage in stages[road]), "Verdict"]
        rows = tuple(
            (
                str(action["name"]),
                *(_cell(action, road, stage) for road in roads for stage in stages[road]),
                str(action.get("verdict", "")),
            )
            for action in self._actions
        )
        return Table(tuple(columns), rows, self._counts(), columns[1:])

    def fragment(self) -> str:
        reasons = "".join(_reason(action) for action in self._actions if action.get("explanation"))
        counted = f"<h3>Actions: {markup.escape(self._counts())}</h3>"
        return f'{counted}<div class="picture matrix">{self._html()}</div>{reasons}'

    def _html(self) -> str:
        """The table with the roads as a second row of headers above their stages."""
        table = self.table()
        roads = [column.partition(": ") for column in table.columns[1:-1]]
        spans = [
            (road, sum(1 for other, _, _ in roads if other == road)) for road in dict.fromkeys(r for r, _, _ in roads)
        ]
        above = "".join(f'<th scope="colgroup" colspan="{n}">{markup.escape(road)}</th>' for road, n in spans)
        names = ("Action", *((stage or road) for road, _, stage in roads), "Verdict")
        head = "".join(f'<th scope="col">{markup.escape(name.capitalize())}</th>' for name in names)
        return replace(table, caption="").html(f"<tr><td></td>{above}<td></td></tr><tr>{head}</tr>")

    def _counts(self) -> str:
        return words.tally(str(action.get("verdict", "")) for action in self._actions)


def _reason(action: Mapping[str, Any]) -> str:
    tone = words.tone(action.get("verdict"))
    name, text = markup.escape(str(action["name"])), markup.escape(str(action["explanation"]))
    return f'<div class="bar {tone}"><span class="word">{name}</span>{text}</div>'


def _stages(actions: Sequence[Mapping[str, Any]], road: str) -> list[str]:
    cells = [action.get(road) for action in actions]
    return list(dict.fromkeys(stage for cell in cells if isinstance(cell, Mapping) for stage in cell)) or [""]


def _cell(action: Mapping[str, Any], road: str, stage: str) -> str:
    cell = action.get(road)
    return words.word(cell.get(stage) if isinstance(cell, Mapping) else cell)


def _column(road: str, stage: str) -> str:
    name = {"stackone": "StackOne"}.get(road, road.capitalize())
    return f"{name}: {_title(stage).lower()}" if stage else name


def _title(stage: str) -> str:
    return stage.replace("_", " ").capitalize()
