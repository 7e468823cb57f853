"""Kills in the middle of a fleet, from the top of a clone: ``python -m tests.fleet.campaign [--moments N] [--seed S]``.

Six tenants on two workers; at a call drawn from the seed one worker, the command, or the scheduler of a cluster that
was there is killed, before or after that call is carried out. The command is run again until all is done. Then the
sandbox's books must hold one of each thing of each tenant and nothing that belongs to nobody, every record must be
honest, each tenant's last one sealed, and nothing may run any more. ``--case K``: that moment alone; ``--keep DIR``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from runbook.parameters import Parameters, parse
from runbook.records.verify import verify
from runbook.secrets.stores import open_store
from tests.fleet.conftest import Provider, a_cluster, providing
from tests.safety import honesty
from tests.safety.campaign import told
from tests.safety.census import LOGS, Books, unconverged
from tests.safety.processes import children, descendants, shown, wait_for_end, watched
from tests.safety.stand import ACTIONS, own_home

VICTIMS = ("worker", "command", "scheduler")
TENANTS, WORKERS, STARTS = 6, 2, 4
CALLS = 60 * TENANTS
"""Calls of a fleet, roughly: where moments are drawn from."""
PATIENCE = 30


@dataclass(frozen=True)
class Moment:
    """Who is killed, at which call, before it is carried out or after."""

    number: int
    victim: str
    call: int
    before: bool
    which: int

    @classmethod
    def drawn(cls, seed: int, number: int) -> Moment:
        draw = random.Random(f"{seed}/{number}")
        victim = VICTIMS[number % len(VICTIMS)]
        return cls(number, victim, draw.randint(1, CALLS), draw.random() < 0.5, draw.randrange(WORKERS))

    def __str__(self) -> str:
        return f"moment {self.number}: {self.victim}, {'before' if self.before else 'after'} call {self.call}"


@dataclass
class Outcome:
    """What became of one moment; ``problems``: what must not be."""

    moment: Moment
    codes: list[int] = field(default_factory=list)
    struck: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.moment.number

    def verdicts(self) -> list[str]:
        return [f"{self.moment.victim} killed" if self.struck else "ended before"]

    def __str__(self) -> str:
        ended = f"{'killed' if self.struck else 'ended before'}, exit codes {self.codes}"
        return f"{self.moment}: {ended}" + "".join(f"\n    {problem}" for problem in self.problems)


def play(provider: Provider, moment: Moment, name: str, tenants: int = TENANTS) -> Outcome:
    """Begin a fleet, kill, look, run again until all is done, look."""
    outcome, own = Outcome(moment), f"{name}-{moment.number}"
    choices = {number: _choice(provider, own, number) for number in range(tenants)}
    columns = {each: {number: str(choices[number][each]) for number in choices} for each in choices[0]}
    columns = {each: cells for each, cells in columns.items() if each not in ("tenant_id", "sandbox_file")}
    line = ["run", str(provider.table(f"{own}.csv", *choices, **columns)), "--records", own, "--json"]
    line += ["--set", "secret_store=file", "--actions", ",".join(ACTIONS)]
    params = [parse({**each, "secret_store": "file", "actions": list(ACTIONS)}) for each in choices.values()]
    before = _of_nobody(provider, params)
    done = _struck(provider, moment, outcome, line)
    while not done and len(outcome.codes) < STARTS:
        done = _started(provider, outcome, [*line, "--workers", str(WORKERS)])
    if not done:
        outcome.problems.append(f"not done after {len(outcome.codes)} starts")
    outcome.problems += _left(provider, own, params)
    outcome.problems += [f"left behind: {kind} {id}" for kind, id in _of_nobody(provider, params) - before]
    return outcome


def _choice(provider: Provider, own: str, number: int) -> dict[str, str]:
    names = ("application_name", "unique_name", "connector_profile_name", "account_owner_id")
    ready = str(provider.folder / "ready.json")
    return {"tenant_id": provider.tenants[number], "sandbox_file": ready, **dict.fromkeys(names, f"{own}-{number}")}


def _struck(provider: Provider, moment: Moment, outcome: Outcome, line: list[str]) -> bool:
    """The first start, in which somebody is killed; whether all is done nevertheless."""
    orphans: list[tuple[int, int]] = []
    with ExitStack() as stack:
        process: subprocess.Popen[str]

        def victim() -> int:
            at_work = workers(process.pid)
            if moment.victim == "worker":
                return at_work[moment.which % len(at_work)] if at_work else 0
            if moment.victim == "scheduler":
                return scheduler.pid
            orphans.extend(watched(list(descendants(process.pid))))
            return process.pid

        if moment.victim == "scheduler":
            address, scheduler = stack.enter_context(a_cluster(provider, f"cluster-{moment.number}", WORKERS))
            line = [*line, "--scheduler", address]
        provider.gate.arm(moment.call, victim, before=moment.before)
        process = provider.start(*line, *(() if moment.victim == "scheduler" else ("--workers", str(WORKERS))))
        done = _ended(process, outcome)
        outcome.struck = provider.gate.struck
        provider.gate.arm("", victim)
    outcome.problems += [f"outlives the command: {pid}" for pid in wait_for_end(orphans, PATIENCE)]
    if outcome.struck and not done and moment.victim == "worker":
        outcome.problems.append(f"a killed worker ended the fleet with {outcome.codes[-1]}")
    return done


def workers(command: int) -> list[int]:
    """The workers of a fleet's own cluster that have begun a run: children that started a warm process."""
    return [
        pid
        for pid in children(command)
        if any(b"runbook.runs.warm" in shown(each, "cmdline") for each in children(pid))
    ]


