"""Microsoft Graph v1.0: objects, collections, links and batches; its errors as ours.

Every path is relative to ``/v1.0``. Bodies and answers are plain dicts as Graph's reference describes them. A batch
takes up to 20 requests in one (learn.microsoft.com/graph/json-batching); 200 for it says nothing about its parts: each
has its own status and is throttled by itself.
"""

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar, Unpack

from runbook.clients import odata, retry, settle
from runbook.clients.answers import told
from runbook.clients.bounded import Pages
from runbook.clients.calls import Bearer, CallLog, TokenSource, shown_path
from runbook.clients.http import Answer, Client, Effect
from runbook.clients.odata import Options
from runbook.clients.target import Target
from runbook.errors import GraphError, RunbookError, TransportError

T = TypeVar("T")
JSON = dict[str, Any]
Params = Mapping[str, str]
Note = Mapping[str, Any] | None

LARGEST = 20  # parts of one batch


class Page(NamedTuple):
    """One page of a collection. ``total`` is there on the first page of a query that asked for the count."""

    items: tuple[JSON, ...]
    total: int | None
    next_link: str | None


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


class GraphClient(Client):
    """Calls to one tenant's Graph with one token source. Safe to use from several threads."""

    def __init__(self, target: Target, tokens: TokenSource, journal: CallLog | None = None) -> None:
        super().__init__(target, f"{target.endpoints.graph}/v1.0", "graph", Bearer(tokens), journal)
        self._made: dict[str, float] = {}  # when, by object id and application id
        self.progress: settle.Listener | None = None

    def get(self, path: str, params: Params | None = None, **options: Unpack[Options]) -> JSON:
        """One object. ``options`` are those of :func:`runbook.clients.odata.query`. Raises :class:`GraphError`."""
        asked, headers = odata.prepare(path, params, **options)
        return self._send("GET", path, params=asked, headers=headers).object(f"GET {shown_path(path)}")

    def find(self, path: str, params: Params | None = None, **options: Unpack[Options]) -> JSON | None:
        """One object, or ``None`` when Graph says 404."""
        try:
            return self.get(path, params, **options)
        except GraphError as error:
            if error.status == 404:
                return None
            raise

    def page(self, path: str, **options: Unpack[Options]) -> Page:
        """One page of a collection. ``path`` may be the ``next_link`` of the page before, with the same options."""
        asked, headers = odata.prepare(path, None, **options)
        # A next link has the parameters in it, and is followed as it was given.
        return self._page(path, {} if path.startswith("https://") else asked, headers)

    def list(self, path: str, params: Params | None = None, **options: Unpack[Options]) -> Iterator[JSON]:
        """Every item, page after page as they are consumed; ``@odata.nextLink`` is followed as it is given."""
        asked, headers = odata.prepare(path, params, **options)
        link: str | None = path
        pages = Pages(f"GET {shown_path(path)}")
        while link is not None:
            pages.turn(link)
            page = self._page(link, asked, headers)
            yield from page.items
            link, asked = page.next_link, {}

    def _page(self, path: str, params: Params, headers: Mapping[str, str]) -> Page:
        body = self._send("GET", path, params=params, headers=headers).object(f"GET {shown_path(path)}")
        items = body.get("value")
        if not isinstance(items, list):
            raise TransportError(f"GET {shown_path(path)} answered something that is not a collection.")
        return Page(tuple(items), body.get("@odata.count"), body.get("@odata.nextLink"))

    def post(self, path: str, body: JSON | None = None, *, fresh: bool = False, note: Note = None) -> JSON | None:
        """Create, or call a function, once; ``None`` when the answer has no body.

        ``fresh``: an object in it was just made, so answers that say "not everywhere yet" are waited out.
        """
        if not fresh:
            return self._write("POST", path, body, note)
        taken = f"{shown_path(path)} takes a new object"
        return self.until(lambda: (self._write("POST", path, body, note),), taken, passing=_not_applied)[0]

    def ensure(
        self,
        find: Callable[[], T | None],
        create: Callable[[], T | None],
        *,
        what: str = "The new object",
        absent: bool = False,
    ) -> tuple[T, bool]:
        """The shape *create*: :func:`runbook.clients.settle.ensure` at this client's pace."""

        def settled(error: RunbookError, applied: bool) -> None:
            self.session.settled(error.ticket, applied=applied, created=applied)

        return settle.ensure(
            find, create, pace=self.pace, what=what, absent=absent, progress=self.progress, settled=settled
        )

    def set(self, path: str, body: JSON, *, create_missing: bool = False, note: Note = None) -> JSON | None:
        """The shape *set*: PATCH until the object has the values of ``body``; the new object if one was made.

        After an answer that leaves open whether it took effect the values are read and compared, and only what is not
        there yet is sent again. ``create_missing``: ``path`` is an alternate key, and what is missing is created
        (learn.microsoft.com/graph/api/application-upsert). Raises the last refusal after the deadline.
        """
        headers = {"Prefer": "create-if-missing"} if create_missing else None
        doubt: RunbookError | None = None

        def attempt() -> tuple[JSON | None]:
            nonlocal doubt
            if doubt is not None:
                there = _has(self.find(path, select=("id", *body)), body)
                self.session.settled(doubt.ticket, applied=there, created=there and create_missing)
                doubt = None
                if there:
                    return (None,)
            try:
                answer = self._send("PATCH", path, json=body, headers=headers, note=note)
            except (GraphError, TransportError) as error:
                doubt = error if retry.maybe_applied(error) else None
                raise
            return (answer.body if answer.status == 201 else None,)

        return self.until(attempt, f"{shown_path(path)} has its new values")[0]

    def remove(
        self,
        path: str,
        body: JSON | None = None,
        *,
        fresh: bool = False,
        unsure: bool = False,
        deadline: float | None = None,
    ) -> bool:
        """The shape *delete*: absent is done. ``False`` when it was not there any more.

        With ``body`` a POST that removes, such as ``removePassword``. ``fresh``: it was just made, so that it is absent
        may mean "not everywhere yet" and is believed after an answer that was lost, seen several times, or where one
        was lost before, so that nobody is sure (``unsure``).
        """
        doubt: RunbookError | None = None
        absent = 0

        def settled(*, applied: bool) -> None:
            if doubt is not None:
                self.session.settled(doubt.ticket, applied=applied)

        def attempt() -> tuple[bool]:
            nonlocal doubt, absent
            try:
                self._write("DELETE" if body is None else "POST", path, body)
            except (GraphError, TransportError) as error:
                absent += _is_absent(error)
                if _is_absent(error) and (not fresh or ((doubt or unsure) and absent >= self.pace.sightings)):
                    settled(applied=True)
                    return (doubt is not None,)
                if retry.maybe_applied(error):
                    settled(applied=False)
                    doubt = error
                raise
            settled(applied=False)
            return (True,)

        def passing(error: RunbookError) -> bool:
            return settle.passes(error) or (fresh and _is_absent(error))

        return self.until(attempt, f"{shown_path(path)} is removed", passing=passing, deadline=deadline)[0]

    def until(
        self,
        check: Callable[[], T | None],
        describe: str,
        *,
        passing: Callable[[RunbookError], bool] = settle.passes,
        deadline: float | None = None,
    ) -> T:
        """Repeat one call until it succeeds; the last refusal that was ``passing`` is raised after ``deadline`` s."""
        once = functools.partial(settle.until, sightings=1, progress=self.progress, insist=True)
        return once(check, pace=self.pace, describe=describe, deadline=deadline, passing=passing)

    def batch(self, requests: Iterable[BatchRequest], *, patient: bool = True) -> Sequence[Answer]:
        """Many requests in as few batches as possible; answers in order, errors of parts included.

        If ``patient``, parts that were throttled are sent again (after the longest Retry-After among them); reads also
        after 500, 502, 503 and 504. A part that fails otherwise keeps its answer. Raises what sending the batch raises.
        """
        parts = [*requests]
        answers: dict[int, Answer] = {}
        pending, attempts = [*range(len(parts))], 0

        def attempt() -> bool:
            nonlocal pending, attempts
            attempts += 1
            for start in range(0, len(pending), LARGEST):
                answers.update(self._exchange({number: parts[number] for number in pending[start : start + LARGEST]}))
            pending = [number for number in pending if _again(parts[number], answers[number])]
            asked = max((retry.retry_after(answers[number].headers) or 0.0 for number in pending), default=0.0)
            if patient and pending and attempts < self.pace.attempts and asked <= self.pace.longest_retry_after:
                raise _Throttled(f"{len(pending)} parts of a batch were put off", asked)
            return True

        with suppress(_Throttled):
            describe = "every part of the batch is served"
            self.until(attempt, describe, passing=lambda error: isinstance(error, _Throttled))
        return [answers[number] for number in range(len(parts))]

    def _exchange(self, chunk: Mapping[int, BatchRequest]) -> Iterator[tuple[int, Answer]]:
        effect: Effect = "read" if all(request.method == "GET" for request in chunk.values()) else "write"
        note = {"parts": [request.shown for request in chunk.values()]}

        def outcome(answer: Answer) -> dict[str, Any]:
            found = _parts(answer)
            return {"parts": [{**one.shown, "status": found.get(str(n), {}).get("status")} for n, one in chunk.items()]}

        body = {"requests": [request.part(number) for number, request in chunk.items()]}
        answer = self._send("POST", "/$batch", json=body, effect=effect, note=note, outcome=outcome)
        found = _parts(answer)
        for number, request in chunk.items():
            part = found.get(str(number), {})
            if not isinstance(part.get("status"), int):
                what = f"The batch's answer leaves out {request.method} {shown_path(request.path)}."
                raise TransportError(what, maybe_applied=request.method != "GET")
            headers = {str(name).lower(): str(value) for name, value in (part.get("headers") or {}).items()}
            known = answer.request_id if part["status"] < 400 else None  # a refusal names its own
            yield number, Answer(part["status"], headers, "", part.get("body"), known)

    def _write(self, method: str, path: str, body: JSON | None = None, note: Note = None) -> JSON | None:
        answer = self._send(method, path, json=body, note=note)
        return answer.body if isinstance(answer.body, dict) else None

    def _send(self, method: str, path: str, **options: Any) -> Answer:
        answer = self.session.request(method, path, **options)
        if not answer.ok:
            raise told(graph_error(answer, method, path), age_seconds=self.age(f"{path} {options.get('json')}"))
        if method in ("POST", "PATCH") and isinstance(answer.body, dict):  # addPassword makes one and says 200
            ids = [str(answer.body[name]) for name in ("id", "appId", "keyId") if answer.body.get(name)]
            self._made |= dict.fromkeys(ids, time.monotonic())
        return answer

    def age(self, text: str) -> float | None:
        """Seconds since this client made the youngest object that ``text`` names by an id; None if it made none."""
        made = [at for name, at in self._made.items() if name in text]
        return time.monotonic() - max(made) if made else None


