"""The API without a linked account: authentication, shapes of answers and errors, sessions, actions, limits."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from entra_sandbox import facts, stackone

from tests.sandbox_stackone.conftest import CONNECTOR, World

OWNER = {"origin_owner_id": "acme", "origin_owner_name": "Acme"}


def refusal(response: httpx.Response, status: int) -> str:
    """The message of an error in StackOne's shape."""
    body = response.json()
    assert response.status_code == status == body["statusCode"], response.text
    assert body["timestamp"].endswith("Z")
    assert body["path"] == response.request.url.path
    assert response.headers["x-request-id"]
    return str(body["message"])


@pytest.mark.parametrize("auth", [None, ("v1.eu1.wrong", ""), ("", "")])
def test_a_request_without_the_projects_key_is_unauthorized(world: World, auth: tuple[str, str] | None) -> None:
    with world.client(base_url=world.ready["stackone"], auth=auth) as stranger:
        assert refusal(stranger.get("/auth_configs"), 401) == "Unauthorized"


def test_the_key_has_stackones_shape_and_its_file_is_private(world: World) -> None:
    from pathlib import Path

    file = Path(world.ready["stackone_api_key_file"])
    version, region, token = file.read_text().strip().split(".", 2)
    assert (version, region) == ("v1", "eu1")
    assert len(token) >= 32
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in stackone.API])
def test_the_api_is_refused_over_plain_http(world: World, method: str, path: str) -> None:
    with world.client(base_url=world.ready["pages"], auth=world.stackone.auth) as client:
        refused = client.request(method, path.replace("{id}", "1").replace("{provider}", CONNECTOR))
    assert refused.status_code == 403
    assert world.ready["stackone"] in refused.text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"origin_owner_id": "acme"}, "origin_owner_name: Field required"),
        ({**OWNER, "provider": "hibob"}, "no connector 'hibob'"),
        ({**OWNER, "expires_in": 0}, "expires_in"),
        ({**OWNER, "expires_in": "soon"}, "expires_in"),
        ({**OWNER, "type": "staging"}, "production or test"),
        ({**OWNER, "categories": ["plumbing"]}, "'plumbing' is not a category"),
        ({**OWNER, "account_id": "404"}, "account not found"),
        ({**OWNER, "connector_profile_id": "404"}, "no such connector profile"),
        ([OWNER], "JSON object"),
    ],
)
def test_a_connect_session_is_refused_with_every_reason(world: World, body: Any, message: str) -> None:
    assert message in refusal(world.stackone.post("/connect_sessions", json=body), 400)


def test_every_mistake_of_a_body_is_named_at_once(world: World) -> None:
    message = refusal(world.stackone.post("/connect_sessions", json={"expires_in": -1}), 400)
    assert all(name in message for name in ("origin_owner_id", "origin_owner_name", "expires_in"))


@pytest.mark.parametrize("content", [b"{", b'{"origin_owner_id": NaN}', b'{"origin_owner_id": "\\ud800"}', b"\xff"])
def test_a_body_that_is_not_json_is_a_400(world: World, content: bytes) -> None:
    assert "JSON" in refusal(world.stackone.post("/connect_sessions", content=content), 400)


def test_a_session_without_provider_may_be_made_before_there_is_a_profile(own_world: World) -> None:
    response = own_world.stackone.post(
        "/connect_sessions", json={**OWNER, "type": "TEST", "metadata": {"plan": "free"}}
    )
    assert response.status_code == 201
    session = response.json()
    assert isinstance(session["id"], int)
    assert isinstance(session["organization_id"], int)
    assert (session["type"], session["metadata"]) == ("test", {"plan": "free"})
    assert session["auth_link_url"] == f"{own_world.ready['pages']}/hub/{session['token']}"
    message = refusal(own_world.stackone.post("/connect_sessions", json={**OWNER, "provider": CONNECTOR}), 400)
    assert "no connector profile" in message


