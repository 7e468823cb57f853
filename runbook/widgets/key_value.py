"""The one value that somebody takes away from a step, large and with a copy button."""

from __future__ import annotations

from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table


class KeyValue(Panel):
    """``name`` and ``value`` in large letters; the value is not secret."""

    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def table(self) -> Table:
        return Table(("What", "Value"), ((self._name, self._value),))

    def text(self) -> str:
        return f"{self._name}: {self._value}"

    def fragment(self) -> str:
        copied = markup.copy_button(self._value, self._name)
        return (
            f'<div class="card"><div class="soft">{markup.escape(self._name)}</div>'
            f'<span class="large">{markup.escape(self._value)}</span> {copied}</div>'
        )
