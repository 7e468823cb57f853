"""What is kept about calls: the log's shape, the counters, and how an address may be shown."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl, urlsplit

__all__ = ["CallLog", "Counters", "NoLog", "shown_path"]

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

    def call(self, **call: Any) -> object:
        """A read was made."""


class NoLog:
    """Records nothing: for a look without a run."""

    def intent(self, **call: Any) -> object: ...
    def outcome(self, ticket: Any, **call: Any) -> object: ...
    def call(self, **call: Any) -> object: ...


class Counters:
    """What went over the wire, shared by the clients of a run: requests sent, calls that write, retries; per host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_host: dict[str, dict[str, int]] = defaultdict(lambda: {"requests": 0, "writes": 0, "retries": 0})

    def add(self, host: str, what: Literal["requests", "writes", "retries"], number: int = 1) -> None:
        """Count ``number`` more of ``what`` for ``host``."""
        with self._lock:
            self._by_host[host][what] += number

    def as_dict(self) -> dict[str, Any]:
        """``{"requests", "writes", "retries", "by_host": {host: {…}}}``, as the summary of a run has it."""
        with self._lock:
            hosts = {host: dict(counts) for host, counts in sorted(self._by_host.items())}
        totals = {what: sum(counts[what] for counts in hosts.values()) for what in ("requests", "writes", "retries")}
        return {**totals, "by_host": hosts}


def shown_path(url: str) -> str:
    """The path and query of ``url`` as it may be shown: names of parameters, and values only of harmless ones."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join(f"{name}={value if name.lower() in _SHOWN else '…'}" for name, value in pairs)
    return parts.path + (f"?{query}" if query else "")
