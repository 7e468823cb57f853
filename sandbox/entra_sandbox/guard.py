"""What stands before every request: hosts, sizes, times, the log, and the rule that APIs are served by https alone."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Collection
from urllib.parse import quote, unquote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard", "HttpsOnly", "access_log", "shown_path"]

access_log = logging.getLogger("entra_sandbox.access")

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
MAX_BODY = 8 * 1024 * 1024
BODY_SECONDS = 30.0

_API = re.compile(
    r"/+(v1\.0|beta|auth_configs|connector_profiles|connect_sessions|accounts|actions|mcp|unified|connectors|mcp|oidc|_sandbox)(/|\Z)"
    r"|/+[^/]+/oauth2/(v2\.0/)?(token|devicecode)/?\Z",
    re.IGNORECASE,
)
_LONG = re.compile(r"[A-Za-z0-9_\-.~%]{41,}")


def shown_path(path: str) -> str:
    """The path as it may be logged: no query, and nothing in it that is long enough to be a token."""
    return _LONG.sub("…", path)


class Guard:
    """Refuses foreign Host headers (DNS rebinding), bodies over ``MAX_BODY`` and bodies that do not arrive in time."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = LOOPBACK_HOSTS | frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        scope = _single_slash(scope)
        started, status = time.monotonic(), 0
        received = 0

        async def limited() -> Message:
            nonlocal received
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "The request body did not arrive in time") from None
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                raise HTTPException(413, "Request body too large")
            return message

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refusal = self._refusal(scope)
            await (refusal or self._app)(scope, limited if refusal is None else receive, noted)
        except ClientDisconnect:
            access_log.info("the client left before its request was read")
        except Exception:  # noqa: BLE001 - the last resort of a server: logged with its trace, answered with a 500
            access_log.exception("%s %s failed", scope["method"], shown_path(scope["path"]))
            if not status:
                body = {"error": {"code": "generalException", "message": "The sandbox failed; see its log."}}
                await JSONResponse(body, 500)(scope, receive, noted)
        finally:
            spent = (time.monotonic() - started) * 1000
            access_log.info("%s %s %s %.0f ms", scope["method"], shown_path(scope["path"]), status or "-", spent)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host if host.endswith("]") else host.rsplit(":", 1)[0]
        if name not in self._hosts:
            return PlainTextResponse("This sandbox answers to loopback names only", 421)
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            return PlainTextResponse("Bad Content-Length", 400)
        if int(length) > MAX_BODY:
            return PlainTextResponse("Request body too large", 413)
        return None


def _single_slash(scope: Scope) -> Scope:
    """Clients put addresses together with a slash too many (``//v1.0/users``, ``/common//v2.0/…``) and mean one."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    if b"//" not in raw:
        return scope
    raw = re.sub(rb"/{2,}", b"/", raw)
    return {**scope, "path": unquote(raw.decode("latin-1")), "raw_path": raw}


class HttpsOnly:
    """On the plain http listener: pages for people, and a refusal for whatever carries a token or a secret."""

    def __init__(self, app: ASGIApp, api: str) -> None:
        self._app = app
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _API.match(scope["path"]):
            refusal = PlainTextResponse(f"APIs and the token endpoint are served over https: {self._api}", 403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)
