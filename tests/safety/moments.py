"""Kill -9 of a run's kernel or runner at a moment drawn from a seed, and what has to hold afterwards.

A moment is a place in the journal, and up to some milliseconds after it, so that it falls between events as often as
on them. Afterwards the record is held against the sandbox's own state, and the run is carried out again.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import yaml

from runbook.parameters import Parameters, parse
from runbook.records import report, summary, verify
from runbook.records.journal import read, verify_chain
from runbook.sections import NAMES, section
from runbook.tenant.base import open_context, run_section
from runbook.whole import is_leftover
from tests.safety import processes
from tests.safety.census import COUNTED, census, contradictions, unconverged

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
        }

    def play(self, moment: Moment) -> Outcome:
        """Prepare, run, kill, look, run again."""
        outcome = Outcome(moment)
        params = parse(self.values(moment.number))
        outcome.problems += _carried_out(params, range(1, moment.first))
        with open_context(params) as ctx:
            before = census(ctx)
        record = self._killed(moment, outcome)
        with open_context(params) as ctx:
            after = census(ctx)
        if record is not None:
            _judge(record, outcome)
            made = {kind: after[kind] - before[kind] for kind in COUNTED}
            outcome.problems += contradictions(read(record), made)
        outcome.problems += _carried_out(params, range(1, 8))
        with open_context(params) as ctx:
            outcome.problems += unconverged(ctx)
        return outcome

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


def _judge(record: Path, outcome: Outcome) -> None:
    """The record is readable, honest and made of whole files."""
    events = read(record)
    folded = summary.fold(events)
    checked = verify.verify(record)
    ended = bool(events) and events[-1]["event"] == "run.finished"
    outcome.state = "sealed" if checked.ok else ("ended, not sealed" if ended else "incomplete")
    outcome.open_writes = len(folded["writes_without_outcome"])
    problems = verify_chain(events)
    if not ended and (folded["verdict"] != "incomplete" or checked.complete or checked.ok):
        problems.append(f"a run that did not end calls itself {folded['verdict']}")
    if not any("never ended" in problem for problem in checked.problems) and not checked.ok:
        problems.append(f"the check does not say that the run never ended: {checked.problems}")
    if any(word in problem for problem in checked.problems for word in ("changed", "follow", "added", "cut")):
        problems.append(f"the check takes the kill for a tampering: {checked.problems}")
    passed = {each["name"] for each in folded["sections"] if each["verdict"] == "passed"}
    if dangling := [write for write in folded["writes_without_outcome"] if write["section"] in passed]:
        problems.append(f"a section passed with writes of unknown outcome: {dangling}")
    if not report.render(events):
        problems.append("no report can be made")
    outcome.problems += [*problems, *_not_whole(record, folded)]


def _not_whole(record: Path, folded: Mapping[str, Any]) -> Iterator[str]:
    """Files that are torn, or claim more than the journal."""
    for path in record.iterdir():
        if is_leftover(path) or path.name == "journal.jsonl":
            continue
        try:
            if path.suffix == ".ipynb":
                nbformat.validate(nbformat.read(path, 4))
            elif path.suffix == ".json":
                document = json.loads(path.read_bytes())
                if path.name == "summary.json" and document["verdict"] != folded["verdict"]:
                    yield f"summary.json says {document['verdict']}, the journal {folded['verdict']}"
            elif not path.read_text().strip():
                yield f"{path.name} is empty"
        except (ValueError, LookupError, nbformat.ValidationError) as error:
            yield f"{path.name} is torn: {type(error).__name__}"
