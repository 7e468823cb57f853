"""How illnesses show: at the connection for every service, and inside Microsoft Graph through its hook."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entra_sandbox import disguise
from entra_sandbox.entra import tokens
from entra_sandbox.entra.errors import AadError
from entra_sandbox.faults import Faults, service_of
from entra_sandbox.illnesses import Course, Reply, Reset, Slow, Throttle, Truncate, Unavailable
from entra_sandbox.settings import Services

if TYPE_CHECKING:
    from entra_sandbox.graph.call import Answer, RequestInfo

__all__ = ["Played", "Sick", "heal"]

_SPARED = "/_sandbox"


def heal(services: Services) -> None:
    """Stop playing illnesses, also those that a sandbox that was killed left in the tenant."""
    played = services.extras.pop("faults", None)
    if played is not None:
        played.heal()
    disguise.put_off(services.store)


class Played(Faults):
    """Illnesses with the hook of Microsoft Graph (``entra_sandbox.graph.app.Faults``)."""

    def __init__(self, services: Services, course: Course) -> None:
        super().__init__(services.store, course)
        self._services = services

    def delays(self, request: RequestInfo) -> Mapping[str, float]:
        """Seconds of lag for what this request creates."""
        return self.lag(request.method, f"/v1.0{request.path}")

    async def before(self, request: RequestInfo) -> Answer | None:
        """A claims challenge for a token whose client can handle one (``xms_cc`` has ``cp1``); else nothing."""
        from entra_sandbox.graph.call import Answer

        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = tokens.verify(self._services.store, bearer.strip())
        except tokens.InvalidToken:
            return None
        if "cp1" not in [str(one).lower() for one in claims.get("xms_cc") or ()]:
            return None
        if not self.challenges(str(claims.get("uti")), request.method, f"/v1.0{request.path}"):
            return None
        now = self._services.store.now()
        wanted = {"access_token": {"nbf": {"essential": True, "value": str(int(now))}}}
        encoded = base64.b64encode(json.dumps(wanted).encode()).decode()
        authority = f"{self._services.addresses.api}/common/oauth2/authorize"
        message = (
            "Continuous access evaluation resulted in challenge with result: InteractionRequired "
            "and code: TokenIssuedBeforeRevocationTimestamp"
        )
        header = f'Bearer realm="", authorization_uri="{authority}", error="insufficient_claims", claims="{encoded}"'
        return Answer(401, _graph_body(now, "InvalidAuthenticationToken", message), {"WWW-Authenticate": header})

    async def after(self, _request: RequestInfo, answer: Answer) -> Answer:
        """The answer as it is; what happens to it on the way is played at the connection."""
        return answer


class Sick:
    """The connection-level illnesses of all three services. ``cut`` resets the connection of a request."""

    def __init__(self, app: ASGIApp, services: Services, cut: Callable[[Scope], None]) -> None:
        self._app = app
        self._services = services
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        played: Played | None = self._services.extras.get("faults")
        if played is None or scope["type"] != "http" or scope["path"].startswith(_SPARED):
            await self._app(scope, receive, send)
            return
        request = (service_of(scope["path"]), scope["method"], scope["path"])
        for illness, draw in played.strikes(Slow, *request):
            await asyncio.sleep(draw.uniform(*illness.seconds))
        resets = [illness.when for illness, _ in played.strikes(Reset, *request)]
        refusals = self._refusals(played, request)
        if "before" in resets:
            self._cut(scope)
        elif refusals["before"] is not None:
            await refusals["before"](scope, receive, send)
        elif "after" in resets or refusals["after"] is not None:
            await self._app(scope, receive, _nowhere)
            if refusals["after"] is None:
                self._cut(scope)
            else:
                await refusals["after"](scope, receive, send)
        elif played.strikes(Truncate, *request):
            await self._app(scope, receive, _broken(send))
        else:
            await self._app(scope, receive, send)

    def _refusals(self, played: Played, request: tuple[str, str, str]) -> dict[str, JSONResponse | None]:
        found: dict[str, JSONResponse | None] = {"before": None, "after": None}
        service = request[0]
        for illness, _ in played.strikes(Throttle, *request):
            found["before"] = self._refusal(service, 429, "TooManyRequests", "Too many requests.", illness.retry_after)
        for illness, _ in played.strikes(Unavailable, *request):
            code = "serviceNotAvailable" if illness.status == 503 else "gatewayTimeout"
            found["before"] = self._refusal(service, illness.status, code, "Try again later.", illness.retry_after)
        for illness, _ in played.strikes(Reply, *request):
            answer = self._refusal(service, illness.status, illness.code, illness.message, illness.retry_after)
            found[illness.when] = answer
        return found

    def _refusal(self, service: str, status: int, code: str, message: str, retry_after: int | None) -> JSONResponse:
        """The error in the shape of the service."""
        now = self._services.store.now()
        at = datetime.fromtimestamp(now, UTC)
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        body: dict[str, Any]
        if service == "graph":
            body = _graph_body(now, code, message)
        elif service == "entra":
            body = AadError(90033).body(now, self._services.addresses.api, str(uuid.uuid4()))
            if status not in (429, 503, 504):
                body |= {"error": code, "error_description": message}
        else:
            body = {"statusCode": status, "message": message, "timestamp": at.isoformat(timespec="milliseconds")}
        return JSONResponse(body, status, headers=headers)


def _broken(send: Send) -> Send:
    """Sends the head and half of the first part of the body; the server closes an answer that is not finished."""
    broken = False

    async def half(message: Message) -> None:
        nonlocal broken
        if message["type"] == "http.response.start":
            await send(message)
        elif not broken:
            broken = True
            body = message.get("body", b"")
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})

    return half


async def _nowhere(_message: Message) -> None:
    """Takes an answer that nobody will see."""


def _graph_body(now: float, code: str, message: str) -> dict[str, Any]:
    identity = str(uuid.uuid4())
    date = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    inner = {"date": date, "request-id": identity, "client-request-id": identity}
    return {"error": {"code": code, "message": message, "innerError": inner}}
