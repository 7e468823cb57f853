"""A few cases of each campaign (all of them: ``python -m tests.safety.campaign kills|faults|pairs``, ``--verb``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from tests.safety import faults, kills, pairs, verbs
from tests.safety.carried_out import in_child
from tests.safety.mixtures import LETHAL, drawn
from tests.safety.stand import Stand, own_home, standing

SEED = 6


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with pytest.MonkeyPatch.context() as patch:
        environment = dict(os.environ)
        own_home(environment, tmp_path_factory.mktemp("home"))
        for name in [name for name in os.environ if name not in environment]:
            patch.delenv(name)
        patch.setenv("HOME", environment["HOME"])
        with standing(tmp_path_factory.mktemp("stand") / "sandbox") as served:
            yield served


@pytest.fixture(scope="module")
def calls(stand: Stand) -> list[str]:
    return kills.calls(stand, "calm")


# Before and after each kind of write of the eight sections.
WRITES = (
    "PATCH /v1.0/applications(uniqueName*",
    "POST /v1.0/servicePrincipals",
    "POST /v1.0/oauth2PermissionGrants",
    "POST /v1.0/applications/*/addPassword",
    "POST /connect_sessions",
    "POST /v1.0/groups",
)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("call", WRITES)
def test_a_run_killed_at_a_write_is_healed_by_the_next(stand: Stand, calls: list[str], call: str, place: str) -> None:
    number = next(number for number, made in enumerate(calls) if fnmatchcase(made, call))
    outcome = kills.play(stand, 2 * number + (place == "after"), "suite")
    assert place in outcome.told
    assert outcome.problems == []


@pytest.mark.parametrize("number", [9, 26, 35])
def test_a_killed_run_leaves_an_adopted_application_as_it_was(stand: Stand, number: int) -> None:
    outcome = kills.adopt(stand, number, "adopt")
    assert "call" in outcome.told
    assert outcome.problems == []


@pytest.mark.parametrize(("verb", "number"), [("rotate", 41), ("rotate", 56), ("teardown", 61), ("teardown", 82)])
def test_a_killed_rotation_or_teardown_goes_on_and_a_proven_credential_always_lives(
    stand: Stand, verb: str, number: int
) -> None:
    outcome = verbs.play(stand, verb, number, "suite")
    assert "call" in outcome.told
    assert outcome.problems == []


@pytest.mark.parametrize("verb", sorted(verbs.VERBS))
def test_a_rotation_or_teardown_in_weather_passes_or_says_why_and_the_next_one_passes(stand: Stand, verb: str) -> None:
    outcome = verbs.in_weather(stand, verb, drawn(SEED, 2), "suite")
    assert outcome.problems == []


@pytest.mark.parametrize("number", range(12))
def test_a_run_in_weather_passes_or_says_why_and_the_next_one_passes(stand: Stand, number: int) -> None:
    outcome = faults.play(stand, drawn(SEED, number), "suite")
    assert outcome.problems == []


@pytest.mark.parametrize("number", range(4))
def test_two_runs_at_once_double_nothing(stand: Stand, number: int) -> None:
    outcome = pairs.play(stand, pairs.Pair.drawn(SEED, number), "suite")
    assert outcome.problems == []


def test_mixtures_are_drawn_from_their_seed_and_hold_every_kind() -> None:
    mixtures = [drawn(SEED, number) for number in range(300)]
    assert mixtures == [drawn(SEED, number) for number in range(300)]
    kinds = {illness["kind"] for mixture in mixtures for illness in mixture.illnesses}
    assert kinds >= {"answer", "unavailable", "throttle", "reset", "cut", "truncate", "slow", "lag", "ahead", "stale"}
    assert kinds >= {"secret_delay", "late_grants", "young", "clock_skew", "claims_challenge", "secret_policy"}
    assert {mixture.illnesses[-1]["kind"] for mixture in mixtures if mixture.lethal} >= {
        illness["kind"] for illness, _, _ in LETHAL
    }


def test_a_calm_run_repeats_nothing_and_asks_little(stand: Stand, calls: list[str]) -> None:
    """Among the calls are the pages on which the rehearsal's person clicks, and what StackOne asks Graph to answer."""
    ended = in_child(stand.values("still"), stand.folder / "still")
    assert ended.verdict == "passed"
    assert ended.summary["http"]["retries"] == 0
    assert len(calls) <= 115
