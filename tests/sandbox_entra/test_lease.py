"""Start or join the user's own sandbox; it ends with its last client, however that ends."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import httpx
import pytest
from entra_sandbox import ensure
from entra_sandbox.folder import Folder, default_state
from entra_sandbox.lease import SandboxUnavailable

from tests.sandbox_entra.conftest import tls
from tests.sandbox_entra.test_server import served

CLIENT = """
import json, sys
from pathlib import Path
from entra_sandbox import ensure
with ensure(Path(sys.argv[1])) as ready:
    print(json.dumps(ready), flush=True)
    sys.stdin.read()
"""
_SECONDS = 60


class Client:
    """A process that holds the lease until its input ends."""

    def __init__(self, state: Path) -> None:
        command = [sys.executable, "-c", CLIENT, str(state)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ready(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._pipe.readline())
        return found

    @property
    def _pipe(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def leave(self) -> None:
        self.process.communicate(timeout=_SECONDS)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=_SECONDS)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "own" / "state.sqlite3"


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, state: Path) -> Client:
    client = Client(state)
    stack.callback(client.kill)
    return client


def server_of(state: Path) -> int:
    """A handle that becomes readable when the server's process has ended."""
    found = Folder(state).read_json("ready.json")
    assert found is not None
    return os.pidfd_open(int(found["pid"]))


def has_ended(handle: int, seconds: float = _SECONDS) -> bool:
    ended = bool(select.select([handle], [], [], seconds)[0])
    os.close(handle)
    return ended


def healthy(ready: dict[str, str]) -> bool:
    address = f"{ready['authority']}/_sandbox/health"
    return httpx.get(address, verify=tls(ready), trust_env=False).status_code == 200


def test_clients_that_start_together_share_one_server(clients: ExitStack, state: Path) -> None:
    held = [start(clients, state) for _ in range(3)]
    lines = [client.ready() for client in held]
    assert lines[0] == lines[1] == lines[2]
    server = server_of(state)
    held[0].leave()
    held[1].kill()
    assert healthy(lines[0])
    held[2].leave()
    assert has_ended(server, 0)
    assert not Path(f"{state}.d", "ready.json").exists()


def test_killing_every_client_ends_the_server(clients: ExitStack, state: Path) -> None:
    first, second = start(clients, state), start(clients, state)
    first.ready()
    second.ready()
    server = server_of(state)
    first.kill()
    second.kill()
    assert has_ended(server)


def test_a_server_that_was_killed_is_replaced(clients: ExitStack, state: Path) -> None:
    first = start(clients, state)
    before = first.ready()
    found = Folder(state).read_json("ready.json")
    assert found is not None
    server = server_of(state)
    os.kill(int(found["pid"]), signal.SIGKILL)
    assert has_ended(server)
    assert Path(f"{state}.d", "ready.json").exists()
    second = start(clients, state)
    after = second.ready()
    assert healthy(after)
    assert after == before


def test_a_stale_ready_file_deceives_nobody(state: Path) -> None:
    Folder(state).write_json("ready.json", {"authority": "https://localhost:1", "pid": 1, "leased": True})
    with ensure(state) as ready:
        assert healthy(ready)


def test_a_sandbox_that_somebody_serves_is_joined_and_left_running(state: Path) -> None:
    with served(state) as (line, process):
        with ensure(state) as ready:
            assert ready == line
        assert process.poll() is None
        assert healthy(line)


def test_it_can_be_held_twice_and_again(state: Path) -> None:
    with ensure(state) as first, ensure(state) as second:
        assert first == second
    with ensure(state) as third:
        assert third == first


def test_the_reason_is_told_when_it_does_not_start(state: Path) -> None:
    state.parent.mkdir()
    state.write_bytes(b"SQLite format 3\0 and no database, longer than a header of one hundred bytes would be" * 3)
    state.chmod(0o600)
    with pytest.raises(SandboxUnavailable, match="did not start"), ensure(state):
        pass


def test_a_state_file_that_others_can_read_is_refused(state: Path) -> None:
    state.parent.mkdir()
    state.touch()
    state.chmod(0o644)
    with pytest.raises(SandboxUnavailable, match="must be readable by its owner alone"), ensure(state):
        pass


def test_the_state_file_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENTRA_SANDBOX_STATE", str(tmp_path / "moved.sqlite3"))
    assert default_state() == tmp_path / "moved.sqlite3"
    monkeypatch.delenv("ENTRA_SANDBOX_STATE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_state().parts[-2:] == ("entra-sandbox", "state.sqlite3")
