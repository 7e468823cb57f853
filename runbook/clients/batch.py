"""JSON batches of Microsoft Graph: up to 20 requests in one (learn.microsoft.com/graph/json-batching).

200 for the batch says nothing about its parts: each has its own status and is throttled by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from runbook.clients import retry, settle
from runbook.clients.calls import shown_path
from runbook.clients.http import Answer, Effect
from runbook.clients.retry import Pace
from runbook.errors import TransportError

LARGEST = 20


@dataclass(frozen=True)
class BatchRequest:
    """One part: ``path`` relative to ``/v1.0`` with its query; ``note`` goes into the journal with it."""

    method: str
    path: str
    body: Any = None
    note: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> dict[str, Any]:
        """As the journal has it."""
        return {"method": self.method, "path": shown_path(self.path), **self.note}

    def part(self, number: int) -> dict[str, Any]:
        """As it stands in the body of a batch; a body needs its content type."""
        part = {"id": str(number), "method": self.method, "url": "/" + self.path.lstrip("/")}
        if self.body is None:
            return part
        return {**part, "headers": {"Content-Type": "application/json"}, "body": self.body}


Outcome = Callable[[Answer], Mapping[str, Any]]
Send = Callable[[dict[str, Any], Effect, dict[str, Any], Outcome], Answer]


def run(
    requests: Iterable[BatchRequest], send: Send, pace: Pace, progress: settle.Listener | None = None
) -> list[Answer]:
    """Send ``requests`` in as few batches as possible; their answers, in their order.

    Parts that were throttled are sent again (after the longest Retry-After among them); reads also after 500, 502, 503
    and 504. A part that fails otherwise keeps its answer. Raises what ``send`` raises.
    """
    parts = list(requests)
    answers: dict[int, Answer] = {}
    pending, attempts = list(range(len(parts))), 0

    def attempt() -> bool:
        nonlocal pending, attempts
        attempts += 1
        for start in range(0, len(pending), LARGEST):
            answers.update(_exchange({number: parts[number] for number in pending[start : start + LARGEST]}, send))
        pending = [number for number in pending if _again(parts[number], answers[number])]
        asked = max((retry.retry_after(answers[number].headers) or 0.0 for number in pending), default=0.0)
        if pending and attempts < pace.attempts and asked <= pace.longest_retry_after:
            raise _Throttled(f"{len(pending)} parts of a batch were put off", asked)
        return True

    with suppress(_Throttled):
        settle.until(
            attempt,
            pace=pace,
            describe="every part of the batch is served",
            sightings=1,
            passing=lambda error: isinstance(error, _Throttled),
            insist=True,
            progress=progress,
        )
    return [answers[number] for number in range(len(parts))]


class _Throttled(TransportError):
    def __init__(self, what: str, retry_after: float) -> None:
        super().__init__(what)
        self.retry_after = retry_after


def _exchange(chunk: Mapping[int, BatchRequest], send: Send) -> Iterator[tuple[int, Answer]]:
    effect: Effect = "read" if all(request.method == "GET" for request in chunk.values()) else "write"
    note = {"parts": [request.shown for request in chunk.values()]}

    def outcome(answer: Answer) -> dict[str, Any]:
        found = _parts(answer)
        return {"parts": [{**one.shown, "status": found.get(str(n), {}).get("status")} for n, one in chunk.items()]}

    answer = send({"requests": [request.part(number) for number, request in chunk.items()]}, effect, note, outcome)
    found = _parts(answer)
    for number, request in chunk.items():
        part = found.get(str(number), {})
        if not isinstance(part.get("status"), int):
            raise TransportError(
                f"The batch's answer leaves out {request.method} {shown_path(request.path)}.",
                maybe_applied=request.method != "GET",
            )
        headers = {str(name).lower(): str(value) for name, value in (part.get("headers") or {}).items()}
        yield number, Answer(part["status"], headers, "", part.get("body"))


def _parts(answer: Answer) -> dict[str, dict[str, Any]]:
    """The answers to the parts, by id."""
    parts = answer.body.get("responses") if isinstance(answer.body, dict) else None
    return {str(part.get("id")): part for part in parts or () if isinstance(part, dict)}


def _again(request: BatchRequest, answer: Answer) -> bool:
    statuses = retry.table().statuses
    return answer.status in (statuses.busy | statuses.uncertain if request.method == "GET" else statuses.not_applied)
