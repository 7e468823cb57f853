"""The token endpoint and the device authorization endpoint.

RFC 6749, RFC 7636, RFC 8628; learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow,
…/v2-oauth2-client-creds-grant-flow, …/v2-oauth2-device-code, …/v2-oauth2-on-behalf-of-flow. Every grant type is one
function in ``GRANTS``.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from entra_sandbox.entra import grant_types
from entra_sandbox.entra.call import Call, answer, call_of, form_of, refusal
from entra_sandbox.entra.client_authentication import authenticate, presented
from entra_sandbox.entra.directory import GRAPH, Client, client_of
from entra_sandbox.entra.errors import AadError, catalogue
from entra_sandbox.entra.routing import Route
from entra_sandbox.entra.scopes import of_resource, parse
from entra_sandbox.entra.token_response import new_code
from entra_sandbox.guard import shown_path
from entra_sandbox.services import Services

__all__ = ["routes"]

log = logging.getLogger("entra_sandbox.entra")

DEVICE_SECONDS = 900
DEVICE_INTERVAL = 5
_PREFLIGHT = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, OPTIONS",
    "access-control-allow-headers": "*",
    "access-control-max-age": "3600",
}
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def routes(services: Services) -> list[Route]:
    """``/{tenant}/oauth2/[v2.0/]token`` and ``…/devicecode``, open to pages of other origins as browsers ask (CORS)."""

    def endpoint(work: Any) -> Any:
        async def handle(request: Request) -> Response:
            call: Call | None = None
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=_PREFLIGHT)
            try:
                call = await _read(services, request)
                response = answer(call, await run_in_threadpool(work, call))
            except AadError as error:
                # The number alone: the text repeats parameters, and somebody may have mixed them up with a secret.
                log.info("%s refused: AADSTS%s", shown_path(request.url.path), error.code)
                response = refusal(services, request, error, call)
            response.headers["access-control-allow-origin"] = "*"
            return response

        return handle

    token, device = endpoint(_token), endpoint(_device)
    return [
        Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST", "OPTIONS"]),
        Route("/{tenant}/oauth2/token", token, methods=["POST", "OPTIONS"]),
        Route("/{tenant}/oauth2/v2.0/devicecode", device, methods=["POST", "OPTIONS"]),
        Route("/{tenant}/oauth2/devicecode", device, methods=["POST", "OPTIONS"]),
    ]


async def _read(services: Services, request: Request) -> Call:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return call_of(services, request)
    form = await form_of(request)
    call = call_of(services, request, request.query_params, form)
    if "/v2.0/" in request.url.path.lower():
        return call
    return replace(call, parameters=of_resource(call.parameters))


def _token(call: Call) -> dict[str, Any]:
    grant = grant_types.GRANTS.get(call.need("grant_type"))
    if grant is None:
        raise AadError(70003, grant_type=call.get("grant_type"))
    credential = presented(call)
    tenant = call.tenant()
    client = client_of(call.store, credential.client_id, tenant)
    _check_age(call, client)
    proof = authenticate(call, client, credential, tenant)
    return grant(grant_types.Grant(call, tenant, client, proof))


def _check_age(call: Call, client: Client) -> None:
    """While an illness says that it is too young: what this endpoint answers until a new application is everywhere."""
    illness = call.services.extras.get("faults")
    number = illness.young(client.app_id, (f"AADSTS{key}" for key in catalogue())) if illness else None
    if number is not None:
        names = {"app_id": client.app_id, "app_name": client.name, "tenant": call.segment}
        raise AadError(number.removeprefix("AADSTS"), resource=GRAPH, **names)


def _device(call: Call) -> dict[str, Any]:
    tenant = call.tenant()
    client = client_of(call.store, presented(call).client_id, tenant)
    if tenant is None and not client.multi_tenant:
        raise AadError(50194, app_id=client.app_id, app_name=client.name)
    parse(call.get("scope"), call.own)
    user_code = "".join(secrets.choice(_LETTERS) for _ in range(9))
    document = {
        "client": client.app_id,
        "segment": call.segment,
        "scope": call.get("scope"),
        "base": call.base,
        "userCode": user_code,
        "status": "pending",
        "polls": [],
    }
    code = new_code(call.store, grant_types.DEVICE_KIND, document, DEVICE_SECONDS, "D")
    address = f"{call.services.addresses.pages}/common/oauth2/deviceauth"
    return {
        "user_code": user_code,
        "device_code": code,
        "verification_uri": address,
        "expires_in": DEVICE_SECONDS,
        "interval": DEVICE_INTERVAL,
        "message": f"To sign in, use a web browser to open the page {address} and enter the code {user_code} "
        "to authenticate.",
    }
