"""The front page: the guide as a list, the target, and what is missing before one can begin."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from runbook.errors import RunbookError
from runbook.notebook.bench import Workbench
from runbook.notebook.opening import begin
from runbook.notebook.stopped import SectionFailed
from runbook.widgets import message, states
from runbook.widgets.panel import Panel


def start(namespace: MutableMapping[str, Any]) -> Front:
    """Begin the front page. Raises :class:`InputRefused` as :func:`runbook.notebook.open` does."""
    bench, _ = begin(namespace, (), dict)
    return Front(bench)


class Front:
    """What the front page calls, a method a cell."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._error: RunbookError | None = None

    def header(self) -> Panel:
        """Target, tenant, and who is signed in."""
        try:
            return self._bench.header(0)
        except RunbookError as error:
            self._error = error
            return message.failure(error)

    def guide(self) -> Panel:
        """The eight steps with their state, as the tenant says."""
        if self._error is not None:
            return states.not_reached("The guide")
        return self._bench.guide()

    def verdict(self) -> Panel:
        """Whether one can begin, and with what."""
        if self._error is None:
            first = self._bench.next_notebook()
            sentence = "the tenant answers, one can begin." if first else "every step is as wanted."
            return message.verdict("passed", sentence, f"open {first}." if first else "nothing.")
        shown = message.verdict("failed", self._error.what, self._error.next_step)
        if not self._bench.inputs.attended:
            shown.display()
            raise SectionFailed(self._error.what)
        return shown
