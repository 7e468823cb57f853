"""How a notebook begins: its parameters are read and checked, and what an earlier beginning holds open is closed.

And the front page: the guide as a list, the target, and what is missing before one can begin.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Collection, Mapping, MutableMapping
from typing import Any, TypeVar

from runbook import words
from runbook.errors import InputError, Problem, RunbookError
from runbook.notebook import inputs
from runbook.notebook.bench import InputRefused, SectionFailed, Workbench
from runbook.widgets import message, states
from runbook.widgets.panel import Panel

T = TypeVar("T")

_bench: Workbench | None = None


class Opened:
    """What a notebook's own variable holds once it was opened: :class:`Front`, or a step."""


class _Refused(Opened):
    """In its place after a refusal: the cells below say so, and do nothing with the parameters of before."""

    def __getattr__(self, _name: str) -> Callable[[], Panel]:
        return states.closed


def begin(
    namespace: MutableMapping[str, Any], arguments: Collection[str], read: Callable[[Mapping[str, Any]], T]
) -> tuple[Workbench, T]:
    """The bench for the parameters in ``namespace``, and what ``read`` makes of the names ``arguments``.

    Raises :class:`InputRefused`, after showing every mistake, before any request.
    """
    global _bench
    problems: list[Problem] = []
    given = made = None
    try:
        given = inputs.read(namespace, arguments)
    except InputError as error:
        problems += error.problems
    try:
        made = read({name: namespace.get(name) for name in arguments})
    except InputError as error:
        problems += error.problems
    if given is None or made is None:
        refusal = InputError(problems)
        namespace.update({name: _Refused() for name, held in namespace.items() if isinstance(held, Opened)})
        message.failure(refusal).display()
        raise InputRefused(f"{words.plural(len(problems), 'mistake')} in the parameters; nothing was sent") from refusal
    if _bench is not None:
        atexit.unregister(_bench.close)
        _bench.close()
    _bench = Workbench(given)
    atexit.register(_bench.close)
    return _bench, made


def start(namespace: MutableMapping[str, Any]) -> Front:
    """Begin the front page. Raises :class:`InputRefused` as :func:`runbook.notebook.open` does."""
    bench, _ = begin(namespace, (), dict)
    return Front(bench)


class Front(Opened):
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
        shown, self._error = self._bench.guide(), self._bench.unanswered
        return shown

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
