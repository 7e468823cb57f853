"""What may become of an answer on its way: it breaks off, never ends, is far too long, or names a wrong next page."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from entra_sandbox.illnesses import Drip, Huge, NextLink

__all__ = ["Held", "broken", "nowhere"]

_MEGABYTE = 1024 * 1024
_PULSE = 0.2
_BACK = "page=back"
_ELSEWHERE = "https://graph.elsewhere.invalid"


async def nowhere(_message: Message) -> None:
    """Takes an answer that nobody will see."""


def broken(send: Send) -> Send:
    """Sends the head and half of the first part of the body; the server closes an answer that is not finished."""
    done = False

    async def half(message: Message) -> None:
        nonlocal done
        if message["type"] == "http.response.start":
            await send(message)
        elif not done:
            done = True
            body = message.get("body", b"")
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})

    return half


@dataclass
class Held:
    """An answer that is held back until it is whole, and then sent in another way."""

    start: Message = field(default_factory=dict)
    body: bytes = b""

    async def take(self, message: Message) -> None:
        """The ``send`` of the application."""
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")

    async def deliver(
        self, illnesses: Sequence[NextLink | Huge | Drip], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Send it as the illnesses have it: the last of them that sends does, wrong next pages are named before."""
        for illness in illnesses:
            if isinstance(illness, NextLink):
                self.lead_astray(illness, scope)
        ways = [illness for illness in illnesses if not isinstance(illness, NextLink)]
        way = ways[-1] if ways else None
        if isinstance(way, Drip):
            await self.drip(way, receive, send)
        elif isinstance(way, Huge):
            await self.huge(way, send)
        else:
            await self.pass_on(send)

    async def pass_on(self, send: Send) -> None:
        """As it is now, with the length that it has now."""
        headers = MutableHeaders(raw=self.start["headers"])
        if "content-length" in headers:
            headers["content-length"] = str(len(self.body))
        await send(self.start)
        await send({"type": "http.response.body", "body": self.body})

    async def drip(self, illness: Drip, receive: Receive, send: Send) -> None:
        """A blank at a time until the client leaves or the time is over; the end never comes."""
        del MutableHeaders(raw=self.start["headers"])["content-length"]
        await send(self.start)
        loop = asyncio.get_running_loop()
        end = loop.time() + illness.seconds
        while loop.time() < end:
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            try:
                async with asyncio.timeout(_PULSE):
                    while (await receive())["type"] != "http.disconnect":
                        pass
                return
            except TimeoutError:
                continue

    async def huge(self, illness: Huge, send: Send) -> None:
        """Blanks before what it says, as JSON allows (RFC 8259 section 2)."""
        headers = MutableHeaders(raw=self.start["headers"])
        if not self.body or not headers.get("content-type", "").startswith("application/json"):
            await self.pass_on(send)
            return
        blanks = b" " * _MEGABYTE
        if illness.gzip:
            self.body = await to_thread.run_sync(_packed, blanks, illness.megabytes, self.body)
            headers["content-encoding"] = "gzip"
            await self.pass_on(send)
            return
        headers["content-length"] = str(illness.megabytes * _MEGABYTE + len(self.body))
        await send(self.start)
        for _ in range(illness.megabytes):
            await send({"type": "http.response.body", "body": blanks, "more_body": True})
        await send({"type": "http.response.body", "body": self.body})

    def lead_astray(self, illness: NextLink, scope: Scope) -> None:
        """Name a wrong next page, if this is a page of a list."""
        try:
            page = json.loads(self.body)
        except ValueError:
            return
        if isinstance(page, dict) and isinstance(page.get("value"), list):
            page["@odata.nextLink"] = _next_link(illness, scope)
            self.body = json.dumps(page, ensure_ascii=False).encode()


def _next_link(illness: NextLink, scope: Scope) -> str | int:
    if illness.how == "number":
        return 7
    host = dict(scope["headers"]).get(b"host", b"localhost").decode("latin-1")
    place = _ELSEWHERE if illness.how == "elsewhere" else f"{scope['scheme']}://{host}"
    path, query = (scope[name].decode("latin-1").split("?")[0] for name in ("raw_path", "query_string"))
    if illness.how == "cycle":
        back = query.endswith(_BACK)
        query = query.removesuffix(_BACK).removesuffix("&") if back else f"{query}&{_BACK}".removeprefix("&")
    return f"{place}{path}?{query}" if query else f"{place}{path}"


def _packed(blanks: bytes, count: int, rest: bytes) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6) as file:
        for _ in range(count):
            file.write(blanks)
        file.write(rest)
    return packed.getvalue()
