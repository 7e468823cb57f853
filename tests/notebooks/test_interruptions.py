"""A run that is stopped or loses a kernel says so: its record is readable and claims no more than happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import pytest

from runbook.records.journal import read
from tests.conftest import environment
from tests.notebooks.conftest import Desk
from tests.safety.processes import kernels, wait_for_end, watched


@contextmanager
def begun(desk: Desk) -> Iterator[subprocess.Popen[str]]:
    """A run whose first section has ended, so that a kernel works on the second or is about to."""
    command = [sys.executable, "-m", "runbook", "run", "--parameters", str(desk.parameters), "--json"]
    process = subprocess.Popen(
        command,
        cwd=desk.folder,
        env=environment(desk.home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a shell inherits an ignored SIGINT; a person's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "Select actions" in line and "passed" in line:
                break
        yield process
    finally:
        process.kill()
        process.wait()


def newest(desk: Desk) -> Path:
    return max((desk.folder / "records").iterdir())


def incomplete(record: Path) -> None:
    summary = json.loads((record / "summary.json").read_text())
    assert summary["verdict"] == "incomplete"
    assert summary["sections"][0]["verdict"] == "passed"
    assert "run.finished" not in {event["event"] for event in read(record)}
    for path in record.glob("*.ipynb"):
        nbformat.validate(nbformat.read(path, 4))


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda sent: sent.name)
def test_a_stopped_run_ends_with_130_stops_its_kernel_and_leaves_an_incomplete_record(
    desk: Desk, sent: signal.Signals
) -> None:
    with begun(desk) as process:
        started = watched([kernel_of(process)])
        process.send_signal(sent)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert not wait_for_end(started, 10)
    incomplete(newest(desk))


def test_a_killed_kernel_ends_the_run_as_incomplete(desk: Desk) -> None:
    with begun(desk) as process:
        while process.poll() is None:  # one that goes while it begins is replaced once
            for kernel in kernels(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(kernel, signal.SIGKILL)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 1
        assert json.loads(said)["verdict"] == "incomplete"
    incomplete(newest(desk))


def test_a_killed_runner_leaves_a_journal_that_reads_as_incomplete(desk: Desk) -> None:
    from runbook.records import summary

    with begun(desk) as process:
        process.kill()
        process.wait()
    folded = summary.fold(read(newest(desk)))
    assert folded["verdict"] == "incomplete"


def kernel_of(process: subprocess.Popen[str]) -> int:
    """The kernel of the section that runs now, as soon as it is there."""
    while process.poll() is None:
        if found := kernels(process.pid):
            return found[-1]
    pytest.fail(f"the run ended before a kernel could be found: {process.communicate()}")
