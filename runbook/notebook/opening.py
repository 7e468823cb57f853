"""How a notebook begins: its parameters are read and checked, and what an earlier beginning holds open is closed."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Collection, Mapping, MutableMapping
from typing import Any, TypeVar

from runbook.errors import InputError, Problem
from runbook.notebook import inputs
from runbook.notebook.bench import Workbench
from runbook.notebook.stopped import InputRefused
from runbook.widgets import message

T = TypeVar("T")

_bench: Workbench | None = None


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
        message.failure(refusal).display()
        raise InputRefused(f"{len(problems)} mistakes in the parameters; nothing was sent") from refusal
    if _bench is not None:
        atexit.unregister(_bench.close)
        _bench.close()
    _bench = Workbench(given)
    atexit.register(_bench.close)
    return _bench, made
