"""Microsoft Graph v1.0 as an ASGI application; ``/beta`` answers what v1.0 answers.

A request goes through the same steps in the same order: address, token, permissions, handler; every refusal is a
:class:`GraphFault` and becomes one error body. What makes the service ill (lag, throttling, broken connections) stands
outside, behind :class:`Faults`.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import unquote

from anyio import to_thread
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from entra_sandbox.graph import access, audit, batch, errors, schema
from entra_sandbox.graph.call import Answer, Call, Caller, RequestInfo
from entra_sandbox.graph.errors import GraphFault
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.odata.options import parse_options
from entra_sandbox.graph.resources import RESOURCES
from entra_sandbox.graph.routing import Match, Router
from entra_sandbox.store import Store

__all__ = ["Faults", "Graph", "Settings", "TokenRefused", "create_app"]

log = logging.getLogger("entra_sandbox.graph")

_LIMIT = 4 * 1024 * 1024
_AUDIENCES = frozenset({"https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"})
# Conditional access is another service behind the same address, with codes of its own.
_CONDITIONAL_ACCESS = "identity/conditionalAccess/"
_OTHER_CODES = {
    "Request_BadRequest": "BadRequest",
    "Request_UnsupportedQuery": "BadRequest",
    "Request_ResourceNotFound": "NotFound",
}
_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"})


class TokenRefused(Exception):
    """The bearer token does not hold; the text is the message of the 401."""


@dataclass(frozen=True)
class Settings:
    """``verify`` gives the claims of an access token or raises :class:`TokenRefused`."""

    verify: Callable[[str], Mapping[str, Any]]


class Faults(Protocol):
    """Illnesses. Each method may sleep, and may raise to cut the connection.

    ``before`` may answer in the service's place; ``after`` may change the answer or say it was another, after the
    write took effect; ``delays`` gives seconds until a new object is visible (``read``) and may be linked (``link``).
    """

    async def before(self, request: RequestInfo) -> Answer | None:
        """Called before anything is done."""

    async def after(self, request: RequestInfo, answer: Answer) -> Answer:
        """Called with the answer before it is sent."""

    def delays(self, request: RequestInfo) -> Mapping[str, float]:
        """Seconds of lag for what this request creates: ``read``, ``link``, ``secret`` (until it is usable), and for
        what it changes or removes: ``stale``.

        ``ahead`` is how many seconds the replica that serves the request is ahead of the slowest one: drawn anew for
        each request, it makes a new object come and go until all replicas have it.
        """


class Graph:
    """The service without its transport: :meth:`answer` is a function of one request and the store."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self.router = Router(RESOURCES)
        self.missing: Counter[str] = Counter()

    def answer(
        self, request: RequestInfo, base: str, request_id: str, delays: Mapping[str, float] | None = None
    ) -> Answer:
        """The answer to one request that is no batch. Never raises."""
        try:
            return self.signed(request, request_id, self._answer(request, base, self.store.now(), delays or {}))
        except Exception as error:  # noqa: BLE001 - becomes the service's own 500, and is logged
            return self.signed(request, request_id, error)

    def signed(self, request: RequestInfo, request_id: str, outcome: Answer | Exception) -> Answer:
        """An answer, or what went wrong as one, with the headers that every answer has."""
        client_id = request.headers.get("client-request-id") or request_id
        if isinstance(outcome, Exception):
            outcome = self._failed(request, request_id, client_id, outcome)
        outcome.headers |= {
            "request-id": request_id,
            "client-request-id": client_id,
            "x-ms-ags-diagnostic": _DIAGNOSTIC,
            "x-ms-resource-unit": outcome.headers.get("x-ms-resource-unit", "1"),
            "Cache-Control": "no-cache",
            "OData-Version": "4.0",
        }
        return outcome

    def _failed(self, request: RequestInfo, request_id: str, client_id: str, error: Exception) -> Answer:
        if isinstance(error, GraphFault):
            fault = error
            if fault.code == errors.NOT_EMULATED:
                self.missing[f"{request.method} {fault.target}"] += 1
        else:
            log.error("%s %s failed", request.method, request.path, exc_info=error)
            fault = GraphFault(500, "Service_InternalServerError", "Encountered an internal server error.")
        body = fault.body(now=self.store.now(), request_id=request_id, client_request_id=client_id)
        return Answer(fault.status, body, dict(fault.headers))

    def _answer(self, request: RequestInfo, base: str, now: float, delays: Mapping[str, float]) -> Answer:
        if request.method not in _METHODS:
            raise errors.method_not_allowed()
        caller = self.caller(request)
        method = "GET" if request.method == "HEAD" else request.method
        match = self._match(method, request.path, base)
        call = Call(
            method=method,
            path=_canonical(request.path),
            base=base,
            options=parse_options(request.query),
            headers=request.headers,
            body=request.body,
            store=self.store,
            caller=caller,
            now=now,
            keys=list(match.keys),
            cast=match.cast,
            delays=delays,
        )
        if match.property:
            call.options = replace(call.options, select=("id", match.property), expand=())
        if match.operation is not None:
            access.authorize(call, match.operation)
        try:
            operation = f"{method} /{match.resource.path}/{match.route.path}".rstrip("/")
            old = audit.before(call, match.resource, operation)
            with self.store.behind(delays.get("stale", 0.0)):
                answer = match.route.handler(call, match.resource)
            audit.note(call, operation, match.resource, old, answer)
        except GraphFault as fault:
            if match.resource.path.startswith(_CONDITIONAL_ACCESS):
                fault.code = _OTHER_CODES.get(fault.code, fault.code)
            raise
        answer = _property(call, match, answer) if match.property else answer
        answer.headers["x-ms-resource-unit"] = str(_units(call, match.operation))
        return answer

    def _match(self, method: str, path: str, base: str) -> Match:
        try:
            return self.router.match(method, path)
        except GraphFault as fault:
            # Nobody can tell here what beta has besides v1.0, so nothing there is the caller's mistake.
            if base.endswith("/beta") and fault.status == 400:
                raise errors.not_emulated(unquote(path), "beta") from None
            raise

    def caller(self, request: RequestInfo) -> Caller:
        """Who sends the request; :class:`GraphFault` 401 or 403 for a token that does not hold."""
        scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise errors.unauthorized("Access token is empty.")
        try:
            claims = self.settings.verify(token.strip())
        except TokenRefused as refused:
            raise errors.unauthorized(str(refused)) from None
        if claims.get("aud") not in _AUDIENCES:
            raise errors.unauthorized("Access token validation failure. Invalid audience.")
        caller = Caller.of(claims)
        if self.store.row("organization", caller.tenant) is None:
            raise errors.unauthorized("Access token validation failure. Invalid issuer.")
        if caller.app_only and self.store.get("servicePrincipal", caller.object_id, caller.tenant) is None:
            raise errors.identity_not_found()
        if not caller.app_only:
            user = self.store.get("user", caller.object_id, caller.tenant)
            if user is None or user.get("accountEnabled") is False:
                raise errors.unauthorized("The user account is disabled or has been deleted.")
        return caller


