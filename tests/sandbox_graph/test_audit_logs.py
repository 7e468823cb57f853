"""Who signed in and who changed what: learn.microsoft.com/graph/api/resources/signin, directoryaudit."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox_graph.conftest import GraphClient, World
from tests.sandbox_graph.test_sign_in_activity import consent, sign_in

INES = "ines.moreau@contoso.com"
KOFI = "kofi.mensah@contoso.com"
AUDITS = "/auditLogs/directoryAudits"
SIGN_INS = "/auditLogs/signIns"


def audits(client: GraphClient, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(AUDITS, params=params).json()["value"]
    return found


def about(client: GraphClient, key: str) -> list[dict[str, Any]]:
    return audits(client, **{"$filter": f"targetResources/any(t:t/id eq '{key}')"})


class TestDirectoryAudits:
    def test_a_life_of_a_group_is_told_newest_first(
        self, admin: GraphClient, world: World, group: dict[str, Any], user: dict[str, Any]
    ) -> None:
        place = f"/groups/{group['id']}"
        for text in ("old", "new"):
            admin.patch(place, {"description": text})
        admin.post(f"{place}/members/$ref", {"@odata.id": f"https://graph.microsoft.com/v1.0/users/{user['id']}"})
        admin.delete(f"{place}/members/{user['id']}/$ref")
        admin.delete(place)
        told = about(admin, group["id"])
        assert [one["activityDisplayName"] for one in told] == [
            "Delete group",
            "Remove member from group",
            "Add member to group",
            "Update group",
            "Update group",
            "Add group",
        ]
        assert {one["category"] for one in told} == {"GroupManagement"}
        for one in told:
            assert one["initiatedBy"]["app"]["servicePrincipalId"] == world.principal()["id"]
        assert [one["type"] for one in told[2]["targetResources"]] == ["User", "Group"]
        (changed,) = told[3]["targetResources"][0]["modifiedProperties"]
        assert changed == {"displayName": "description", "newValue": '"new"', "oldValue": '"old"'}

    def test_a_person_is_named(self, world: World, admin: GraphClient, group: dict[str, Any]) -> None:
        person = world.person(["Group.ReadWrite.All"], ["Groups Administrator"], user=INES)
        assert person.patch(f"/groups/{group['id']}", {"description": "hers"}).status_code == 204
        who = about(admin, group["id"])[0]["initiatedBy"]
        assert (who["app"], who["user"]["userPrincipalName"]) == (None, INES)
        mine = {"$filter": f"initiatedBy/user/userPrincipalName eq '{INES}' and activityDisplayName eq 'Update group'"}
        assert group["id"] in {one["targetResources"][0]["id"] for one in audits(admin, **mine)}

    def test_what_was_refused_or_only_read_leaves_no_trace(self, admin: GraphClient) -> None:
        marked = str(uuid.uuid4())
        headers = {"client-request-id": marked}
        admin.patch("/organization/x", {"city": "x"}, headers=headers)
        admin.get("/users", headers=headers)
        assert not audits(admin, **{"$filter": f"correlationId eq '{marked}'"})

    def test_secrets_are_in_none_of_them(
        self, admin: GraphClient, application: dict[str, Any], user: dict[str, Any]
    ) -> None:
        made = admin.post(f"/applications/{application['id']}/addPassword", {"passwordCredential": {}}).json()
        password = "Another-1ong-one"
        assert admin.patch(f"/users/{user['id']}", {"passwordProfile": {"password": password}}).status_code == 204
        text = admin.get(AUDITS).text
        assert "certificates and secrets management" in text.lower()
        assert made["secretText"] not in text
        assert password not in text

    def test_a_role_names_both_ends(self, admin: GraphClient, user: dict[str, Any]) -> None:
        role = {"roleDefinitionId": "88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "directoryScopeId": "/"}
        made = admin.post("/roleManagement/directory/roleAssignments", {**role, "principalId": user["id"]})
        assert made.status_code == 201
        assert admin.delete(f"/roleManagement/directory/roleAssignments/{made.json()['id']}").status_code == 204
        removed, added = about(admin, user["id"])[:2]
        for told, name in ((added, "Add member to role"), (removed, "Remove member from role")):
            assert (told["activityDisplayName"], told["category"]) == (name, "RoleManagement")
            assert told["targetResources"][1]["displayName"] == "Directory Readers"
            said = self.said(told, "newValue" if told is added else "oldValue")
            assert (said["Role.DisplayName"], said["Role.TemplateId"]) == (
                "Directory Readers",
                role["roleDefinitionId"],
            )

    def said(self, entry: dict[str, Any], which: str = "newValue") -> dict[str, Any]:
        (first, *_) = entry["targetResources"]
        return {one["displayName"]: json.loads(one[which] or "null") for one in first["modifiedProperties"]}

    @pytest.mark.parametrize("road", ["appRoleAssignedTo", "appRoleAssignments"])
    def test_an_app_role_is_named_with_whom_it_was_given_to(
        self, admin: GraphClient, world: World, application: dict[str, Any], road: str
    ) -> None:
        """The log's own entries: AppRole.Id, .Value, .DisplayName, and ServicePrincipal.… of whom it was given to."""
        client = admin.post("/servicePrincipals", {"appId": application["appId"]}).json()
        graph = world.microsoft_graph()
        role = next(one for one in graph["appRoles"] if one["value"] == "User.Read.All")
        place = f"/servicePrincipals/{(graph if road == 'appRoleAssignedTo' else client)['id']}/{road}"
        body = {"principalId": client["id"], "resourceId": graph["id"], "appRoleId": role["id"]}
        made = admin.post(place, body).json()
        assert admin.delete(f"{place}/{made['id']}").status_code == 204
        removed, added = about(admin, client["id"])[:2]
        assert added["activityDisplayName"] == "Add app role assignment to service principal"
        assert removed["activityDisplayName"] == "Remove app role assignment from service principal"
        for entry, which, other in ((added, "newValue", "oldValue"), (removed, "oldValue", "newValue")):
            names = [(one["type"], one["displayName"]) for one in entry["targetResources"]]
            assert names == [("ServicePrincipal", "Microsoft Graph"), ("ServicePrincipal", client["displayName"])]
            said = self.said(entry, which)
            assert (said["AppRole.Value"], said["AppRole.Id"]) == ("User.Read.All", role["id"])
            assert said["ServicePrincipal.ObjectID"] == client["id"]
            assert said["ServicePrincipal.DisplayName"] == client["displayName"]
            assert set(self.said(entry, other).values()) == {None}

    def test_a_delegated_grant_says_what_changed_for_whom(
        self, admin: GraphClient, world: World, application: dict[str, Any], user: dict[str, Any]
    ) -> None:
        client = admin.post("/servicePrincipals", {"appId": application["appId"]}).json()
        grant = {"clientId": client["id"], "resourceId": world.microsoft_graph()["id"], "scope": "User.Read"}
        grant |= {"consentType": "Principal", "principalId": user["id"]}
        place = f"/oauth2PermissionGrants/{admin.post('/oauth2PermissionGrants', grant).json()['id']}"
        assert admin.patch(place, {"scope": "User.Read Mail.Read"}).status_code == 204
        assert admin.delete(place).status_code == 204
        told = about(admin, client["id"])[:3]
        scopes = [
            [self.said(one, which)["DelegatedPermissionGrant.Scope"] for which in ("oldValue", "newValue")]
            for one in reversed(told)
        ]
        assert scopes == [[None, "User.Read"], ["User.Read", "User.Read Mail.Read"], ["User.Read Mail.Read", None]]
        for one in told:
            assert [end["id"] for end in one["targetResources"]] == [grant["resourceId"], client["id"]]
        said = self.said(told[-1])
        assert (said["User.ObjectID"], said["User.UPN"]) == (user["id"], user["userPrincipalName"])
        assert said["DelegatedPermissionGrant.ConsentType"] == "Principal"

    def test_a_member_and_an_owner_are_told_with_what_they_came_to(
        self, admin: GraphClient, group: dict[str, Any], user: dict[str, Any], application: dict[str, Any]
    ) -> None:
        ref = {"@odata.id": f"https://graph.microsoft.com/v1.0/users/{user['id']}"}
        places = {"Group": f"/groups/{group['id']}/members", "Application": f"/applications/{application['id']}/owners"}
        for kind, place in places.items():
            source = {"Group": group, "Application": application}[kind]
            assert admin.post(f"{place}/$ref", ref).status_code == 204
            assert admin.delete(f"{place}/{user['id']}/$ref").status_code == 204
            removed, added = about(admin, user["id"])[:2]
            for entry, which in ((added, "newValue"), (removed, "oldValue")):
                assert [one["type"] for one in entry["targetResources"]] == ["User", kind]
                assert self.said(entry, which)[f"{kind}.ObjectID"] == source["id"]
                assert self.said(entry, which)[f"{kind}.DisplayName"] == source["displayName"]

    @pytest.mark.parametrize(
        ("granted", "status"), [("AuditLog.Read.All", 200), ("Directory.Read.All", 200), ("User.Read.All", 403)]
    )
    def test_it_takes_one_of_two_permissions(self, world: World, granted: str, status: int) -> None:
        assert world.application([granted]).get(AUDITS).status_code == status

    @pytest.mark.parametrize("role", ["Reports Reader", "Security Reader", "Global Reader"])
    def test_people_need_a_role_besides(self, world: World, role: str) -> None:
        statuses = [world.person(["AuditLog.Read.All"], held).get(AUDITS).status_code for held in ((), (role,))]
        assert statuses == [403, 200]


