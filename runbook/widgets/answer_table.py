"""What an action answered: rows of a list, or one object as names and values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runbook.records import redaction
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table

if TYPE_CHECKING:
    import pandas

_MOST_COLUMNS = 8
_LONGEST_CELL = 120
_FIRST = ("displayName", "userPrincipalName", "id")


class AnswerTable(Panel):
    """``value`` is the whole answer as a DataFrame; what is shown leaves out empty columns and cuts long cells.

    Anything that looks like a secret is masked before it gets here.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], *, is_list: bool, more: bool = False) -> None:
        self._rows = [
            {name: v for name, v in redaction.scrub(row).items() if not name.startswith("@odata.")} for row in rows
        ]
        self._is_list, self._more = is_list, more

    @property
    def value(self) -> pandas.DataFrame:
        """One row an object, a column a property, as Graph gave them."""
        import pandas

        return pandas.DataFrame(self._rows)

    def table(self) -> Table:
        if not self._is_list:
            found = self._rows[0] if self._rows else {}
            return Table(
                ("Property", "Value"), tuple((name, _words(v)) for name, v in found.items() if v not in (None, []))
            )
        columns = self._columns()[:_MOST_COLUMNS]
        rows = tuple(tuple(_words(row.get(name)) for name in columns) for row in self._rows)
        return Table(tuple(columns), rows, self._caption())

    def text(self) -> str:
        return self.table().text() if self._rows else "Answer: nothing in it"

    def fragment(self) -> str:
        if not self._rows:
            return '<p class="soft">The answer is empty.</p>'
        return f'<div class="picture">{self.table().html()}</div>'

    def _caption(self) -> str:
        count = f"{len(self._rows)} row{'s' * (len(self._rows) != 1)}"
        rest = self._columns()[_MOST_COLUMNS:]
        parts = [f"first {count}; raise max_rows for more" if self._more else f"all {count}"]
        return "; ".join(parts + ([f"not shown here: {', '.join(rest)}"] if rest else []))

    def _columns(self) -> list[str]:
        filled = dict.fromkeys(name for row in self._rows for name, v in row.items() if v not in (None, [], ""))
        first = [name for name in _FIRST if name in filled]
        return first + [name for name in filled if name not in first]


def _words(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"
