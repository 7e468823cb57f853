"""Control calls under ``/_sandbox``: for tests and people who run the sandbox, not part of what it emulates.

Every call but ``health`` needs ``Authorization: Bearer <token>`` with the token of the file ``control-token`` in the
sandbox's folder.

* ``GET /_sandbox/health`` -> ``{"status": "ok"}``
* ``POST /_sandbox/clock {"offset": seconds}`` sets the sandbox's clock off from the machine's
* ``POST /_sandbox/keys/rotate`` signs with the next key from now on
* ``GET``, ``PUT`` (a faults file as JSON), ``DELETE /_sandbox/faults``: see :mod:`entra_sandbox.faults`
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from json import JSONDecodeError
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from entra_sandbox import fault_effects, faults
from entra_sandbox.folder import write_private
from entra_sandbox.services import Services

__all__ = ["TOKEN_FILE", "routes"]

TOKEN_FILE = "control-token"


def routes(services: Services) -> list[Route]:
    """The control calls; makes the control token unless it is there."""
    file = services.folder.file(TOKEN_FILE)
    if not file.exists():
        write_private(file, secrets.token_urlsafe(32))
    token = services.folder.load(TOKEN_FILE, lambda kept: kept.decode("ascii"))

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def clock(request: Request) -> Response:
        offset = (await _body(request)).get("offset")
        if not isinstance(offset, int | float) or isinstance(offset, bool) or abs(offset) > 10 * 365 * 86400:
            return JSONResponse({"error": "offset: a number of seconds"}, 400)
        services.store.shift_clock(float(offset))
        return JSONResponse({"now": services.store.now()})

    async def rotate(_request: Request) -> Response:
        from entra_sandbox.entra import keys

        return JSONResponse({"kid": keys.rotate(services)})

    async def illnesses(request: Request) -> Response:
        if request.method == "PUT":
            try:
                course = faults.load(await _body(request))
            except faults.BadFaults as error:
                return JSONResponse({"error": str(error)}, 400)
            fault_effects.heal(services)
            services.extras["faults"] = fault_effects.Played(services, course)
        elif request.method == "DELETE":
            fault_effects.heal(services)
        played = services.extras.get("faults")
        return JSONResponse(played.report() if played else {"illnesses": []})

    def guarded(call: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if not hmac.compare_digest(request.headers.get("authorization", ""), f"Bearer {token}"):
                return JSONResponse({"error": "control token needed"}, 401)
            return await call(request)

        return answer

    return [
        Route("/_sandbox/health", health, methods=["GET"]),
        Route("/_sandbox/clock", guarded(clock), methods=["POST"]),
        Route("/_sandbox/keys/rotate", guarded(rotate), methods=["POST"]),
        Route("/_sandbox/faults", guarded(illnesses), methods=["GET", "PUT", "DELETE"]),
    ]


async def _body(request: Request) -> dict[str, Any]:
    try:
        value = await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}
