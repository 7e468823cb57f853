"""Waiting until a change can be seen: several equal sightings in a row, one visible deadline.

Directory reads come from replicas, so one success proves nothing (``GET /groups/{id}`` and others carry that note in
Microsoft's reference). The number of sightings, the interval and the deadline come from the target's pace.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from runbook.clients import retry
from runbook.clients.retry import Pace
from runbook.errors import NotSettled, ServiceError, TransportError

__all__ = ["Progress", "Wait", "ensure", "until"]

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """What a person may be shown while waiting; times in seconds."""

    awaited: str
    seen: int
    wanted: int
    waited: float
    deadline: float


class Wait:
    """One deadline, and pauses that grow from the pace's interval to its longest. ``stop`` ends it early."""

    def __init__(self, pace: Pace, deadline: float | None = None, stop: threading.Event | None = None) -> None:
        self.deadline = pace.deadline if deadline is None else deadline
        self._pace = pace
        self._stop = stop or threading.Event()
        self._started = time.monotonic()
        self._interval = pace.interval

    @property
    def waited(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    @property
    def over(self) -> bool:
        """Whether the deadline has passed or the wait was stopped."""
        return self.waited >= self.deadline or self._stop.is_set()

    def pause(self, *, brisk: bool = False, at_least: float = 0) -> None:
        """Pause once, never beyond the deadline; ``brisk`` goes back to the shortest pause."""
        if brisk:
            self._interval = self._pace.interval
        self._stop.wait(max(0.0, min(max(self._interval, at_least), self.deadline - self.waited)))
        self._interval = min(self._interval * 1.5, self._pace.longest_interval)


def until(
    check: Callable[[], T | None],
    *,
    pace: Pace,
    describe: str,
    sightings: int | None = None,
    deadline: float | None = None,
    stop: threading.Event | None = None,
    progress: Callable[[Progress], None] | None = None,
    next_step: str = "",
) -> T:
    """Call ``check`` until it gives a truthy value several times in a row, and return the last one.

    ``check`` gives ``None`` (or anything falsy) while the change cannot be seen; the known replication answers of Graph
    and a service that is busy count as that too, any other error ends the wait. ``sightings`` and ``deadline``
    (seconds) default to the pace's. ``describe`` completes "waiting until …". ``stop`` ends the wait early. Raises
    :class:`NotSettled`.
    """
    wanted, wait = sightings or pace.sightings, Wait(pace, deadline, stop)
    seen, last = 0, "it was never seen"
    while True:
        look = _look(check)
        value, last = look.value, look.answer or last
        # A relapse after a sighting is another replica's answer: start counting anew.
        seen = seen + 1 if value else 0
        if value and seen >= wanted:
            return value
        if progress is not None:
            progress(Progress(describe, seen, wanted, wait.waited, wait.deadline))
        if wait.over:
            break
        wait.pause(brisk=bool(value))
    found = f"it was seen {seen} of {wanted} times in a row" if seen else last
    raise NotSettled(
        f"After {wait.waited:.0f} s still waiting until {describe}: {found}.",
        meaning="The change was accepted, but it could not be read back reliably before the deadline of this step.",
        next_step=next_step or "Run again; nothing that was done is repeated. If it stays like this, check the tenant.",
    )


def ensure(find: Callable[[], T | None], create: Callable[[], object], *, pace: Pace, what: str) -> tuple[T, bool]:
    """Have exactly one of it: ``find`` it, else ``create`` it and find it. Returns it and whether it was created.

    After every answer that leaves open whether the write took effect (a reset after sending, a known misleading 404,
    "already exists") ``find`` is asked, several times, before ``create`` is tried again. ``what`` names it for the
    error. Raises :class:`NotSettled` after the deadline, and any error that does not pass.
    """
    wait = Wait(pace)
    created = False  # by an answer that says so
    perhaps = False  # by an answer that leaves it open
    doubts, last = 0, ""
    while (look := _look(find)).value is None:
        if wait.over:
            raise NotSettled(
                f"{what} could not be seen within {wait.deadline:.0f} s.{last}",
                meaning="The change has not reached every replica, or the service keeps refusing it.",
                next_step="Run again: it is looked for first, and only created when it is not there.",
            )
        # A busy service did not say that it is not there.
        if not created and not doubts and not look.busy:
            try:
                create()
                created = True
                continue
            except (ServiceError, TransportError) as error:
                row = retry.transient(error)
                if row is None and not retry.maybe_applied(error):
                    raise
                last = f" The last answer was: {error.what}"
                perhaps = perhaps or row is None or row.then == "read-first"
                # One replica's "not there" proves nothing: look several times before creating it again.
                doubts = pace.sightings if retry.maybe_applied(error) else 1
        doubts = max(0, doubts - 1)
        wait.pause()
    return look.value, created or perhaps


class _Look(NamedTuple, Generic[T]):
    """What was seen; or nothing, and the passing answer that stood in its place."""

    value: T | None
    answer: str = ""
    busy: bool = False


def _look(check: Callable[[], T | None]) -> _Look[T]:
    try:
        return _Look(check())
    except ServiceError as error:
        busy = error.status in retry.table().statuses.busy
        if not busy and retry.transient(error) is None:
            raise
        return _Look(None, error.what, busy)
