"""Kill -9 of a run's kernel or runner at a moment drawn from a seed, and what has to hold afterwards.

A moment is a place in the journal, and up to some milliseconds after it, so that it falls between events as often as
on them. Afterwards the record is held against the sandbox's own state, and the run is carried out again.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from entra_sandbox.store import Store

from runbook.parameters import Parameters, parse
from runbook.records import summary
from runbook.records.journal import read
from runbook.sections import NAMES, section
from runbook.tenant.base import open_context, plan_sections, run_section
from runbook.tenant.changes import pending
from tests.safety import honesty, processes
from tests.safety.census import COUNTED, Books, contradictions, unconverged

__all__ = ["Bench", "Moment", "Outcome", "served"]

ACTIONS = ["list_users", "create_group", "get_organization"]
EVENTS = {1: 10, 2: 33, 3: 15, 4: 65, 5: 30, 6: 40, 7: 22, 8: 45}
"""Events of a section on its first run, roughly: where in the journal moments are drawn from."""
PATIENCE = 60.0


@dataclass(frozen=True)
class Moment:
    """Which process of which sections is killed, after how many events of the journal and milliseconds."""

    number: int
    first: int
    last: int
    victim: str
    events: int
    milliseconds: float

    @classmethod
    def drawn(cls, seed: int, number: int) -> Moment:
        draw = random.Random(f"{seed}/{number}")
        first = draw.randint(1, 8)
        last = min(8, first + draw.randint(0, 1))
        expected = sum(EVENTS[n] for n in range(first, last + 1)) + 2
        # Some fall after the last event: into summary, report and manifest.
        events = min(expected, draw.randint(1, int(expected * 1.1)))
        return cls(number, first, last, draw.choice(("runner", "kernel")), events, draw.uniform(0, 40))

    def __str__(self) -> str:
        place = f"event {self.events} + {self.milliseconds:.0f} ms"
        return f"moment {self.number}: {self.victim}, sections {self.first}..{self.last}, {place}"


@dataclass
class Outcome:
    """What became of one moment. ``state``: of the record; ``problems``: what must not be."""

    moment: Moment
    state: str = "no record"
    killed: bool = False
    open_writes: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.moment.number

    def verdicts(self) -> list[str]:
        return [f"{self.moment.victim} killed, {self.state}" if self.killed else "ended before"]

    def __str__(self) -> str:
        told = f"{self.moment}: {self.state}, {'killed' if self.killed else 'ended before'}"
        return f"{told}, {self.open_writes} writes open" + "".join(f"\n    {problem}" for problem in self.problems)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Path]:
    """A sandbox in a process of its own, with its state in ``folder``; yields the file with its ready line."""
    command = [sys.executable, "-m", "runbook", "sandbox", "serve", "--state", str(folder / "state.sqlite3")]
    ready = folder / "ready.json"
    with (folder / "sandbox.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    with server:
        try:
            assert server.stdout is not None
            ready.write_text(server.stdout.readline())
            yield ready
        finally:
            server.terminate()


@dataclass(frozen=True)
class Bench:
    """One sandbox, one folder for records, and moments on applications of their own."""

    folder: Path
    ready_file: Path
    name: str

    def values(self, number: int) -> dict[str, Any]:
        own = f"{self.name}-{number}"
        return {
            "sandbox_file": str(self.ready_file),
            "application_name": f"Killed {own}",
            "unique_name": f"killed-{own}",
            "connector_profile_name": f"Killed {own}",
            "account_owner_id": f"killed-{own}",
            "secret_store": "file",
            "actions": ACTIONS,
            "permission_types": ["delegated", "application"],
        }

    def play(self, moment: Moment) -> Outcome:
        """Prepare, run, kill, look, run again."""
        outcome = Outcome(moment)
        params = parse(self.values(moment.number))
        outcome.problems += _carried_out(params, range(1, moment.first))
        before = self._books(params).count()
        record = self._killed(moment, outcome)
        after = self._books(params).count()
        if record is not None:
            outcome.state = honesty.state(record)
            events = read(record)
            outcome.open_writes = len(summary.fold(events)["writes_without_outcome"])
            outcome.problems += honesty.judged(record)
            outcome.problems += contradictions(events, {kind: after[kind] - before[kind] for kind in COUNTED})
        outcome.problems += _carried_out(params, range(1, 8))
        with open_context(params) as ctx:
            outcome.problems += unconverged(self._books(params), params, ctx.store, ctx.target.tenant_id)
            for name, changes in plan_sections(ctx, [section(name) for name in NAMES[:7]]).items():
                if left := pending(changes):
                    outcome.problems.append(f"{name} would still change {[change.what for change in left]}")
        return outcome

    def _books(self, params: Parameters) -> Books:
        with contextlib.closing(Store(self.ready_file.with_name("state.sqlite3"))) as store:
            return Books.read(store, params)

    def _killed(self, moment: Moment, outcome: Outcome) -> Path | None:
        """Run the sections and kill the victim at the moment; the record, if one was begun."""
        own = self.folder / f"moment-{moment.number}"
        own.mkdir(parents=True)
        (own / "choice.yaml").write_text(yaml.safe_dump(self.values(moment.number)))
        span = f"{moment.first}..{moment.last}"
        command = [sys.executable, "-m", "runbook", "run", "--parameters", "choice.yaml", "--sections", span, "--json"]
        with (own / "said").open("wb") as said:
            runner = subprocess.Popen(command, cwd=own, stdout=said, stderr=subprocess.STDOUT)
        try:
            outcome.killed, orphans = _strike(runner, own / "records", moment)
            runner.wait(PATIENCE)
        finally:
            runner.kill()
            runner.wait()
        # A kernel that lost its runner may write on: the record is looked at when both are gone.
        for pid in processes.wait_for_end(orphans, PATIENCE):
            outcome.problems.append("a kernel outlives its runner")
            os.kill(pid, signal.SIGKILL)
        return next((own / "records").glob("*"), None)


def _strike(runner: subprocess.Popen[bytes], records: Path, moment: Moment) -> tuple[bool, list[processes.Watched]]:
    """Watch the journal and kill at the moment; whether that came, and handles of the kernels of a killed runner."""
    deadline = time.monotonic() + PATIENCE
    while runner.poll() is None and time.monotonic() < deadline:
        select.select([], [], [], 0.002)
        journal = next(records.glob("*/journal.jsonl"), None)
        if journal is None or journal.read_bytes().count(b"\n") < moment.events:
            continue
        victims = [runner.pid] if moment.victim == "runner" else processes.kernels(runner.pid)
        if not victims:
            continue
        select.select([], [], [], moment.milliseconds / 1000)
        orphans = processes.watched(processes.children(runner.pid)) if moment.victim == "runner" else []
        with contextlib.suppress(ProcessLookupError):
            os.kill(victims[-1], signal.SIGKILL)
            return True, orphans
    return False, []


def _carried_out(params: Parameters, numbers: range) -> Iterator[str]:
    """Do sections as a run does, in this process; says which did not pass."""
    with open_context(params) as ctx:
        for number in numbers:
            result = run_section(ctx, section(NAMES[number - 1]), apply=True)
            if result.verdict != "passed":
                yield f"section {number} by itself: {result.verdict}: {result.error}"
