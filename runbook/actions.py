"""Every action as one typed call: ``call(graph, "list_users", frame=True)``; and its roads.

A call is held against the catalogue before anything is sent: the action's name, its path parameters and their shape,
the query options that Microsoft documents for it, and its body. Lists are pages that are fetched as they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from runbook.catalog.request import LARGEST_PAGE, Given, Request, paged, prepare
from runbook.clients.bounded import Pages
from runbook.clients.graph import GraphClient, graph_error
from runbook.clients.http import Effect
from runbook.clients.stackone import StackOneClient
from runbook.errors import GraphError, RunbookError
from runbook.frames import Reading

if TYPE_CHECKING:
    import pandas as pd

JSON = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """One answer: its status and JSON, the objects in it, the request id, and what brings the next page of a list."""

    status: int
    body: Any = None
    objects: tuple[JSON, ...] = ()
    request_id: str = ""
    following: str = ""


class Road(Protocol):
    """A way to run an action. ``readers``: how many pages of a list it may be asked for at once."""

    @property
    def readers(self) -> int: ...

    def send(self, request: Request, following: str = "") -> Reply:
        """Send it once, or ask for the page that ``following`` brings. Raises :class:`ServiceError` when refused."""


class AtGraph:
    """At Microsoft Graph itself, with the client's own token."""

    readers = 4

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    def send(self, request: Request, following: str = "") -> Reply:
        # A next link carries the query, never the header (learn.microsoft.com/graph/paging).
        path, query = following or request.path, {} if following else request.query
        headers, effect = request.headers, _effect(request)
        answer = self._client.session.request(
            request.method, path, params=query, json=request.body, headers=headers, effect=effect
        )
        if not answer.ok:
            raise graph_error(answer, request.method, path)
        body = answer.body if isinstance(answer.body, dict) else {}
        objects = tuple(body.get("value") or ()) if request.action.is_list else (body,) if body else ()
        return Reply(answer.status, answer.body, objects, answer.request_id or "", body.get("@odata.nextLink") or "")


class ThroughStackOne:
    """By StackOne's documented action call, as a linked account (docs.stackone.com, POST /actions/rpc)."""

    readers = 1

    def __init__(self, client: StackOneClient, account_id: str) -> None:
        self._client, self._account = client, account_id

    def send(self, request: Request, following: str = "") -> Reply:
        answer = self._client.call_action(
            request.action.stackone_id,
            self._account,
            path=dict(request.path_values) or None,
            query={**request.query, **({"next": following} if following else {})} or None,
            body=request.body,
            effect=_effect(request),
        )
        data = answer.get("data")
        objects = tuple(data) if isinstance(data, list) else (data,) if data else ()
        return Reply(200, data, objects, following=str(answer.get("next") or ""))


def _effect(request: Request) -> Effect:
    return "read" if request.action.effect == "read" else "write"


@dataclass(frozen=True)
class Result:
    """What an action answered: its first reply, and the road by which further pages come."""

    request: Request
    first: Reply
    road: Road

    def items(self) -> Iterator[JSON]:
        """The objects of the answer; further pages of a list are fetched when they are reached."""
        reply, pages = self.first, Pages(f"The list of {self.request.action.name}")
        yield from map(dict, reply.objects)
        while reply.following:
            pages.turn(reply.following)
            reply = self.road.send(self.request, reply.following)
            yield from map(dict, reply.objects)

    def frame(self, limit: int | None = None, seen: Seen | None = None) -> pd.DataFrame:
        """The objects as a table with typed columns, one row each; at most ``limit`` rows, and no page beyond them.

        ``seen`` is told how many rows have come. After an error, whose ``unfinished`` is the :class:`Listing`, its
        ``read`` goes on behind the pages that came.
        """
        listing = Listing(self.request, self.first, readers=self.road.readers, limit=limit)
        listing.read(self.road, seen)
        return listing.frame()


Seen = Callable[[int], None]
_FEW = 4  # pages
_CUTS = "bdgjlmprst"
"""Where users are parted by the first character of their names: eleven parts, much alike in size."""


