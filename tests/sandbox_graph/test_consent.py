"""Service principals, assignments of app roles and grants: consent by writing it down."""

from __future__ import annotations

import uuid
from typing import Any

from tests.sandbox_graph.conftest import GraphClient, World, code


class TestServicePrincipals:
    def test_one_for_each_application(self, admin: GraphClient, principal: dict[str, Any]) -> None:
        again = admin.post("/servicePrincipals", {"appId": principal["appId"]})
        assert code(again) == (409, "Request_MultipleObjectsWithSameKeyValue")
        assert again.json()["error"]["details"][0] | {"message": ""} == {
            "code": "ObjectConflict",
            "message": "",
            "target": "servicePrincipalNames",
        }
        unknown = admin.post("/servicePrincipals", {"appId": str(uuid.uuid4())})
        assert "does not reference a valid application object" in unknown.json()["error"]["message"]

    def test_follows_its_application(
        self, admin: GraphClient, application: dict[str, Any], principal: dict[str, Any]
    ) -> None:
        changes = {"displayName": "Renamed", "web": {"redirectUris": ["https://contoso.com/cb"]}}
        admin.patch(f"/applications/{application['id']}", changes)
        shown = admin.get(f"/servicePrincipals/{principal['id']}").json()
        assert (shown["appDisplayName"], shown["replyUrls"]) == ("Renamed", ["https://contoso.com/cb"])
        assert (
            code(admin.patch(f"/servicePrincipals/{principal['id']}", {"signInAudience": "AzureADMultipleOrgs"}))[0]
            == 400
        )
        assert (
            admin.patch(f"/servicePrincipals/{principal['id']}", {"appRoleAssignmentRequired": True}).status_code == 204
        )

    def test_copies_another_tenant_s_multi_tenant_application(self, admin: GraphClient) -> None:
        foreign = admin.get("/servicePrincipals?$filter=displayName eq 'Litware Expenses'").json()["value"][0]
        assert foreign["appOwnerOrganizationId"] != admin.get("/organization").json()["value"][0]["id"]
        assert admin.get(f"/applications(appId='{foreign['appId']}')").status_code == 404, (
            "the registration is elsewhere"
        )


