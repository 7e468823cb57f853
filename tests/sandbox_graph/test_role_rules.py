"""Directory roles, their assignments, and what takes a higher one, from the pages of the reference."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox_graph.conftest import GLOBAL_ADMINISTRATOR, GraphClient, World, named, reference


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


@pytest.mark.parametrize(
    "scope",
    [
        {"directoryScopeId": "/administrativeUnits/5d107bba-d8e2-4e13-b6ae-884be90e5d1a"},
        {"directoryScopeId": "/661e1310-bd76-4795-89a7-8f3c8f855bfc"},
        {"appScopeId": "/"},
    ],
)
def test_a_role_below_another_scope_is_no_mistake_of_the_caller(
    admin: GraphClient, user: dict[str, Any], scope: dict[str, str]
) -> None:
    """learn.microsoft.com/graph/api/rbacapplication-post-roleassignments, examples 2 and 3"""
    body = {"principalId": user["id"], "roleDefinitionId": GLOBAL_ADMINISTRATOR, **scope}
    answer = admin.post("/roleManagement/directory/roleAssignments", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "Sandbox_NotEmulated")


def test_what_is_made_from_other_objects_is_filtered_and_sorted_as_they_are(admin: GraphClient) -> None:
    """learn.microsoft.com/graph/filter-query-parameter"""
    place = "/roleManagement/directory/roleDefinitions"
    names = [one["displayName"] for one in admin.get(place).json()["value"]]
    asked = "startswith(displayName,'Application') or displayName in ('Global Reader','Reports Reader')"
    found = admin.get(place, params={"$filter": asked, "$orderby": "displayName desc"}).json()["value"]
    wanted = [one for one in names if one.startswith("Application") or one in ("Global Reader", "Reports Reader")]
    assert [one["displayName"] for one in found] == sorted(wanted, key=str.lower, reverse=True)
    assert len(found) == 4
    people = "/reports/authenticationMethods/userRegistrationDetails"
    admins = admin.get(people, params={"$filter": "isAdmin eq true and not (userType eq 'guest')"}).json()["value"]
    assert admins
    assert all(one["isAdmin"] for one in admins)
    assert admin.get(f"{place}?$filter=nobody eq 'x'").status_code == 400
    assert admin.get(f"{place}?$orderby=nobody").status_code == 400
    assert admin.get("/roleManagement/directory/roleAssignments?$filter=principal/$count eq 1").status_code == 400


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


def test_a_role_is_named_by_its_template_as_a_segment(admin: GraphClient, user: dict[str, Any]) -> None:
    """learn.microsoft.com/graph/api/directoryrole-post-members, example 2"""
    template = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
    active = {role["roleTemplateId"] for role in admin.get("/directoryRoles").json()["value"]}
    again = 400 if template in active else 201
    assert admin.post("/directoryRoles", {"roleTemplateId": template}).status_code == again
    for key in (f"/roleTemplateId={template}", f"(roleTemplateId='{template}')", f"/roleTemplateId='{template}'"):
        assert admin.get(f"/directoryRoles{key}").json()["roleTemplateId"] == template
    place = f"/directoryRoles/roleTemplateId={template}/members"
    assert admin.post(f"{place}/$ref", reference(user["id"])).status_code == 204
    assert admin.delete(f"{place}/{user['id']}/$ref").status_code == 204
    assert admin.get(f"/directoryRoles/nothing={template}").status_code == 400


def test_an_administrator_is_restored_by_a_higher_one(world: World, admin: GraphClient, user: dict[str, Any]) -> None:
    """learn.microsoft.com/graph/api/directory-deleteditems-restore"""
    role = {"principalId": user["id"], "roleDefinitionId": GLOBAL_ADMINISTRATOR, "directoryScopeId": "/"}
    assert admin.post("/roleManagement/directory/roleAssignments", role).status_code == 201
    scopes = ["User.ReadWrite.All", "Directory.AccessAsUser.All"]
    people = [world.person(scopes, [held]) for held in ("User Administrator", "Global Administrator")]
    assert [one.delete(f"/users/{user['id']}").status_code for one in people] == [403, 204]
    place = f"/directory/deletedItems/{user['id']}/restore"
    assert [one.post(place).status_code for one in people] == [403, 200]


@pytest.mark.parametrize(("role", "status"), [("Hybrid Identity Administrator", 200), ("Groups Administrator", 403)])
def test_who_restores_applications(
    world: World, admin: GraphClient, application: dict[str, Any], role: str, status: int
) -> None:
    """learn.microsoft.com/graph/api/directory-deleteditems-restore"""
    assert admin.delete(f"/applications/{application['id']}").status_code == 204
    person = world.person(["Application.ReadWrite.All"], [role])
    assert person.post(f"/directory/deletedItems/{application['id']}/restore").status_code == status


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("10dae51f-b6af-4016-8d66-8c2a99b929b3", 204),
        ("2AF84B1E-32C8-42B7-82BC-DAA82404023B", 204),
        (GLOBAL_ADMINISTRATOR, 400),
    ],
)
def test_guests_have_one_of_three_roles(admin: GraphClient, role: str, status: int) -> None:
    """learn.microsoft.com/graph/api/resources/authorizationpolicy"""
    place = "/policies/authorizationPolicy"
    before = admin.get(place).json()["guestUserRoleId"]
    assert admin.patch(place, {"guestUserRoleId": role}).status_code == status
    assert admin.patch(place, {"guestUserRoleId": before}).status_code == 204