class TestSignIns:
    def test_a_success_and_a_failure_are_told(self, world: World, admin: GraphClient) -> None:
        consent(world, admin)
        password = world.ready["users"][KOFI]["password"]
        sign_in(world, grant_type="password", username=KOFI, password=password)
        with pytest.raises(AssertionError, match="AADSTS50126"):
            sign_in(world, grant_type="password", username=KOFI, password="wrong")
        failure, success = admin.get(f"{SIGN_INS}?$filter=userPrincipalName eq '{KOFI}'&$top=2").json()["value"]
        assert (success["status"]["errorCode"], failure["status"]["errorCode"]) == (0, 50126)
        assert success["appId"] == failure["appId"] == world.ready["client_id"]
        assert success["resourceDisplayName"] == "Microsoft Graph"
        assert admin.get(f"{SIGN_INS}/{success['id']}").json()["id"] == success["id"]
        failures = admin.get(f"{SIGN_INS}?$filter=status/errorCode ne 0")
        assert failures.status_code == 400, "errorCode is compared by eq alone"
        found = admin.get(f"{SIGN_INS}?$filter=status/errorCode eq 50126").json()["value"]
        assert failure["id"] in {one["id"] for one in found}

    def test_what_took_no_act_of_the_person_is_not_in_it(self, world: World, admin: GraphClient) -> None:
        """learn.microsoft.com/graph/api/signin-list: v1.0 lists the interactive ones."""
        secret = Path(world.ready["client_secret_file"]).read_text(encoding="utf-8")
        before = admin.get(SIGN_INS).json()["value"]
        sign_in(world, grant_type="client_credentials", scope="https://graph.microsoft.com/.default")
        assert admin.get(SIGN_INS).json()["value"] == before
        assert secret not in admin.get(SIGN_INS).text

    def test_it_takes_a_permission(self, world: World) -> None:
        assert world.application(["Directory.Read.All"]).get(SIGN_INS).status_code == 403
        assert world.application(["AuditLog.Read.All"]).get(SIGN_INS).status_code == 200

    def test_nobody_writes_it(self, admin: GraphClient) -> None:
        assert admin.post(SIGN_INS, {}).status_code == 405
