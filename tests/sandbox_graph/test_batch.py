"""``$batch``: learn.microsoft.com/graph/json-batching"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox_graph.conftest import EVENTUAL, GraphClient, World

JSON = {"Content-Type": "application/json"}


def get(id: str, url: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "method": "GET", "url": url, **more}


def parts(admin: GraphClient, *requests: dict[str, Any]) -> dict[str, dict[str, Any]]:
    answer = admin.post("/$batch", {"requests": list(requests)})
    assert answer.status_code == 200, answer.text
    return {part["id"]: part for part in answer.json()["responses"]}


def test_each_part_has_its_own_status_headers_and_body(admin: GraphClient) -> None:
    found = parts(
        admin,
        get("1", "/users?$top=1"),
        get("2", "users/nobody"),
        get("3", "/users/$count", headers=EVENTUAL),
        get("4", "/users/$count"),
    )
    assert [found[key]["status"] for key in "1234"] == [200, 404, 200, 400]
    assert len(found["1"]["body"]["value"]) == 1
    assert found["2"]["body"]["error"]["code"] == "Request_ResourceNotFound"
    assert int(found["3"]["body"]) >= 300
    assert found["1"]["headers"]["request-id"] != found["2"]["headers"]["request-id"]


def test_writes_run_in_the_order_that_depends_on_asks_for(
    admin: GraphClient, group: dict[str, Any], user: dict[str, Any]
) -> None:
    reference = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{user['id']}"}
    path = f"/groups/{group['id']}/members"
    found = parts(
        admin,
        get("read", path, dependsOn=["add"]),
        {"id": "add", "method": "POST", "url": f"{path}/$ref", "headers": JSON, "body": reference},
    )
    assert found["add"]["status"] == 204
    assert [one["id"] for one in found["read"]["body"]["value"]] == [user["id"]]


def test_a_part_whose_dependency_failed_is_not_tried(admin: GraphClient, name: str) -> None:
    found = parts(
        admin,
        get("1", "/users/nobody"),
        {
            "id": "2",
            "method": "POST",
            "url": "/applications",
            "headers": JSON,
            "body": {"displayName": name},
            "dependsOn": ["1"],
        },
        get("3", "/organization", dependsOn=["2"]),
    )
    assert [found[key]["status"] for key in "123"] == [404, 424, 424]
    assert admin.get("/applications", params={"$filter": f"displayName eq '{name}'"}).json()["value"] == []


def test_permissions_are_those_of_the_caller(world: World) -> None:
    found = parts(world.application(["User.Read.All"]), get("1", "/users?$top=1"), get("2", "/groups"))
    assert [found[key]["status"] for key in "12"] == [200, 403]
    assert world.anonymous().post("/$batch", {"requests": [get("1", "/users")]}).status_code == 401


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [get(str(number), "/users") for number in range(21)],
        [get("a", "/users"), get("A", "/users")],
        [get("1", "/users", dependsOn=["2"])],
        [get("1", "/users", dependsOn=["2"]), get("2", "/users", dependsOn=["1"])],
        [{"id": "1", "method": "POST", "url": "/groups", "body": {}}],
        [{"id": "1", "method": "BREW", "url": "/groups"}],
        [{"method": "GET", "url": "/groups"}],
        [get("1", "/$batch")],
    ],
    ids=["none", "21", "same id", "unknown", "circle", "no content type", "method", "no id", "nested"],
)
def test_an_ill_formed_batch_is_refused_as_a_whole(admin: GraphClient, requests: list[dict[str, Any]]) -> None:
    assert admin.post("/$batch", {"requests": requests}).status_code == 400
