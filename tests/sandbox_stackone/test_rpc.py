"""Actions that StackOne runs on Microsoft Graph with a linked account's own tokens."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from runbook import catalog
from tests.sandbox_stackone.conftest import CONNECTOR, World

SCOPES = ("User.ReadWrite.All", "Group.ReadWrite.All", "GroupMember.ReadWrite.All", "Organization.Read.All")


@pytest.fixture(scope="module")
def account(world: World) -> dict[str, Any]:
    return world.link(world.profile(world.register(*SCOPES)))


def data(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"data", "next"}
    return response.json()["data"]


def test_a_list_is_paged_by_a_cursor_that_ends(world: World, account: dict[str, Any]) -> None:
    seen: list[str] = []
    query: dict[str, Any] = {"page_size": 120, "select": ["id", "displayName"]}
    for _ in range(10):
        page = world.rpc(account, "list_users", query=query).json()
        seen += [one["id"] for one in page["data"]]
        if not page["next"]:
            break
        query = {"next": page["next"]}
    everybody = world.graph.get("/users/$count", headers={"ConsistencyLevel": "eventual"})
    assert len(seen) == len(set(seen)) == int(everybody.text.lstrip("\ufeff"))


def test_a_cursor_of_another_action_or_of_ones_own_making_is_refused(world: World, account: dict[str, Any]) -> None:
    cursor = world.rpc(account, "list_users", query={"page_size": 20}).json()["next"]
    for action, value in (("list_groups", cursor), ("list_users", "https://localhost/v1.0/users"), ("list_users", 7)):
        response = world.rpc(account, action, query={"next": value})
        assert response.status_code == 400
        assert "cursor" in response.json()["message"]


def test_an_object_is_created_read_changed_and_deleted(world: World, account: dict[str, Any]) -> None:
    nick = f"rpc-{secrets.token_hex(4)}"
    body = {"displayName": nick, "mailEnabled": False, "mailNickname": nick, "securityEnabled": True}
    group = data(world.rpc(account, "create_group", body=body))
    member = data(world.rpc(account, "list_users", query={"$top": 1}))[0]
    reference = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{member['id']}"}
    assert data(world.rpc(account, "add_group_member", path={"id": group["id"]}, body=reference)) == {}
    members = data(world.rpc(account, "list_group_members", path={"group_id": group["id"]}))
    assert [one["id"] for one in members] == [member["id"]]
    both = {"group-id": group["id"], "directoryObject-id": member["id"]}
    parameters = [one.strip("{}") for one in path_of("remove_group_member").split("/") if one.startswith("{")]
    assert data(world.rpc(account, "remove_group_member", path=dict(zip(parameters, both.values(), strict=True)))) == {}
    assert data(world.rpc(account, "update_group", path={"groupId": group["id"]}, body={"description": "x"})) == {}
    assert data(world.rpc(account, "get_group", path={"id": group["id"]}))["description"] == "x"
    assert data(world.rpc(account, "delete_group", path={"id": group["id"]})) == {}
    assert world.rpc(account, "get_group", path={"id": group["id"]}).status_code == 404


def path_of(slug: str) -> str:
    return catalog.action(slug).path


@pytest.fixture(scope="module")
def mighty(world: World) -> dict[str, Any]:
    every = {name for one in catalog.actions() for name in one.delegated.least}
    return world.link(world.profile(world.register(*sorted(every))))


@pytest.mark.parametrize("action", catalog.actions(), ids=lambda one: one.slug)
def test_each_action_reaches_graph_with_the_parameters_that_its_schema_names(
    world: World, mighty: dict[str, Any], action: catalog.Action
) -> None:
    wanted = {"filter[action_key]": action.stackone_id, "include": "action_details"}
    (shown,) = world.stackone.get("/actions", params=wanted).json()["data"][0]["actions"]
    schema = shown["action_details"]["input_schema"]["properties"]
    parts: dict[str, Any] = {}
    if "path" in schema:
        parts["path"] = dict.fromkeys(schema["path"]["required"], "00000000-0000-4000-8000-000000000000")
    if action.body is not None:
        parts["body"] = dict(action.body.example)
    response = world.rpc(mighty, action.slug, **parts)
    if response.status_code == 200:
        return
    (inner,) = response.json()["provider_errors"]
    assert inner["status"] in (400, 404, 409), response.text
    assert inner["url"].startswith(f"{world.ready['graph']}/v1.0/")


def test_a_search_gets_the_header_that_graph_wants(world: World, account: dict[str, Any]) -> None:
    found = data(world.rpc(account, "list_users", query={"$search": '"displayName:a"', "page_size": 5}))
    assert isinstance(found, list)


@pytest.mark.parametrize(
    ("action", "parts", "message"),
    [
        ("get_user", {}, "path.user_id: required"),
        ("get_user", {"path": {"id": ".."}}, "non-empty"),
        ("get_user", {"path": {"id": ""}}, "non-empty"),
        ("list_users", {"query": {"filter": {"a": 1}}}, "plain"),
        ("list_users", {"headers": {"x\r\ny": "z"}}, "cannot be sent"),
        ("no_such_action", {}, "no action"),
        ("list_users", {"path": "users"}, "path"),
    ],
)
def test_a_call_that_cannot_be_made_is_a_400(
    world: World, account: dict[str, Any], action: str, parts: dict[str, Any], message: str
) -> None:
    response = world.rpc(account, action, **parts)
    assert response.status_code == 400
    assert message in response.json()["message"]
    assert "provider_errors" not in response.json()


def test_an_error_of_graph_comes_back_inside_stackones(world: World, account: dict[str, Any]) -> None:
    response = world.rpc(account, "get_user", path={"id": "00000000-0000-4000-8000-000000000000"})
    body = response.json()
    assert response.status_code == body["statusCode"] == 404
    (inner,) = body["provider_errors"]
    assert inner["status"] == 404
    assert inner["raw"]["error"]["code"] == "Request_ResourceNotFound"
    assert inner["raw"]["error"]["message"] == body["message"]
    assert inner["url"].startswith(world.ready["graph"])
    assert "authorization" not in str(body).lower()


def test_without_the_scope_graphs_403_comes_through(world: World) -> None:
    account = world.link(world.profile(world.register("Group.Read.All")))
    response = world.rpc(account, "list_users")
    assert response.status_code == 403
    assert response.json()["provider_errors"][0]["raw"]["error"]["code"] == "Authorization_RequestDenied"


def test_a_grant_that_was_taken_away_is_missed_after_the_next_refresh(own_world: World) -> None:
    world = own_world
    registration = world.register(*SCOPES)
    account = world.link(world.profile(registration, scopes=""))
    assert world.rpc(account, "list_users").status_code == 200
    less = {"scope": "Group.ReadWrite.All"}
    assert world.graph.patch(f"/oauth2PermissionGrants/{registration.grant}", json=less).is_success
    assert world.rpc(account, "list_users").status_code == 200  # the token that was issued before
    world.shift_clock(2 * 3600)
    assert world.rpc(account, "list_users").status_code == 403
    assert world.rpc(account, "list_groups").status_code == 200


def test_an_expired_token_is_refreshed_and_the_refresh_token_rotates(own_world: World) -> None:
    world = own_world
    account = world.link(world.profile(world.register(*SCOPES)))
    for hours in (2, 4, 6):
        world.shift_clock(hours * 3600)
        assert world.rpc(account, "list_users").status_code == 200
    assert world.stackone.get(f"/accounts/{account['id']}").json()["status"] == "active"


def test_many_calls_at_once_refresh_once(own_world: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    world = own_world
    account = world.link(world.profile(world.register(*SCOPES)))
    world.shift_clock(2 * 3600)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: world.rpc(account, "list_groups"), range(24)))
    assert {one.status_code for one in answers} == {200}


def test_a_refused_refresh_turns_the_account_to_error_and_a_new_link_mends_it(own_world: World) -> None:
    world = own_world
    registration = world.register(*SCOPES)
    profile_id = world.profile(registration)
    account = world.link(profile_id)
    world.profile(registration, secret="wrong~secret~value")
    assert world.rpc(account, "list_users").status_code == 200  # the access token still stands
    world.shift_clock(2 * 3600)
    response = world.rpc(account, "list_users")
    assert response.status_code == 401
    assert response.json()["provider_errors"][0]["raw"]["error"] == "invalid_client"
    broken = world.stackone.get(f"/accounts/{account['id']}").json()
    assert broken["status"] == "error"
    assert broken["status_reasons"][0]["code"] == "invalid_client"
    assert broken["status_reasons"][0]["description"].startswith("AADSTS7000215")
    assert world.stackone.get("/accounts", params={"status": "error"}).json() == [broken]
    world.profile(registration)
    mended = world.link(profile_id, account_id=account["id"])
    assert (mended["id"], mended["status"], mended["status_reasons"]) == (account["id"], "active", [])
    assert world.rpc(account, "list_users").status_code == 200


def test_an_action_that_the_profile_does_not_enable_is_not_run(world: World) -> None:
    registration = world.register(*SCOPES)
    account = world.link(world.profile(registration, actions="List Users, microsoftentraid_get_user"))
    assert world.rpc(account, "list_users").status_code == 200
    refused = world.rpc(account, "list_groups")
    assert refused.status_code == 403
    assert "not enabled" in refused.json()["message"]
    wanted = {"filter[account_ids]": account["id"]}
    listed = world.stackone.get("/actions", params=wanted).json()["data"][0]["actions"]
    assert {one["id"] for one in listed} == {f"{CONNECTOR}_list_users", f"{CONNECTOR}_get_user"}


def test_a_profile_that_a_call_names_must_be_one_of_the_connector(world: World, account: dict[str, Any]) -> None:
    other = world.profile(world.register("User.Read.All"), actions="List Groups")
    body = {"action": f"{CONNECTOR}_list_users"}
    headers = {"x-account-id": account["id"]}
    unknown = world.stackone.post("/actions/rpc", json=body, headers={**headers, "x-connector-profile-id": "404"})
    assert unknown.status_code == 400
    assert "x-connector-profile-id" in unknown.json()["message"]
    named = world.stackone.post("/actions/rpc", json=body, headers={**headers, "x-connector-profile-id": other})
    assert named.status_code == 403  # the named profile enables another action alone


def test_a_raw_request_goes_through_with_status_and_body(world: World, account: dict[str, Any]) -> None:
    send: Callable[..., httpx.Response] = lambda **body: world.stackone.post(  # noqa: E731
        "/unified/proxy", json=body, headers={"x-account-id": account["id"]}
    )
    listed = send(method="get", path="/users?$top=2")
    assert listed.status_code == 200
    assert len(listed.json()["value"]) == 2
    nick = f"proxy-{secrets.token_hex(4)}"
    body = {"displayName": nick, "mailEnabled": False, "mailNickname": nick, "securityEnabled": True}
    made = send(method="post", path="/groups", body=body)
    assert made.status_code == 201
    gone = send(method="delete", path=f"/groups/{made.json()['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert send(method="get", path="/users/nobody@contoso.com").json()["provider_errors"]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://example.com/v1.0", "/users"),
        (None, "/../common/oauth2/v2.0/token"),
        ("https://user:pass@localhost/v1.0", "/users"),
        ("file:///v1.0", "/etc/passwd"),
    ],
)
def test_a_raw_request_stays_at_the_provider(world: World, account: dict[str, Any], url: str | None, path: str) -> None:
    body = {"method": "get", "url": url, "path": path}
    response = world.stackone.post("/unified/proxy", json=body, headers={"x-account-id": account["id"]})
    assert response.status_code == 400
    assert "not an address" in response.json()["message"]


def test_an_account_is_changed_and_deleted(world: World) -> None:
    account = world.link(world.profile(world.register("User.Read.All")))
    address = f"/accounts/{account['id']}"
    changed = world.stackone.patch(address, json={"label": "renamed", "type": "TEST", "credentials": {"a": "b"}}).json()
    assert (changed["label"], changed["type"], changed["credentials"]) == ("renamed", "test", {})
    assert changed["updated_at"] > account["updated_at"]
    assert world.stackone.patch(address, json={"provider": "hibob"}).status_code == 400
    assert world.stackone.get(f"{address}/meta").json()["provider"] == CONNECTOR
    assert world.stackone.delete(address).json()["id"] == account["id"]
    assert world.stackone.get(address).status_code == 404
    assert world.rpc(account, "list_users").json()["message"] == "account not found"


def test_no_answer_holds_a_token_or_the_secret(world: World) -> None:
    registration = world.register("User.Read.All")
    account = world.link(world.profile(registration))
    texts = [
        world.stackone.get("/accounts").text,
        world.stackone.get(f"/accounts/{account['id']}").text,
        world.rpc(account, "list_users", query={"page_size": 1}).text,
        world.rpc(account, "list_groups").text,
    ]
    assert not any("eyJ" in text or registration.secret in text for text in texts)
