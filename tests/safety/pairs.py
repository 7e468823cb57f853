"""Two runs of one choice at once, from one HOME or from two: what may come of it, and the run afterwards."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook.parameters import parse
from tests.safety import honesty
from tests.safety.carried_out import Child, Ended
from tests.safety.census import Books, others
from tests.safety.foreign import plant
from tests.safety.kills import touched
from tests.safety.stand import Stand, own_home

__all__ = ["Outcome", "Pair", "play"]

CLEAR = re.compile(r"another run|at the same time|is kept (elsewhere|by)|not kept here", re.IGNORECASE)
ONCE = ("application", "service principal", "grant", "profile", "account", "secret")


@dataclass(frozen=True)
class Pair:
    """The second run begins ``after`` seconds later, from another HOME if ``apart``."""

    number: int
    apart: bool
    after: float

    @classmethod
    def drawn(cls, seed: int, number: int) -> Pair:
        draw = random.Random(f"{seed}/{number}")
        return cls(number, number % 2 == 1, draw.choice((0.0, draw.uniform(0, 0.2), draw.uniform(0, 2.5))))


@dataclass
class Outcome:
    """What became of one pair; ``problems``: what must not be."""

    pair: Pair
    ended: list[Ended] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.pair.number

    def verdicts(self) -> list[str]:
        return [" and ".join(sorted(one.verdict for one in self.ended))]

    def __str__(self) -> str:
        homes = "two HOMEs" if self.pair.apart else "one HOME"
        told = "; ".join(
            f"{one.verdict} {one.error.splitlines()[0] if one.error else ''}".strip() for one in self.ended
        )
        head = f"pair {self.pair.number} ({homes}, {self.pair.after:.2f} s apart): {told}"
        return head + "".join(f"\n    {problem}" for problem in self.problems)


def play(stand: Stand, pair: Pair, name: str) -> Outcome:
    """Two at once; then one from the HOME of the one that passed."""
    outcome = Outcome(pair)
    values = stand.values(f"{name}-{pair.number}", allow_writes=False, actions=["list_users", "get_organization"])
    records = stand.folder / values["unique_name"]
    params = parse(values)
    homes = [dict(os.environ), dict(os.environ)]
    if pair.apart:
        own_home(homes[1], stand.folder / f"home-{name}-{pair.number}")
    plant(stand.store, stand.ready["tenant_id"], params)
    foreign = others(stand.store, params)
    outcome.ended = _at_once(values, records, homes, pair.after)
    outcome.problems += _clear(outcome.ended)
    outcome.problems += _doubled(Books.read(stand.store, params), "after the two")
    winner = next((home for home, one in zip(homes, outcome.ended, strict=True) if one.verdict == "passed"), homes[0])
    alone = Child(values, records, winner).ended()
    if alone.verdict != "passed":
        outcome.problems.append(f"the run afterwards: {alone.verdict}: {alone.error}")
    outcome.problems += _doubled(Books.read(stand.store, params), "after one more", whole=True)
    outcome.problems += touched(foreign, others(stand.store, params))
    return outcome


def _at_once(values: dict[str, Any], records: Path, homes: list[dict[str, str]], after: float) -> list[Ended]:
    first = Child(values, records, homes[0])
    time.sleep(after)  # what the case is about
    second = Child(values, records, homes[1])
    return [first.ended(), second.ended()]


def _clear(ended: list[Ended]) -> Iterator[str]:
    """Each passed, or stopped with a word about the other; one at least passed."""
    for one in ended:
        if one.verdict != "passed" and not CLEAR.search(one.error):
            yield f"no clear word: {one.verdict}: {one.error}"
        if one.record is not None:
            yield from honesty.judged(one.record)
    if all(one.verdict != "passed" for one in ended):
        yield "neither passed"


def _doubled(books: Books, moment: str, *, whole: bool = False) -> Iterator[str]:
    found = books.count()
    for kind in ONCE:
        if found[kind] > 1 or (whole and found[kind] == 0):
            yield f"{found[kind]} of {kind} {moment}"
    if found["assignment twice"]:
        yield f"{found['assignment twice']} assignments twice {moment}"
    if found["in the bin"]:
        yield f"{found['in the bin']} in the bin {moment}"
