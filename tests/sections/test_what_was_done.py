"""Every change is noted when it happens: a section that fails or parks says what it did, as the sandbox's books do."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox.store import Store

from runbook.records import summary
from runbook.records.journal import read
from runbook.records.summary import DID
from runbook.sections import NAMES, section
from runbook.tenant.base import SectionResult, attended, run_section
from tests.safety.census import Books
from tests.sections.conftest import REGISTERS, Journey, of_administrator

Begin = Callable[..., Journey]
KINDS = {
    "application": "application",
    "service principal": "service principal",
    "delegated grant": "grant",
    "app role assignment": "assignment",
    "client secret": "secret",
    "connector profile": "profile",
    "linked account": "account",
}


def books(own: Journey) -> Counter[str]:
    """What the state file of the journey's sandbox has of its choice."""
    params = own.params()
    ready = json.loads(Path(params.sandbox_file).read_text())
    with closing(Store(Path(ready["ca_file"]).parent.with_suffix(""))) as store:
        return Books.read(store, params).count()


@contextmanager
def held_against_the_books(own: Journey) -> Iterator[list[dict[str, Any]]]:
    """After the block, what the last journal says was created and deleted must be what the sandbox has more and less.

    Gives a list that then holds the summary.
    """
    before = books(own)
    folded: list[dict[str, Any]] = []
    yield folded
    after = books(own)
    folded.append(summary.fold(read(own.journals[-1])))
    said: Counter[str] = Counter()
    for of_section in folded[0]["sections"]:
        for did, sign in (("created", 1), ("deleted", -1)):
            for what, count in of_section["done"].get(did, {}).items():
                said[KINDS[what]] += sign * count
    had = {kind: after[kind] - before[kind] for kind in KINDS.values()}
    assert {kind: said[kind] for kind in KINDS.values()} == had


def test_a_calm_run_counts_what_the_books_have(journey: Begin) -> None:
    own = journey()
    with held_against_the_books(own) as folded:
        own.run()
    done = {one["name"]: one["done"] for one in folded[0]["sections"]}
    assert done["register_application"] == {"created": {"application": 1, "service principal": 1}}
    assert done["redirect_uri"] == {"updated": {"application": 1}}
    assert done["client_secret"] == {"created": {"client secret": 1}, "updated": {"application": 1}}
    assert done["link_account"] == {"created": {"linked account": 1}, "updated": {"application": 1}}
    assert done["verify_actions"] == {}


def run_impatiently(own: Journey, *names: str) -> dict[str, SectionResult]:
    """A run of ``names`` that waits a few seconds at most for what never comes."""
    results: dict[str, SectionResult] = {}
    with own.context(own.journal()) as ctx:
        ctx.graph.pace = ctx.graph.pace.model_copy(update={"deadline": 3})
        for name in names:
            results[name] = run_section(ctx, section(name), apply=True)
            if results[name].verdict != "passed":
                break
    return results


def forever(method: str, path: str) -> dict[str, Any]:
    return {"kind": "unavailable", "match": {"service": "graph", "method": method, "path": path}}


@pytest.mark.parametrize(
    ("illness", "fails", "done"),
    [
        (forever("POST", "/v1.0/servicePrincipals"), "register_application", {"created": {"application": 1}}),
        (
            forever("POST", "/v1.0/servicePrincipals/*/appRoleAssignedTo"),
            "api_permissions",
            {"created": {"delegated grant": 1}, "updated": {"application": 1}},
        ),
    ],
    ids=["after the application was made", "after the delegated grant was made"],
)
def test_a_section_that_fails_after_its_first_writes_says_what_they_did(
    ill: Callable[..., Any], illness: dict[str, Any], fails: str, done: dict[str, Any]
) -> None:
    with ill(illness) as own, held_against_the_books(own) as folded:
        result = run_impatiently(own, *NAMES)[fails]
    assert result.verdict == "failed"
    assert {did: result.done[did] for did in DID if did in result.done} == done
    last = next(one for one in folded[0]["sections"] if one["name"] == fails)
    assert (last["verdict"], last["done"]) == ("failed", result.done)


def test_a_secret_that_is_kept_is_named_though_its_section_failed(ill: Callable[..., Any]) -> None:
    never_good = {"kind": "secret_delay", "seconds": [3600, 3600]}
    with ill(never_good) as own, held_against_the_books(own) as folded:
        results = run_impatiently(own, *NAMES[:5])
    assert results["client_secret"].verdict == "failed"
    with own.context() as ctx:
        assert ctx.store.has(folded[0]["secret"]["ref"])
    assert folded[0]["secret"]["key_id"]


def test_a_section_that_parks_at_consent_says_which_grant_it_had_written(
    sandbox: dict[str, Any], journey: Begin, tmp_path: Path
) -> None:
    may = (*REGISTERS, "DelegatedPermissionGrant.ReadWrite.All")
    own = journey(sandbox_file=str(of_administrator(sandbox, journey(), tmp_path, *may)))
    own.run(*NAMES[:3])
    with held_against_the_books(own) as folded, own.context(own.journal()) as ctx:
        ctx.target = dataclasses.replace(ctx.target, attend=None)
        ctx.hand_over = attended(ctx.target, ctx.journal)
        parked = run_section(ctx, section("api_permissions"), apply=True)
    assert parked.verdict == "parked"
    assert parked.done == {"created": {"delegated grant": 1}, "updated": {"application": 1}}
    granted = {row["name"]: row["granted"] for row in folded[0]["permissions"]["delegated"]}
    assert granted
    assert set(granted.values()) == {True}
    assert {row["granted"] for row in folded[0]["permissions"]["application"]} == {None}
