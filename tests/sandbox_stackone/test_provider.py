"""What StackOne does when Microsoft Graph is ill: it waits, gives up in time, and says whose fault it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox_stackone.conftest import World

USERS = {"service": "graph", "method": "GET", "path": "/v1.0/users*"}


@pytest.fixture(scope="module")
def account(world: World) -> dict[str, Any]:
    return world.link(world.profile(world.register("User.Read.All")))


@pytest.fixture(autouse=True)
def healed(world: World) -> Iterator[None]:
    yield
    world.ail()


def test_a_throttled_request_is_tried_again_after_the_time_that_graph_asks(
    world: World, account: dict[str, Any]
) -> None:
    world.ail({"kind": "throttle", "retry_after": 1, "match": USERS, "times": 1})
    assert world.rpc(account, "list_users").status_code == 200


def test_a_wait_that_is_too_long_is_a_408_with_the_time_to_wait(world: World, account: dict[str, Any]) -> None:
    world.ail({"kind": "throttle", "retry_after": 300, "match": USERS})
    response = world.rpc(account, "list_users")
    assert response.status_code == response.json()["statusCode"] == 408
    assert response.headers["retry-after"] == "300"


@pytest.mark.parametrize("kind", ["reset", "truncate"])
def test_no_usable_answer_of_graph_is_a_bad_gateway(world: World, account: dict[str, Any], kind: str) -> None:
    world.ail({"kind": kind, "match": USERS})
    response = world.rpc(account, "list_users")
    assert response.status_code == 502
    assert "provider" in response.json()["message"]


def test_an_unavailable_graph_is_a_bad_gateway_with_its_answer_inside(world: World, account: dict[str, Any]) -> None:
    world.ail({"kind": "unavailable", "match": USERS})
    response = world.rpc(account, "list_users")
    assert response.status_code == 502
    assert response.json()["provider_errors"][0]["status"] in (503, 504)


def test_a_token_endpoint_that_is_ill_breaks_no_account(own_world: World) -> None:
    world = own_world
    account = world.link(world.profile(world.register("User.Read.All")))
    world.shift_clock(2 * 3600)
    world.ail({"kind": "unavailable", "match": {"service": "entra", "method": "POST", "path": "*token*"}})
    assert world.rpc(account, "list_users").status_code == 502
    assert world.stackone.get(f"/accounts/{account['id']}").json()["status"] == "active"
    world.ail()
    assert world.rpc(account, "list_users").status_code == 200
