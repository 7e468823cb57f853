"""One request to Entra ID: where it came in, its parameters, and how it is answered."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData, Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse

from entra_sandbox.entra.directory import EVERYBODY, Tenant, tenant_of
from entra_sandbox.entra.errors import AadError
from entra_sandbox.services import Services
from entra_sandbox.store import Store

__all__ = ["NO_STORE", "Call", "answer", "call_of", "form_of", "refusal"]

NO_STORE = {"cache-control": "no-store, no-cache", "pragma": "no-cache"}
_LONGEST = 32768


@dataclass(frozen=True)
class Call:
    """A request, read. ``base`` is the address the client used (scheme and Host header), without a trailing slash."""

    services: Services
    base: str
    segment: str
    parameters: Mapping[str, str]
    headers: Headers
    correlation_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def store(self) -> Store:
        """The state."""
        return self.services.store

    @property
    def own(self) -> frozenset[str]:
        """Addresses that mean this sandbox's Microsoft Graph when they stand before a scope."""
        addresses = self.services.addresses
        return frozenset({self.base.lower(), addresses.api, addresses.api.replace("localhost", "127.0.0.1")})

    def get(self, name: str) -> str:
        """A parameter; empty if it is not there."""
        return self.parameters.get(name, "")

    def need(self, name: str) -> str:
        """A parameter that must be there; AADSTS900144 otherwise."""
        value = self.get(name)
        if not value.strip():
            raise AadError(900144, name=name)
        return value

    def tenant(self) -> Tenant | None:
        """The tenant of the address; None for ``common`` and ``organizations``; AADSTS90002 if there is no such."""
        return None if self.segment.lower() in EVERYBODY else tenant_of(self.store, self.segment)


def call_of(services: Services, request: Request, *sources: Mapping[str, str] | FormData) -> Call:
    """Read the request. AADSTS9002313 for a repeated, over-long or non-text parameter (RFC 6749 section 3.2)."""
    parameters: dict[str, str] = {}
    for source in sources:
        pairs = source.multi_items() if isinstance(source, FormData) else list(source.items())
        names = [name for name, _ in pairs]
        for name, value in pairs:
            if not isinstance(value, str) or names.count(name) > 1 or len(value) > _LONGEST or "\0" in value:
                raise AadError(9002313)
            parameters[name] = value
    correlation = parameters.get("client-request-id") or request.headers.get("client-request-id", "")
    return Call(
        services,
        f"{request.url.scheme}://{request.headers['host']}",
        request.path_params.get("tenant", "common"),
        parameters,
        request.headers,
        _guid(correlation) or str(uuid.uuid4()),
    )


async def form_of(request: Request) -> FormData:
    """The form in the body; AADSTS9002313 if it is none."""
    try:
        return await request.form(max_fields=200)
    except (HTTPException, MultiPartException, ValueError) as error:
        if isinstance(error, HTTPException) and error.status_code != 400:
            raise  # too large or too slow, which is not the form's fault
        raise AadError(9002313) from error


def answer(call: Call, body: Mapping[str, Any], status: int = 200) -> JSONResponse:
    """A JSON answer that nobody may cache, with the request ids that Entra ID sends."""
    ids = {"x-ms-request-id": str(uuid.uuid4()), "client-request-id": call.correlation_id}
    return JSONResponse(body, status, headers={**NO_STORE, **ids})


def refusal(services: Services, request: Request, error: AadError, call: Call | None = None) -> JSONResponse:
    """The JSON of an error, also when the request could not be read far enough to make a :class:`Call`."""
    known = call or call_of(services, request)
    return answer(known, error.body(services.store.now(), known.base, known.correlation_id), error.status)


def _guid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return ""
