"""Microsoft Graph v1.0: objects, collections, links and batches; its errors as ours.

Every path is relative to ``/v1.0``. Bodies and answers are plain dicts as Graph's reference describes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, Unpack

from runbook.clients import batch, odata, retry, settle
from runbook.clients.answers import told
from runbook.clients.auth import Bearer, TokenSource
from runbook.clients.batch import BatchRequest
from runbook.clients.calls import CallLog, shown_path
from runbook.clients.http import Answer, Client, Effect
from runbook.clients.odata import Options
from runbook.clients.retry import Pace
from runbook.clients.target import Target
from runbook.errors import GraphError, RunbookError, TransportError

T = TypeVar("T")
JSON = dict[str, Any]
Params = Mapping[str, str]
Note = Mapping[str, Any] | None


_MOST_PAGES = 10_000  # of 100 items at least: more than any list that is read whole here


class Page(NamedTuple):
    """One page of a collection. ``total`` is there on the first page of a query that asked for the count."""

    items: tuple[JSON, ...]
    total: int | None
    next_link: str | None


class GraphClient(Client):
    """Calls to one tenant's Graph with one token source. Safe to use from several threads."""

    def __init__(
        self, target: Target, tokens: TokenSource, journal: CallLog | None = None, *, pace: Pace | None = None
    ) -> None:
        super().__init__(target, f"{target.endpoints.graph}/v1.0", "graph", Bearer(tokens), journal, pace)
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

    def page(self, path: str, params: Params | None = None, **options: Unpack[Options]) -> Page:
        """One page of a collection. ``path`` may be the ``next_link`` of the page before, with the same options."""
        asked, headers = odata.prepare(path, params, **options)
        # A next link has the parameters in it, and is followed as it was given.
        return self._page(path, {} if path.startswith("https://") else asked, headers)

    def list(self, path: str, params: Params | None = None, **options: Unpack[Options]) -> Iterator[JSON]:
        """Every item, page after page as they are consumed; ``@odata.nextLink`` is followed as it is given."""
        asked, headers = odata.prepare(path, params, **options)
        link: str | None = path
        followed: set[str] = set()
        while link is not None:
            if link in followed or len(followed) >= _MOST_PAGES:
                raise TransportError(
                    f"GET {shown_path(path)} names a next page without end; {len(followed)} pages were read.",
                    meaning="A service, or something on the way to it, answers the same page again and again.",
                    next_step="Run again in a while; if it stays, check what stands between this machine and the host.",
                )
            followed.add(link)
            page = self._page(link, asked, headers)
            yield from page.items
            link, asked = page.next_link, {}

    def _page(self, path: str, params: Params, headers: Mapping[str, str]) -> Page:
        body = self._send("GET", path, params=params, headers=headers).object(f"GET {shown_path(path)}")
        items = body.get("value")
        if not isinstance(items, list):
            raise TransportError(f"GET {shown_path(path)} answered something that is not a collection.")
        return Page(tuple(items), body.get("@odata.count"), body.get("@odata.nextLink"))

    def post(
        self, path: str, body: JSON | None = None, *, effect: Effect = "write", fresh: bool = False, note: Note = None
    ) -> JSON | None:
        """Create, or call a function, once; ``None`` when the answer has no body.

        ``fresh``: an object in it was just made, so answers that say "not everywhere yet" are waited out.
        """
        if not fresh:
            return self._write("POST", path, body, effect, note)
        return self.until(
            lambda: (self._write("POST", path, body, effect, note),),
            f"{shown_path(path)} takes a new object",
            passing=_not_applied,
        )[0]

    def delete(self, path: str, *, missing_ok: bool = True) -> bool:
        """Delete, once; ``False`` when it was not there any more (an error unless ``missing_ok``)."""
        try:
            self._write("DELETE", path)
        except GraphError as error:
            if error.status == 404 and missing_ok:
                return False
            raise
        return True

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

    def remove(self, path: str, body: JSON | None = None) -> bool:
        """The shape *delete*: absent is done. ``False`` when it was not there any more.

        With ``body`` a POST that removes, such as ``removePassword``.
        """
        doubt = False

        def attempt() -> tuple[bool]:
            nonlocal doubt
            try:
                self._write("DELETE" if body is None else "POST", path, body)
            except (GraphError, TransportError) as error:
                if isinstance(error, GraphError) and (error.status == 404 or error.message.startswith(_NO_SUCH_KEY)):
                    return (doubt,)
                doubt = doubt or retry.maybe_applied(error)
                raise
            return (True,)

        return self.until(attempt, f"{shown_path(path)} is removed")[0]

    def until(
        self,
        check: Callable[[], T | None],
        describe: str,
        *,
        passing: Callable[[RunbookError], bool] = settle.passes,
        deadline: float | None = None,
    ) -> T:
        """Repeat one call until it succeeds; the last refusal that was ``passing`` is raised after ``deadline`` s."""
        return settle.until(
            check,
            pace=self.pace,
            describe=describe,
            sightings=1,
            deadline=deadline,
            progress=self.progress,
            passing=passing,
            insist=True,
        )

    def batch(self, requests: Iterable[BatchRequest]) -> Sequence[Answer]:
        """Many requests in few (:func:`runbook.clients.batch.run`); answers in order, errors of parts included."""
        return batch.run(
            requests,
            lambda body, effect, note, outcome: self._send(
                "POST", "/$batch", json=body, effect=effect, note=note, outcome=outcome
            ),
            self.pace,
            self.progress,
        )

    def _write(
        self, method: str, path: str, body: JSON | None = None, effect: Effect = "write", note: Note = None
    ) -> JSON | None:
        answer = self._send(method, path, json=body, effect=effect, note=note)
        return answer.body if isinstance(answer.body, dict) else None

    def _send(self, method: str, path: str, **options: Any) -> Answer:
        answer = self.session.request(method, path, **options)
        if not answer.ok:
            error = graph_error(answer.status, answer.body, method, path, answer.headers, answer.request_id)
            error.ticket = answer.ticket
            raise told(error, age_seconds=self.age(f"{path} {options.get('json')}"))
        if answer.status == 201 and isinstance(answer.body, dict):
            ids = [str(answer.body[name]) for name in ("id", "appId") if answer.body.get(name)]
            self._made |= dict.fromkeys(ids, time.monotonic())
        return answer

    def age(self, text: str) -> float | None:
        """Seconds since this client made the youngest object that ``text`` names by an id; None if it made none."""
        made = [at for name, at in self._made.items() if name in text]
        return time.monotonic() - max(made) if made else None


