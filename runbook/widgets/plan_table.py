"""The plan: what is, what is wanted and the difference, with a sign and a word for each change.

Of one action: its request before it is sent, with whose token and by which permission; and what it answered.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runbook import words
from runbook.operations.order import Order
from runbook.operations.run_action import Answer
from runbook.records import redaction
from runbook.tenant.changes import Change, pending
from runbook.widgets.panel import Panel, Table

_MOST_COLUMNS = 8
_LONGEST_CELL = 120
_SHOWN, _AT_ONCE, _SHOWN_AS_TEXT = 5000, 500, 100  # rows
_FIRST = ("displayName", "userPrincipalName", "id")
_WORDS = {"read": "reads, changes nothing", "write": "WRITES", "delete": "DELETES"}


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


if TYPE_CHECKING:
    import pandas


class RequestCard(Panel):
    """The plan of one action. ``sender`` says whose token; ``changes`` are what it would change, once it is planned."""

    def __init__(self, order: Order, sender: str = "", changes: Sequence[Change] = ()) -> None:
        self.order, self._sender = order, sender
        self._permission = changes[0].note if changes else ""
        self.plan = PlanTable(changes) if changes and order.action.effect != "read" else None
        self.effect = _WORDS[order.action.effect]

    @property
    def value(self) -> dict[str, Any]:
        """The request as data; secrets of the body are references in it."""
        request = self.order.request
        return {
            "action": self.order.action.slug,
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "headers": dict(request.headers),
            "body": dict(request.body) if request.body is not None else None,
            "as_": self.order.caller,
            "effect": self.order.action.effect,
        }

    def text(self) -> str:
        table = Table(("What", "Value"), tuple(self.rows()), self.order.action.name)
        return "\n\n".join([table.text(), *([self.plan.text()] if self.plan else [])])

    def rows(self) -> list[tuple[str, str]]:
        """What there is to say of it."""
        request, action = self.order.request, self.order.action
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        rows = [
            ("Request", f"{request.method} {request.path}" + (f"?{query}" if query else "")),
            ("Headers", ", ".join(f"{name}: {value}" for name, value in request.headers.items())),
            ("Body", json.dumps(request.body, ensure_ascii=False) if request.body else ""),
            ("Effect", f"{self.effect}: {action.summary}"),
            ("Sent by", self._sender),
            ("Permission", self._permission),
            ("Licence", action.licence.needs if action.licence else ""),
            ("Note", action.notes),
        ]
        return [(name, text) for name, text in rows if text]


class AnswerTable(Panel):
    """``value`` is the whole answer as a DataFrame; what is shown leaves out empty columns and cuts long cells.

    Of a long list the first rows are shown, a browser pages through some more. Anything that looks like a secret is
    masked before it gets here.
    """

    def __init__(self, answer: Answer, *, is_list: bool) -> None:
        self._answer, self.is_list = answer, is_list
        self.rows = [*map(redaction.scrub, _plain(answer.frame.head(_SHOWN)))]

    @property
    def value(self) -> pandas.DataFrame:
        """One row an object, a column a property, typed."""
        return self._answer.frame

    @property
    def more(self) -> str:
        """The rows behind those that are shown at once, as JSON."""
        return json.dumps(self._cells()[_AT_ONCE:], ensure_ascii=False)

    def _cells(self) -> list[tuple[str, ...]]:
        columns = self._columns()[:_MOST_COLUMNS]
        return [tuple(_words(row.get(name)) for name in columns) for row in self.rows]

    def table(self, most: int = _AT_ONCE) -> Table:
        """What is shown of it."""
        if not self.is_list:
            found = self.rows[0] if self.rows else {}
            return Table(
                ("Property", "Value"), tuple((name, _words(v)) for name, v in found.items() if v not in (None, []))
            )
        return Table(tuple(self._columns()[:_MOST_COLUMNS]), tuple(self._cells()[:most]), self._caption(most))

    def text(self) -> str:
        return self.table(_SHOWN_AS_TEXT).text() if self.rows else "Answer: nothing in it"

    def _caption(self, shown: int) -> str:
        total = len(self.value)
        count = f"{total:,} row{'s' * (total != 1)}"
        parts = [f"first {count}{self._answer.more}" if self._answer.more else f"all {count}"]
        rest = self._columns()[_MOST_COLUMNS:]
        here = f"{shown} at a time" if shown == _AT_ONCE else f"{shown} shown here"
        here = f"the first {_SHOWN:,} here, {here}" if total > _SHOWN else here
        parts += [f"{here}; all in step.result().panel.value, and in a file with csv"] * (shown < total)
        return "; ".join(parts + ([f"not shown here: {', '.join(rest)}"] if rest else []))

    def _columns(self) -> list[str]:
        filled = dict.fromkeys(name for row in self.rows for name, v in row.items() if v not in (None, [], ""))
        first = [name for name in _FIRST if name in filled]
        return first + [name for name in filled if name not in first]


def _plain(frame: pandas.DataFrame) -> list[dict[str, Any]]:
    """Its rows as Graph's JSON has them: None for what is missing, times as text."""
    kept = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): v.isoformat() if hasattr(v, "isoformat") else v for name, v in row.items()} for row in kept]


def _words(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"
