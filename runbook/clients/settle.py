"""Waiting until a change can be seen: several equal sightings in a row, one visible deadline.

Directory reads come from replicas, so one success proves nothing (``GET /groups/{id}`` and others carry that note in
Microsoft's reference). The number of sightings, the interval and the deadline come from the target's pace.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from runbook.clients import retry
from runbook.clients.retry import Pace
from runbook.errors import NotSettled, ServiceError

__all__ = ["Progress", "until"]

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """What a person may be shown while waiting; times in seconds."""

    awaited: str
    seen: int
    wanted: int
    waited: float
    deadline: float


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
    count as that too, any other error ends the wait. ``sightings`` and ``deadline`` (seconds) default to the pace's.
    ``describe`` completes "waiting until …". ``stop`` ends the wait early. Raises :class:`NotSettled`.
    """
    wanted, limit = sightings or pace.sightings, deadline if deadline is not None else pace.deadline
    pause = stop or threading.Event()
    started = time.monotonic()
    seen, interval = 0, pace.interval
    last = "it was never seen"
    while True:
        try:
            value = check()
        except ServiceError as error:
            if retry.transient(error) is None:
                raise
            value, last = None, error.what
        # A relapse after a sighting is another replica's answer: start counting anew.
        seen = seen + 1 if value else 0
        if value and seen >= wanted:
            return value
        waited = time.monotonic() - started
        if progress is not None:
            progress(Progress(describe, seen, wanted, waited, limit))
        if waited >= limit or pause.wait(min(interval, max(0.0, limit - waited))):
            break
        interval = pace.interval if value else min(interval * 1.5, pace.longest_interval)
    found = f"it was seen {seen} of {wanted} times in a row" if seen else last
    raise NotSettled(
        f"After {time.monotonic() - started:.0f} s still waiting until {describe}: {found}.",
        meaning="The change was accepted, but it could not be read back reliably before the deadline of this step.",
        next_step=next_step or "Run again; nothing that was done is repeated. If it stays like this, check the tenant.",
    )
