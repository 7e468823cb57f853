"""Microsoft Graph v1.0: objects, collections, links and batches; its errors as ours.

Every path is relative to ``/v1.0``. Bodies and answers are plain dicts as Graph's reference describes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, Unpack

from runbook.clients import batch, odata, retry, settle
from runbook.clients.answers import told
from runbook.clients.auth import Bearer, TokenSource
from runbook.clients.batch import BatchAnswer, BatchRequest
from runbook.clients.http import Answer, CallLog, Effect, Session, shown_path
from runbook.clients.odata import Options
from runbook.clients.retry import Pace
from runbook.errors import GraphError, TransportError

if TYPE_CHECKING:
    from runbook.clients.target import Target

__all__ = ["GraphClient", "Page", "Upserted", "graph_error"]

T = TypeVar("T")
JSON = dict[str, Any]
Params = Mapping[str, str]
Note = Mapping[str, Any] | None


class Page(NamedTuple):
    """One page of a collection. ``total`` is there on the first page of a query that asked for the count."""

    items: tuple[JSON, ...]
    total: int | None
    next_link: str | None


class Upserted(NamedTuple):
    """What an upsert did; ``body`` is the new object, ``None`` when an existing one was updated."""

    created: bool
    body: JSON | None


class GraphClient:
    """Calls to one tenant's Graph with one token source. Safe to use from several threads."""

    def __init__(
        self,
        target: Target,
        tokens: TokenSource,
        journal: CallLog | None = None,
        *,
        pace: Pace | None = None,
    ) -> None:
        self.pace = pace or retry.pace(rehearsal=target.rehearsal)
        self._made: dict[str, float] = {}  # when, by object id and application id
        self.session = Session(
            f"{target.endpoints.graph}/v1.0",
            "graph",
            pace=self.pace,
            ca_file=target.endpoints.ca_file,
            auth=Bearer(tokens),
            journal=journal,
        )

    def __enter__(self) -> GraphClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def get(self, path: str, params: Params | None = None, **options: Unpack[Options]) -> JSON:
        """One object. ``options`` are those of :func:`runbook.clients.odata.query`. Raises :class:`GraphError`."""
        asked, headers = odata.prepare(path, params, **options)
        return _object(self._send("GET", path, params=asked, headers=headers), "GET", path)

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
        while link is not None:
            page = self._page(link, asked, headers)
            yield from page.items
            link, asked = page.next_link, {}

    def _page(self, path: str, params: Params, headers: Mapping[str, str]) -> Page:
        body = _object(self._send("GET", path, params=params, headers=headers), "GET", path)
        items = body.get("value")
        if not isinstance(items, list):
            raise TransportError(f"GET {shown_path(path)} answered something that is not a collection.")
        return Page(tuple(items), body.get("@odata.count"), body.get("@odata.nextLink"))

    def count(self, path: str, *, filter: str = "", search: str = "") -> int:
        """How many there are (``/$count``)."""
        params = {name: value for name, value in (("$filter", filter), ("$search", search)) if value}
        answer = self._send("GET", f"{path}/$count", params=params, headers={**odata.EVENTUAL, "Accept": "text/plain"})
        try:
            return int(answer.text.strip().lstrip("\ufeff"))
        except ValueError:
            raise TransportError(f"GET {shown_path(path)}/$count answered something that is not a number.") from None

    def post(
        self, path: str, body: JSON | None = None, *, effect: Effect = "write", fresh: bool = False, note: Note = None
    ) -> JSON | None:
        """Create, or call a function. ``fresh``: see :meth:`_write`. ``None`` when the answer has no body."""
        return self._write("POST", path, body, effect=effect, fresh=fresh, note=note)

    def patch(self, path: str, body: JSON, *, fresh: bool = False, note: Note = None) -> JSON | None:
        """Update the given properties."""
        return self._write("PATCH", path, body, fresh=fresh, note=note)

    def put(self, path: str, body: JSON, *, fresh: bool = False) -> JSON | None:
        """Replace."""
        return self._write("PUT", path, body, fresh=fresh)

    def delete(self, path: str, *, missing_ok: bool = True) -> bool:
        """Delete; ``False`` when it was not there any more (an error unless ``missing_ok``)."""
        try:
            self._write("DELETE", path, None)
        except GraphError as error:
            if error.status == 404 and missing_ok:
                return False
            raise
        return True

    def upsert(self, path: str, body: JSON) -> Upserted:
        """PATCH by an alternate key, creating what is missing (learn.microsoft.com/graph/api/application-upsert)."""
        answer = self._send("PATCH", path, json=body, headers={"Prefer": "create-if-missing"})
        return Upserted(answer.status == 201, answer.body if isinstance(answer.body, dict) else None)

    def ensure(
        self, find: Callable[[], T | None], create: Callable[[], object], *, what: str = "The new object"
    ) -> tuple[T, bool]:
        """:func:`runbook.clients.settle.ensure` at this client's pace."""
        return settle.ensure(find, create, pace=self.pace, what=what)

    def batch(self, requests: Iterable[BatchRequest]) -> dict[str, BatchAnswer]:
        """Many requests in few (:func:`runbook.clients.batch.run`); answers by id, errors of parts included."""
        return batch.run(
            requests,
            lambda body, effect, note, outcome: self._send(
                "POST", "/$batch", json=body, effect=effect, note=note, outcome=outcome
            ),
            self.pace,
        )

    def _write(
        self,
        method: str,
        path: str,
        body: JSON | None,
        *,
        effect: Effect = "write",
        fresh: bool = False,
        note: Note = None,
    ) -> JSON | None:
        """One write. ``fresh`` says that an object in it was just made: known replication answers are waited out."""
        wait = settle.Wait(self.pace)
        while True:
            try:
                answer = self._send(method, path, json=body, effect=effect, note=note)
            except GraphError as error:
                row = retry.transient(error)
                if not fresh or row is None or row.then != "repeat" or wait.over:
                    raise
                wait.pause()
                continue
            return answer.body if isinstance(answer.body, dict) else None

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        effect: Effect | None = None,
        note: Note = None,
        outcome: Callable[[Answer], Mapping[str, Any]] | None = None,
    ) -> Answer:
        answer = self.session.request(
            method, path, params=params, json=json, headers=headers, effect=effect, note=note, outcome=outcome
        )
        if not answer.ok:
            error = graph_error(answer.status, answer.body, method, path, answer.headers, answer.request_id)
            error.ticket = answer.ticket
            raise told(error, age_seconds=self.age(f"{path} {json}"))
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


def _object(answer: Answer, method: str, path: str) -> JSON:
    if not isinstance(answer.body, dict):
        raise TransportError(f"{method} {shown_path(path)} answered {answer.status} without an object.")
    return answer.body
