"""How illnesses show: at the connection for every service, and inside Microsoft Graph through its hook."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entra_sandbox import bodies, disguise, states
from entra_sandbox.entra import tokens
from entra_sandbox.entra.errors import AadError
from entra_sandbox.faults import Faults, service_of
from entra_sandbox.illnesses import (
    Course,
    Cut,
    Drip,
    Huge,
    NextLink,
    Refusing,
    Reply,
    Reset,
    Slow,
    Throttle,
    Truncate,
    Unavailable,
)
from entra_sandbox.services import Services
from entra_sandbox.store import skew

if TYPE_CHECKING:
    from entra_sandbox.graph.call import Answer, RequestInfo

__all__ = ["Played", "Sick", "heal"]

_SPARED = "/_sandbox"
_BATCH = ("graph", "POST", "/v1.0/$batch")
_sever: ContextVar[Callable[[bool], None]] = ContextVar("sever")
"""Ends the connection of the current request: True resets it, False closes it in good order."""
_CODES = {500: "InternalServerError", 502: "UnknownError", 503: "serviceNotAvailable", 504: "gatewayTimeout"}
_APPLICATION = re.compile(r"/applications(?:/([^/?(]+)|\(\w+='([^']*)'\))", re.IGNORECASE)
_CONFLICTS = {
    "Error_MsaAppDoesNotExist": "The corresponding MSA application does not exist.",
    "Directory_ConcurrencyViolation": "Unable to complete the request because of concurrent updates. Try again.",
}


def heal(services: Services) -> None:
    """Stop playing illnesses, also those that a sandbox that was killed left in the tenant."""
    services.extras.pop("faults", None)
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
        """A claims challenge for a token whose client can handle one (``xms_cc`` has ``cp1``), or the refusal of a
        change because its application is too young; else nothing."""
        from entra_sandbox.graph.call import Answer

        if request.part and (struck := await self._part(request, "before")) is not None:
            return struck
        if request.method != "GET" and (named := _APPLICATION.match(request.path)):
            error = self.young(unquote(named.group(1) or named.group(2)), _CONFLICTS)
            if error is not None:
                return Answer(409, _graph_body(self._services.store.now(), error, _CONFLICTS[error]))
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

    async def after(self, request: RequestInfo, answer: Answer) -> Answer:
        """The answer as it is, noted if it is a birth; what happens to it on the way is played at the connection."""
        path = f"/v1.0{request.path}"
        if answer.status == 201 and isinstance(answer.body, dict) and "appId" in answer.body:
            names = [answer.body.get(name) for name in ("id", "appId", "uniqueName")]
            self.born(request.method, path, *(str(name) for name in names if name))
            if (row := self._services.store.row("application", str(names[0]))) is not None:
                states.assign(self._services.store, row)
        elif answer.status == 200 and request.path.lower().endswith("/addpassword"):
            named = _APPLICATION.match(request.path)
            key = unquote(named.group(1) or named.group(2)) if named else ""
            if (application := self._services.store.get("application", key)) is not None:
                self.born(request.method, path, application["id"], application["appId"])
        return (await self._part(request, "after") if request.part else None) or answer

    async def _part(self, request: RequestInfo, when: str) -> Answer | None:
        """What meets a part of a batch as it would meet a request: an error in its place, or the end of the whole.

        A delay or an end that fits the batch itself has met it at the connection.
        """
        from entra_sandbox.graph.call import Answer

        asked = ("graph", request.method, f"/v1.0{request.path}")
        for slow, draw in self.strikes(Slow, *asked, when=when, beside=_BATCH):
            await asyncio.sleep(draw.uniform(*slow.seconds))
        now = self._services.store.now()
        found: Answer | None = None
        for _, illness, status, code, message in _errors(self, asked, when):
            found = Answer(status, _graph_body(now, code, message), _retry_after(illness, now))
        for kind in (Cut, Reset):
            for _ in self.strikes(kind, *asked, when=when, beside=_BATCH):
                _sever.get()(kind is Reset)
                found = Answer(503, _graph_body(now, _CODES[503], "Nobody gets this answer."))
        return found


class Sick:
    """The connection-level illnesses of all three services, and their clocks.

    ``cut`` ends the connection of a request, by a reset or in good order.
    """

    def __init__(self, app: ASGIApp, services: Services, cut: Cutter) -> None:
        self._app = app
        self._services = services
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        played: Played | None = self._services.extras.get("faults")
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if played is None or scope["path"].startswith(_SPARED):
            await self._app(scope, receive, self._dated(send))
            return
        request = (service_of(scope["path"]), scope["method"], scope["path"])
        off = skew.set(played.skew(request[0]))
        severed = _sever.set(lambda reset: self._cut(scope, reset=reset))
        try:
            await self._ill(played, request, scope, receive, self._dated(send))
        finally:
            skew.reset(off)
            _sever.reset(severed)

    async def _ill(
        self, played: Played, request: tuple[str, str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        for slow, draw in played.strikes(Slow, *request):
            await asyncio.sleep(draw.uniform(*slow.seconds))
        ends = self._ends(played, request, scope)
        if end := ends.get("before"):
            await end(scope, receive, send)
        elif end := ends.get("after"):
            await self._app(scope, receive, bodies.nowhere)
            await end(scope, receive, send)
        elif played.strikes(Truncate, *request):
            await self._app(scope, receive, bodies.broken(send))
        elif changes := [one for kind in (NextLink, Huge, Drip) for one, _ in played.strikes(kind, *request)]:
            held = bodies.Held()
            await self._app(scope, receive, held.take)
            await held.deliver(changes, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _ends(self, played: Played, request: tuple[str, str, str], scope: Scope) -> dict[str, ASGIApp]:
        """What ends the request, ``before`` anything is done or ``after`` it was: no answer at all, or an error."""

        def cut(reset: bool) -> ASGIApp:
            async def end(_scope: Scope, receive: Receive, _send: Send) -> None:
                self._cut(scope, reset=reset)
                while (await receive())["type"] != "http.disconnect":  # the server would answer a 500 in our place
                    pass

            return end

        found: dict[str, ASGIApp] = {}
        service = request[0]
        for when, illness, status, code, message in _errors(played, request):
            found[when] = self._refusal(service, illness, status, code, message)
        for kind in (Cut, Reset):
            for one, _ in played.strikes(kind, *request):
                found[one.when] = cut(kind is Reset)
        return found

    def _refusal(self, service: str, illness: Refusing, status: int, code: str, message: str) -> JSONResponse:
        """The error in the shape of the service."""
        now = self._services.store.now()
        at = datetime.fromtimestamp(now, UTC)
        body: dict[str, Any]
        if service == "graph":
            body = _graph_body(now, code, message)
        elif service == "entra":
            body = AadError(90033).body(now, self._services.addresses.api, str(uuid.uuid4()))
            if isinstance(illness, Reply) and status not in (429, 503, 504):
                codes = [int(number) for number in re.findall(r"AADSTS(\d+)", message)]
                body |= {"error": code, "error_description": message, "error_codes": codes}
        else:
            body = {"statusCode": status, "message": message, "timestamp": at.isoformat(timespec="milliseconds")}
        return JSONResponse(body, status, headers=_retry_after(illness, now))

    def _dated(self, send: Send) -> Send:
        """The answer with the ``Date`` of the service's clock."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(raw=message["headers"])["date"] = _http_date(self._services.store.now())
            await send(message)

        return dated


