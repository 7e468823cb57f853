"""What the kernels of a run ask it for: tokens of its one sign-in, secrets of its environment, and what it has read.

They ask through a socket in a folder that only this user may enter. No secret stands in the environment or the
arguments of a kernel, only the socket's path; a refresh token, a client secret or a person's code never leaves the run.
"""

import json
import os
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runbook.errors import RunbookError, SignInError, TransportError

VARIABLE = "RUNBOOK_RUN"
"""Where a kernel finds the path of the socket."""
TRUSTED = "RUNBOOK_TRUSTED"
"""Where whoever starts the kernels finds which CA the run trusts; they themselves are not told so."""
Answers = Mapping[str, Callable[..., Mapping[str, Any]]]


@contextmanager
def offered(answers: Answers, *, trusted: Path | None = None) -> Iterator[dict[str, str]]:
    """Answer kernels with what the callable of the asked name gives; the environment by which they find their way.

    ``trusted``: the CA file that the run trusts alone, if it does.

    Empty on systems without such sockets: each kernel then signs in by itself.
    """
    if not hasattr(socketserver, "ThreadingUnixStreamServer"):
        yield {}
        return

    class Asked(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked = json.loads(self.rfile.readline())
            try:
                answer = answers[asked.pop("what")](**asked)
            except RunbookError as error:
                answer = {"lost": isinstance(error, TransportError), "error": vars(error)}
            self.wfile.write(json.dumps(answer, default=str).encode())

    # The path of a socket has 107 bytes at most.
    short = "/tmp" if len(tempfile.gettempdir()) > 80 else None
    with (
        tempfile.TemporaryDirectory(prefix="runbook-", dir=short) as folder,
        socketserver.ThreadingUnixStreamServer(f"{folder}/run", Asked) as server,
    ):
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield {VARIABLE: f"{folder}/run", **({TRUSTED: str(trusted)} if trusted else {})}
        finally:
            server.shutdown()


def ask(what: str, **about: Any) -> dict[str, Any]:
    """What the run of this kernel answers.

    Raises :class:`TransportError` as the run did, and :class:`SignInError` for anything else that it raised.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.environ[VARIABLE])
            connection.sendall(json.dumps({"what": what, **about}).encode() + b"\n")
            answer: dict[str, Any] = json.load(connection.makefile("rb"))
    except (OSError, ValueError):
        raise SignInError.named("run_gone", variable=VARIABLE) from None
    if "error" not in answer:
        return answer
    failure = (TransportError if answer["lost"] else SignInError)(answer["error"]["what"])
    vars(failure).update(answer["error"])
    raise failure
