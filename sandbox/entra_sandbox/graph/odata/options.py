"""Query options: names in any casing and encoding, each at most once, none unknown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_plus

from entra_sandbox.graph import errors

__all__ = ["Expand", "Options", "parse_options"]

_KNOWN = {
    "$select",
    "$filter",
    "$orderby",
    "$top",
    "$skip",
    "$count",
    "$search",
    "$expand",
    "$skiptoken",
    "$format",
    "$deltatoken",
}
MOST_LEVELS = 1000
_EXPAND = re.compile(r"\s*([A-Za-z][\w.]*)\s*(?:\(([^()]*)\))?\s*(?:,|$)")


@dataclass(frozen=True)
class Expand:
    """``link($select=a,b;$levels=3)``; ``levels`` 0 where none are asked for."""

    link: str
    select: tuple[str, ...] = ()
    levels: int = 0


@dataclass
class Options:
    """The query options of one request; empty text or None where one was not given."""

    select: tuple[str, ...] = ()
    expand: tuple[Expand, ...] = ()
    filter: str = ""
    search: str = ""
    orderby: str = ""
    top: int | None = None
    skip: int | None = None
    count: bool = False
    skiptoken: str = ""
    deltatoken: str = ""
    given: dict[str, str] = field(default_factory=dict)

    def link(self, token: str, name: str = "$skiptoken") -> str:
        """The query string of the next page, or with another name of the next round."""
        kept = {key: value for key, value in self.given.items() if key.lower() not in ("$skiptoken", "$deltatoken")}
        kept[name] = token
        return "&".join(f"{quote(key, safe='$')}={quote(value, safe='')}" for key, value in kept.items())


def parse_options(query: str) -> Options:
    """The options of a raw query string; :class:`GraphFault` 400 for one that is unknown, doubled or ill-formed."""
    options = Options()
    seen: set[str] = set()
    for part in query.split("&"):
        if not part:
            continue
        raw, _, raw_value = part.partition("=")
        name, value = unquote_plus(raw), unquote_plus(raw_value)
        lower = name.strip().lower()
        if not lower.startswith("$"):
            options.given.setdefault(name, value)
            continue
        if lower not in _KNOWN:
            raise errors.bad_gateway_request(f"The query parameter '{name}' is not supported.")
        if lower in seen:
            raise errors.bad_gateway_request(
                f"Query option '{lower}' was specified more than once, but it must be specified at most once."
            )
        seen.add(lower)
        options.given[name] = value
        _set(options, lower, value)
    return options


def _set(options: Options, name: str, value: str) -> None:
    if name == "$select":
        options.select = tuple(part.strip() for part in value.split(",") if part.strip())
    elif name == "$expand":
        options.expand = _expands(value)
    elif name in ("$filter", "$search", "$orderby", "$skiptoken", "$deltatoken"):
        if not value.strip() and name != "$deltatoken":  # empty, it asks for a round of everything
            raise errors.bad_gateway_request(f"The value of the query option '{name}' must not be empty.")
        setattr(options, name[1:], value)
    elif name in ("$top", "$skip"):
        setattr(options, name[1:], _number(name, value))
    elif name == "$count":
        if value.strip().lower() not in ("true", "false"):
            raise errors.bad_gateway_request(f"Invalid value '{value}' for the query option '$count'.")
        options.count = value.strip().lower() == "true"


def _number(name: str, value: str) -> int:
    if not re.fullmatch(r"\s*\d{1,9}\s*", value, re.ASCII):
        raise errors.bad_gateway_request(
            f"Invalid value '{value}' for {name} query option found. The {name} query option requires a non-negative "
            "integer value."
        )
    return int(value)


def _expands(value: str) -> tuple[Expand, ...]:
    found, position = [], 0
    while position < len(value):
        match = _EXPAND.match(value, position)
        if match is None:
            raise errors.bad_gateway_request(f"Parsing OData Select and Expand failed: '{value}'.")
        select: tuple[str, ...] = ()
        levels = 0
        for nested in (match.group(2) or "").split(";"):
            name, _, names = nested.partition("=")
            if name.strip().lower() == "$levels":
                levels = _levels(names.strip())
            elif name.strip().lower() == "$select":
                select = tuple(part.strip() for part in names.split(",") if part.strip())
            elif nested.strip() and not name.strip().lower().startswith(("$top", "$count")):
                raise errors.bad_gateway_request(f"Parsing OData Select and Expand failed: '{value}'.")
        found.append(Expand(match.group(1), select, levels))
        position = match.end()
    return tuple(found)


def _levels(text: str) -> int:
    """``max`` or 1 to 1000: learn.microsoft.com/graph/api/user-list-manager"""
    if text.lower() == "max":
        return MOST_LEVELS
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or not 1 <= int(text) <= MOST_LEVELS:
        raise errors.bad_gateway_request(f"Parsing OData Select and Expand failed: '$levels={text}'.")
    return int(text)
