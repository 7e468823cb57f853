"""JSON batches of Microsoft Graph: up to 20 requests in one (learn.microsoft.com/graph/json-batching).

200 for the batch says nothing about its parts: each has its own status and is throttled by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from runbook.clients import retry, settle
from runbook.clients.calls import shown_path
from runbook.clients.http import Answer, Effect
from runbook.clients.retry import Pace
from runbook.errors import InputError, Problem, TransportError

LARGEST = 20


@dataclass(frozen=True)
class BatchRequest:
    """One part: ``path`` relative to ``/v1.0`` with its query. ``after`` names the parts that must succeed before.

    ``note`` goes into the journal with it.
    """

    id: str
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    note: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> dict[str, Any]:
        """As the journal has it."""
        return {"method": self.method, "path": shown_path(self.path), **self.note}

    @property
    def reads(self) -> bool:
        """Whether it is a GET."""
        return self.method == "GET"

    def part(self, together: Container[str]) -> dict[str, Any]:
        """As it stands in the body of a batch of the ids ``together``; a body needs its content type."""
        part: dict[str, Any] = {"id": self.id, "method": self.method, "url": "/" + self.path.lstrip("/")}
        headers = dict(self.headers)
        if self.body is not None:
            part["body"] = self.body
            headers.setdefault("Content-Type", "application/json")
        if headers:
            part["headers"] = headers
        # What it depends on may have been done in an earlier batch, when this part is sent again.
        if waits_for := [name for name in self.after if name in together]:
            part["dependsOn"] = waits_for
        return part


@dataclass(frozen=True)
class BatchAnswer:
    """The answer to one part. ``body`` is the parsed JSON, or ``None``."""

    id: str
    status: int
    headers: Mapping[str, str]
    body: Any = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


Outcome = Callable[[Answer], Mapping[str, Any]]
Send = Callable[[dict[str, Any], Effect, dict[str, Any], Outcome], Answer]


def run(
    requests: Iterable[BatchRequest], send: Send, pace: Pace, progress: settle.Listener | None = None
) -> dict[str, BatchAnswer]:
    """Send ``requests`` in as few batches as possible; answers by id.

    Parts that were throttled are sent again (after the longest Retry-After among them), with those that depended on
    them; reads also after 500, 502, 503 and 504. A part that fails otherwise keeps its answer. Raises
    :class:`InputError` for ids that are not unique or dependencies that do not fit into one batch, and what ``send``
    raises.
    """
    pending = list(requests)
    _check(pending)
    answers: dict[str, BatchAnswer] = {}
    attempts = 0

    def attempt() -> bool:
        nonlocal pending, attempts
        attempts += 1
        for chunk in _chunks(pending):
            answers.update(_exchange(chunk, send))
        again = {request.id for request in pending if _again(request, answers[request.id])}
        pending = [request for request in pending if request.id in _with_dependents(again, pending)]
        asked = max((retry.retry_after(answers[name].headers) or 0.0 for name in again), default=0.0)
        if again and attempts < pace.attempts and asked <= pace.longest_retry_after:
            raise _Throttled(f"{len(again)} parts of a batch were put off", asked)
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
    return answers


class _Throttled(TransportError):
    def __init__(self, what: str, retry_after: float) -> None:
        super().__init__(what)
        self.retry_after = retry_after


def _exchange(chunk: list[BatchRequest], send: Send) -> Iterator[tuple[str, BatchAnswer]]:
    effect: Effect = "read" if all(request.reads for request in chunk) else "write"
    note = {"parts": [request.shown for request in chunk]}
    together = {request.id for request in chunk}

    def outcome(answer: Answer) -> dict[str, Any]:
        found = _parts(answer)
        return {"parts": [{**part.shown, "status": found.get(part.id, {}).get("status")} for part in chunk]}

    answer = send({"requests": [request.part(together) for request in chunk]}, effect, note, outcome)
    found = _parts(answer)
    for request in chunk:
        part = found.get(request.id)
        if part is None or not isinstance(part.get("status"), int):
            raise TransportError(
                f"The batch's answer leaves out {request.method} {shown_path(request.path)}.",
                maybe_applied=not request.reads,
            )
        headers = {str(name).lower(): str(value) for name, value in (part.get("headers") or {}).items()}
        yield request.id, BatchAnswer(request.id, part["status"], headers, part.get("body"))


def _parts(answer: Answer) -> dict[str, dict[str, Any]]:
    """The answers to the parts, by id."""
    parts = answer.body.get("responses") if isinstance(answer.body, dict) else None
    return {str(part.get("id")): part for part in parts or () if isinstance(part, dict)}


def _again(request: BatchRequest, answer: BatchAnswer) -> bool:
    statuses = retry.table().statuses
    return answer.status in (statuses.busy | statuses.uncertain if request.reads else statuses.not_applied)


def _with_dependents(names: set[str], requests: list[BatchRequest]) -> set[str]:
    """``names`` with all that depend on them, directly or not."""
    found = set(names)
    while more := {request.id for request in requests if request.id not in found and found & set(request.after)}:
        found |= more
    return found


def _chunks(requests: list[BatchRequest]) -> Iterator[list[BatchRequest]]:
    """Groups of at most 20 that keep dependent requests together, in their order."""
    chunk: list[BatchRequest] = []
    for group in _groups(requests):
        if chunk and len(chunk) + len(group) > LARGEST:
            yield chunk
            chunk = []
        chunk += group
    if chunk:
        yield chunk


def _groups(requests: list[BatchRequest]) -> list[list[BatchRequest]]:
    present = {request.id for request in requests}
    leader: dict[str, str] = {request.id: request.id for request in requests}
    for request in requests:
        for name in present & set(request.after):
            old, new = leader[request.id], leader[name]
            leader = {key: new if value == old else value for key, value in leader.items()}
    groups: dict[str, list[BatchRequest]] = {}
    for request in requests:
        groups.setdefault(leader[request.id], []).append(request)
    return list(groups.values())


def _check(requests: list[BatchRequest]) -> None:
    problems = []
    ids = [request.id.lower() for request in requests]
    if len(set(ids)) != len(ids):
        problems.append(Problem("batch", "has an id twice (capital and small letters count as the same)."))
    known = {request.id for request in requests}
    for request in requests:
        problems += [
            Problem("batch", f"request {request.id} comes after {name}, which is not in it.")
            for name in request.after
            if name not in known
        ]
    if any(len(group) > LARGEST for group in _groups(requests)):
        problems.append(Problem("batch", f"has more than {LARGEST} requests that depend on each other."))
    if problems:
        raise InputError(problems)
