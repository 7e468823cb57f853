"""Every action of the guide as one typed call: ``call(graph, "list_users", query={"$top": 5}).frame()``.

A call is held against the catalogue before anything is sent: the action's name, its path parameters and their shape,
the query options that Microsoft documents for it, and its body. Lists are pages that are fetched as they are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook.catalog.request import Request, prepare

if TYPE_CHECKING:
    import pandas as pd

    from runbook.clients.graph import GraphClient


@dataclass(frozen=True)
class Result:
    """What an action answered. ``first`` is the answer of an object, or the first page of a list."""

    request: Request
    first: Mapping[str, Any] | None
    _client: GraphClient = field(repr=False)

    def items(self) -> Iterator[dict[str, Any]]:
        """The objects of the answer; further pages of a list are fetched when they are reached."""
        if not self.request.action.is_list:
            if self.first is not None:
                yield dict(self.first)
            return
        page: Mapping[str, Any] = self.first or {}
        while True:
            yield from page.get("value") or ()
            link = page.get("@odata.nextLink")
            if not link:
                return
            # The query goes along for its consistency header, which a next link does not carry.
            following = self._client.page(link, self.request.query)
            page = {"value": following.items, "@odata.nextLink": following.next_link}

    def frame(self, limit: int | None = None) -> pd.DataFrame:
        """The objects as a table, one row each; at most ``limit`` rows, and no page beyond them is fetched."""
        from itertools import islice

        import pandas as pd

        table = pd.DataFrame(list(islice(self.items(), limit)))
        return table.drop(columns=[name for name in table.columns if str(name).startswith("@odata.")])


def call(
    client: GraphClient,
    name: str,
    *,
    path: Mapping[str, Any] | None = None,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Result:
    """Run one action (by name, slug or StackOne id) with the rights of ``client``'s token.

    Raises :class:`InputError` that names every mistake, before anything is sent, and :class:`GraphError`.
    """
    request = prepare(name, path, query, body)
    sent = dict(request.body) if request.body is not None else None
    if request.action.is_list:
        page = client.page(request.path, request.query)
        return Result(request, {"value": page.items, "@odata.nextLink": page.next_link}, client)
    if request.method == "GET":
        return Result(request, client.get(request.path, request.query), client)
    if request.method == "POST":
        return Result(request, client.post(request.path, sent), client)
    if request.method == "PATCH":
        return Result(request, client.patch(request.path, sent or {}), client)
    client.delete(request.path, missing_ok=False)
    return Result(request, None, client)
