"""What auditors read of a tenant: schedules of roles, ways to sign in, administrative units, subscriptions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox_graph.conftest import EVENTUAL, GraphClient, World

ROLES = "/roleManagement/directory"
REGISTRATIONS = "/reports/authenticationMethods/userRegistrationDetails"
UNITS = "/directory/administrativeUnits"


class TestRoleSchedules:
    """learn.microsoft.com/graph/api/rbacapplication-list-roleassignmentschedules"""

    @pytest.mark.parametrize("name", ["roleAssignmentSchedules", "roleAssignmentScheduleInstances"])
    def test_they_are_those_of_the_assignments(self, admin: GraphClient, name: str) -> None:
        held = {(one["principalId"], one["roleDefinitionId"]) for one in every(admin, f"{ROLES}/roleAssignments")}
        scheduled = every(admin, f"{ROLES}/{name}?$expand=principal,roleDefinition")
        assert {(one["principalId"], one["roleDefinitionId"]) for one in scheduled} == held
        assert all(one["principal"]["id"] == one["principalId"] for one in scheduled)
        one = scheduled[0]
        assert (one["assignmentType"], one["memberType"]) == ("Assigned", "Direct")
        mine = every(admin, f"{ROLES}/{name}?$filter=principalId eq '{one['principalId'].upper()}'")
        assert {entry["principalId"] for entry in mine} == {one["principalId"]}

    @pytest.mark.parametrize("name", ["roleEligibilitySchedules", "roleEligibilityScheduleInstances"])
    def test_nobody_is_eligible(self, admin: GraphClient, name: str) -> None:
        assert every(admin, f"{ROLES}/{name}") == []

    def test_they_take_permissions_of_their_own(self, world: World) -> None:
        for granted, status in (("RoleAssignmentSchedule.Read.Directory", 200), ("Directory.Read.All", 403)):
            assert world.application([granted]).get(f"{ROLES}/roleAssignmentSchedules").status_code == status


class TestAuthentication:
    def test_everybody_has_a_password_that_nobody_reads(self, world: World, admin: GraphClient) -> None:
        """learn.microsoft.com/graph/api/authentication-list-methods"""
        (method,) = admin.get(f"/users/{world.user()['id']}/authentication/methods").json()["value"]
        assert method["@odata.type"] == "#microsoft.graph.passwordAuthenticationMethod"
        assert (method["id"], method["password"]) == ("28c10230-6103-485e-b985-444c60001490", None)

    def test_one_reads_of_oneself_with_less(self, world: World) -> None:
        person = world.person(["UserAuthenticationMethod.Read"])
        assert person.get("/me/authentication/methods").status_code == 200
        assert person.get(f"/users/{world.user()['id']}/authentication/methods").status_code == 403

    def test_registrations_are_one_for_each_user(self, world: World, admin: GraphClient) -> None:
        """learn.microsoft.com/graph/api/authenticationmethodsroot-list-userregistrationdetails"""
        found = every(admin, REGISTRATIONS)
        assert len(found) == int(admin.get("/users/$count", headers=EVENTUAL).text)
        administrators = every(admin, f"{REGISTRATIONS}?$filter=isAdmin eq true and isMfaRegistered eq false")
        names = {one["userPrincipalName"] for one in administrators}
        assert "noor.haddad@contoso.com" in names
        assert world.user()["userPrincipalName"] not in names
        one = admin.get(f"{REGISTRATIONS}/{found[0]['id']}").json()
        assert one["userPrincipalName"] == found[0]["userPrincipalName"]

    def test_it_takes_the_permission_of_audit_logs(self, world: World) -> None:
        for granted, status in (("AuditLog.Read.All", 200), ("User.Read.All", 403)):
            assert world.application([granted]).get(REGISTRATIONS).status_code == status


class TestAdministrativeUnits:
    """learn.microsoft.com/graph/api/directory-list-administrativeunits"""

    def test_they_hold_people(self, admin: GraphClient) -> None:
        units = admin.get(UNITS).json()["value"]
        members = [every(admin, f"{UNITS}/{one['id']}/members?$select=id&$top=999") for one in units]
        assert sum(len(one) for one in members) >= 300
        assert admin.get(f"{UNITS}/{units[0]['id']}").json()["displayName"] == units[0]["displayName"]

    @pytest.mark.parametrize(("method", "path"), [("POST", UNITS), ("PATCH", f"{UNITS}/{{}}")])
    def test_to_change_them_is_not_emulated(self, admin: GraphClient, method: str, path: str) -> None:
        key = admin.get(UNITS).json()["value"][0]["id"]
        answer = admin.request(method, path.format(key), json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (501, "Sandbox_NotEmulated")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{ROLES}/roleDefinitions"),
        ("PUT", "/policies/adminConsentRequestPolicy"),
        ("DELETE", "/directoryObjects/{}"),
        ("PUT", "/users/{}/photo/$value"),
    ],
)
def test_a_documented_method_that_is_not_there_is_no_mistake_of_the_caller(
    admin: GraphClient, user: dict[str, Any], method: str, path: str
) -> None:
    answer = admin.request(method, path.format(user["id"]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "Sandbox_NotEmulated")
    assert admin.request("PUT", "/users").status_code == 405, "and one that nobody has is"


def test_a_subscription_is_read_by_its_id(admin: GraphClient) -> None:
    """learn.microsoft.com/graph/api/subscribedsku-get"""
    first = admin.get("/subscribedSkus").json()["value"][0]
    assert admin.get(f"/subscribedSkus/{first['id']}").json()["skuPartNumber"] == first["skuPartNumber"]


def test_a_device_gets_owners_from_people_with_the_directory_as_the_user(
    world: World, admin: GraphClient, user: dict[str, Any]
) -> None:
    """learn.microsoft.com/graph/api/device-post-registeredowners; resources/device: one owner at most"""
    device = admin.get("/devices?$top=1").json()["value"][0]["id"]
    person = world.person(["Directory.AccessAsUser.All"], ["Cloud Device Administrator"])
    sent = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{user['id']}"}
    place = f"/devices/{device}/registeredOwners"
    assert admin.post(f"{place}/$ref", sent).status_code == 403
    (owner,) = person.get(place).json()["value"]
    assert person.post(f"{place}/$ref", sent).status_code == 400
    assert person.delete(f"{place}/{owner['id']}/$ref").status_code == 204
    assert person.post(f"{place}/$ref", sent).status_code == 204
    assert [one["id"] for one in person.get(place).json()["value"]] == [user["id"]]
    assert person.delete(f"{place}/{user['id']}/$ref").status_code == 204
    back = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{owner['id']}"}
    assert person.post(f"{place}/$ref", back).status_code == 204


def every(client: GraphClient, link: str) -> list[dict[str, Any]]:
    """All pages."""
    found: list[dict[str, Any]] = []
    while link:
        body = client.get(link).json()
        found += body["value"]
        link = body.get("@odata.nextLink", "")
    return found
