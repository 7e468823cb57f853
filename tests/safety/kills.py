"""SIGKILL before and after every call of a run: what its record may say, and that the next run heals everything.

Case ``2n`` kills before call ``n + 1`` is carried out, case ``2n + 1`` after, before its answer is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook.parameters import parse
from runbook.records.journal import read
from runbook.secrets.stores import open_store
from tests.safety import honesty
from tests.safety.carried_out import Child, Ended, What, in_child
from tests.safety.census import COUNTED, Books, contradictions, others, unconverged
from tests.safety.foreign import Life, adoptable, plant
from tests.safety.stand import Stand, Strike

__all__ = ["Outcome", "adopt", "calls", "play", "struck", "touched"]


@dataclass
class Outcome:
    """What became of one case; ``problems``: what must not be."""

    number: int
    told: str = ""
    problems: list[str] = field(default_factory=list)
    ended: Ended | None = None

    def verdicts(self) -> list[str]:
        return ["ended before" if self.told == "ended before" else "killed"]

    def __str__(self) -> str:
        return f"case {self.number}: {self.told}" + "".join(f"\n    {problem}" for problem in self.problems)


def calls(stand: Stand, name: str) -> list[str]:
    """Every call of a whole run in calm weather."""
    stand.gate.arm(0, "before")
    ended = in_child(stand.values(name), stand.folder / name)
    assert ended.verdict == "passed", ended.error
    return list(stand.gate.calls)


def play(stand: Stand, number: int, name: str, strike: Strike | None = None, **more: Any) -> Outcome:
    """Run beside look-alikes, strike at the call (default: SIGKILL), look, run again, look."""
    outcome = Outcome(number)
    values, records = stand.values(f"{name}-{number}", **more), stand.folder / f"{name}-{number}"
    params = parse(values)
    plant(stand.store, stand.ready["tenant_id"], params)
    foreign = others(stand.store, params)
    struck(stand, outcome, values, records, strike)
    made = Books.read(stand.store, params).count()
    if record := next(records.glob("*"), None):
        outcome.problems += honesty.judged(record)
        outcome.problems += contradictions(read(record), {kind: made[kind] for kind in COUNTED})
    outcome.problems += _again(values, records)
    outcome.problems += unconverged(
        Books.read(stand.store, params), params, open_store("file"), stand.ready["tenant_id"]
    )
    outcome.problems += touched(foreign, others(stand.store, params))
    return outcome


def adopt(stand: Stand, number: int, name: str) -> Outcome:
    """The same with an adopted application that has a life of its own, which must be as it was."""
    outcome, (found, _) = Outcome(number), adoptable(stand.store, stand.ready["tenant_id"])
    before = Life.read(stand.store, found["id"])
    values = stand.values(f"{name}-{number}", application_object_id=found["id"])
    records = stand.folder / f"{name}-{number}"
    struck(stand, outcome, values, records)
    outcome.problems += before.lost(Life.read(stand.store, found["id"]))
    outcome.problems += _again(values, records)
    now, store = Life.read(stand.store, found["id"]), open_store("file")
    outcome.problems += before.lost(now)
    added = [one["keyId"] for one in now.application["passwordCredentials"] if one["keyId"] != before.key_id]
    names = [store.reference(f"{stand.ready['tenant_id']}/{found['appId']}/{key_id}") for key_id in added]
    if len(names) != 1 or not store.has(names[0]):
        outcome.problems.append(f"{len(names)} secrets were added, or the value is nowhere")
    return outcome


def struck(
    stand: Stand, outcome: Outcome, values: dict[str, Any], records: Path, strike: Strike | None = None, what: What = 8
) -> None:
    """Carry out in a child that is struck at the call of the case."""
    stand.gate.arm(outcome.number // 2 + 1, "after" if outcome.number % 2 else "before", strike)
    child = Child(values, records, what=what)
    assert child.process.pid
    stand.gate.aim(child.process.pid)
    outcome.ended = ended = child.ended()
    if ended.error.startswith(("defect", "no end")):
        outcome.problems.append(ended.error)
    outcome.told = stand.gate.struck or "ended before"
    stand.gate.arm(0, "before")


def _again(values: dict[str, Any], records: Path) -> Iterator[str]:
    ended = in_child(values, records)
    if ended.verdict != "passed":
        yield f"the run after it: {ended.verdict}: {ended.error}"
    if ended.record is not None:
        yield from honesty.judged(ended.record)


def touched(before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]) -> Iterator[str]:
    """What of others changed, and what is there that belongs to nobody: disposable objects, bins included."""
    for (kind, id), digest in after.items():
        if (kind, id) not in before:
            yield f"left behind: {kind} {digest}"
        elif before[kind, id] != digest:
            yield f"changed, and not ours: {kind} {digest}"
    yield from (f"gone, and not ours: {kind} {before[kind, id]}" for kind, id in before.keys() - after.keys())
