"""A run in weather drawn from a seed, the run after the weather, and one more that has nothing left to do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runbook.parameters import Parameters, parse
from runbook.records.journal import read
from runbook.secrets.stores import open_store
from runbook.sections import NAMES
from tests.safety import honesty
from tests.safety.carried_out import Ended, in_child
from tests.safety.census import COUNTED, Books, contradictions, others, unconverged
from tests.safety.foreign import plant
from tests.safety.kills import touched
from tests.safety.mixtures import Mixture
from tests.safety.stand import Stand

__all__ = ["Outcome", "as_the_books", "play", "told"]

DEADLINE = 120.0
"""Seconds for a run in weather: twice the longest that one step of a rehearsal may wait."""
_KINDS = {
    "application": "application",
    "service principal": "service principal",
    "delegated grant": "grant",
    "app role assignment": "assignment",
    "client secret": "secret",
    "connector profile": "profile",
    "linked account": "account",
}
"""The kinds of the summary and of the books."""


@dataclass
class Outcome:
    """What became of one case; ``problems``: what must not be."""

    mixture: Mixture
    ended: Ended | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.mixture.number

    def verdicts(self) -> list[str]:
        return [self.ended.verdict if self.ended else "not begun"]

    def __str__(self) -> str:
        verdict = f"{self.ended.verdict} in {self.ended.seconds:.1f} s" if self.ended else "not begun"
        reason = f": {self.ended.error.splitlines()[0][:160]}" if self.ended and self.ended.error else ""
        head = f"case {self.mixture.number} ({self.mixture}): {verdict}{reason}"
        return head + "".join(f"\n    {problem}" for problem in self.problems)


def in_weather(stand: Stand, mixture: Mixture, name: str, last: int | str = 8) -> Outcome:
    """Run sections 1 to ``last``, or the one of that name, in the weather; hold what is told against the books."""
    outcome = Outcome(mixture)
    values = stand.values(f"{name}-{mixture.number}", **mixture.values)
    before = Books.read(stand.store, parse(values)).count()
    with stand.weather(mixture.course()):
        outcome.ended = in_child(values, stand.folder / f"{name}-{mixture.number}", last)
    outcome.problems += told(mixture, outcome.ended)
    outcome.problems += as_the_books(outcome.ended, Books.read(stand.store, parse(values)), before)
    return outcome


def play(stand: Stand, mixture: Mixture, name: str) -> Outcome:
    """Run in the weather and after it; look at the books in between."""
    values = stand.values(f"{name}-{mixture.number}", **mixture.values)
    params = parse(values)
    plant(stand.store, stand.ready["tenant_id"], params)
    foreign = others(stand.store, params)
    outcome = in_weather(stand, mixture, name)
    outcome.problems += _healed(stand, values, params)
    outcome.problems += touched(foreign, others(stand.store, params))
    return outcome


def told(mixture: Mixture, ended: Ended) -> Iterator[str]:
    """It passed, or says why not, and no action is called forbidden because a service was unwell."""
    if ended.seconds > DEADLINE:
        yield f"it took {ended.seconds:.0f} s"
    if ended.verdict == "passed":
        if mixture.lethal:
            yield "it passed, and could not have"
        return
    if ended.verdict not in ("failed", "parked"):
        yield f"it ended {ended.verdict}"
    if not any(re.search(reason, ended.error) for reason in mixture.reasons):
        yield f"no true reason: {ended.error}"
    if red := [action["slug"] for action in ended.summary.get("actions", ()) if action["verdict"] == "failed"]:
        yield f"weather is taken for a missing permission: {red}: {ended.error}"


def as_the_books(ended: Ended, books: Books, before: Mapping[str, int]) -> Iterator[str]:
    """The journal and the summary tell what the books have more than ``before``."""
    now = books.count()
    made = {kind: now[kind] - before[kind] for kind in COUNTED}
    if ended.record is None:
        yield from (f"{made[kind]} of {kind} and no record" for kind in COUNTED if made[kind])
        return
    yield from honesty.judged(ended.record)
    yield from contradictions(read(ended.record), made)
    said: Counter[str] = Counter()
    for section in ended.summary["sections"]:
        for did, sign in (("created", 1), ("deleted", -1)):
            for what, count in section["done"].get(did, {}).items():
                if what in _KINDS:
                    said[_KINDS[what]] += sign * count
    for kind in COUNTED:
        if said[kind] != made[kind]:
            yield f"the summary says {said[kind]} of {kind}, the books have {made[kind]}"
    key_id = ended.summary["secret"].get("key_id")
    if (key_id or made["secret"] > 0) and key_id not in {one["keyId"] for one in books.secrets}:
        yield f"the summary's secret is {ended.summary['secret']}, the books have {now['secret']}"


def _healed(stand: Stand, values: dict[str, Any], params: Parameters) -> Iterator[str]:
    """The run after the weather passes, and the one after that writes nothing in sections 1 to 6."""
    records = stand.folder / values["unique_name"]
    after = in_child({**values, "consent": "api"}, records)
    if after.verdict != "passed":
        yield f"the run after the weather: {after.verdict}: {after.error}"
        return
    books = Books.read(stand.store, params)
    yield from unconverged(books, params, open_store(params.secret_store), stand.ready["tenant_id"])
    again = in_child({**values, "consent": "api"}, records, 6)
    if again.record is None or again.verdict != "passed":
        yield f"the second run after it: {again.verdict}: {again.error}"
        return
    writes = Counter(event["section"] for event in read(again.record) if event["event"] == "http.intent")
    if writes := Counter({name: count for name, count in writes.items() if name in NAMES[:6]}):
        yield f"the second run after it writes: {dict(writes)}"
