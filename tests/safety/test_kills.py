"""A kernel or a runner that is killed leaves an honest record, and the run can be repeated (``campaign --command``)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.safety.moments import Bench, Moment, served

SEED = 6
# Of the campaign's moments: both victims, in and between writes, before, in and after the hand-overs.
NUMBERS = (0, 1, 101, 102, 104, 110)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, served(home) as ready:
        for name in [name for name in os.environ if name.startswith(("XDG_", "RUNBOOK_"))]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        yield Bench(tmp_path_factory.mktemp("runs"), ready, f"s{SEED}")


@pytest.mark.parametrize("moment", [Moment.drawn(SEED, number) for number in NUMBERS], ids=str)
def test_after_a_kill_the_record_is_honest_and_the_repeated_run_converges(bench: Bench, moment: Moment) -> None:
    outcome = bench.play(moment)
    assert outcome.problems == []
    assert outcome.state in ("incomplete", "ended, not sealed", "sealed")


def test_moments_are_drawn_from_their_seed_for_both_victims_and_every_section() -> None:
    drawn = [Moment.drawn(SEED, number) for number in range(200)]
    assert drawn == [Moment.drawn(SEED, number) for number in range(200)]
    assert {moment.victim for moment in drawn} == {"runner", "kernel"}
    assert {moment.first for moment in drawn} == set(range(1, 9))


def test_what_more_was_made_than_announced_or_less_than_claimed_is_told() -> None:
    """The judge itself: on a journal that claims a service principal and announces a secret."""
    from tests.safety.census import contradictions

    events = [
        {"seq": 1, "event": "http.intent", "method": "POST", "path": "/v1.0/servicePrincipals"},
        {"seq": 2, "event": "http.outcome", "intent": 1, "status": 201},
        {"seq": 3, "event": "http.intent", "method": "POST", "path": "/v1.0/applications/1/addPassword"},
    ]
    none = dict.fromkeys(("application", "service principal", "grant", "assignment", "secret", "profile", "account"), 0)
    assert list(contradictions(events, {**none, "service principal": 1})) == []
    assert list(contradictions(events, {**none, "service principal": 1, "secret": 1})) == []
    assert len(list(contradictions(events, none))) == 1
    assert len(list(contradictions(events, {**none, "service principal": 2}))) == 1
    assert len(list(contradictions(events, {**none, "service principal": 1, "grant": 1}))) == 1
