"""A sandbox that also writes down every secret that passes through it: ``python -m tests.safety.recording``.

What is learned stands in a file, one JSON ``[kind, value]`` a line: credentials of requests (headers, forms, JSON,
addresses) and of answers (JSON, redirects). The sandbox itself is the product's own, unchanged.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from entra_sandbox import server
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAMES = frozenset(
    {
        *("client_secret", "clientsecret", "secrettext", "secretvalue", "password", "refresh_token", "access_token"),
        *("id_token", "client_assertion", "code", "device_code", "code_verifier"),
        "token",  # of a connect session: whoever holds it may link an account
    }
)
SHORTEST = 12


class Recorder:
    """Passes everything on and keeps what is secret in it."""

    def __init__(self, app: ASGIApp, sink: int) -> None:
        self._app = app
        self._sink = sink
        self._seen: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self._app(scope, receive, send)
            return
        asked, answered = bytearray(), bytearray()

        async def listen() -> Message:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._keep(of_headers(message["headers"]))
            answered.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                # Before the client can do anything with it.
                self._keep(of_body(bytes(asked)))
                self._keep(of_body(bytes(answered)))
            await send(message)

        self._keep(of_headers(scope["headers"]))
        self._keep(of_query(scope["query_string"].decode()))
        await self._app(scope, listen, say)

    def _keep(self, found: Iterator[tuple[str, str]]) -> None:
        for kind, value in found:
            if len(value) >= SHORTEST and value not in self._seen:
                self._seen.add(value)
                os.write(self._sink, json.dumps([kind, value]).encode() + b"\n")


def of_headers(headers: Any) -> Iterator[tuple[str, str]]:
    for name, value in ((name.decode().lower(), value.decode()) for name, value in headers):
        scheme, _, rest = value.partition(" ")
        if name == "authorization" and scheme.lower() == "bearer":
            yield "bearer token", rest
        elif name == "authorization" and scheme.lower() == "basic":
            for part in base64.b64decode(rest).decode().split(":"):
                yield "basic credentials", unquote(part)
        elif name == "set-cookie":
            yield "cookie", value.partition(";")[0].partition("=")[2]
        elif name == "location":
            yield from of_query(urlsplit(value).query)


def of_query(text: str) -> Iterator[tuple[str, str]]:
    for name, value in parse_qsl(text):
        if name.lower() in NAMES:
            yield name, value


def of_body(body: bytes) -> Iterator[tuple[str, str]]:
    if body[:1] in (b"{", b"["):
        try:
            yield from of_json(json.loads(body))
        except ValueError:
            return
    elif b"=" in body and not body.lstrip().startswith(b"<"):
        yield from of_query(body.decode("utf-8", "replace"))


def of_json(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, member in value.items():
            # Under "code" an answer holds the name of an error.
            if name.lower() in NAMES - {"code"} and isinstance(member, str):
                yield name, member
            yield from of_json(member)
    elif isinstance(value, list):
        for member in value:
            yield from of_json(member)


def main(state: Path, learned: Path) -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)  # as `runbook sandbox serve` does
    sink = os.open(learned, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sandbox = server.Sandbox(state)
    sandbox._apps = tuple(Recorder(app, sink) for app in sandbox._apps)
    server.serve(sandbox)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
