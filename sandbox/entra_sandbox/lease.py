"""The user's own sandbox: started by the first who needs it, joined by the others, gone with the last.

Three lock files (``flock``) in the sandbox's folder. ``lease``: every client holds it shared; the server waits for it
exclusively and stops when it gets it, so a client that is killed counts as gone. ``start``: one starter at a time.
``serving.lock``: held by the server for its life; whoever can take it knows that no server runs, whatever files lie
about.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from entra_sandbox.errors import SandboxError
from entra_sandbox.folder import Folder, default_state

__all__ = ["SandboxUnavailable", "ensure", "when_abandoned"]

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_started: list[subprocess.Popen[bytes]] = []
"""Servers that this process started; kept so that they are waited for, and not warned about, when they end."""


class SandboxUnavailable(SandboxError):
    """The sandbox could not be started or joined; the text says why and where its log is."""


@contextmanager
def ensure(state: Path | None = None) -> Iterator[dict[str, Any]]:
    """Start or join the sandbox of ``state`` (default: the user's own) and hold it; yields its ready line.

    Raises :class:`SandboxUnavailable` when none is ready within a minute, or the server refuses the state file (others
    may read it, it is damaged). When the last holder leaves, the server ends; this waits for that end.
    """
    path = (state or default_state()).expanduser().absolute()
    folder = Folder(path)
    with _open(folder, "lease") as lease:
        _wait_for(lease, fcntl.LOCK_SH, _STOP_SECONDS, "an earlier sandbox does not end")
        try:
            yield _join_or_start(folder)
        finally:
            fcntl.flock(lease, fcntl.LOCK_UN)
            _wait_if_last(folder, lease)


def when_abandoned(folder: Folder, stop: Callable[[], None]) -> None:
    """Call ``stop`` in another thread once no client holds the lease (at once, if the starter is gone already)."""

    def watch() -> None:
        with _open(folder, "lease") as lease:
            fcntl.flock(lease, fcntl.LOCK_EX)
            stop()
            threading.Event().wait()  # holds the lease: new clients wait until this process has ended

    threading.Thread(target=watch, name="lease", daemon=True).start()


def _join_or_start(folder: Folder) -> dict[str, Any]:
    with _open(folder, "start") as turn:
        _wait_for(turn, fcntl.LOCK_EX, _START_SECONDS, "another process is starting it and does not finish")
        if not _free(folder):
            return _join(folder)
        return _start(folder)


def _join(folder: Folder) -> dict[str, Any]:
    """The ready line of the server that runs; it writes it once it accepts connections."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        ready = folder.read_json("ready.json")
        if ready is not None:
            return {name: value for name, value in ready.items() if name not in ("pid", "leased")}
        if _free(folder):
            return _start(folder)
        select.select([], [], [], 0.02)
    raise _unavailable(folder, "it runs but never became ready")


def _start(folder: Folder) -> dict[str, Any]:
    folder.file("ready.json").unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "entra_sandbox", "serve", "--leased", "--state", str(folder.state)]
    log = os.open(folder.file("server.log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},  # its line is read, whatever a terminal is
        )
    finally:
        os.close(log)
    _started.append(server)
    line = _first_line(server)
    if line is None:
        server.kill()
        server.wait()
        raise _unavailable(folder, "it did not start")
    ready: dict[str, Any] = json.loads(line)
    return ready


def _first_line(server: subprocess.Popen[bytes]) -> bytes | None:
    """What the server prints first; None if it ends, or is silent for too long, before."""
    assert server.stdout is not None
    deadline = time.monotonic() + _START_SECONDS
    text = b""
    with server.stdout as pipe:
        while not text.endswith(b"\n"):
            readable, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(pipe.fileno(), 65536) if readable else b""
            if not part:
                return None
            text += part
    return text


def _wait_if_last(folder: Folder, lease: IO[bytes]) -> None:
    """Wait for the server's end if nobody else holds the lease, so that nothing is left running behind."""
    ready = folder.read_json("ready.json")
    if ready is not None and ready.get("leased"):
        deadline = time.monotonic() + _STOP_SECONDS
        while not _free(folder) and not _held_by_others(lease) and time.monotonic() < deadline:
            select.select([], [], [], 0.01)
        if _free(folder):
            _wait_for_end(int(ready["pid"]), deadline)
    for server in _started[:]:
        if server.poll() is not None:
            _started.remove(server)


def _wait_for_end(pid: int, deadline: float) -> None:
    """Wait until a process that has let go of its state is gone, too."""
    server = next((one for one in _started if one.pid == pid), None)
    if server is not None:
        with suppress(subprocess.TimeoutExpired):
            server.wait(max(0.0, deadline - time.monotonic()))
    elif hasattr(os, "pidfd_open"):
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
            os.close(handle)


def _held_by_others(lease: IO[bytes]) -> bool:
    """Whether other clients hold the lease (the server, if it got it, does not count)."""
    alone = _try(lease, fcntl.LOCK_EX)
    shared = alone or _try(lease, fcntl.LOCK_SH)
    fcntl.flock(lease, fcntl.LOCK_UN)
    return shared and not alone


def _free(folder: Folder) -> bool:
    """Whether no server runs on this state."""
    with _open(folder, "serving.lock") as lock:
        return _try(lock, fcntl.LOCK_EX)


def _try(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for(file: IO[bytes], kind: int, seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not _try(file, kind):
        if time.monotonic() > deadline:
            raise SandboxUnavailable(f"The sandbox could not be joined: {otherwise}.")
        select.select([], [], [], 0.02)


def _open(folder: Folder, name: str) -> IO[bytes]:
    return os.fdopen(os.open(folder.file(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")


def _unavailable(folder: Folder, why: str) -> SandboxUnavailable:
    log = folder.file("server.log")
    tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:] if log.exists() else []
    return SandboxUnavailable("\n".join([f"The sandbox is not available: {why} (log: {log}).", *tail]))
