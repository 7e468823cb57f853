"""Waiting until a change can be seen: several equal sightings in a row, one visible deadline.

Directory reads come from replicas, so one success proves nothing (``GET /groups/{id}`` and others carry that note in
Microsoft's reference). The number of sightings, the interval and the deadline come from the target's pace.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from runbook.clients import retry
from runbook.clients.retry import Pace
from runbook.errors import NotSettled, RunbookError, ServiceError, TransportError

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """What a person may be shown while waiting; times in seconds."""

    awaited: str
    seen: int
    wanted: int
    waited: float
    deadline: float


Listener = Callable[[Progress], None]


def passes(error: RunbookError) -> bool:
    """Whether ``error`` passes by itself: a busy or unwell service, a known replication answer, a write in doubt."""
    if isinstance(error, ServiceError) and error.status in retry.statuses("busy"):
        return True
    return retry.transient(error) is not None or retry.maybe_applied(error)


def until(
    check: Callable[[], T | None],
    *,
    pace: Pace,
    describe: str,
    sightings: int | None = None,
    deadline: float | None = None,
    progress: Listener | None = None,
    passing: Callable[[RunbookError], bool] = passes,
    insist: bool = False,
) -> T:
    """Call ``check`` until it gives a truthy value several times in a row, and return the last one.

    The one way to wait. ``check`` gives ``None`` (or anything falsy) while the change cannot be seen; an error that is
    ``passing`` counts as that too, any other ends the wait. ``sightings`` and ``deadline`` (seconds) default to the
    pace's. ``describe`` completes "waiting until …". ``progress`` is told before each
    pause. At the deadline raises :class:`NotSettled`, or (``insist``) the last error that was passing.
    """
    wanted, limit = sightings or pace.sightings, pace.deadline if deadline is None else deadline
    started, interval = time.monotonic(), pace.interval
    seen, last, failure = 0, "it was never seen", None
    while True:
        value, asked = None, 0.0
        try:
            value, failure = check(), None
        except RunbookError as error:
            if not passing(error):
                raise
            failure, last, asked = error, error.what, getattr(error, "retry_after", None) or 0.0
        # A relapse after a sighting is another replica's answer: start counting anew.
        seen = seen + 1 if value else 0
        if value and seen >= wanted:
            return value
        waited = time.monotonic() - started
        if progress is not None:
            progress(Progress(describe, seen, wanted, waited, limit))
        if waited >= limit:
            break
        interval = pace.interval if value else interval
        time.sleep(max(0.0, min(max(interval, asked), limit - waited)))
        interval = min(interval * 1.5, pace.longest_interval)
    if insist and failure is not None:
        raise failure
    found = f"it was seen {seen} of {wanted} times in a row" if seen else last
    raise NotSettled.named("not_settled", waited=waited, describe=describe, found=found)


def ensure(
    find: Callable[[], T | None],
    create: Callable[[], T | None],
    *,
    pace: Pace,
    what: str,
    absent: bool = False,
    progress: Listener | None = None,
    settled: Callable[[RunbookError, bool], None] = lambda _error, _applied: None,
) -> tuple[T, bool]:
    """Have exactly one of it: ``find`` it, else ``create`` it. Returns it and whether it was created.

    ``create`` gives what the service answered, or None where that has to be found. After every answer that leaves open
    whether the write took effect (a reset after sending, a known misleading 404, "already exists") ``find`` is asked,
    several times, before ``create`` is tried again. ``absent``: it was looked for a moment ago and is not there.
    ``what`` names it. ``settled`` is told of an uncertain answer once it is known whether it was applied. Raises
    :class:`NotSettled` after the deadline, and any error that does not pass.
    """
    created = False  # by an answer that says so
    perhaps = False  # by an answer that leaves it open
    doubts, skip = 0, absent
    doubt: RunbookError | None = None

    def attempt() -> T | None:
        nonlocal created, perhaps, doubts, skip, doubt
        found = None if skip else find()
        skip = False
        if doubt is not None and (found is not None or not doubts):
            settled(doubt, found is not None and perhaps)
            doubt = None
        if found is not None or created:
            return found
        if doubts:
            doubts -= 1
            return None
        try:
            made = create()
        except (ServiceError, TransportError) as error:
            row = retry.transient(error)
            doubt = error if retry.maybe_applied(error) else None
            perhaps = perhaps or (retry.maybe_applied(error) and (row is None or row.then == "read-first"))
            # One replica's "not there" proves nothing: look several times before creating it again.
            doubts = pace.sightings - 1 if retry.maybe_applied(error) else 0
            raise
        created = True
        return made or find()

    found = until(attempt, pace=pace, describe=f"{what} is there", sightings=1, progress=progress)
    return found, created or perhaps
