"""What a group is and who belongs to it, from the pages of the reference."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.sandbox_graph.conftest import EVENTUAL, GraphClient, World, message, named, reference


def test_the_last_owner_who_is_a_person_stays(admin: GraphClient, group: dict[str, Any], user: dict[str, Any]) -> None:
    """learn.microsoft.com/graph/api/group-delete-owners"""
    other = admin.get("/users?$top=1").json()["value"][0]
    owners = f"/groups/{group['id']}/owners"
    for one in (user, other):
        assert admin.post(f"{owners}/$ref", reference(one["id"])).status_code == 204
    assert admin.delete(f"{owners}/{other['id']}/$ref").status_code == 204
    status, text = message(admin.delete(f"{owners}/{user['id']}/$ref"))
    assert (status, text) == (400, "The group must have at least one owner, hence this owner cannot be removed.")


def test_a_mail_enabled_group_is_exchanges(admin: GraphClient, world: World, user: dict[str, Any]) -> None:
    """learn.microsoft.com/graph/api/resources/groups-overview: read-only through Microsoft Graph."""
    place = f"/groups/{named(world, 'Announcements')['id']}"
    update = "Cannot Update a mail-enabled security groups and or distribution list."
    delete = "Cannot Delete a mail-enabled security groups and or distribution list."
    assert message(admin.patch(place, {"description": "x"})) == (400, update)
    assert message(admin.post(f"{place}/members/$ref", reference(user["id"]))) == (400, update)
    assert message(admin.delete(place)) == (400, delete)


@pytest.mark.parametrize("kinds", [[], ["Unified"]])
@pytest.mark.parametrize("nickname", ["zürich", "two words", "at@sign", "semi;colon", "a" * 65])
def test_a_mail_nickname_is_ascii_without_separators(
    admin: GraphClient, name: str, kinds: list[str], nickname: str
) -> None:
    """learn.microsoft.com/graph/api/group-post-groups, mailNickname."""
    body = {"displayName": name, "mailEnabled": bool(kinds), "securityEnabled": True, "groupTypes": kinds}
    assert admin.post("/groups", {**body, "mailNickname": nickname}).status_code == 400


def test_a_mail_nickname_is_unique_among_microsoft_365_groups(admin: GraphClient, name: str) -> None:
    body = {"displayName": name, "mailNickname": name, "securityEnabled": False}
    unified = {**body, "mailEnabled": True, "groupTypes": ["Unified"]}
    plain = {**body, "mailEnabled": False, "securityEnabled": True}
    assert [admin.post("/groups", one).status_code for one in (unified, unified, plain, plain)] == [201, 400, 201, 201]


def test_hidden_membership_is_chosen_at_the_creation_of_a_microsoft_365_group(admin: GraphClient, name: str) -> None:
    """learn.microsoft.com/graph/api/resources/group, visibility."""
    hidden = {"displayName": name, "mailNickname": name, "securityEnabled": True, "visibility": "HiddenMembership"}
    assert admin.post("/groups", {**hidden, "mailEnabled": False}).status_code == 400
    unified = {**hidden, "mailEnabled": True, "groupTypes": ["Unified"]}
    made = admin.post("/groups", unified)
    assert made.status_code == 201
    place = f"/groups/{made.json()['id']}"
    assert admin.patch(place, {"visibility": "Private"}).status_code == 400
    assert admin.patch(place, {"visibility": "HiddenMembership", "description": "x"}).status_code == 204
    public = {**unified, "mailNickname": f"{name}2", "visibility": "Public"}
    place = f"/groups/{admin.post('/groups', public).json()['id']}"
    assert admin.patch(place, {"visibility": "HiddenMembership"}).status_code == 400
    assert admin.patch(place, {"visibility": "Private"}).status_code == 204


class TestWhatAGroupIs:
    """learn.microsoft.com/graph/api/resources/groups-overview, group-post-groups; role-assignable groups"""

    @pytest.mark.parametrize(
        "change", [{"mailEnabled": True}, {"securityEnabled": False}, {"groupTypes": ["Unified"], "mailEnabled": True}]
    )
    def test_a_security_group_stays_one(
        self, admin: GraphClient, group: dict[str, Any], change: dict[str, Any]
    ) -> None:
        assert admin.patch(f"/groups/{group['id']}", change).status_code == 400

    def test_a_microsoft_365_group_has_mail(self, admin: GraphClient, name: str) -> None:
        body = {"displayName": name, "mailNickname": name, "groupTypes": ["Unified"], "securityEnabled": True}
        assert [admin.post("/groups", {**body, "mailEnabled": one}).status_code for one in (False, True)] == [400, 201]

    @pytest.mark.parametrize("field", ["allowExternalSenders", "hideFromAddressLists", "autoSubscribeNewMembers"])
    def test_what_exchange_keeps_comes_later_and_by_itself(
        self, admin: GraphClient, world: World, name: str, field: str
    ) -> None:
        """learn.microsoft.com/graph/api/group-post-groups, group-update"""
        body = {"displayName": name, "mailNickname": name, "groupTypes": ["Unified"], "securityEnabled": True}
        body["mailEnabled"] = True
        assert admin.post("/groups", {**body, field: True}).status_code == 400
        place = f"/groups/{admin.post('/groups', body).json()['id']}"
        person = world.person(["Group.ReadWrite.All"], ["Groups Administrator"])
        assert person.patch(place, {field: True, "description": "x"}).status_code == 400
        assert person.patch(place, {field: True}).status_code == 200
        assert admin.patch(place, {field: False}).status_code == (403 if field == "autoSubscribeNewMembers" else 200)

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"membershipRuleProcessingState": "Paused"}, 201),
            ({"membershipRuleProcessingState": "Sometimes"}, 400),
            ({"membershipRule": "u" * 3072}, 201),
            ({"membershipRule": "u" * 3073}, 400),
        ],
    )
    def test_a_rule_of_membership_has_its_length_and_its_states(
        self, admin: GraphClient, name: str, change: dict[str, Any], status: int
    ) -> None:
        """learn.microsoft.com/graph/api/resources/group; entra/identity/users/groups-dynamic-membership"""
        body = {"displayName": name, "mailNickname": name, "mailEnabled": False, "securityEnabled": True}
        dynamic = {"groupTypes": ["DynamicMembership"], "membershipRule": "user.department -eq null"}
        state = {"membershipRuleProcessingState": "On"}
        assert admin.post("/groups", {**body, **dynamic, **state, **change}).status_code == status

    def test_a_group_without_mail_is_for_security(self, admin: GraphClient, name: str) -> None:
        body = {"displayName": name, "mailNickname": name, "mailEnabled": False, "securityEnabled": False}
        assert admin.post("/groups", body).status_code == 400

    def test_a_role_assignable_group_is_not_public_and_holds_no_groups(
        self, admin: GraphClient, group: dict[str, Any], name: str
    ) -> None:
        body = {"displayName": f"{name}r", "mailNickname": f"{name}r", "securityEnabled": True, "mailEnabled": True}
        body |= {"groupTypes": ["Unified"], "isAssignableToRole": True}
        statuses = [admin.post("/groups", {**body, "visibility": one}).status_code for one in ("Public", "Private")]
        assert statuses == [400, 201]
        plain = {**body, "mailEnabled": False, "groupTypes": [], "mailNickname": f"{name}p"}
        made = admin.post("/groups", plain).json()
        assert admin.post(f"/groups/{made['id']}/members/$ref", reference(group["id"])).status_code == 400


class TestHiddenMembership:
    """learn.microsoft.com/graph/api/group-list-members: Member.Read.Hidden, on every road to the members and back."""

    ALL = ("Group.Read.All", "User.Read.All", "Directory.Read.All", "GroupMember.Read.All")

    def seen(self, client: GraphClient, group: dict[str, Any], member: str) -> list[bool]:
        place, person = f"/groups/{group['id']}", f"/users/{member}"
        asked = {"securityEnabledOnly": False}
        lists = [
            client.get(f"{place}?$expand=members").json().get("members"),
            client.get(f"{place}/transitiveMembers").json().get("value"),
            client.get(f"{person}/memberOf").json()["value"],
            client.get(f"{person}/transitiveMemberOf").json()["value"],
        ]
        shown = [any(one["id"] in (group["id"], member) for one in found or []) for found in lists]
        listed = client.post(f"{person}/getMemberGroups", asked).json()["value"]
        checked = client.post(f"{person}/checkMemberGroups", {"groupIds": [group["id"]]}).json()["value"]
        return [*shown, group["id"] in listed, bool(checked), client.get(f"{place}/members").status_code == 200]

    def test_it_is_hidden_in_all_of_them_or_in_none(self, world: World) -> None:
        group = named(world, "Works Council")
        member = world.store.links("group.members", group["id"])[0]
        assert not any(self.seen(world.application(self.ALL), group, member))
        assert all(self.seen(world.application([*self.ALL, "Member.Read.Hidden"]), group, member))

    def test_who_belongs_to_it_sees_it(self, world: World) -> None:
        group = named(world, "Works Council")
        ids = world.store.links("group.members", group["id"])
        members = [world.store.get("user", one, world.tenant) for one in ids]
        enabled = [one for one in members if one and one["accountEnabled"] and one["userType"] == "Member"]
        assert all(self.seen(world.person(self.ALL, user=enabled[0]["userPrincipalName"]), group, enabled[1]["id"]))


def test_security_groups_alone_are_asked_for_of_users_alone(
    admin: GraphClient, group: dict[str, Any], user: dict[str, Any]
) -> None:
    """learn.microsoft.com/graph/api/group-getmembergroups, directoryobject-getmembergroups"""
    asked = [{"securityEnabledOnly": only} for only in (True, False)]
    places = {f"/users/{user['id']}": [200, 200], f"/groups/{group['id']}": [400, 200]}
    for place, statuses in places.items():
        for action in ("getMemberGroups", "getMemberObjects"):
            assert [admin.post(f"{place}/{action}", one).status_code for one in asked] == statuses


def test_a_device_is_a_member_through_groups_too(admin: GraphClient, group: dict[str, Any], name: str) -> None:
    """learn.microsoft.com/graph/api/device-list-transitivememberof"""
    device = admin.get("/devices?$top=1").json()["value"][0]["id"]
    body = {"displayName": f"{name}2", "mailEnabled": False, "mailNickname": f"{name}2", "securityEnabled": True}
    outer = admin.post("/groups", body).json()
    for place, member in ((group["id"], device), (outer["id"], group["id"])):
        assert admin.post(f"/groups/{place}/members/$ref", reference(member)).status_code == 204
    found = {one["id"] for one in admin.get(f"/devices/{device}/transitiveMemberOf").json()["value"]}
    assert {group["id"], outer["id"]} <= found
    checked = admin.post(f"/devices/{device}/checkMemberGroups", {"groupIds": [outer["id"]]}).json()["value"]
    assert checked == [outer["id"]]
    assert admin.delete(f"/groups/{group['id']}").status_code == 204


def test_transitive_relationships_are_counted_and_come_by_pages(admin: GraphClient, world: World) -> None:
    """learn.microsoft.com/graph/api/group-list-transitivemembers"""
    place = f"/groups/{named(world, 'All Staff')['id']}/transitiveMembers"
    whole = admin.get(f"{place}?$top=999&$select=id").json()["value"]
    counted = admin.get(f"{place}?$count=true&$top=5", headers=EVENTUAL).json()
    assert (counted["@odata.count"], len(counted["value"])) == (len(whole), 5)
    assert len(admin.get(counted["@odata.nextLink"], headers=EVENTUAL).json()["value"]) == 5
    assert admin.get(f"{place}/$count", headers=EVENTUAL).text == str(len(whole))
    people = admin.get(f"{place}/microsoft.graph.user/$count", headers=EVENTUAL).text
    assert 0 < int(people) < len(whole)
    person = f"/users/{next(one['id'] for one in whole)}"
    found = admin.get(f"{person}/transitiveMemberOf?$count=true", headers=EVENTUAL).json()
    assert found["@odata.count"] == len(found["value"])


def test_a_tenant_has_500_groups_for_roles_at_most(admin: GraphClient, world: World, name: str) -> None:
    """learn.microsoft.com/entra/identity/users/directory-service-limits-restrictions"""
    body = {"displayName": name, "mailNickname": name, "mailEnabled": False, "securityEnabled": True}
    body["isAssignableToRole"] = True
    held = world.store.count("group", world.tenant, where="o.doc ->> '$.isAssignableToRole' = 1")
    more = [{"id": str(uuid.uuid4()), "isAssignableToRole": True} for _ in range(500 - held)]
    world.store.put_many("group", more, world.tenant)
    try:
        refused = admin.post("/groups", body)
    finally:
        with world.store.transaction():
            for one in more:
                world.store.delete("group", one["id"], world.tenant)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "Directory_QuotaExceeded")
    assert admin.post("/groups", body).status_code == 201


def test_a_relationship_is_no_property_that_is_written(
    admin: GraphClient, group: dict[str, Any], user: dict[str, Any], name: str
) -> None:
    """learn.microsoft.com/graph/api/group-post-groups, group-update: members and owners are bound or referred to."""
    body = {"displayName": name, "mailNickname": name, "mailEnabled": False, "securityEnabled": True}
    listed = {"members": [{"id": user["id"]}]}
    assert admin.post("/groups", {**body, **listed}).status_code == 400
    assert admin.patch(f"/groups/{group['id']}", listed).status_code == 400
    assert admin.patch(f"/users/{user['id']}", {"manager": {"id": user["id"]}}).status_code == 400
    assert admin.post("/groups", {**body, "members": []}).status_code == 201