def graph_error(
    status: int, body: Any, method: str, path: str, headers: Mapping[str, str], request_id: str | None = None
) -> GraphError:
    """Graph's error body as our error (learn.microsoft.com/graph/errors); also for the parts of a batch."""
    error = body.get("error") if isinstance(body, dict) else None
    error = error if isinstance(error, dict) else {}
    inner = error.get("innerError") or error.get("innererror") or {}
    code, message = str(error.get("code") or ""), str(error.get("message") or "")
    said = f"{code}: {message}" if code or message else "no reason given"
    failure = GraphError(
        f"Microsoft Graph refused {method} {shown_path(path)} with {status} ({said}).",
        status=status,
        method=method,
        path=shown_path(path),
        message=message,
        retry_after=retry.retry_after(headers),
        code=code or None,
        request_id=request_id or (inner.get("request-id") if isinstance(inner, dict) else None),
    )
    return told(failure, clock_offset_seconds=retry.clock_offset(headers))


# What removePassword says (400) of a key that is not there.
_NO_SUCH_KEY = "No password credential found"


def _not_applied(error: RunbookError) -> bool:
    return settle.passes(error) and not retry.maybe_applied(error)


def _has(found: Any, wanted: Any) -> bool:
    """Whether ``found`` has every value of ``wanted``; what else is in an object does not matter."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_has(found.get(name), value) for name, value in wanted.items())
    return bool(found == wanted)
