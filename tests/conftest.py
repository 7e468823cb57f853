"""What every part's tests share: a command runner and a listener that tells whether anything was sent."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from entra_sandbox import server

from runbook import late
from tests.published.watch import Watch

Runner = Callable[..., "subprocess.CompletedProcess[str]"]


late.grammar()
server.observers.append(Watch)
SLOW = ("weather", "operations", "disguise", "safety", "sections", "browser", "notebooks", "test_main_job.py")
"""What begins first, so that two processes end at about the same time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: number for number, name in enumerate(SLOW)}
    here = Path(__file__).parent
    items.sort(key=lambda item: rank.get(item.path.relative_to(here).parts[0], len(SLOW)))


@pytest.fixture(autouse=True)
def _published_schema() -> Iterator[None]:
    """Every call of Microsoft Graph that reached a sandbox of this process is as Microsoft published it."""
    yield
    problems = Watch.taken()
    assert not problems, "\n".join(problems[:20])


@pytest.fixture(scope="session")
def clean_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty HOME, as on a fresh machine."""
    return tmp_path_factory.mktemp("home")


def environment(home: Path, **extra: str) -> dict[str, str]:
    """The environment of a child: this one's, with another HOME and nothing of the runbook's own."""
    own = ("RUNBOOK_", "ENTRA_SANDBOX_", "XDG_", "JUPYTER_", "COLUMNS")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    return {**kept, "HOME": str(home), "NO_COLOR": "1", "COLUMNS": "120", **extra}


def runner(home: Path, folder: Path) -> Runner:
    """Runs ``runbook`` as a user would, in ``folder`` with ``home`` as HOME."""

    def run(
        *arguments: str, timeout: float = 240, given: str | None = None, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "runbook", *arguments],
            input=given,
            cwd=folder,
            env=environment(home, **extra),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def command(clean_home: Path, tmp_path: Path) -> Runner:
    """``runbook`` in an empty folder with an empty HOME."""
    return runner(clean_home, tmp_path)


@dataclass
class Listener:
    """A TCP port on loopback that counts who connects; ``ready_file`` names it as a served sandbox."""

    port: int
    ready_file: Path
    tenant_id: str = "11111111-1111-4111-8111-111111111111"
    connections: list[tuple[str, int]] = field(default_factory=list)


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        base = f"https://localhost:{server.getsockname()[1]}"
        authority = tmp_path / "ca.pem"
        trustme.CA().cert_pem.write_to_path(str(authority))
        key = tmp_path / "key"
        key.write_text("unused")
        key.chmod(0o600)
        ready = dict.fromkeys(("authority", "graph", "stackone", "pages"), base) | {
            "ca_file": str(authority),
            "tenant_id": Listener.tenant_id,
            "client_id": "22222222-2222-4222-8222-222222222222",
            "client_secret_ref": "file:unused",
            "client_secret_file": str(key),
            "stackone_api_key_file": str(key),
            "users": {},
        }
        ready_file = tmp_path / "ready.json"
        ready_file.write_text(json.dumps(ready))
        found = Listener(server.getsockname()[1], ready_file)
        stop = threading.Event()

        def accept() -> None:
            while not stop.is_set():
                try:
                    connection, peer = server.accept()
                except TimeoutError:
                    continue
                found.connections.append(peer)
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield found
        finally:
            stop.set()
            thread.join()
