"""Every write of linking and of the proofs whose answer leaves its outcome open, as in test_writes."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.sections import NAMES
from tests.safety.carried_out import in_child
from tests.safety.stand import Stand
from tests.safety.test_campaign import stand  # noqa: F401 - fixture
from tests.weather.test_writes import OPEN, at, converges

PROOFS = {
    "create_group": at("graph", "POST", "/v1.0/groups"),
    "update_group": at("graph", "PATCH", "/v1.0/groups/*"),
    "add_group_member": at("graph", "POST", "/v1.0/groups/*/members/$ref"),
    "delete_user": at("graph", "DELETE", "/v1.0/users/*"),
    "create_user": at("graph", "DELETE", "/v1.0/directory/deletedItems/*"),
    "create_application": at("graph", "POST", "/v1.0/applications"),
    "get_user": at("stackone", "POST", "/actions/rpc"),
}
"""An action, and a call of its proof. (That of ``get_user`` is any: others are proven beside it.)"""


@pytest.mark.parametrize("kind", OPEN)
def test_a_linking_session_is_opened_and_one_account_linked(stand: Stand, kind: str) -> None:  # noqa: F811
    converges(
        stand, {**OPEN[kind], "times": 1, "match": at("stackone", "POST", "/connect_sessions")}, values={}, last=8
    )


@pytest.fixture(scope="module")
def linked(stand: Stand) -> dict[str, Any]:  # noqa: F811
    """A choice of which all is done but the proofs."""
    values = stand.values("linked", actions=[*PROOFS])
    assert in_child(values, stand.folder / "linked", 7).verdict == "passed"
    return values


@pytest.mark.parametrize("kind", OPEN)
@pytest.mark.parametrize("action", PROOFS, ids=lambda action: " ".join([*PROOFS[action].values()][1:]))
def test_a_disposable_object_of_a_proof_is_removed_whatever_became_of_it(
    stand: Stand,  # noqa: F811
    linked: dict[str, Any],
    action: str,
    kind: str,
) -> None:
    beside = ["create_group", "create_user"] if action == "get_user" else ["create_group"]
    values = {**linked, "actions": sorted({action, *beside})}
    converges(stand, {**OPEN[kind], "times": 1, "match": PROOFS[action]}, values=values, last=NAMES[7])
