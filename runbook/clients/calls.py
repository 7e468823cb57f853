"""How a call proves who sends it, and what is kept of it: the log's shape, and how an address may be shown.

Secrets are revealed here, into the header of one request, and nowhere else.
"""

import base64
import binascii
import json
import re
from collections.abc import Generator
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import httpx

from runbook.secrets import Secret

# Values of these query parameters say what was asked; any other value (codes, tokens, skip tokens) is left out.
_SHOWN = frozenset(
    {"$select", "$filter", "$search", "$orderby", "$top", "$count", "$expand", "$format", "page", "page_size"}
    | {"provider", "providers", "connector_key", "status", "enabled", "origin_owner_id", "api-version"}
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


class TokenSource(Protocol):
    """Gives access tokens; :class:`runbook.clients.entra.Administrator` is one."""

    def token(self) -> Secret:
        """A token that is good now. Raises :class:`runbook.errors.SignInError`."""

    def renew(self, claims: str | None) -> Secret | None:
        """A new token after a 401, answering the ``claims`` challenge if there was one; ``None`` if there is no way."""


class FixedToken:
    """One token, as it is: for a proof that uses exactly this one."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def token(self) -> Secret:
        """The token."""
        return self._token

    def renew(self, claims: str | None) -> Secret | None:  # noqa: ARG002
        """There is no other."""
        return None


class Bearer(httpx.Auth):
    """``Authorization: Bearer``; after a 401 once more with a renewed token.

    A 401 may carry a claims challenge (continuous access evaluation): then the new token answers it
    (learn.microsoft.com/entra/identity-platform/claims-challenge).
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """One request, and a second one after a 401 that a new token may cure."""
        request.headers["Authorization"] = f"Bearer {self._source.token().reveal()}"
        response = yield request
        if response.status_code == 401 and (fresh := self._source.renew(claims_challenge(response.headers))):
            request.headers["Authorization"] = f"Bearer {fresh.reveal()}"
            yield request


class ApiKey(httpx.Auth):
    """HTTP Basic with the key as user name and an empty password (RFC 7617), as StackOne wants it."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The request with its header."""
        token = base64.b64encode(f"{self._key.reveal()}:".encode()).decode("ascii")
        request.headers["Authorization"] = f"Basic {token}"
        yield request


def claims_challenge(headers: httpx.Headers) -> str | None:
    """The JSON text of the claims that a 401 asks for; ``None`` when it asks for none (or not understandably)."""
    for value in headers.get_list("www-authenticate"):
        found = re.search(r'\bclaims="([A-Za-z0-9+/_=-]+)"', value)
        if found is None or "insufficient_claims" not in value:
            continue
        raw = found.group(1).replace("-", "+").replace("_", "/").rstrip("=")
        try:
            text = base64.b64decode(raw + "=" * (-len(raw) % 4), validate=True).decode("utf-8")
            json.loads(text)
        except (binascii.Error, ValueError):
            continue
        return text
    return None
