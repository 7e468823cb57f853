"""Stands around every sandbox of the test suite and holds its Microsoft Graph calls against the published schema.

Answers are always checked; requests when the sandbox took them (a test may send nonsense, the sandbox may not take it)
and, whatever became of them, when the product sent them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.published.check import answer_problems, request_problems

__all__ = ["Watch"]

_PRODUCT = "entra-id-runbook/"


class Watch:
    """ASGI middleware. ``problems`` is what was found since :meth:`taken`; ``checked`` counts the calls."""

    problems: ClassVar[list[str]] = []
    checked: ClassVar[int] = 0
    _guard = threading.Lock()

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    @classmethod
    def taken(cls) -> list[str]:
        """The problems so far, which are then forgotten."""
        with cls._guard:
            found, cls.problems = cls.problems, []
        return found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith("/v1.0/") or scope["method"] in ("HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        sent, answered, status, kind = bytearray(), bytearray(), 0, ""

        async def reading() -> Message:
            message = await receive()
            sent.extend(message.get("body", b""))
            return message

        async def writing(message: Message) -> None:
            nonlocal status, kind
            if message["type"] == "http.response.start":
                status = message["status"]
                kind = dict(message["headers"]).get(b"content-type", b"").decode()
            answered.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, reading, writing)
        agent = dict(scope["headers"]).get(b"user-agent", b"").decode("latin-1")
        product = agent.startswith(_PRODUCT)
        try:
            found = _held(scope["method"], path, bytes(sent), status, bytes(answered), kind, product)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            found = [f"{scope['method']} {path}: {status} cannot be read: {error!r}"]
        with self._guard:
            Watch.problems.extend(found)
            Watch.checked += 1


def _held(method: str, path: str, sent: bytes, status: int, answered: bytes, kind: str, product: bool) -> list[str]:
    below = path.removeprefix("/v1.0").replace("/myorganization/", "/")
    found: list[str] = []
    for verb, place, body, code, content in _calls(method, below, sent, status, answered):
        if code < 300 or product:
            found += [f"request {verb} {place}: {one}" for one in request_problems(verb, place, body)]
        if code >= 400 and not content:
            found.append(f"answer {code} to {verb} {place}: an error without a body")
        elif content and kind.startswith("application/json"):
            found += [f"answer {code} to {verb} {place}: {one}" for one in answer_problems(verb, place, code, content)]
    return found


def _calls(
    method: str, path: str, sent: bytes, status: int, answered: bytes
) -> Iterator[tuple[str, str, bytes, int, bytes]]:
    """The calls of one request: itself, or the parts of a batch."""
    if path.strip("/").lower() != "$batch" or status != 200:
        yield method, path, sent, status, answered
        return
    parts = {str(one["id"]): one for one in json.loads(sent)["requests"]}
    for answer in json.loads(answered)["responses"]:
        part = parts[str(answer["id"])]
        place = "/" + part["url"].split("?")[0].lstrip("/").removeprefix("v1.0/")
        body, content = (json.dumps(one["body"]).encode() if one.get("body") else b"" for one in (part, answer))
        yield part["method"], place, body, answer["status"], content
