"""One request as the handlers see it, and the answer that they give."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entra_sandbox.graph import errors
from entra_sandbox.graph.odata.options import Options
from entra_sandbox.store import Store, skew


@dataclass(frozen=True)
class RequestInfo:
    """What an illness sees. ``path`` is below ``/v1.0``, still percent-encoded; ``part``: it came in a ``$batch``."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    claims: Mapping[str, Any] | None
    part: bool = False


@dataclass(frozen=True)
class Key:
    """A key in an address: ``name`` is empty for ``/users/{value}``, else ``/users(name='value')``."""

    value: str
    name: str = ""


@dataclass(frozen=True)
class Caller:
    """Who calls, as the token says.

    ``granted`` are delegated permissions (``scp``) or application permissions (``roles``); ``object_id`` is the user's
    or, app-only, the service principal's; ``directory_roles`` are role template ids (``wids``).
    """

    tenant: str
    app_only: bool
    granted: frozenset[str]
    object_id: str
    app_id: str
    directory_roles: frozenset[str]

    @classmethod
    def of(cls, claims: Mapping[str, Any]) -> Caller:
        """The caller of an access token's claims."""
        app_only = claims.get("idtyp") == "app" or "scp" not in claims
        granted = claims.get("roles") or [] if app_only else str(claims.get("scp") or "").split()
        return cls(
            tenant=str(claims.get("tid") or ""),
            app_only=app_only,
            granted=frozenset(str(name) for name in granted),
            object_id=str(claims.get("oid") or ""),
            app_id=str(claims.get("appid") or claims.get("azp") or ""),
            directory_roles=frozenset(str(role).lower() for role in claims.get("wids") or ()),
        )


@dataclass
class Call:
    """A request on its way: what was asked, by whom, and what the router and the permission check found.

    ``about``: kinds and documents that a handler says it changed, where the address does not tell (``audit.py``).
    """

    method: str
    path: str
    base: str
    options: Options
    headers: Mapping[str, str]
    body: bytes
    store: Store
    caller: Caller
    now: float
    keys: list[Key] = field(default_factory=list)
    cast: str = ""
    sets: tuple[frozenset[str], ...] = ()
    must_own: bool = False
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    delays: Mapping[str, float] = field(default_factory=dict)
    about: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def at(self) -> float:
        """Up to when the replica that serves this call knows of changes (``delays["ahead"]``: how fresh it is)."""
        return self.steady + self.delays.get("ahead", 0.0)

    @property
    def steady(self) -> float:
        """:attr:`now` by a clock that no illness puts off, as what is made meanwhile must be seen after it."""
        return self.now - skew.get()

    @property
    def tenant(self) -> str:
        """The tenant of the token: the only one that this call can reach."""
        return self.caller.tenant

    @property
    def eventual(self) -> bool:
        """Whether the caller sent ``ConsistencyLevel: eventual``."""
        return self.headers.get("consistencylevel", "").strip().lower() == "eventual"

    def prefers(self, preference: str) -> bool:
        """Whether a ``Prefer`` header names the preference."""
        parts = self.headers.get("prefer", "").lower().replace(",", ";").split(";")
        return preference in [part.strip() for part in parts]

    def json(self) -> dict[str, Any]:
        """The body, a JSON object; :class:`GraphFault` 400 for anything else."""
        if not self.body.strip():
            raise errors.bad_gateway_request("Empty Payload. JSON content expected.")
        kind = self.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind and not kind.endswith("json"):
            raise errors.bad_json()
        try:
            value = json.loads(self.body, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise errors.bad_json() from None
        if not isinstance(value, dict):
            raise errors.bad_json()
        return value


@dataclass
class Answer:
    """Status, body (JSON object, or bytes as they are) and extra headers."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def payload(self) -> bytes:
        """The body as bytes."""
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
