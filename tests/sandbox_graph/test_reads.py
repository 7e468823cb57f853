"""Every GET of the service answers, and answers in Microsoft's shape."""

from __future__ import annotations

import pytest

from tests.sandbox_graph.conftest import EVENTUAL, GraphClient, World

COLLECTIONS = (
    "/users",
    "/groups",
    "/devices",
    "/applications",
    "/servicePrincipals",
    "/directoryRoles",
    "/directoryRoleTemplates",
    "/domains",
    "/organization",
    "/oauth2PermissionGrants",
    "/subscribedSkus",
    "/identity/conditionalAccess/policies",
    "/identity/conditionalAccess/namedLocations",
    "/roleManagement/directory/roleAssignments",
    "/roleManagement/directory/roleDefinitions",
)


@pytest.mark.parametrize("path", COLLECTIONS)
def test_each_collection_lists_objects_that_can_be_read_one_by_one(admin: GraphClient, path: str) -> None:
    listed = admin.get(path).json()["value"]
    assert listed
    if path != "/subscribedSkus":
        one = admin.get(f"{path}/{listed[0]['id']}").json()
        assert one["id"] == listed[0]["id"]


@pytest.mark.parametrize(
    "path",
    [
        "/policies/defaultAppManagementPolicy",
        "/policies/authorizationPolicy",
        "/policies/identitySecurityDefaultsEnforcementPolicy",
        "/policies/adminConsentRequestPolicy",
        "/identity/conditionalAccess/deletedItems/policies",
        "/identity/conditionalAccess/deletedItems/namedLocations",
        "/directory/deletedItems/microsoft.graph.application",
        "/directory/deletedItems/graph.servicePrincipal",
        "/directory/deletedItems/graph.user",
        "/directory/deletedItems/graph.group",
        "/domains/contoso.com/verificationDnsRecords",
        "/domains/contoso.com/serviceConfigurationRecords",
    ],
)
def test_every_other_read_answers(admin: GraphClient, path: str) -> None:
    assert admin.get(path).status_code == 200


def test_relationships_list_directory_objects_with_their_types(admin: GraphClient, world: World) -> None:
    group = admin.get("/groups?$filter=displayName eq 'Engineering'").json()["value"][0]
    members = admin.get(f"/groups/{group['id']}/members").json()["value"]
    assert {one["@odata.type"] for one in members} == {"#microsoft.graph.user"}
    device = admin.get("/devices?$top=1").json()["value"][0]
    for link in ("memberOf", "registeredOwners", "registeredUsers"):
        assert admin.get(f"/devices/{device['id']}/{link}").status_code == 200
    role = admin.get("/directoryRoles?$filter=displayName eq 'Global Administrator'").json()["value"][0]
    administrators = admin.get(f"/directoryRoles/{role['id']}/members").json()["value"]
    assert world.user("noor.haddad@contoso.com")["id"] in {one["id"] for one in administrators}
    application = admin.get("/applications?$filter=displayName eq 'Payroll Connector'").json()["value"][0]
    assert len(admin.get(f"/applications/{application['id']}/owners").json()["value"]) == 1


def test_alternate_keys_and_casing_lead_to_the_same_object(admin: GraphClient, world: World) -> None:
    graph = world.microsoft_graph()["id"]
    for path in (
        f"/servicePrincipals/{graph}",
        "/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')",
        "/SERVICEPRINCIPALS(AppID='00000003-0000-0000-C000-000000000000')",
        f"//servicePrincipals/{graph.upper()}",
        f"/myorganization/servicePrincipals/{graph}",
        f"/servicePrincipals('{graph}')",
    ):
        assert admin.get(path).json()["id"] == graph
    device = admin.get("/devices?$top=1").json()["value"][0]
    assert admin.get(f"/devices(deviceId='{device['deviceId']}')").json()["id"] == device["id"]
    role = admin.get("/directoryRoles").json()["value"][0]
    assert admin.get(f"/directoryRoles(roleTemplateId='{role['roleTemplateId']}')").json()["id"] == role["id"]
    person = world.user()
    assert admin.get(f"/users/{person['userPrincipalName'].upper()}").json()["id"] == person["id"]


def test_a_property_can_be_read_alone_and_raw(admin: GraphClient, world: World) -> None:
    person = world.user()["userPrincipalName"]
    assert admin.get(f"/users/{person}/displayName").json()["value"] == "Ines Moreau"
    assert admin.get(f"/users/{person}/displayName/$value").text == "Ines Moreau"
    scopes = admin.get(f"/servicePrincipals/{world.microsoft_graph()['id']}/oauth2PermissionScopes").json()["value"]
    assert "User.Read" in {scope["value"] for scope in scopes}


def test_a_user_shows_the_default_properties_and_selected_ones_on_demand(admin: GraphClient, world: World) -> None:
    person = f"/users/{world.user()['id']}"
    assert "department" not in admin.get(person).json()
    assert admin.get(f"{person}?$select=department,ID").json().keys() == {"@odata.context", "department", "id"}


def test_addresses_in_answers_follow_the_host_header(admin: GraphClient, world: World) -> None:
    host = f"127.0.0.1:{world.services.addresses.ports[0]}"
    body = admin._http.get("/v1.0/users?$top=1", headers={**admin._headers, "Host": host}).json()
    assert body["@odata.context"] == f"https://{host}/v1.0/$metadata#users"
    assert body["@odata.nextLink"].startswith(f"https://{host}/v1.0/users?$top=1&$skiptoken=")


def test_counts_of_collections_and_relationships_need_the_header(admin: GraphClient) -> None:
    group = admin.get("/groups?$filter=displayName eq 'Engineering'").json()["value"][0]
    for path in (
        "/users",
        "/groups",
        "/devices",
        "/applications",
        "/servicePrincipals",
        f"/groups/{group['id']}/members",
    ):
        refused = admin.get(f"{path}/$count")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "Request_BadRequest")
        assert int(admin.get(f"{path}/$count", headers=EVENTUAL).text) > 0
