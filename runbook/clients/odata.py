"""Query options of Microsoft Graph, and what the advanced ones need besides.

Sources: learn.microsoft.com/graph/query-parameters and /graph/aad-advanced-queries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, Unpack
from urllib.parse import parse_qsl, quote, urlsplit

_EVENTUAL = {"ConsistencyLevel": "eventual"}
_ADVANCED = re.compile(r"\b(ne|not)\b|\bendswith\s*\(|/\$count\b", re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^']|'')*'")


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


def _is_advanced(params: Mapping[str, str]) -> bool:
    """Whether directory objects need both ``ConsistencyLevel: eventual`` and ``$count=true`` for this query.

    So for ``$search``, ``$count``, ``ne``/``not``/``endsWith``, and ``$filter`` together with ``$orderby``.
    """
    condition = params.get("$filter", "")
    return (
        "$search" in params
        or params.get("$count", "").lower() == "true"
        or bool(condition and "$orderby" in params)
        or _ADVANCED.search(_QUOTED.sub("''", condition)) is not None
    )


def prepare(
    path: str, params: Mapping[str, str] | None = None, **options: Unpack[Options]
) -> tuple[dict[str, str], dict[str, str]]:
    """The parameters to add to ``path``, which may have some of its own, and the headers to send.

    A ``nextLink`` keeps the former, never the latter.
    """
    given = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    added = {**(params or {}), **query(**options)}
    if not _is_advanced({**given, **added}):
        return added, {}
    return added if "$count" in given else {**added, "$count": "true"}, dict(_EVENTUAL)