def test_the_link_of_an_expired_session_is_gone_and_its_token_refused(own_world: World) -> None:
    session = own_world.stackone.post("/connect_sessions", json={**OWNER, "expires_in": 60}).json()
    own_world.shift_clock(61)
    with own_world.client() as browser:
        assert browser.get(session["auth_link_url"]).status_code == 410
    response = own_world.stackone.post("/connect_sessions/authenticate", json={"token": session["token"]})
    assert "expired" in refusal(response, 400)


def test_an_auth_link_outlives_its_token_by_days(own_world: World) -> None:
    registration = own_world.register("User.Read.All")
    own_world.profile(registration)
    session = own_world.stackone.post("/connect_sessions", json=OWNER).json()
    own_world.shift_clock(4 * 86400)
    with own_world.client() as browser:
        assert browser.get(session["auth_link_url"]).status_code == 200
    assert own_world.stackone.post("/connect_sessions/authenticate", json={"token": session["token"]}).is_client_error


@pytest.mark.parametrize("page", ["0", "x", "-1", "²", "0000000001000000000"])
def test_a_page_that_is_not_a_number_is_a_400(world: World, page: str) -> None:
    assert "page" in refusal(world.stackone.get("/auth_configs", params={"page": page}), 400)


def test_an_account_that_is_not_there(world: World) -> None:
    assert refusal(world.stackone.get("/accounts/404"), 404) == "Account not found"
    assert refusal(world.stackone.delete("/accounts/404"), 404) == "Account not found"
    response = world.stackone.post(
        "/actions/rpc", json={"action": f"{CONNECTOR}_list_users"}, headers={"x-account-id": "404"}
    )
    assert refusal(response, 400) == "account not found"
    response = world.stackone.post("/actions/rpc", json={"action": f"{CONNECTOR}_list_users"})
    assert "x-account-id" in refusal(response, 400)


def test_all_actions_are_listed_with_scopes_and_on_request_with_schemas(world: World) -> None:
    plain = world.stackone.get("/actions").json()["data"][0]
    assert (plain["key"], len(plain["actions"])) == (CONNECTOR, len(facts.actions()))
    assert all("operation_details" not in one and one["required_scopes"] for one in plain["actions"])
    wanted = {"filter[action_key]": f"{CONNECTOR}_add_group_member", "include": "operation_details"}
    (action,) = world.stackone.get("/actions", params=wanted).json()["data"][0]["actions"]
    schema = action["operation_details"]["input_schema"]
    assert schema["required"] == ["path", "body"]
    assert schema["properties"]["path"]["required"] == ["group_id"]


def test_actions_of_another_connector_are_none(world: World) -> None:
    assert world.stackone.get("/actions", params={"filter[connectors]": "hibob,workday"}).json()["data"] == []


def test_search_puts_the_action_that_is_meant_first(world: World) -> None:
    found = world.stackone.post("/actions/search", json={"query": "add a member to a group", "top_k": 3}).json()
    assert found["results"][0]["id"] == f"{CONNECTOR}_add_group_member"
    assert found["total_count"] == 3


def test_the_legacy_catalogue_names_the_connector(world: World) -> None:
    (meta,) = world.stackone.get("/connectors/meta").json()
    assert meta == world.stackone.get(f"/connectors/meta/{CONNECTOR}").json()
    assert (meta["provider"], meta["category"]) == (CONNECTOR, "iam")
    assert refusal(world.stackone.get("/connectors/meta/hibob"), 404)


def test_more_requests_than_allowed_are_throttled_with_the_time_to_wait(own_world: World) -> None:
    from entra_sandbox.store import Store

    store = Store(own_world.state)
    store.set_setting("stackone.rate_limit", 3)
    store.close()
    answers = [own_world.stackone.get("/accounts") for _ in range(5)]
    throttled = [one for one in answers if one.status_code == 429]
    assert throttled
    assert refusal(throttled[-1], 429) == "Too Many Requests"
    assert 1 <= int(throttled[-1].headers["retry-after"]) <= 60
