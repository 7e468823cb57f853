"""The machine fails too: a full disk, a HOME that takes nothing, Ctrl-C, a clock that jumps, a network that goes away.

Each at the calls where it hurts most: the true reason is said, nothing is lost, and the next run heals it.
"""

from __future__ import annotations

import os
import resource
import signal
from fnmatch import fnmatchcase

import pytest

from runbook.parameters import parse
from tests.safety import faults, kills
from tests.safety.carried_out import Child, in_child
from tests.safety.census import Books
from tests.safety.mixtures import UNWELL, Mixture
from tests.safety.stand import Stand, Strike
from tests.safety.test_campaign import calls, stand  # noqa: F401 - fixtures

ADD = "POST /v1.0/applications/*/addPassword"


def at(made: list[str], call: str, place: str) -> int:
    """The case that strikes there."""
    number = next(number for number, one in enumerate(made) if fnmatchcase(one, call))
    return 2 * number + (place == "after")


def no_file_beyond(size: int) -> Strike:
    """From now on no file of the process grows beyond ``size`` bytes (prlimit(2)), as on a full disk."""

    def strike(pid: int) -> bool:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))
        return True

    return strike


def interrupted(pid: int) -> bool:
    """Ctrl-C, while the answer is on its way."""
    os.kill(pid, signal.SIGINT)
    return True


# Nothing at all can be written; or the journal, which is long by now, cannot, and the small file of secrets can.
@pytest.mark.parametrize("size", [0, 9_000])
@pytest.mark.parametrize(("call", "place"), [(ADD, "after"), (ADD, "before"), ("PATCH /v1.0/applications/*", "after")])
def test_a_disk_that_is_full_when_an_answer_comes_loses_nothing(
    stand: Stand,  # noqa: F811
    calls: list[str],  # noqa: F811
    call: str,
    place: str,
    size: int,
) -> None:
    outcome = kills.play(stand, at(calls, call, place), f"full-{size}", no_file_beyond(size))
    assert outcome.problems == []
    assert outcome.ended is not None
    assert "cannot be written" in outcome.ended.error
    assert "No space" in outcome.ended.error or "too large" in outcome.ended.error


@pytest.mark.parametrize("call", [ADD, "POST /v1.0/servicePrincipals", "POST /v1.0/groups"])
def test_an_interrupt_while_an_answer_is_on_its_way_loses_nothing(
    stand: Stand,  # noqa: F811
    calls: list[str],  # noqa: F811
    call: str,
) -> None:
    outcome = kills.play(stand, at(calls, call, "after"), "interrupted", interrupted)
    assert outcome.problems == []


def test_a_clock_that_jumps_by_hours_in_the_middle_hurts_nothing(stand: Stand, calls: list[str]) -> None:  # noqa: F811
    def jumps(_pid: int) -> bool:
        stand.control.post("/_sandbox/clock", json={"offset": 7200}).raise_for_status()
        return True

    outcome = kills.play(stand, at(calls, "POST /v1.0/oauth2PermissionGrants", "before"), "jump", jumps)
    assert outcome.problems == []
    assert outcome.ended is not None
    assert outcome.ended.verdict == "passed", outcome.ended.error


@pytest.mark.parametrize("after", [3, 12, 25])
def test_a_network_that_goes_away_in_the_middle_is_named_and_the_next_run_heals(stand: Stand, after: int) -> None:  # noqa: F811
    gone = Mixture(after, ({"kind": "reset", "skip": after},), (UNWELL,), lethal=True)
    outcome = faults.play(stand, gone, "network")
    assert outcome.problems == []


def test_a_home_that_takes_nothing_is_named_before_a_secret_is_made(stand: Stand) -> None:  # noqa: F811
    values = stand.values("no-home")
    records = stand.folder / "no-home"
    ended = Child(values, records, {**os.environ, "HOME": "/dev/null"}).ended()
    assert ended.verdict == "failed"
    assert "The secrets file /dev/null/" in ended.error, ended.error
    assert "RUNBOOK_SECRETS_DIR" in ended.error
    found = Books.read(stand.store, parse(values)).count()
    assert found["secret"] == 0
    after = in_child(values, records)
    assert after.verdict == "passed", after.error
