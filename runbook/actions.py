"""Every action as one typed call: ``call(graph, "list_users", query={"$top": 5}).frame()``; and its roads.

A call is held against the catalogue before anything is sent: the action's name, its path parameters and their shape,
the query options that Microsoft documents for it, and its body. Lists are pages that are fetched as they are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from runbook.catalog.request import Given, Request, prepare
from runbook.clients.bounded import Pages
from runbook.clients.graph import GraphClient, graph_error
from runbook.clients.http import Effect
from runbook.clients.stackone import StackOneClient

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
    """A way to run an action."""

    def send(self, request: Request, following: str = "") -> Reply:
        """Send it once, or ask for the page that ``following`` brings. Raises :class:`ServiceError` when refused."""


class AtGraph:
    """At Microsoft Graph itself, with the client's own token."""

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

    def frame(self, limit: int | None = None) -> pd.DataFrame:
        """The objects as a table, one row each; at most ``limit`` rows, and no page beyond them is fetched."""
        from itertools import islice

        import pandas as pd

        table = pd.DataFrame(list(islice(self.items(), limit)))
        return table.drop(columns=[name for name in table.columns if str(name).startswith("@odata.")])


def run(road: Road, request: Request) -> Result:
    """Send a checked request. Raises :class:`ServiceError` or :class:`TransportError`."""
    return Result(request, road.send(request), road)


def call(client: GraphClient, name: str, *, path: Given = None, query: Given = None, body: Given = None) -> Result:
    """Run one action (by name, slug or StackOne id) with the rights of ``client``'s token.

    Raises :class:`InputError` that names every mistake, before anything is sent, and :class:`GraphError`.
    """
    return run(AtGraph(client), prepare(name, path, query, body))
