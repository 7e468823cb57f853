"""Kills and weather over what comes after the first day: a connection that stands is rotated, or torn down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entra_sandbox.entra import credentials

from runbook.parameters import Parameters, parse
from runbook.records.journal import read
from runbook.secrets.stores import open_store
from runbook.tenant.registration import marks
from tests.safety import faults, honesty, kills
from tests.safety.carried_out import Ended, in_child
from tests.safety.census import COUNTED, Books, contradictions, others
from tests.safety.foreign import plant
from tests.safety.mixtures import Mixture
from tests.safety.stand import Stand

__all__ = ["VERBS", "calls", "in_weather", "play"]

VERBS = {"rotate": "rotate_secret", "teardown": "teardown"}
_EARLIER = 600
"""Seconds before the verb at which the connection was set up."""


@dataclass(frozen=True)
class Connection:
    """One that stands. ``foreign``: the books of everybody else before it was begun; ``before``: its own now."""

    stand: Stand
    values: dict[str, Any]
    records: Path
    what: str
    foreign: dict[tuple[str, str], str]
    before: Counter[str]

    @classmethod
    def set_up(cls, stand: Stand, verb: str, name: str) -> Connection:
        values, records = stand.values(name), stand.folder / name
        params = parse(values)
        plant(stand.store, stand.ready["tenant_id"], params)
        foreign = others(stand.store, params)
        stand.control.post("/_sandbox/clock", json={"offset": -_EARLIER}).raise_for_status()
        try:
            ended = in_child(values, stand.folder / f"{name}-set-up", 7)
        finally:
            stand.control.post("/_sandbox/clock", json={"offset": 0}).raise_for_status()
        assert ended.verdict == "passed", ended.error
        return cls(stand, values, records, VERBS[verb], foreign, Books.read(stand.store, params).living.count())

    @property
    def params(self) -> Parameters:
        return parse(self.values)

    def books(self) -> Books:
        return Books.read(self.stand.store, self.params)

    def carried_out(self) -> Ended:
        return in_child(self.values, self.records, self.what)

    def made(self) -> dict[str, int]:
        """How many of each kind there are more than before."""
        now = self.books().living.count()
        return {kind: now[kind] - self.before[kind] for kind in COUNTED}

    def dead(self) -> Iterator[str]:
        """At every moment of a rotation one proven credential lives, and the one that StackOne was handed."""
        if self.what != "rotate_secret":
            return
        (row,) = self.books().applications
        app, store = row[3], open_store("file")
        refs = {one["keyId"]: self._ref(app["appId"], one["keyId"]) for one in app["passwordCredentials"]}
        values = {key: store.get(ref).reveal() for key, ref in refs.items() if store.has(ref)}
        if not any(credentials.is_secret(self.stand.store, key, value) for key, value in values.items()):
            yield f"no credential that works: {len(refs)} secrets, {len(values)} values"
        if not set(marks(app, "profile-key")) <= values.keys():
            yield "the secret in the connector profile is gone"

    def _ref(self, app_id: str, key_id: str) -> str:
        return open_store("file").reference(f"{self.stand.ready['tenant_id']}/{app_id}/{key_id}")

    def unfinished(self) -> Iterator[str]:
        """What is not as the verb leaves it."""
        yield from self.dead()
        books, wanted = self.books(), dict.fromkeys(COUNTED, 0)
        if self.what == "rotate_secret":
            wanted = {**{kind: self.before[kind] for kind in COUNTED}, "secret": 2}
            app = books.applications[0][3]
            newest = max(app["passwordCredentials"], key=lambda one: one["startDateTime"])["keyId"]
            if marks(app, "profile-key") != [newest]:
                yield "the connector profile was not handed the newest secret"
        else:
            app_ids = {row[3]["appId"] for row in books.applications}
            kept = [ref for ref in open_store("file").references() if any(app_id in ref for app_id in app_ids)]
            yield from (f"left in the store: {ref}" for ref in kept)
        found = books.living.count()
        yield from (f"{found[kind]} of {kind}, not {wanted[kind]}" for kind in COUNTED if found[kind] != wanted[kind])
        yield from kills.touched(self.foreign, others(self.stand.store, self.params))

    def again(self) -> Iterator[str]:
        """The next one passes and leaves everything as it is to be; the one after it writes nothing."""
        for writes in (True, False):
            ended = self.carried_out()
            if ended.verdict != "passed" or ended.record is None:
                yield f"the one after it: {ended.verdict}: {ended.error}"
                return
            yield from honesty.judged(ended.record)
            yield from self.unfinished()
            if not writes and (count := sum(event["event"] == "http.intent" for event in read(ended.record))):
                yield f"the second one after it writes {count} times"


def calls(stand: Stand, verb: str, name: str) -> list[str]:
    """Every call of the verb in calm weather."""
    connection = Connection.set_up(stand, verb, name)
    stand.gate.arm(0, "before")
    ended = connection.carried_out()
    assert (ended.verdict, list(connection.unfinished())) == ("passed", []), ended.error
    return list(stand.gate.calls)


def play(stand: Stand, verb: str, number: int, name: str) -> kills.Outcome:
    """Set up beside look-alikes, kill at the call, look, carry out again, look."""
    outcome = kills.Outcome(number)
    connection = Connection.set_up(stand, verb, f"{name}-{verb}-{number}")
    kills.struck(stand, outcome, connection.values, connection.records, what=connection.what)
    outcome.problems += connection.dead()
    if record := next(connection.records.glob("*"), None):
        outcome.problems += honesty.judged(record)
        outcome.problems += contradictions(read(record), connection.made())
    outcome.problems += connection.again()
    return outcome


def in_weather(stand: Stand, verb: str, mixture: Mixture, name: str) -> faults.Outcome:
    """Set up in calm weather, carry out in the weather and after it."""
    outcome = faults.Outcome(mixture)
    connection = Connection.set_up(stand, verb, f"{name}-{verb}-{mixture.number}")
    with stand.weather(mixture.course()):
        outcome.ended = connection.carried_out()
    outcome.problems += faults.told(mixture, outcome.ended)
    outcome.problems += faults.as_the_books(outcome.ended, connection.books().living, connection.before)
    outcome.problems += connection.dead()
    outcome.problems += connection.again()
    return outcome