def _started(provider: Provider, outcome: Outcome, line: list[str]) -> bool:
    return _ended(provider.start(*line), outcome)


def _ended(process: subprocess.Popen[str], outcome: Outcome) -> bool:
    try:
        out, err = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        outcome.problems.append("no end in 300 s")
    outcome.codes.append(process.returncode)
    # What the workers of a killed command say at their end is no finding: the terminal is no longer its own.
    if process.returncode not in (0, 1, -signal.SIGKILL) or ("Traceback" in err and process.returncode >= 0):
        outcome.problems.append(f"ended with {process.returncode}: {err[-2000:]}")
    results = json.loads(out).get("tenants", ()) if out.strip() else ()
    outcome.problems += [f"failed: {each['said']}" for each in results if each["state"] == "failed"]
    return process.returncode == 0


def _left(provider: Provider, own: str, params: list[Parameters]) -> Iterator[str]:
    """What is not as one whole run of each tenant leaves it."""
    store, records = open_store("file"), provider.folder / own
    for each in params:
        found = Books.read(provider.store, each)
        yield from (f"{each.unique_name}: {said}" for said in unconverged(found, each, store, each.tenant_id))
        last = json.loads((records / "fleet" / "run" / f"{each.tenant_id}.json").read_text(encoding="utf-8"))
        report = verify(Path(last["record"]))
        if (report.ok, report.verdict, report.signed) != (True, "passed", True):
            yield f"{each.unique_name}: its last record does not verify: {report.problems}"
    for journal in records.glob("*/journal.jsonl"):
        yield from (f"{journal.parent.name}: {said}" for said in honesty.judged(journal.parent))
    for process in psutil.process_iter(["cwd", "cmdline"]):
        if process.info["cwd"] == str(provider.folder) and process.pid != os.getpid():
            yield f"still runs: {process.info['cmdline']}"


def _of_nobody(provider: Provider, params: list[Parameters]) -> set[tuple[str, str]]:
    """What is in the books and not of this fleet: disposable objects of proofs, bins included."""
    ours = {id for each in params for id in Books.read(provider.store, each).ids()}
    kinds = ("stackone.profile", "stackone.account")
    rows = provider.store.rows(None, deleted=None)
    found = {(row.kind, row.id) for row in rows if row.kind not in LOGS and ("." not in row.kind or row.kind in kinds)}
    return {(kind, id) for kind, id in found if id not in ours}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=40, help="how many (40)")
    parser.add_argument("--seed", type=int, default=6, help="what they are drawn from (6)")
    parser.add_argument("--case", type=int, help="one of them by its number")
    parser.add_argument("--keep", type=Path, help="keep records and sandbox in this folder")
    given = parser.parse_args()
    numbers = range(given.moments) if given.case is None else [given.case]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.keep or Path(temporary)).absolute()
        own_home(os.environ, folder / "home")
        (folder / "fleet").mkdir(parents=True)
        with providing(folder / "fleet", folder / "home", TENANTS) as provider:
            return told(play(provider, Moment.drawn(given.seed, number), f"s{given.seed}") for number in numbers)


if __name__ == "__main__":
    sys.exit(main())