def graph_error(answer: Answer, method: str, path: str) -> GraphError:
    """Graph's error body as our error (learn.microsoft.com/graph/errors); also for the parts of a batch."""
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    error = error if isinstance(error, dict) else {}
    inner = error.get("innerError") or error.get("innererror") or {}
    code, message = str(error.get("code") or ""), str(error.get("message") or "")
    said = f"{code}: {message}" if code or message else "no reason given"
    failure = GraphError(
        f"Microsoft Graph refused {method} {shown_path(path)} with {answer.status} ({said.rstrip('.')}).",
        status=answer.status,
        method=method,
        path=shown_path(path),
        message=message,
        retry_after=retry.retry_after(answer.headers),
        code=code or None,
        request_id=answer.request_id or (inner.get("request-id") if isinstance(inner, dict) else None),
    )
    failure.ticket = answer.ticket
    return told(failure, clock_offset_seconds=retry.clock_offset(answer.headers))


def _is_absent(error: RunbookError) -> bool:
    # removePassword says 400 of a key that is not there.
    return isinstance(error, GraphError) and (
        error.status == 404 or error.message.startswith("No password credential found")
    )


def _not_applied(error: RunbookError) -> bool:
    return settle.passes(error) and not retry.maybe_applied(error)


def _has(found: Any, wanted: Any) -> bool:
    """Whether ``found`` has every value of ``wanted``; what else is in an object does not matter."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_has(found.get(name), value) for name, value in wanted.items())
    return bool(found == wanted)


class _Throttled(TransportError):
    def __init__(self, what: str, retry_after: float) -> None:
        super().__init__(what)
        self.retry_after = retry_after


def _parts(answer: Answer) -> dict[str, dict[str, Any]]:
    """The answers to the parts, by id."""
    parts = answer.body.get("responses") if isinstance(answer.body, dict) else None
    return {str(part.get("id")): part for part in parts or () if isinstance(part, dict)}


def _again(request: BatchRequest, answer: Answer) -> bool:
    kinds: tuple[retry.Status, ...] = ("busy", "uncertain") if request.method == "GET" else ("not_applied",)
    return answer.status in retry.statuses(*kinds)
