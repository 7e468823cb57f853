"""An honest little HTTPS server that does what a script says: answers, cuts answers off, resets connections."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import h11


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Reply:
    """What to answer. ``cut``: send only so many bytes of the body, then drop the connection. ``reset``: read the
    request and drop the connection. ``silent``: read the request and never answer. ``drip``: a byte at a time, after so
    many seconds each; ``drip_head``: already the status line and headers so."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    silent: bool = False
    drip: float | None = None
    drip_head: float | None = None

    def content(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answering = Reply | Callable[[Asked], Reply]


class Service:
    """The running server. ``on`` scripts an address; the last reply of a script is repeated."""

    def __init__(self, base: str, ca_file: Any) -> None:
        self.base = base
        self.ca_file = ca_file
        self.asked: list[Asked] = []
        self._scripts: dict[tuple[str, str], list[Answering]] = {}

    def on(self, method: str, path: str, *replies: Answering) -> None:
        self._scripts[method, path] = list(replies)

    def requests(self, method: str, path: str) -> list[Asked]:
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        script = self._scripts.get((asked.method, asked.path))
        if not script:
            return Reply(404, {"error": {"code": "NoScript", "message": f"{asked.method} {asked.path}"}})
        found = script.pop(0) if len(script) > 1 else script[0]
        return found(asked) if callable(found) else found


async def _serve_connection(service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = h11.Connection(h11.SERVER)

    async def event() -> Any:
        while (found := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        return found

    while True:
        request = await event()
        if not isinstance(request, h11.Request):
            return
        body = b""
        while isinstance(piece := await event(), h11.Data):
            body += bytes(piece.data)
        headers = {name.decode().lower(): value.decode() for name, value in request.headers}
        asked = Asked(request.method.decode(), request.target.decode(), headers, body)
        if not await _answer(connection, writer, service.reply(asked)):
            return
        connection.start_next_cycle()


async def _answer(connection: h11.Connection, writer: asyncio.StreamWriter, reply: Reply) -> bool:
    """Whether the connection is still good afterwards."""
    if reply.silent:
        await asyncio.Event().wait()
    if reply.reset:
        writer.transport.abort()
        return False
    content = reply.content()
    headers = {"content-type": "application/json", **reply.headers, "content-length": str(len(content))}
    head = connection.send(h11.Response(status_code=reply.status, headers=list(headers.items()))) or b""
    for number in range(len(head) if reply.drip_head else 0):
        writer.write(head[number : number + 1])
        await writer.drain()
        await asyncio.sleep(reply.drip_head or 0)
    writer.write(b"" if reply.drip_head else head)
    sent = content if reply.cut is None else content[: reply.cut]
    if reply.drip is None:
        writer.write(connection.send(h11.Data(data=sent)) or b"")
    else:
        for number in range(len(sent)):
            writer.write(connection.send(h11.Data(data=sent[number : number + 1])) or b"")
            await writer.drain()
            await asyncio.sleep(reply.drip)
    await writer.drain()
    if reply.cut is not None:
        writer.close()
        return False
    writer.write(connection.send(h11.EndOfMessage()) or b"")
    await writer.drain()
    return connection.our_state is h11.DONE


@contextmanager
def serving(context: ssl.SSLContext, ca_file: Any) -> Iterator[Service]:
    """Serve on a free loopback port in a thread, until the context ends."""
    ready = threading.Event()
    state: dict[str, Any] = {}

    async def main() -> None:
        tasks: set[asyncio.Task[None]] = set()
        finish = asyncio.Event()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await _serve_connection(state["service"], reader, writer)
            except (ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError):
                writer.transport.abort()
            finally:
                writer.close()
                tasks.discard(task)

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        state.update(
            service=Service(f"https://localhost:{port}", ca_file), loop=asyncio.get_running_loop(), finish=finish
        )
        ready.set()
        await finish.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="scripted service", daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield state["service"]
    finally:
        state["loop"].call_soon_threadsafe(state["finish"].set)
        thread.join(10)