class Listing:
    """A list as it is read into a table; what came stays when a page does not come, and :meth:`read` goes on there.

    Users of more than some pages are read in parts at once. ``ge`` and ``le`` of userPrincipalName need no advanced
    query (learn.microsoft.com/graph/aad-advanced-queries). In whatever order a service puts names, each is at one side
    of a cut or at the other, and none is a cut, as each has an @: none is left out or comes twice.
    """

    def __init__(self, request: Request, first: Reply, *, readers: int = 1, limit: int | None = None) -> None:
        self._request, self._first, self._limit = request, first, limit
        own = {"$filter", "$search", "$orderby", "$skip", "$count", "$expand"} & request.query.keys()
        few = limit is not None and limit < 2 * _FEW * LARGEST_PAGE
        self._readers = 1 if own or few or request.action.path != "/users" else readers
        self._whole()

    def _whole(self) -> None:
        self._reading = Reading(self._request.action.name)
        self._reading.take(self._first)

    def _read(self, ask: Callable[[str, str], Reply], seen: Seen | None) -> None:
        if self._readers > 1 and len(self._reading.parts) == 1:
            self._reading.read(ask, _FEW * len(self._first.objects), seen)
            if not self._reading.ended:  # worth it: the few pages that came are read again
                self._reading = Reading(self._request.action.name, _conditions(), readers=self._readers)
        self._reading.read(ask, self._limit, seen)

    @property
    def rows(self) -> int:
        """How many have come."""
        return self._reading.rows

    def read(self, road: Road, seen: Seen | None = None) -> None:
        """Read everything, or as far as the limit; ``seen`` is told how many rows have come.

        Raises :class:`ServiceError` or :class:`TransportError`, with this listing as ``unfinished``.
        """

        def ask(condition: str, following: str) -> Reply:
            query = {**self._request.query, **({"$filter": condition} if condition else {})}
            return road.send(replace(self._request, query=query), following)

        try:
            try:
                self._read(ask, seen)
            except GraphError as error:
                if error.status != 400 or len(self._reading.parts) == 1 or self.rows:
                    raise
                self._readers = 1  # a service that does not part it
                self._whole()
                self._read(ask, seen)
        except RunbookError as error:
            error.unfinished = self
            raise

    def frame(self) -> pd.DataFrame:
        """What came, as a table with typed columns, one row an object; once, where everything came."""
        return self._reading.frame(self._limit)


def _conditions() -> Iterator[str]:
    name = "userPrincipalName"
    yield f"{name} le '{_CUTS[0]}'"
    yield from (f"{name} ge '{low}' and {name} le '{high}'" for low, high in pairwise(_CUTS))
    yield f"{name} ge '{_CUTS[-1]}'"


def run(road: Road, request: Request) -> Result:
    """Send a checked request. Raises :class:`ServiceError` or :class:`TransportError`."""
    return Result(request, road.send(request), road)


@overload
def call(
    client: GraphClient, name: str, *, path: Given = ..., query: Given = ..., body: Given = ...,
    frame: Literal[False] = ...,
) -> Result: ...  # fmt: skip
@overload
def call(
    client: GraphClient, name: str, *, path: Given = ..., query: Given = ..., body: Given = ...,
    frame: Literal[True], seen: Seen | None = ...,
) -> pd.DataFrame: ...  # fmt: skip
def call(
    client: GraphClient, name: str, *, path: Given = None, query: Given = None, body: Given = None,
    frame: bool = False, seen: Seen | None = None,
) -> Result | pd.DataFrame:  # fmt: skip
    """Run one action (by name, slug or StackOne id) with the rights of ``client``'s token.

    ``frame``: its objects as a table at once, a list in the largest pages there are; ``seen`` as for
    :meth:`Result.frame`. Raises :class:`InputError` that names every mistake, before anything is sent, and
    :class:`GraphError`.
    """
    request = prepare(name, path, query, body)
    return run(AtGraph(client), paged(request)).frame(seen=seen) if frame else run(AtGraph(client), request)
