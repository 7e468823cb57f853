"""Every write of a run whose answer leaves its outcome open: it converges, and what is told is what the books have."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from runbook.parameters import parse
from runbook.secrets.stores import open_store
from runbook.tenant.base import Context, open_context
from runbook.tenant.registration import require_application, require_principal
from tests.safety import faults
from tests.safety.carried_out import in_child
from tests.safety.census import Books, others, unconverged
from tests.safety.kills import touched
from tests.safety.mixtures import Mixture
from tests.safety.stand import Stand
from tests.safety.test_campaign import stand  # noqa: F401 - fixture

_numbers = itertools.count()
OPEN: dict[str, dict[str, Any]] = {
    "503": {"kind": "unavailable", "status": 503},
    "500 after": {"kind": "unavailable", "status": 500, "when": "after"},
    "reset before": {"kind": "reset"},
    "reset after": {"kind": "reset", "when": "after"},
    "closed after": {"kind": "cut", "when": "after"},
    "cut answer": {"kind": "truncate"},
}
"""What may befall a write once."""


def at(service: str, method: str, path: str) -> dict[str, str]:
    return {"service": service, "method": method, "path": path}


def converges(stand: Stand, *illnesses: dict[str, Any], values: dict[str, Any], last: int | str) -> None:  # noqa: F811
    """The run passes, says what the books have, and leaves one of each of ours and nothing beside it."""
    number = next(_numbers) if "unique_name" not in values else 0
    mixture = Mixture(number, illnesses, (r"^$",), values=values)
    choice = parse(stand.values(f"write-{number}", **values))
    foreign = others(stand.store, choice)
    outcome = faults.in_weather(stand, mixture, "write", last)
    assert outcome.problems == []
    assert outcome.ended is not None
    assert outcome.ended.verdict == "passed", outcome.ended.error
    assert all(count for _, count in stand.struck), "the illness met nothing"
    books = Books.read(stand.store, choice)
    rest = list(unconverged(books, choice, open_store("file"), stand.ready["tenant_id"]))
    assert [one for one in rest if last != 5 or not one.endswith(NOT_REACHED)] == []
    after = others(stand.store, choice)
    assert list(touched(foreign, after)) == []
    assert sorted(after[key] for key in after.keys() - foreign.keys()) == []


NOT_REACHED = ("0 of profile after the run was repeated", "0 of account after the run was repeated")


@pytest.mark.parametrize("kind", OPEN)
def test_a_secret_is_removed_once(stand: Stand, kind: str) -> None:  # noqa: F811
    lost = {"kind": "reset", "when": "after", "times": 1, "match": at("graph", "POST", "*/addPassword")}
    removing = {**OPEN[kind], "times": 1, "match": at("graph", "POST", "*/removePassword")}
    converges(stand, lost, removing, values={}, last=5)


@pytest.mark.parametrize("seconds", [0.3, 1.5])
def test_a_secret_whose_answer_was_lost_is_removed_where_it_shows_late(stand: Stand, seconds: float) -> None:  # noqa: F811
    adding = at("graph", "POST", "*/addPassword")
    lost = {"kind": "reset", "when": "after", "times": 1, "match": adding}
    converges(stand, lost, {"kind": "stale", "seconds": [seconds, seconds], "match": adding}, values={}, last=5)


@pytest.mark.parametrize("kind", OPEN)
@pytest.mark.parametrize("what", ["application", "service principal"])
def test_what_lies_in_the_deleted_items_is_restored_once(stand: Stand, what: str, kind: str) -> None:  # noqa: F811
    values = stand.values(f"restored-{next(_numbers)}")
    assert in_child(values, stand.folder / values["unique_name"], 5).verdict == "passed"
    with open_context(parse(values)) as ctx:
        found = require_application(ctx)
        path = f"/applications/{found['id']}" if what == "application" else f"/servicePrincipals/{principal_of(ctx)}"
        ctx.graph.remove(path)
    restoring = {**OPEN[kind], "times": 1, "match": at("graph", "POST", "/v1.0/directory/deletedItems/*/restore")}
    converges(stand, restoring, values=values, last=5)


def principal_of(ctx: Context) -> str:
    return str(require_principal(ctx, require_application(ctx)["appId"])["id"])


@pytest.mark.parametrize("kind", sorted(OPEN.keys() - {"cut answer"}))  # only a whole batch is cut in the middle
@pytest.mark.parametrize("skip", [0, 2])
def test_a_part_of_a_batch_of_assignments_is_made_once(stand: Stand, kind: str, skip: int) -> None:  # noqa: F811
    one = at("graph", "POST", "/v1.0/servicePrincipals/*/appRoleAssignedTo")
    actions = ["list_users", "create_group", "create_application", "list_devices"]
    converges(stand, {**OPEN[kind], "times": 1, "skip": skip, "match": one}, values={"actions": actions}, last=5)


@pytest.mark.parametrize("kind", ["503", "reset before", "reset after", "cut answer"])
def test_a_batch_of_assignments_is_made_once(stand: Stand, kind: str) -> None:  # noqa: F811
    whole = {**OPEN[kind], "times": 2, "skip": 2, "match": at("graph", "POST", "/v1.0/$batch")}
    converges(stand, whole, values={"actions": ["list_users", "create_group", "create_application"]}, last=5)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_parts_of_a_batch_that_are_refused_again_and_again_are_made_in_the_end(stand: Stand, status: int) -> None:  # noqa: F811
    one = at("graph", "POST", "/v1.0/servicePrincipals/*/appRoleAssignedTo")
    illness = {"kind": "answer", "status": status, "code": "x", "message": "", "times": 5, "match": one}
    converges(stand, illness, values={"actions": ["list_users", "create_group", "create_application"]}, last=5)