class TestConsent:
    def test_an_app_role_is_assigned_once_and_seen_from_both_ends(
        self, admin: GraphClient, world: World, principal: dict[str, Any]
    ) -> None:
        graph = world.microsoft_graph()
        role = next(one["id"] for one in graph["appRoles"] if one["value"] == "Group.Read.All")
        body = {"principalId": principal["id"], "resourceId": graph["id"], "appRoleId": role}
        made = admin.post(f"/servicePrincipals/{graph['id']}/appRoleAssignedTo", body).json()
        assert made["principalDisplayName"] == principal["displayName"]
        again = admin.post(f"/servicePrincipals/{principal['id']}/appRoleAssignments", body)
        assert again.json()["error"]["message"] == "Permission being assigned already exists on the object"
        for path in (f"{principal['id']}/appRoleAssignments", f"{graph['id']}/appRoleAssignedTo"):
            assert made["id"] in {one["id"] for one in admin.get(f"/servicePrincipals/{path}").json()["value"]}
        unknown = {**body, "appRoleId": str(uuid.uuid4())}
        assert admin.post(f"/servicePrincipals/{graph['id']}/appRoleAssignedTo", unknown).status_code == 400
        nobody = {**body, "principalId": str(uuid.uuid4())}
        answer = admin.post(f"/servicePrincipals/{graph['id']}/appRoleAssignedTo", nobody)
        assert "Not a valid reference update" in answer.json()["error"]["message"]
        assert admin.delete(f"/servicePrincipals/{principal['id']}/appRoleAssignments/{made['id']}").status_code == 204
        assert admin.get(f"/servicePrincipals/{principal['id']}/appRoleAssignments").json()["value"] == []

    def test_users_get_roles_also_through_their_groups(
        self, admin: GraphClient, user: dict[str, Any], group: dict[str, Any]
    ) -> None:
        portal = admin.get("/servicePrincipals?$filter=displayName eq 'Intranet Portal'").json()["value"][0]
        role = portal["appRoles"][0]["id"]
        direct = {"principalId": user["id"], "resourceId": portal["id"], "appRoleId": role}
        assert admin.post(f"/users/{user['id']}/appRoleAssignments", direct).status_code == 201
        through = {"principalId": group["id"], "resourceId": portal["id"], "appRoleId": role}
        assert admin.post(f"/servicePrincipals/{portal['id']}/appRoleAssignedTo", through).status_code == 201
        admin.post(f"/groups/{group['id']}/members/$ref", {"@odata.id": f"https://x/v1.0/users/{user['id']}"})
        listed = admin.get(f"/users/{user['id']}/appRoleAssignments").json()["value"]
        assert {one["principalType"] for one in listed} == {"User", "Group"}

    def test_a_group_gets_a_role_at_its_own_address(self, admin: GraphClient, group: dict[str, Any]) -> None:
        """learn.microsoft.com/graph/api/group-post-approleassignments"""
        portal = admin.get("/servicePrincipals?$filter=displayName eq 'Intranet Portal'").json()["value"][0]
        place = f"/groups/{group['id']}/appRoleAssignments"
        body = {"principalId": group["id"], "resourceId": portal["id"], "appRoleId": portal["appRoles"][0]["id"]}
        made = admin.post(place, body)
        assert (made.status_code, made.json()["principalType"]) == (201, "Group")
        assert [one["id"] for one in admin.get(place).json()["value"]] == [made.json()["id"]]
        other = {**body, "principalId": portal["id"]}
        assert admin.post(place, other).status_code == 400
        assert admin.delete(f"{place}/{made.json()['id']}").status_code == 204
        told = admin.get(
            "/auditLogs/directoryAudits", params={"$filter": f"targetResources/any(t:t/id eq '{group['id']}')"}
        ).json()["value"]
        names = [one["activityDisplayName"] for one in told[:2]]
        assert names == ["Remove app role assignment from group", "Add app role assignment to group"]

    def test_what_a_service_principal_owns_is_listed(
        self, admin: GraphClient, world: World, application: dict[str, Any], principal: dict[str, Any]
    ) -> None:
        """learn.microsoft.com/graph/api/serviceprincipal-list-ownedobjects"""
        reference = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{principal['id']}"}
        assert admin.post(f"/applications/{application['id']}/owners/$ref", reference).status_code == 204
        (owned,) = admin.get(f"/servicePrincipals/{principal['id']}/ownedObjects").json()["value"]
        assert (owned["@odata.type"], owned["id"]) == ("#microsoft.graph.application", application["id"])
        reader = world.application(["User.Read.All"])
        assert reader.get(f"/servicePrincipals/{principal['id']}/ownedObjects").status_code == 403

    def test_a_grant_is_one_for_client_resource_and_kind_and_its_scope_is_replaced_whole(
        self, admin: GraphClient, world: World, principal: dict[str, Any]
    ) -> None:
        graph = world.microsoft_graph()["id"]
        body = {"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": graph, "scope": "User.Read"}
        made = admin.post("/oauth2PermissionGrants", body).json()
        assert code(admin.post("/oauth2PermissionGrants", body)) == (409, "Request_MultipleObjectsWithSameKeyValue")
        path = f"/oauth2PermissionGrants/{made['id']}"
        assert admin.patch(path, {"scope": "Group.Read.All"}).status_code == 204
        assert admin.get(path).json()["scope"] == "Group.Read.All"
        assert code(admin.patch(path, {"scope": "a" * 3851}))[0] == 400
        assert code(admin.patch(path, {"clientId": str(uuid.uuid4())}))[0] == 400
        one = {**body, "consentType": "Principal", "principalId": world.user()["id"]}
        assert admin.post("/oauth2PermissionGrants", one).status_code == 201
        assert admin.post("/oauth2PermissionGrants", {**body, "consentType": "Principal"}).status_code == 400
        nobody = {**body, "clientId": str(uuid.uuid4())}
        assert code(admin.post("/oauth2PermissionGrants", nobody)) == (404, "Directory_ObjectNotFound")
        assert admin.delete(path).status_code == 204

    def test_federated_credentials_are_unique_in_an_application(
        self, admin: GraphClient, application: dict[str, Any]
    ) -> None:
        path = f"/applications/{application['id']}/federatedIdentityCredentials"
        body = {"name": "ci", "issuer": "https://issuer.contoso.com", "subject": "repo:a", "audiences": ["api://x"]}
        made = admin.post(path, body).json()
        assert admin.get(f"{path}/ci").json()["id"] == made["id"]
        assert admin.post(path, body).status_code == 409
        assert admin.post(path, {**body, "name": "other"}).status_code == 400
        assert admin.patch(f"{path}/{made['id']}", {"subject": "repo:b"}).status_code == 204
        assert [one["subject"] for one in admin.get(path).json()["value"]] == ["repo:b"]
        assert admin.delete(f"{path}/{made['id']}").status_code == 204


def test_assignments_and_grants_expand_on_their_service_principal(
    admin: GraphClient, world: World, principal: dict[str, Any]
) -> None:
    wanted = "appRoleAssignments,oauth2PermissionGrants"
    found = admin.get(f"/servicePrincipals(appId='{world.ready['client_id']}')?$expand={wanted}").json()
    assert {one["principalId"] for one in found["appRoleAssignments"]} == {world.principal()["id"]}
    place = f"/servicePrincipals/{principal['id']}?$expand={wanted}"
    assert admin.get(place).json()["oauth2PermissionGrants"] == []
    grant = {"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": world.microsoft_graph()["id"]}
    made = admin.post("/oauth2PermissionGrants", {**grant, "scope": "User.Read"}).json()
    assert [one["id"] for one in admin.get(place).json()["oauth2PermissionGrants"]] == [made["id"]]
    graph = admin.get(f"/servicePrincipals/{world.microsoft_graph()['id']}?$expand=appRoleAssignedTo").json()
    assert {one["resourceId"] for one in graph["appRoleAssignedTo"]} == {graph["id"]}