_DIAGNOSTIC = (
    '{"ServerInfo":{"DataCenter":"Sandbox","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"SANDBOX0001"}}'
)


def create_app(store: Store, settings: Settings, faults: Callable[[], Faults | None] | None = None) -> ASGIApplication:
    """The ASGI application for ``/v1.0`` and ``/beta``. ``faults`` is asked at each request for the illnesses."""
    return ASGIApplication(Graph(store, settings), faults or (lambda: None))


class ASGIApplication:
    """Reads the request, lets the illnesses have their way, and answers from a worker thread."""

    def __init__(self, graph: Graph, faults: Callable[[], Faults | None]) -> None:
        self.graph = graph
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request (ASGI 3)."""
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").split("?")[0]
        prefix, _, path = raw.lstrip("/").partition("/")
        body = await _body(receive)
        request_id = str(uuid.uuid4())
        version = f"/{prefix.lower()}"
        base = f"{scope.get('scheme', 'https')}://{headers.get('host', 'localhost')}{version}"
        request = RequestInfo(
            scope["method"], f"/{path}", scope["query_string"].decode("latin-1"), headers, body or b"", None
        )
        refusal = self._too_large(request_id) if body is None else None
        await _send(await self._served(request, base, request_id, refusal), scope["method"], send)

    async def _served(self, request: RequestInfo, base: str, request_id: str, refusal: Answer | None = None) -> Answer:
        """The answer to a request, or to a part of a batch, after the illnesses had their way."""
        faults = self._faults()
        answer = await faults.before(request) if faults else None
        answer = answer or refusal
        if answer is None and batch.is_batch(request):
            answer = await self._batch(request, base, request_id)
        elif answer is None:
            delays = faults.delays(request) if faults else None
            answer = await to_thread.run_sync(self.graph.answer, request, base, request_id, delays)
        return await faults.after(request, answer) if faults else answer

    async def _batch(self, request: RequestInfo, base: str, request_id: str) -> Answer:
        try:
            await to_thread.run_sync(self.graph.caller, request)
            answer = await batch.answer(request, lambda part: self._served(part, base, str(uuid.uuid4())))
        except GraphFault as fault:
            return self.graph.signed(request, request_id, fault)
        return self.graph.signed(request, request_id, answer)

    def _too_large(self, request_id: str) -> Answer:
        fault = GraphFault(413, "RequestEntityTooLarge", "The request body is larger than the limit.")
        body = fault.body(now=self.graph.store.now(), request_id=request_id, client_request_id=request_id)
        return Answer(fault.status, body, {"request-id": request_id, "client-request-id": request_id})


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None if it is over the limit. Raises ``ClientDisconnect`` when it was cut off."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect  # what was cut off is not carried out
        size += len(message.get("body", b""))
        if size <= _LIMIT:
            parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts) if size <= _LIMIT else None


async def _send(answer: Answer, method: str, send: Send) -> None:
    payload = answer.payload()
    headers = dict(answer.headers)
    if payload:
        headers.setdefault(
            "Content-Type",
            "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
        )
    if answer.status != 204:
        headers["Content-Length"] = str(len(payload))
    encoded = [(key.lower().encode("latin-1"), value.encode("latin-1", "replace")) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else payload})


def _units(call: Call, operation: access.Operation | None) -> int:
    """What the call costs: learn.microsoft.com/graph/throttling-limits"""
    if call.method != "GET" or operation is None:
        return 1
    options = call.options
    cost = operation.cost + bool(options.expand) - bool(options.select)
    return max(1, cost - (options.top is not None and options.top < 20))


def _canonical(path: str) -> str:
    return "/" + "/".join(segment for segment in path.split("/") if segment)


def _property(call: Call, match: Match, answer: Answer) -> Answer:
    """``/users/{id}/displayName`` and ``…/$value``: one property of what ``get`` answered."""
    value = answer.body.get(match.property)
    if value is None:
        return Answer(204)
    if match.raw:
        return Answer(200, str(value).encode(), {"Content-Type": "text/plain"})
    described = schema.entity(match.resource.entity).properties[match.property]
    place = context(call.base, f"{match.resource.path}('{answer.body.get('id', '')}')/{match.property}", ())
    if described.complex and not described.collection:
        return Answer(200, {"@odata.context": place, **value})
    return Answer(200, {"@odata.context": place, "value": value})
