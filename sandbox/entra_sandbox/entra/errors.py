"""Entra ID's errors: what is wrong by number, in the shape that the token endpoint and the pages give it.

The numbers and texts lie in ``errors.json``. A key such as ``70016_slow`` is the same AADSTS number with another
OAuth error. Shape: learn.microsoft.com/entra/identity-platform/reference-error-codes and RFC 6749 section 5.2.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

__all__ = ["AadError", "Entry", "catalogue"]


class Entry(BaseModel):
    """One line of the table: the OAuth ``error``, the HTTP status of the token endpoint, and the text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    error: str
    text: str
    status: int = 400
    suberror: str | None = None


@cache
def catalogue() -> dict[str, Entry]:
    """The table by key; pydantic's ValidationError if the data file is damaged."""
    text = resources.files(__package__).joinpath("errors.json").read_text(encoding="utf-8")
    return TypeAdapter(dict[str, Entry]).validate_json(text)


class AadError(Exception):
    """Entra ID refuses. ``key`` is a key of ``errors.json``; the other arguments fill its text."""

    def __init__(self, key: int | str, *, claims: str | None = None, **values: str) -> None:
        entry = catalogue()[str(key)]
        self.key = str(key)
        self.code = int(self.key.split("_")[0])
        self.error = entry.error
        self.status = entry.status
        self.suberror = entry.suberror
        self.claims = claims
        self.text = f"AADSTS{self.code}: {entry.text.format(**values)}"
        super().__init__(self.text)

    def body(self, now: float, base: str, correlation_id: str) -> dict[str, Any]:
        """The JSON of the token endpoint; ``description`` alone is what a redirect carries."""
        at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        trace = str(uuid.uuid4())
        body: dict[str, Any] = {
            "error": self.error,
            "error_description": f"{self.text} Trace ID: {trace} Correlation ID: {correlation_id} Timestamp: {at}",
            "error_codes": [self.code],
            "timestamp": at,
            "trace_id": trace,
            "correlation_id": correlation_id,
            "error_uri": f"{base}/error?code={self.code}",
        }
        if self.suberror:
            body["suberror"] = self.suberror
        if self.claims:
            body["claims"] = self.claims
        return body
