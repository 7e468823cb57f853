"""A run that is stopped while it proves actions removes what it made for it, on a service that takes its time."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from entra_sandbox.server import running

from runbook.records.journal import Event, read
from tests.conftest import environment, runner
from tests.safety.census import LOGS

ACTIONS = ["List Users", "Create Group", "Update Group", "Create User", "Create IP Named Location"]
SLOW = [
    {"kind": "slow", "seconds": [0.3, 0.6], "match": {"service": "graph", "method": method}}
    for method in ("POST", "PATCH", "DELETE")
]


class Ready:
    """A sandbox on which the first seven sections have been carried out, and which is slow from then on."""

    def __init__(self, folder: Path, line: dict[str, Any]) -> None:
        self.folder, self.line, self.home = folder, line, folder / "home"
        self.home.mkdir()
        (folder / "ready.json").write_text(json.dumps(line))
        choice = {"sandbox_file": str(folder / "ready.json"), "actions": ACTIONS, "secret_store": "file"}
        choice |= {"permission_types": ["delegated", "application"]}
        (folder / "choice.yaml").write_text(yaml.safe_dump(choice))
        done = runner(self.home, folder)("run", "--parameters", "choice.yaml", "--sections", "1..7")
        assert done.returncode == 0, done.stdout + done.stderr
        self.plays(*SLOW)

    def plays(self, *illnesses: dict[str, Any]) -> None:
        """From now on."""
        token = (self.folder / "state.sqlite3.d" / "control-token").read_text().strip()
        request = urllib.request.Request(
            self.line["graph"] + "/_sandbox/faults",
            data=json.dumps({"seed": 1, "illnesses": illnesses}).encode(),
            method="PUT",
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        context = ssl.create_default_context(cafile=self.line["ca_file"])
        with urllib.request.urlopen(request, context=context) as answer:
            assert answer.status < 300

    @contextmanager
    def proving(self) -> Iterator[subprocess.Popen[str]]:
        """Section 8, under way."""
        process = subprocess.Popen(
            [sys.executable, "-m", "runbook", "run", "--parameters", "choice.yaml", "--sections", "8..8"],
            cwd=self.folder,
            env=environment(self.home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def journal(self, before: set[Path]) -> list[Event]:
        """Of the run that began after ``before`` was taken."""
        new = set((self.folder / "records").iterdir()) - before
        return list(read(new.pop())) if any((each / "journal.jsonl").is_file() for each in new) else []

    def litter(self) -> list[str]:
        """Probes' objects that are on the tenant, in the deleted items too: by the sandbox's own file."""
        import sqlite3

        with sqlite3.connect(f"file:{self.folder / 'state.sqlite3'}?mode=ro", uri=True) as books:
            rows = books.execute("SELECT * FROM object WHERE kind NOT IN (?, ?)", LOGS).fetchall()
        return [str(row) for row in rows if "runbook probe" in str(row) or "runbook-probe" in str(row)]


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Ready]:
    with running(tmp_path / "state.sqlite3") as line:
        yield Ready(tmp_path, line)


def made(events: list[Event]) -> int:
    """How many writes of probes the journal has announced."""
    return sum(event["event"] == "http.intent" and event.get("method") == "POST" for event in events)


@pytest.mark.parametrize(("sent", "after"), [(signal.SIGINT, 1), (signal.SIGTERM, 4)])
def test_what_it_made_is_removed_before_it_ends(ready: Ready, sent: signal.Signals, after: int) -> None:
    before = set((ready.folder / "records").iterdir())
    with ready.proving() as process:
        while made(ready.journal(before)) < after:
            assert process.poll() is None
        process.send_signal(sent)
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "Stopping" in said
    assert not ready.litter()


def test_a_second_interrupt_ends_it_and_what_stayed_is_said_and_removed_by_the_next_run(ready: Ready) -> None:
    before = set((ready.folder / "records").iterdir())
    with ready.proving() as process:
        while not ready.litter():
            assert process.poll() is None
        ready.plays({"kind": "slow", "seconds": [30, 30], "match": {"service": "graph", "method": "DELETE"}})
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        said = ""
        while "Stopping" not in said:
            said += process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=25)
    assert process.returncode == 130, said + rest
    stayed = ready.litter()
    assert stayed
    assert "Left behind on the tenant" in rest
    (record,) = set((ready.folder / "records").iterdir()) - before
    named = json.loads((record / "summary.json").read_text())["left_behind"]
    assert named
    assert all(any(one[one.index("runbook") :] in row for row in stayed) for one in named)
    ready.plays()
    done = runner(ready.home, ready.folder)("run", "--parameters", "choice.yaml", "--sections", "8..8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not ready.litter()