class Cutter(Protocol):
    """Ends the connection of a request."""

    def __call__(self, scope: Scope, *, reset: bool) -> None: ...


def _errors(
    played: Faults, request: tuple[str, str, str], when: str | None = None
) -> Iterator[tuple[str, Refusing, int, str, str]]:
    """The errors that strike the request: before or after, the illness, status, code, message."""
    for reply, _ in played.strikes(Reply, *request, when=when):
        yield reply.when, reply, reply.status, reply.code, reply.message
    for ill, _ in played.strikes(Unavailable, *request, when=when):
        yield ill.when, ill, ill.status, _CODES[ill.status], "Try again later."
    for throttle, _ in played.strikes(Throttle, *request, when=when):
        yield "before", throttle, 429, "TooManyRequests", "Too many requests."


def _retry_after(illness: Refusing, now: float) -> dict[str, str]:
    if (wait := illness.retry_after) is None:
        return {}
    return {"retry-after": _http_date(now + wait) if illness.as_date else str(wait)}


def _http_date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


def _graph_body(now: float, code: str, message: str) -> dict[str, Any]:
    identity = str(uuid.uuid4())
    date = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    inner = {"date": date, "request-id": identity, "client-request-id": identity}
    return {"error": {"code": code, "message": message, "innerError": inner}}
