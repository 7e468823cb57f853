"""One request before it is sent: what goes where, with whose token and by which permission, and what it changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.plan_table import PlanTable
from runbook.widgets.table import Table

if TYPE_CHECKING:
    from runbook.operations.order import Order
    from runbook.tenant.changes import Change

_WORDS = {"read": "reads, changes nothing", "write": "WRITES", "delete": "DELETES"}


class RequestCard(Panel):
    """The plan of one action. ``sender`` says whose token; ``changes`` are what it would change, once it is planned."""

    def __init__(self, order: Order, sender: str = "", changes: Sequence[Change] = ()) -> None:
        self._order, self._sender, self._changes = order, sender, changes

    @property
    def value(self) -> dict[str, Any]:
        """The request as data; secrets of the body are references in it."""
        request = self._order.request
        return {
            "action": self._order.action.slug,
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "headers": dict(request.headers),
            "body": dict(request.body) if request.body is not None else None,
            "as_": self._order.caller,
            "effect": self._order.action.effect,
        }

    def table(self) -> Table:
        return Table(("What", "Value"), tuple(self._rows()), f"{self._order.action.name}")

    def text(self) -> str:
        changes = self._plan()
        return "\n\n".join([self.table().text(), *([changes.text()] if changes else [])])

    def fragment(self) -> str:
        effect = self._order.action.effect
        head = f"<h3>{markup.escape(self._order.action.name)} {markup.word(_WORDS[effect], effect)}</h3>"
        pairs = {name: f'<span class="mono">{markup.escape(text)}</span>' for name, text in self._rows()}
        changes = self._plan()
        return f'<div class="card">{head}{markup.facts(pairs)}</div>' + (changes.fragment() if changes else "")

    def _rows(self) -> list[tuple[str, str]]:
        request, action = self._order.request, self._order.action
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        rows = [
            ("Request", f"{request.method} {request.path}" + (f"?{query}" if query else "")),
            ("Headers", ", ".join(f"{name}: {value}" for name, value in request.headers.items())),
            ("Body", _pretty(request.body)),
            ("Effect", f"{_WORDS[action.effect]}: {action.summary}"),
            ("Sent by", self._sender),
            ("Permission", self._changes[0].note if self._changes else ""),
            ("Licence", action.licence.needs if action.licence else ""),
            ("Note", action.notes),
        ]
        return [(name, text) for name, text in rows if text]

    def _plan(self) -> PlanTable | None:
        if not self._changes or self._order.action.effect == "read":
            return None
        return PlanTable(self._changes)


def _pretty(body: Mapping[str, Any] | None) -> str:
    return json.dumps(body, ensure_ascii=False) if body else ""
