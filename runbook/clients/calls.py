"""What is kept about calls: the log's shape, and how an address may be shown."""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

# Values of these query parameters say what was asked; any other value (codes, tokens, skip tokens) is left out.
_SHOWN = frozenset(
    {"$select", "$filter", "$search", "$orderby", "$top", "$count", "$expand", "$format", "page", "page_size"}
    | {"provider", "connector_key", "status", "enabled", "origin_owner_id", "api-version"}
)


class CallLog(Protocol):
    """Where calls are recorded; the journal of a run is one."""

    def intent(self, **call: Any) -> object:
        """A write is about to go out. Returns a ticket for :meth:`outcome`."""

    def outcome(self, ticket: Any, **call: Any) -> object:
        """What became of the write that ``ticket`` announced."""

    def settled(self, ticket: Any, *, applied: bool, created: bool = False) -> object:
        """What reading has shown of a write whose outcome was uncertain."""

    def call(self, **call: Any) -> object:
        """A read was made."""


class NoLog:
    """Records nothing: for a look without a run."""

    def intent(self, **call: Any) -> object: ...
    def outcome(self, ticket: Any, **call: Any) -> object: ...
    def settled(self, ticket: Any, *, applied: bool, created: bool = False) -> object: ...
    def call(self, **call: Any) -> object: ...


def shown_path(url: str) -> str:
    """The path and query of ``url`` as it may be shown: names of parameters, and values only of harmless ones."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join(f"{name}={value if name.lower() in _SHOWN else '…'}" for name, value in pairs)
    return parts.path + (f"?{query}" if query else "")
