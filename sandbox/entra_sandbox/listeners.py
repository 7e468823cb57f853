"""Sockets on loopback and the HTTP server on them."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp, Scope

__all__ = ["Listener", "bind", "cut", "listen", "listener"]


class Listener(uvicorn.Server):
    """A uvicorn server that leaves signals to its owner and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # An idle TLS connection would hold the end up until its client says good-bye, which idle clients do not.
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is None or cycle.response_complete:
                connection.transport.abort()
        await super().shutdown(sockets=sockets)


def listener(app: ASGIApp, context: ssl.SSLContext | None) -> Listener:
    """A server for ``app``: https with ``context``, else plain http. It logs nothing; the guard does."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # the date is that of the service's own clock
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
    )
    config.load()
    config.ssl = context
    return Listener(config)


def cut(listeners: Iterable[Listener], scope: Scope, *, reset: bool = True) -> None:
    """Reset the connection of a request, or close it in good order."""
    for one in listeners:
        for connection in list(one.server_state.connections):
            if getattr(connection, "client", None) == scope["client"]:
                if not reset:
                    connection.transport.close()
                    continue
                # With linger 0 the end is a reset (RST), which no client can take for an orderly close.
                raw = connection.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.transport.abort()


def bind(port: int) -> list[socket.socket]:
    """Listening sockets for both loopback addresses on one port: ``port`` if it is free, else another."""
    for candidate in (port, *[0] * 20):
        with suppress(OSError):
            first = listen(socket.AF_INET, "127.0.0.1", candidate)
            try:
                return [first, *_second(first.getsockname()[1])]
            except OSError:
                first.close()
    raise OSError("no free loopback port")


def _second(port: int) -> list[socket.socket]:
    # A client that tries ::1 first must reach us and nobody else, if this machine has IPv6 at all.
    if not socket.has_ipv6:
        return []
    try:
        return [listen(socket.AF_INET6, "::1", port)]
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return []
        raise


def listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    # asyncio turns Nagle's delay off only for sockets that name TCP; it would cost each answer 40 ms.
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((host, port))
        one.listen(128)  # binding alone would let a second process bind the same port
    except OSError:
        one.close()
        raise
    return one
