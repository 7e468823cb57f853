"""A CONNECT proxy for tools whose hosts are fixed in their source (RFC 9110 section 9.3.6).

The hosts of the three services and of StackOne's dashboard lead to the sandbox's own listener; the sandbox's own
addresses are let through; every other host gets 403 and a line in the log, so nothing leaves the machine by this way.

The certificate that names the real hosts comes from a CA whose key exists in this process alone and whose own
certificate lives a day. It must never be put into a trust store: whoever had the key could play Microsoft to that
machine. Give it to one tool, through its environment, as the ready line has it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from entra_sandbox import tls
from entra_sandbox.folder import Folder, write_private
from entra_sandbox.guard import LOOPBACK_HOSTS
from entra_sandbox.services import Addresses

__all__ = ["HOSTS", "Proxy", "environment", "listener_context", "shell_environment"]

log = logging.getLogger("entra_sandbox.proxy")

HOSTS = ("login.microsoftonline.com", "graph.microsoft.com", "api.stackone.com", "app.stackone.com")
_HEAD_SECONDS = 30.0
_CHUNK = 65536


def listener_context(folder: Folder) -> tuple[ssl.SSLContext, Path]:
    """A server context that names the real hosts, too, and the file of the CA to trust; the CA's key is forgotten."""
    names = (*tls.LOOPBACK, *HOSTS)
    ca = tls.Authority.make("Entra sandbox, one day", hosts=names, days=1)
    certificate, key = ca.issue(names, days=1)
    with tempfile.TemporaryDirectory(dir=folder.path) as scratch:
        certificate_file = write_private(Path(scratch) / "leaf.pem", certificate)
        key_file = write_private(Path(scratch) / "leaf.key", key)
        context = tls.server_context(certificate_file, key_file)
    return context, write_private(folder.file("proxy-ca.pem"), ca.pem)


def environment(address: str, ca_file: Path) -> dict[str, str]:
    """Variables that lead a tool of any make to the sandbox and nowhere else; none of them is secret."""
    ca = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
    through = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
    none = ("NO_PROXY", "no_proxy")
    variables = {**dict.fromkeys(ca, str(ca_file)), **dict.fromkeys(through, address), **dict.fromkeys(none, "")}
    # Node's own fetch looks at the proxy only when told to (from Node 22.21 and 24.5 on; before, it never does).
    return {**variables, "NODE_USE_ENV_PROXY": "1"}


class Proxy:
    """Serves one listening socket until it is cancelled."""

    def __init__(self, listener: socket.socket, addresses: Addresses) -> None:
        self._listener = listener
        self._https, self._http = addresses.ports
        self._open: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """What ``HTTPS_PROXY`` is set to."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    async def run(self) -> None:
        """Serve until cancelled."""
        server = await asyncio.start_server(self._serve, sock=self._listener, limit=_CHUNK)
        try:
            await server.serve_forever()
        finally:
            server.close()
            for task in self._open:
                task.cancel()
            if self._open:
                await asyncio.wait(self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: asyncio reports the cancelling of the one that it makes for a connection as an error.
        task = asyncio.ensure_future(self._answer(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        await asyncio.wait([task])

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            if method == "CONNECT":
                await self._connect(target, reader, writer)
            else:
                await self._forward(method, target, head, reader, writer)
        except (ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await _refuse(writer, "400 Bad Request")
        except ConnectionError as error:
            log.info("a connection broke: %s", type(error).__name__)
        finally:
            writer.close()

    async def _connect(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = target.rpartition(":")
        known = host.lower() in HOSTS and port == "443"
        own = host.lower() in LOOPBACK_HOSTS and port == str(self._https)
        if not known and not own:
            log.warning("refused: %s is not part of the sandbox", target[:200])
            await _refuse(writer, "403 Forbidden")
            return
        upstream = await asyncio.open_connection("127.0.0.1", self._https)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _join((reader, writer), upstream)

    async def _forward(
        self, method: str, target: str, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Plain http: the sandbox's own pages, one request a connection."""
        parts = urlsplit(target)
        if parts.scheme != "http" or (parts.hostname or "") not in LOOPBACK_HOSTS or parts.port != self._http:
            log.warning("refused: %s is not part of the sandbox", parts.netloc[:200] or "an address without host")
            await _refuse(writer, "403 Forbidden")
            return
        path = parts._replace(scheme="", netloc="").geturl() or "/"
        lines = head.split(b"\r\n")[1:-2]
        kept = [line for line in lines if line.split(b":")[0].lower() not in (b"connection", b"proxy-connection")]
        request = [f"{method} {path} HTTP/1.1".encode("latin-1"), *kept, b"Connection: close", b"", b""]
        upstream = await asyncio.open_connection("127.0.0.1", self._http)
        upstream[1].write(b"\r\n".join(request))
        await _join((reader, writer), upstream)


Side = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(one: Side, other: Side) -> None:
    """Carry bytes both ways until one side has ended and the other was told."""
    try:
        await asyncio.gather(_carry(one[0], other[1]), _carry(other[0], one[1]))
    finally:
        other[1].close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with suppress(ConnectionError, OSError):
        # An orderly end of one direction; a broken one ends both, so that the other side does not wait for ever.
        writer.write_eof()


async def _refuse(writer: asyncio.StreamWriter, status: str) -> None:
    with suppress(ConnectionError):
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()


def shell_environment(ready: dict[str, object], ready_file: Path) -> dict[str, str]:
    """This process's environment, led to the sandbox; ENTRA_SANDBOX_READY names the ready file."""
    variables = ready["environment"]
    assert isinstance(variables, dict)
    return {**os.environ, **variables, "ENTRA_SANDBOX_READY": str(ready_file)}
