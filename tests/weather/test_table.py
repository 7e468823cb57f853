"""What public bug reports of this field tell of real tenants, each with its neighbours: the first five sections pass.

Other status, other call, other place, other seed: the kind, not the example.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.safety import faults
from tests.safety.mixtures import Mixture
from tests.safety.stand import Stand
from tests.safety.test_campaign import stand  # noqa: F401 - fixture

_numbers = itertools.count()
UPSERT = {"service": "graph", "method": "PATCH", "path": "/v1.0/applications(uniqueName*"}
PATCH = {"service": "graph", "method": "PATCH", "path": "/v1.0/applications/????????-*"}
READS = (
    {"service": "graph", "method": "GET", "path": "/v1.0/applications*"},
    {"service": "graph", "method": "GET", "path": "/v1.0/servicePrincipals*"},
    {"service": "graph", "method": "GET", "path": "/v1.0/oauth2PermissionGrants*"},
    {"service": "graph", "method": "GET", "path": "/v1.0/policies*"},
    {"service": "entra", "path": "*/oauth2/v2.0/token"},
    {"service": "entra", "path": "*/.well-known/*"},
)
WRITES = (
    UPSERT,
    PATCH,
    {"service": "graph", "method": "POST", "path": "/v1.0/servicePrincipals"},
    {"service": "graph", "method": "POST", "path": "/v1.0/oauth2PermissionGrants"},
    {"service": "graph", "method": "POST", "path": "/v1.0/applications/*/addPassword"},
)
YOUNG = (
    *("Error_MsaAppDoesNotExist", "Directory_ConcurrencyViolation", "AADSTS500011", "AADSTS650052", "AADSTS700016"),
    *("AADSTS7000215", "AADSTS7000229"),
)


def told(served: Stand, *illnesses: dict[str, Any], seed: int | None = None) -> faults.Outcome:
    """What a run of sections 1 to 5 in this weather comes to."""
    mixture = Mixture(next(_numbers) if seed is None else seed, illnesses, (r"^$",))
    return faults.in_weather(served, mixture, f"row-{next(_numbers)}", last=5)


def passes(served: Stand, *illnesses: dict[str, Any], seed: int | None = None) -> None:
    """It passes, and tells what the sandbox's books have."""
    outcome = told(served, *illnesses, seed=seed)
    assert outcome.problems == []
    assert outcome.ended is not None
    assert outcome.ended.verdict == "passed"


@pytest.mark.parametrize("seed", [1, 2, 4, 5, 8])
def test_what_was_seen_and_then_is_not_seen_is_waited_for(stand: Stand, seed: int) -> None:  # noqa: F811
    passes(stand, {"kind": "lag", "read": [0.5, 2]}, {"kind": "ahead", "seconds": [0, 2]}, seed=seed)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_change_that_is_read_as_it_was_is_waited_for(stand: Stand, seed: int) -> None:  # noqa: F811
    passes(stand, {"kind": "stale", "seconds": [0.2, 1.5]}, {"kind": "ahead", "seconds": [0, 1.5]}, seed=seed)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", [{"kind": "unavailable", "status": 503}, {"kind": "reset"}], ids=["503", "reset"])
@pytest.mark.parametrize("match", WRITES, ids=lambda match: f"{match['method']} {match['path']}")
def test_a_write_whose_answer_leaves_its_outcome_open_is_made_once(
    stand: Stand,  # noqa: F811
    match: dict[str, str],
    kind: dict[str, Any],
    when: str,
) -> None:
    passes(stand, {**kind, "when": when, "times": 1, "match": match})


@pytest.mark.parametrize("status", [500, 502, 504])
@pytest.mark.parametrize("match", READS, ids=lambda match: match["path"])
def test_a_read_is_repeated_after_an_answer_that_passes(stand: Stand, match: dict[str, str], status: int) -> None:  # noqa: F811
    passes(
        stand, {"kind": "answer", "status": status, "code": "UnknownError", "message": "", "times": 1, "match": match}
    )


@pytest.mark.parametrize("error", YOUNG)
def test_what_is_some_seconds_old_is_waited_for(stand: Stand, error: str) -> None:  # noqa: F811
    passes(stand, {"kind": "young", "error": error, "seconds": [0.5, 1.5]})


@pytest.mark.parametrize(
    ("seconds", "service"), [(-1, None), (-1, "graph"), (180, "graph"), (-180, None), (30, "entra")]
)
def test_a_limit_on_the_life_of_secrets_is_kept_by_the_services_clock(
    stand: Stand,  # noqa: F811
    seconds: int,
    service: str | None,
) -> None:
    skew = {"kind": "clock_skew", "seconds": seconds, "service": service}
    passes(stand, {"kind": "secret_policy", "max_days": 180}, skew)


def test_a_young_secret_is_waited_for_whatever_the_machines_clock_says(stand: Stand) -> None:  # noqa: F811
    passes(stand, {"kind": "secret_delay", "seconds": [1, 2]}, {"kind": "clock_skew", "seconds": -180})


@pytest.mark.parametrize("how", ["repeat", "cycle", "number", "elsewhere"])
@pytest.mark.parametrize("path", ["/v1.0/oauth2PermissionGrants", "/v1.0/applications", "/v1.0/servicePrincipals/*"])
def test_a_list_that_never_ends_is_not_followed_for_ever(stand: Stand, path: str, how: str) -> None:  # noqa: F811
    stand.gate.arm(0, "before")
    outcome = told(stand, {"kind": "next_link", "how": how, "match": {"path": path}})
    assert outcome.ended is not None
    assert outcome.ended.verdict in ("passed", "failed")
    assert len(stand.gate.calls) < 200


def test_a_tenant_that_forbids_secrets_is_named(stand: Stand) -> None:  # noqa: F811
    outcome = told(stand, {"kind": "secret_policy", "forbid": True})
    assert outcome.ended is not None
    assert outcome.ended.verdict == "failed"
    assert "policy" in outcome.ended.error
