"""``/me`` and ``/beta``: the same as ``/users/{id}`` and v1.0; memberships with roles; photos that nobody has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox_graph.conftest import EVENTUAL, GraphClient, World

NOOR = "noor.haddad@contoso.com"
INES = "ines.moreau@contoso.com"
TEUN = "teun.bakker@contoso.com"
READS = ("User.Read", "User.Read.All", "Directory.Read.All")


def me(world: World, *granted: str, user: str = INES) -> GraphClient:
    return world.person(granted or READS, user=user)


@pytest.mark.parametrize(
    "name",
    [
        "manager",
        "directReports",
        "memberOf",
        "transitiveMemberOf",
        "ownedObjects",
        "ownedDevices",
        "registeredDevices",
        "appRoleAssignments",
        "oauth2PermissionGrants",
        "displayName",
    ],
)
def test_below_me_is_what_is_below_the_user(world: World, name: str) -> None:
    client, user = me(world, user=TEUN), world.user(TEUN)["id"]
    own, same = client.get(f"/me/{name}"), client.get(f"/users/{user}/{name}")
    assert own.status_code == same.status_code == 200
    assert own.json().get("value", own.json()) == same.json().get("value", same.json())


def test_what_is_read_of_oneself_takes_less_than_of_others(world: World) -> None:
    """learn.microsoft.com/graph/api/user-list-directreports, user-list-manager"""
    client = me(world, "User.Read")
    assert client.get("/me/directReports").status_code == 200
    assert client.get(f"/users/{world.user(NOOR)['id']}/manager").status_code == 403
    assert client.get("/me/manager").status_code == 403


def test_an_application_has_no_me(admin: GraphClient) -> None:
    for path in ("/me", "/me/manager", "/me/photo"):
        answer = admin.get(path)
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == "/me request is only valid with delegated authentication flow."


def test_relationships_of_the_signed_in_user_are_counted(world: World) -> None:
    client = me(world)
    counted = client.get("/me/memberOf/$count", headers=EVENTUAL)
    assert int(counted.text) == len(client.get("/me/memberOf").json()["value"]) > 0


def test_member_objects_are_groups_and_directory_roles(world: World, admin: GraphClient) -> None:
    """learn.microsoft.com/graph/api/directoryobject-getmemberobjects"""
    place = f"/users/{world.user(NOOR)['id']}"
    everything = admin.post(f"{place}/getMemberObjects", {"securityEnabledOnly": False}).json()["value"]
    groups = admin.post(f"{place}/getMemberGroups", {"securityEnabledOnly": False}).json()["value"]
    role = world.store.first("directoryRole", world.tenant, displayName="Global Administrator")
    assert role is not None
    assert set(everything) - set(groups) == {role["id"]}
    checked = admin.post(f"{place}/checkMemberObjects", {"ids": [role["id"], groups[0], world.tenant]}).json()["value"]
    assert checked == [role["id"], groups[0]]
    assert admin.post(f"{place}/getMemberObjects", {"securityEnabledOnly": True}).status_code == 200


def test_security_enabled_only_is_for_users_alone(admin: GraphClient, group: dict[str, Any]) -> None:
    place = f"/groups/{group['id']}/getMemberObjects"
    assert [admin.post(place, {"securityEnabledOnly": only}).status_code for only in (True, False)] == [400, 200]


def test_who_has_no_photo_answers_404(world: World, admin: GraphClient, group: dict[str, Any]) -> None:
    """learn.microsoft.com/graph/api/profilephoto-get"""
    user = world.user(INES)["id"]
    asked = [admin.get(f"/users/{user}/photo"), admin.get(f"/groups/{group['id']}/photo/$value")]
    asked.append(me(world).get("/me/photo/$value"))
    assert [(one.status_code, one.json()["error"]["code"]) for one in asked] == [(404, "ImageNotFound")] * 3
    assert admin.get(f"/users/{group['id']}/photo").json()["error"]["code"] == "Request_ResourceNotFound"


class TestBeta:
    def test_it_answers_as_version_one_does_and_stays_there(self, admin: GraphClient) -> None:
        beta = admin.of("beta")
        page = beta.get("/users?$top=2").json()
        assert page["value"] == admin.get("/users?$top=2").json()["value"]
        assert "/beta/users?" in page["@odata.nextLink"]
        assert beta.get(page["@odata.nextLink"]).json()["value"] != page["value"]

    def test_a_batch_goes_through_it(self, admin: GraphClient) -> None:
        sent = {"requests": [{"id": "1", "method": "GET", "url": "/groups?$top=1"}]}
        (part,) = admin.of("beta").post("/$batch", sent).json()["responses"]
        assert "/beta/$metadata#groups" in part["body"]["@odata.context"]

    @pytest.mark.parametrize("path", ["/security/secureScores", "/riskyUsers", "/users/{}/analytics", "/me/profile"])
    def test_what_it_may_have_besides_is_not_the_callers_mistake(self, world: World, path: str) -> None:
        answer = me(world).of("beta").get(path.replace("{}", world.user(INES)["id"]))
        assert (answer.status_code, answer.json()["error"]["code"]) == (501, "Sandbox_NotEmulated")
