"""Query options of Microsoft Graph, and what the advanced ones need besides.

Sources: learn.microsoft.com/graph/query-parameters and /graph/aad-advanced-queries.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, Unpack
from urllib.parse import parse_qsl, quote, urlsplit

from runbook.catalog.request import is_advanced

_EVENTUAL = {"ConsistencyLevel": "eventual"}


def literal(value: str) -> str:
    """``value`` as a string literal for ``$filter``: quoted, its own quotes doubled."""
    return "'" + value.replace("'", "''") + "'"


def key(name: str, value: str) -> str:
    """An alternate key for a path, such as ``(appId='…')``; the value is escaped and percent-encoded."""
    return f"({name}='{quote(value.replace(chr(39), chr(39) * 2), safe='')}')"


class Options(TypedDict, total=False):
    """Query options by their Graph names without ``$``; a ``search`` is quoted: ``"displayName:Anna"``."""

    select: Iterable[str]
    filter: str
    search: str
    orderby: str
    expand: str
    top: int
    count: bool


def query(**options: Unpack[Options]) -> dict[str, str]:
    """The query parameters of ``options``; empty ones are left out."""
    shown = {f"${name}": _shown(value) for name, value in options.items()}
    return {name: text for name, text in shown.items() if text}


def _shown(value: Any) -> str:
    if isinstance(value, int):
        return str(value).lower() if value is not False else ""
    return value if isinstance(value, str) else ",".join(value or ())


def prepare(
    path: str, params: Mapping[str, str] | None = None, **options: Unpack[Options]
) -> tuple[dict[str, str], dict[str, str]]:
    """The parameters to add to ``path``, which may have some of its own, and the headers to send.

    A ``nextLink`` keeps the former, never the latter.
    """
    given = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    added = {**(params or {}), **query(**options)}
    if not is_advanced(urlsplit(path).path, {**given, **added}):
        return added, {}
    return added if "$count" in given else {**added, "$count": "true"}, dict(_EVENTUAL)
