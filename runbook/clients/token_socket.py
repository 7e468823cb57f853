"""One sign-in a run: its kernels ask the run for tokens, through a socket in a folder that only this user may enter.

No secret stands in the environment or the arguments of a kernel, only the socket's path; a refresh token, a client
secret or a person's code never leaves the run.
"""

from __future__ import annotations

import json
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from runbook.errors import RunbookError, SignInError, TransportError

VARIABLE = "RUNBOOK_SIGN_IN"
"""Where a kernel finds the path of the socket."""
Obtain = Callable[[str | None, bool], Mapping[str, Any]]


@contextmanager
def offered(obtain: Obtain) -> Iterator[dict[str, str]]:
    """Answer kernels with what ``obtain(claims, fresh)`` gives; the environment by which they find their way here.

    Empty on systems without such sockets: each kernel then signs in by itself.
    """
    if not hasattr(socketserver, "ThreadingUnixStreamServer"):
        yield {}
        return

    class Asked(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(json.dumps(_answer(obtain, **json.loads(self.rfile.readline())), default=str).encode())

    with (
        tempfile.TemporaryDirectory(prefix="runbook-") as folder,
        socketserver.ThreadingUnixStreamServer(f"{folder}/tokens", Asked) as server,
    ):
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        try:
            yield {VARIABLE: f"{folder}/tokens"}
        finally:
            server.shutdown()


def _answer(obtain: Obtain, claims: str | None, fresh: bool) -> dict[str, Any]:
    try:
        found = obtain(claims, fresh)
    except RunbookError as error:
        return {"lost": isinstance(error, TransportError), "error": vars(error)}
    kept = {name: found[name] for name in ("access_token", "expires_in")}
    return kept | {"refresh_token": bool(found.get("refresh_token"))}


def ask(path: str, claims: str | None, fresh: bool) -> dict[str, Any]:
    """A token from the run, in the shape of RFC 6749 section 5.1.

    Raises :class:`TransportError` as the run's own sign-in did, and :class:`SignInError` for anything else.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            connection.sendall(json.dumps({"claims": claims, "fresh": fresh}).encode() + b"\n")
            answer: dict[str, Any] = json.load(connection.makefile("rb"))
    except (OSError, ValueError):
        raise SignInError("The run that signed in is gone.", next_step="run the same command again.") from None
    if "error" not in answer:
        return answer
    failure = (TransportError if answer["lost"] else SignInError)(answer["error"]["what"])
    vars(failure).update(answer["error"])
    raise failure
