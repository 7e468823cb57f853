"""Whatever ends in the middle of a fleet: nothing is lost and nothing is made twice, by the sandbox's own books."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from runbook.records.verify import verify
from tests.fleet.campaign import VICTIMS, Moment, play
from tests.fleet.conftest import ONE_OF_EACH, Provider
from tests.safety.processes import children, descendants, kernels, shown, wait_for_end, watched

LINE = ("--workers", "1", "--set", "secret_store=file", "--actions", "List Users", "--sections", "1..5", "--json")
MADE = "/addPassword"


def worker(process: subprocess.Popen[str]) -> int:
    """The one worker of a fleet: its child that started a warm process."""
    return next(
        pid for pid in children(process.pid) if any(b"warm" in shown(each, "cmdline") for each in children(pid))
    )


def test_a_worker_that_is_killed_leaves_its_tenant_to_another(provider: Provider) -> None:
    process = provider.start("run", str(provider.table("w.csv", 7)), "--records", "w", *LINE)
    left: list[tuple[int, int]] = []

    def victim() -> int:
        left.extend(watched(kernels(worker(process))))
        return worker(process)

    provider.gate.arm(MADE, victim)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    assert provider.gate.struck
    assert left, "a kernel was at work"
    assert not wait_for_end(left, 20), "no kernel outlives its worker"
    assert json.loads(out)["counts"] == {"done": 1}
    assert provider.made(7) == ONE_OF_EACH
    reports = [verify(path.parent) for path in (provider.folder / "w").glob("*/journal.jsonl")]
    assert sorted((report.ok, report.verdict) for report in reports) == [(False, "incomplete"), (True, "passed")]


def test_a_command_that_is_killed_ends_whole_and_the_next_start_goes_on(provider: Provider) -> None:
    table = str(provider.table("c.csv", 8, 9))
    process = provider.start("run", table, "--records", "c", *LINE)
    left: list[tuple[int, int]] = []

    def victim() -> int:
        left.extend(watched(list(descendants(process.pid))))
        return process.pid

    provider.gate.arm(MADE, victim)
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    assert not wait_for_end(left, 20), "nothing that it started outlives it"
    done = provider.fleet("run", table, "--records", "c", *LINE[:-1])
    assert done["counts"] == {"done": 2}
    assert provider.made(8) == provider.made(9) == ONE_OF_EACH


def test_ctrl_c_lets_the_run_end_in_order_and_begins_no_other(provider: Provider) -> None:
    table = str(provider.table("i.csv", 8, 9, secret_lifetime_days={8: "90"}))
    process = provider.start("run", table, "--records", "i", "--again", *LINE)

    def victim() -> int:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: workers hear it too
        return 0

    provider.gate.arm("/$batch", victim)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, out + err
    found = json.loads(out)
    assert found["counts"] == {"interrupted": 1, "not begun": 1}
    record = next((provider.folder / "i").glob("*/journal.jsonl")).parent
    assert verify(record).verdict == "incomplete"
    assert (record / "manifest.json").is_file()


def test_a_fleet_struck_at_any_call_is_whole_after_the_next_start(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One moment of the campaign (``python -m tests.fleet.campaign``)."""
    for name in [name for name in os.environ if name.startswith(("XDG_", "RUNBOOK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(provider.home))
    outcome = play(provider, Moment(0, "command", call=70, before=True, which=0), "moment", tenants=2)
    assert outcome.struck
    assert outcome.codes == [-signal.SIGKILL, 0]
    assert outcome.problems == []


def test_moments_are_drawn_from_their_seed_for_every_victim() -> None:
    drawn = [Moment.drawn(6, number) for number in range(40)]
    assert drawn == [Moment.drawn(6, number) for number in range(40)]
    assert {moment.victim for moment in drawn} == {*VICTIMS}
    assert {moment.before for moment in drawn} == {True, False}
