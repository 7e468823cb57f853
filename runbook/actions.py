"""Every one of the 67 actions as one typed call: ``call(graph, "list_users", query={"$top": 5}).frame()``.

A call is held against the catalogue before anything is sent: the action's name, its path parameters and their shape,
the query options that Microsoft documents for it, and its body. Lists are pages that are fetched as they are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

from runbook import catalog
from runbook.catalog.body import body_problems
from runbook.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from runbook.catalog import Action
    from runbook.clients.graph import GraphClient

__all__ = ["Request", "Result", "call", "prepare"]

_PLACE = re.compile(r"\{([^}]+)\}")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z][A-Za-z0-9-]{1,62}\Z")
_USER = re.compile(r"[^\s/@?#%]+@[^\s/@?#%]+\.[^\s/@?#%]+\Z")
_WORDS = {
    "guid": "an object id (a GUID), such as 1b4e28ba-2fa1-11d2-883f-0016d3cca427",
    "guid-or-upn": "an object id (a GUID) or a user principal name, such as anna@contoso.com",
    "domain-name": "a domain name, such as contoso.com",
    "opaque": "an id as Microsoft Graph gave it",
    "text": "a text",
}


@dataclass(frozen=True)
class Request:
    """A call that the catalogue accepts: what would be sent. ``path`` is relative to Graph v1.0."""

    action: Action
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any] | None


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
            # The consistency header follows from the query and is not carried by the link.
            following = self._client.page(link, self.request.query)
            page = {"value": following.items, "@odata.nextLink": following.next_link}

    def frame(self, limit: int | None = None) -> pd.DataFrame:
        """The objects as a table, one row each; at most ``limit`` rows, and no page beyond them is fetched."""
        from itertools import islice

        import pandas as pd

        rows = list(islice(self.items(), limit))
        table = pd.DataFrame(rows)
        return table.drop(columns=[name for name in table.columns if str(name).startswith("@odata.")])


def call(
    client: GraphClient,
    name: str,
    *,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Result:
    """Run one action (by name, slug or StackOne id) with the rights of ``client``'s token.

    Raises :class:`InputError` that names every mistake, before anything is sent, and :class:`GraphError`.
    """
    request = prepare(name, path=path, query=query, body=body)
    action = request.action
    if action.is_list:
        page = client.page(request.path, request.query)
        return Result(request, {"value": page.items, "@odata.nextLink": page.next_link}, client)
    if action.method == "GET":
        return Result(request, client.get(request.path, request.query), client)
    if action.method == "POST":
        return Result(request, client.post(request.path, dict(request.body) if request.body else None), client)
    if action.method == "PATCH":
        return Result(request, client.patch(request.path, dict(request.body or {})), client)
    client.delete(request.path, missing_ok=False)
    return Result(request, None, client)


def prepare(
    name: str,
    *,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Request:
    """Hold a call against the catalogue and return what would be sent. Raises :class:`InputError`."""
    action = catalog.action(name)
    given = dict(path or {})
    options = {_option(key): value for key, value in (query or {}).items() if value not in (None, "", False)}
    problems = [*_path_problems(action, given), *_query_problems(action, options), *body_problems(action, body)]
    if problems:
        raise InputError(problems, next_step=f"see {action.docs_page}")
    filled = _PLACE.sub(lambda match: quote(given[match[1]], safe="@"), action.path)
    return Request(action, filled, {key: _text(value) for key, value in options.items()}, body)


def _option(key: str) -> str:
    return key if key.startswith("$") else f"${key}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _path_problems(action: Action, given: Mapping[str, str]) -> Iterator[Problem]:
    known = {parameter.name: parameter for parameter in action.path_parameters}
    for name in given.keys() - known.keys():
        hint = f"It has {', '.join(known)}." if known else "It has none."
        yield Problem(f"path.{name}", f"{action.name} has no such path parameter.", hint)
    for name, parameter in known.items():
        if name not in given:
            yield Problem(f"path.{name}", f"is missing: {_WORDS[parameter.shape]}.", parameter.means)
        elif not _fits(parameter.shape, given[name]):
            yield Problem(f"path.{name}", f"{given[name]!r} is not {_WORDS[parameter.shape]}.")


def _fits(shape: str, value: object) -> bool:
    if not isinstance(value, str) or not value or value in (".", ".."):
        return False
    if shape == "domain-name":
        return _DOMAIN.match(value) is not None
    if shape in ("guid", "guid-or-upn"):
        return _is_guid(value) or (shape == "guid-or-upn" and _USER.match(value) is not None)
    return not set(value) & set("/?#%\\ \t\r\n")


def _is_guid(value: str) -> bool:
    try:
        return str(UUID(value)) == value.lower()
    except ValueError:
        return False


def _query_problems(action: Action, options: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in options.items():
        if name not in action.query:
            hint = f"It takes {', '.join(action.query)}." if action.query else "It takes none."
            yield Problem(f"query.{name}", f"is not documented for {action.name}.", hint)
        elif name == "$top" and not (str(value).isdecimal() and int(value) > 0):
            yield Problem("query.$top", f"{value!r} is not a positive whole number.")
        elif name == "$top" and action.paging and action.paging.max_top and int(value) > action.paging.max_top:
            yield Problem("query.$top", f"{value} is too many for one page: at most {action.paging.max_top}.")
