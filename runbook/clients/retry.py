"""What passes by itself: when to ask again, how long to wait, and after which answers to look before repeating.

One table (:mod:`runbook.clients.answers`) and one retry loop (stamina) for the whole product. A *read* may be repeated
after any transient failure. A *write* is repeated only when it cannot have been applied: the connection was refused
before anything was sent, or the service answered 429. Everything else about a write is *uncertain*: the caller reads
first (:meth:`runbook.clients.graph.GraphClient.ensure`).
"""

import datetime
import functools
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import stamina
from pydantic import Field

from runbook.clients.answers import Row, Strict, look_up
from runbook.data import table
from runbook.errors import RunbookError, ServiceError, TransportError

# stamina logs each retry; without a handler Python would print that to stderr in the middle of our own lines.
logging.getLogger("stamina").addHandler(logging.NullHandler())


class Pace(Strict):
    """How fast to ask and how long to wait, in seconds; a rehearsal is brisk, a real tenant is not.

    ``connect`` is for a connection, ``read`` between two pieces of an answer, ``whole`` for one attempt. After ``lag``,
    what a replica does not have counts as absent and no longer as late.
    """

    interval: float = Field(gt=0)
    longest_interval: float = Field(gt=0)
    lag: float = Field(gt=0)
    sightings: int = Field(ge=2)
    deadline: float = Field(gt=0)
    attempts: int = Field(ge=1)
    first_wait: float = Field(gt=0)
    longest_wait: float = Field(gt=0)
    jitter: float = Field(ge=0)
    longest_retry_after: float = Field(gt=0)
    spaced: bool
    connect: float = Field(gt=0)
    read: float = Field(gt=0)
    whole: float = Field(gt=0)


Status = Literal["busy", "not_applied", "uncertain"]


def statuses(*kinds: Status) -> frozenset[int]:
    """``busy``: ask again later; ``not_applied``: so even for a write; ``uncertain``: a write may have been applied."""
    return frozenset(status for kind in kinds for status in table("clients/pace.json")["statuses"][kind])


@functools.cache
def pace(*, rehearsal: bool) -> Pace:
    """The pace of a rehearsal or of a real tenant."""
    return Pace(**table("clients/pace.json")["paces"]["rehearsal" if rehearsal else "real"])


def spacing(path: str) -> tuple[str, float]:
    """To which paths, by their beginning, the service asks for requests at least so many seconds apart; else 0."""
    rows = table("clients/pace.json")["spacing"]
    return next(((row["path"], row["seconds"]) for row in rows if path.startswith(row["path"])), ("", 0.0))


def transient(error: RunbookError, **circumstances: Any) -> Row | None:
    """The row of the table that describes ``error``, or None when it does not pass by itself."""
    row = look_up(error, **circumstances)
    return row if row is not None and row.then else None


def maybe_applied(error: RunbookError) -> bool:
    """Whether the write that ended in ``error`` may have taken effect, so that one has to read before repeating it."""
    if isinstance(error, TransportError):
        return error.maybe_applied
    if isinstance(error, ServiceError):
        row = transient(error)
        return error.status in statuses("uncertain") or (row is not None and row.then != "repeat")
    return False


def clock_offset(headers: Mapping[str, str]) -> float | None:
    """Seconds that the service's clock (``Date`` of an answer, whole seconds) is ahead of this machine's."""
    return _seconds_until(headers.get("date") or headers.get("Date") or "")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a ``Retry-After`` header, given as a number or as an HTTP date (RFC 9110 section 10.2.3)."""
    value = (headers.get("retry-after") or headers.get("Retry-After") or "").strip()
    seconds = float(value) if re.fullmatch(r"[+-]?\d+(\.\d+)?", value) else _seconds_until(value)
    return None if seconds is None else max(0.0, seconds)


def _seconds_until(date: str) -> float | None:
    """From now to an HTTP date; None if it is none."""
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    return (moment - datetime.datetime.now(datetime.UTC)).total_seconds()


def attempts(pace: Pace, again: Callable[[Exception], bool | float]) -> Iterator[stamina.Attempt]:
    """Make up to ``pace.attempts`` attempts, with exponential backoff and jitter between them.

    ``again`` is asked about each failure: ``False`` gives up, ``True`` waits by backoff, a number waits that long.
    """
    waits = {"wait_initial": pace.first_wait, "wait_max": pace.longest_wait, "wait_jitter": pace.jitter}
    return iter(stamina.retry_context(on=again, attempts=pace.attempts, timeout=pace.deadline, **waits))
