"""What the directory refuses, from the pages of the reference: groups, their owners, roles."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox_graph.conftest import GraphClient, World

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"


def reference(key: str) -> dict[str, str]:
    return {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{key}"}


def named(world: World, name: str) -> dict[str, Any]:
    found = world.store.first("group", world.tenant, displayName=name)
    assert found is not None
    return found


def message(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["message"] if answer.content else ""


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


def test_an_ordinary_group_gets_no_role_by_either_road(admin: GraphClient, world: World, group: dict[str, Any]) -> None:
    """learn.microsoft.com/entra/identity/role-based-access-control/groups-concept"""
    role = world.store.first("directoryRole", world.tenant, roleTemplateId=GLOBAL_ADMINISTRATOR)
    assert role is not None
    assert admin.post(f"/directoryRoles/{role['id']}/members/$ref", reference(group["id"])).status_code == 400
    assignment = {"principalId": group["id"], "roleDefinitionId": GLOBAL_ADMINISTRATOR, "directoryScopeId": "/"}
    assert admin.post("/roleManagement/directory/roleAssignments", assignment).status_code == 400
    tier = named(world, "Tier 0 Administrators")
    made = admin.post("/roleManagement/directory/roleAssignments", {**assignment, "principalId": tier["id"]})
    assert made.status_code == 201
    assert admin.delete(f"/roleManagement/directory/roleAssignments/{made.json()['id']}").status_code == 204


ASSIGNMENTS = "/roleManagement/directory/roleAssignments"


def test_role_assignments_are_filtered_in_any_casing_of_names_and_ids(admin: GraphClient) -> None:
    wanted = {one["id"] for one in admin.get(ASSIGNMENTS).json()["value"]}
    administrators = admin.get(f"{ASSIGNMENTS}?$filter=roleDefinitionId eq '{GLOBAL_ADMINISTRATOR}'").json()["value"]
    assert administrators
    assert {one["id"] for one in administrators} < wanted
    capitals = GLOBAL_ADMINISTRATOR.upper()
    for spelled in (f"RoleDefinitionId eq '{GLOBAL_ADMINISTRATOR}'", f"roleDefinitionId eq '{capitals}'"):
        assert admin.get(f"{ASSIGNMENTS}?$filter={spelled}").json()["value"] == administrators


def test_a_filter_of_role_assignments_that_is_not_understood_says_so(admin: GraphClient) -> None:
    assert admin.get(f"{ASSIGNMENTS}?$filter=administrator eq 'x'").status_code == 400
    assert admin.get(f"{ASSIGNMENTS}?$expand=administrator").status_code == 400


def test_role_assignments_expand_their_principal_and_role(admin: GraphClient) -> None:
    asked = f"{ASSIGNMENTS}?$filter=roleDefinitionId eq '{GLOBAL_ADMINISTRATOR}'&$expand=principal,roleDefinition"
    for one in admin.get(asked).json()["value"]:
        assert one["principal"]["id"] == one["principalId"]
        assert one["principal"]["@odata.type"] == "#microsoft.graph.user"
        assert one["roleDefinition"]["displayName"] == "Global Administrator"


def test_role_assignments_come_by_pages(admin: GraphClient) -> None:
    every = [one["id"] for one in admin.get(ASSIGNMENTS).json()["value"]]
    link, seen = f"{ASSIGNMENTS}?$top=2", []
    while link:
        page = admin.get(link).json()
        assert 1 <= len(page["value"]) <= 2
        seen += [one["id"] for one in page["value"]]
        link = page.get("@odata.nextLink", "")
    assert seen == every
