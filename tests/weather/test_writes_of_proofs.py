"""Every write of linking and of the proofs whose answer leaves its outcome open, as in test_writes."""

from __future__ import annotations

import pytest

from tests.safety.stand import Stand
from tests.safety.test_campaign import stand  # noqa: F401 - fixture
from tests.weather.test_writes import OPEN, at, converges

PROVEN = ["create_group", "update_group", "add_group_member", "create_user", "delete_user", "create_application"]


PROOFS = (
    at("graph", "POST", "/v1.0/groups"),
    at("graph", "PATCH", "/v1.0/groups/*"),
    at("graph", "POST", "/v1.0/groups/*/members/$ref"),
    at("graph", "DELETE", "/v1.0/users/*"),
    at("graph", "DELETE", "/v1.0/directory/deletedItems/*"),
    at("graph", "POST", "/v1.0/applications"),
    at("stackone", "POST", "/actions/rpc"),
)


@pytest.mark.parametrize("kind", OPEN)
def test_a_linking_session_is_opened_and_one_account_linked(stand: Stand, kind: str) -> None:  # noqa: F811
    converges(
        stand, {**OPEN[kind], "times": 1, "match": at("stackone", "POST", "/connect_sessions")}, values={}, last=8
    )


@pytest.mark.parametrize("kind", OPEN)
@pytest.mark.parametrize("call", PROOFS, ids=lambda call: f"{call['method']} {call['path']}")
def test_a_disposable_object_of_a_proof_is_removed_whatever_became_of_it(
    stand: Stand,  # noqa: F811
    call: dict[str, str],
    kind: str,
) -> None:
    converges(stand, {**OPEN[kind], "times": 1, "match": call}, values={"actions": PROVEN}, last=8)
