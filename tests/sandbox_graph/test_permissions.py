"""Each operation takes any of Microsoft's permission sets, whole, and nothing else."""

from __future__ import annotations

import random
import re
import uuid
from typing import Any

import pytest
from entra_sandbox.graph.access import taken

from runbook.catalog import Action, actions, permissions
from tests.sandbox_graph.conftest import GraphClient, World

DENIED = {"Authorization_RequestDenied", "AccessDenied"}
GET_ACTIONS = [action for action in actions() if action.method == "GET"]
WRITES = [action for action in actions() if action.method != "GET"]


def denied(response: Any) -> bool:
    """Whether the answer is the 403 of the service that was asked."""
    return response.status_code == 403 and response.json()["error"]["code"] in DENIED


def path_of(action: Action, admin: GraphClient) -> str:
    """The action's path with ids of seeded objects, or unknown ones where a write would do harm."""
    collection = action.path.split("/{")[0]
    if "{" not in action.path:
        return action.path
    if action.effect != "read":
        known = {"/domains": "nowhere.contoso.com"}.get(collection, str(uuid.uuid4()))
        return re.sub(r"\{[^}]*\}", known, action.path)
    first = admin.get(collection).json()["value"][0]["id"]
    return re.sub(r"\{[^}]*\}", first, action.path)


def call(client: GraphClient, action: Action, path: str) -> Any:
    """The request of the action; writes carry the catalogue's example."""
    body = dict(action.body.example) if action.body else None
    return client.request(action.method, path, **({"json": body} if body is not None else {}))


@pytest.mark.parametrize("action", GET_ACTIONS, ids=lambda action: action.slug)
def test_a_read_takes_each_single_application_permission_that_is_documented_and_no_other(
    action: Action, world: World, admin: GraphClient
) -> None:
    path = path_of(action, admin)
    documented = {one[0] for one in action.application.alternatives if len(one) == 1}
    published = [role["value"] for role in world.microsoft_graph()["appRoles"]]
    others = random.Random(action.slug).sample(published, 12)
    for permission in sorted({*others, *taken("application"), *permissions()}):
        answer = world.application([permission]).get(path)
        assert (answer.status_code == 200) == (permission in documented), f"{permission}: {answer.text[:200]}"
        assert answer.status_code == 200 or denied(answer)
    assert denied(world.application([]).get(path))


@pytest.mark.parametrize("action", GET_ACTIONS, ids=lambda action: action.slug)
def test_a_read_takes_each_delegated_set_for_an_administrator(action: Action, world: World, admin: GraphClient) -> None:
    path = path_of(action, admin)
    for one in action.delegated.alternatives:
        assert world.person(one, ["Global Administrator"]).get(path).status_code == 200, one
        for missing in one:
            assert denied(world.person(set(one) - {missing}, ["Global Administrator"]).get(path)), one


@pytest.mark.parametrize("kind", ["delegated", "application"])
@pytest.mark.parametrize("action", WRITES, ids=lambda action: action.slug)
def test_a_write_takes_each_set_and_misses_each_of_its_members(
    action: Action, kind: str, world: World, admin: GraphClient
) -> None:
    path = path_of(action, admin)

    def client(names: Any) -> GraphClient:
        return world.application(names) if kind == "application" else world.person(names, ["Global Administrator"])

    alternatives = getattr(action, kind).alternatives
    assert alternatives
    # On objects that are not there an allowed call gets as far as 400, 404 or 409; what can be made is made.
    for one in alternatives:
        with_set = call(client(one), action, path)
        assert not denied(with_set), f"{one}: {with_set.text[:200]}"
        for missing in one:
            rest = set(one) - {missing}
            if not any(set(other) <= rest for other in alternatives):
                assert denied(call(client(rest), action, path)), one


def test_a_token_without_roles_gets_the_directory_s_403(world: World) -> None:
    answer = world.application([]).get("/users")
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "Insufficient privileges to complete the operation."
    conditional = world.application(["Directory.Read.All"]).get("/identity/conditionalAccess/policies").json()["error"]
    assert conditional["code"] == "AccessDenied"
    assert conditional["message"].endswith("required scopes are missing in the token.")


def test_no_token_a_foreign_one_and_an_old_one_are_unauthorized(world: World) -> None:
    for client, message in (
        (world.anonymous(), "Access token is empty."),
        (world.bearer("abc"), "IDX14100"),
        (world.bearer(world.mint(aud="api://other", idtyp="app", oid="x")), "Invalid audience"),
    ):
        answer = client.get("/users")
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "InvalidAuthenticationToken"
        assert message in answer.json()["error"]["message"]
        assert answer.headers["www-authenticate"].startswith("Bearer ")


def test_an_app_only_token_without_service_principal_is_no_identity(world: World) -> None:
    stranger = {"id": str(uuid.uuid4()), "appId": str(uuid.uuid4())}
    answer = world.application(["User.Read.All"], principal=stranger).get("/users")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Authorization_IdentityNotFound")


def test_me_belongs_to_people(world: World) -> None:
    me = world.person(["User.Read"]).get("/me").json()
    assert me["id"] == world.user()["id"]
    assert world.everything().get("/me").status_code == 400
    assert denied(world.person(["Mail.Read"]).get("/me"))


def test_the_basic_profile_shows_no_more_than_that(world: World) -> None:
    other = world.user("noor.haddad@contoso.com")["id"]
    basic = world.person(["User.ReadBasic.All"]).get(f"/users/{other}").json()
    assert basic["displayName"] == "Noor Haddad"
    assert basic["jobTitle"] is None
    full = world.person(["User.Read.All"]).get(f"/users/{other}").json()
    assert full["jobTitle"] == "Identity Engineer"


def test_user_read_shows_only_the_name_and_domains_of_the_organization(world: World) -> None:
    shown = world.person(["User.Read"]).get("/organization").json()["value"][0]
    assert shown["displayName"] == "Contoso"
    assert shown["verifiedDomains"]
    assert shown["city"] is None


def test_members_that_the_token_may_not_read_show_their_id_alone(world: World, admin: GraphClient) -> None:
    group = admin.get("/groups?$filter=displayName eq 'Engineering'").json()["value"][0]
    member = world.application(["GroupMember.Read.All"]).get(f"/groups/{group['id']}/members").json()["value"][0]
    assert member["@odata.type"] == "#microsoft.graph.user"
    assert member["id"]
    assert member["displayName"] is None


class TestOwnedBy:
    """``Application.ReadWrite.OwnedBy`` writes what the caller owns and reads everything."""

    def test_reaches_what_it_made_and_nothing_else(self, world: World, application: dict[str, Any], name: str) -> None:
        own = world.application(["Application.ReadWrite.OwnedBy"])
        made = own.post("/applications", {"displayName": name}).json()
        assert own.patch(f"/applications/{made['id']}", {"displayName": f"{name}2"}).status_code == 204
        assert own.post(f"/applications/{made['id']}/addPassword", {}).status_code == 200
        assert own.post("/servicePrincipals", {"appId": made["appId"]}).status_code == 201
        assert own.get(f"/applications/{application['id']}").status_code == 200
        assert denied(own.patch(f"/applications/{application['id']}", {"displayName": "mine"}))
        assert denied(own.post(f"/applications/{application['id']}/addPassword", {}))
        assert denied(own.delete(f"/applications/{application['id']}"))
        assert own.delete(f"/applications/{made['id']}").status_code == 204

    def test_becoming_owner_by_link_opens_the_door(
        self, world: World, admin: GraphClient, application: dict[str, Any]
    ) -> None:
        reference = {"@odata.id": f"{world.ready['graph']}/v1.0/directoryObjects/{world.principal()['id']}"}
        assert admin.post(f"/applications/{application['id']}/owners/$ref", reference).status_code == 204
        own = world.application(["Application.ReadWrite.OwnedBy"])
        assert own.patch(f"/applications/{application['id']}", {"notes": "mine"}).status_code == 204


class TestDirectoryRoles:
    """For signed-in people the token's scopes are not enough."""

    def test_plain_members_read_the_directory_but_not_conditional_access(self, world: World) -> None:
        plain = world.person(["Directory.Read.All", "Policy.Read.All"])
        assert plain.get("/users").status_code == 200
        assert plain.get("/oauth2PermissionGrants").status_code == 200
        assert denied(plain.get("/identity/conditionalAccess/policies"))
        reader = world.person(["Policy.Read.All"], ["Security Reader"])
        assert reader.get("/identity/conditionalAccess/policies").status_code == 200

    def test_app_management_policies_are_for_readers_and_administrators(self, world: World) -> None:
        """learn.microsoft.com/graph/api/tenantappmanagementpolicy-get: Global Reader is the least role."""
        for roles, refused in (((), True), (("Application Developer",), True), (("Global Reader",), False)):
            person = world.person(["Policy.Read.All"], roles)
            assert denied(person.get("/policies/defaultAppManagementPolicy")) is refused
            assert denied(person.get("/policies/appManagementPolicies")) is refused

    def test_plain_members_register_and_own_but_do_not_manage_others(
        self, world: World, application: dict[str, Any], name: str
    ) -> None:
        plain = world.person(["Application.ReadWrite.All", "User.ReadWrite.All"])
        made = plain.post("/applications", {"displayName": name}).json()
        assert plain.patch(f"/applications/{made['id']}", {"notes": "mine"}).status_code == 204
        assert denied(plain.patch(f"/applications/{application['id']}", {"notes": "mine"}))
        assert denied(plain.patch(f"/users/{world.user('noor.haddad@contoso.com')['id']}", {"jobTitle": "x"}))
        manager = world.person(["Application.ReadWrite.All"], ["Cloud Application Administrator"])
        assert manager.patch(f"/applications/{application['id']}", {"notes": "theirs"}).status_code == 204

    def test_a_tenant_may_keep_members_from_registering(self, world: World, admin: GraphClient, name: str) -> None:
        path = "/policies/authorizationPolicy"
        admin.patch(path, {"defaultUserRolePermissions": {"allowedToCreateApps": False}})
        try:
            plain = world.person(["Application.ReadWrite.All"])
            assert denied(plain.post("/applications", {"displayName": name}))
            developer = world.person(["Application.ReadWrite.All"], ["Application Developer"])
            assert developer.post("/applications", {"displayName": name}).status_code == 201
        finally:
            admin.patch(path, {"defaultUserRolePermissions": {"allowedToCreateApps": True}})
        kept = admin.get(path).json()["defaultUserRolePermissions"]
        assert kept["allowedToReadOtherUsers"] is True, "a PATCH merges complex values"

    def test_app_roles_of_microsoft_graph_are_given_by_privileged_role_administrators(
        self, world: World, admin: GraphClient, application: dict[str, Any]
    ) -> None:
        principal = admin.post("/servicePrincipals", {"appId": application["appId"]}).json()
        graph = world.microsoft_graph()
        role = next(role["id"] for role in graph["appRoles"] if role["value"] == "User.Read.All")
        body = {"principalId": principal["id"], "resourceId": graph["id"], "appRoleId": role}
        scopes = ["AppRoleAssignment.ReadWrite.All", "Application.Read.All"]
        path = f"/servicePrincipals/{graph['id']}/appRoleAssignedTo"
        assert denied(world.person(scopes, ["Cloud Application Administrator"]).post(path, body))
        assert world.person(scopes, ["Privileged Role Administrator"]).post(path, body).status_code == 201

    def test_consent_for_everybody_takes_an_administrator_of_applications(
        self, world: World, admin: GraphClient, application: dict[str, Any]
    ) -> None:
        principal = admin.post("/servicePrincipals", {"appId": application["appId"]}).json()
        body = {
            "clientId": principal["id"],
            "consentType": "AllPrincipals",
            "resourceId": world.microsoft_graph()["id"],
            "scope": "User.Read",
        }
        scopes = ["DelegatedPermissionGrant.ReadWrite.All"]
        for roles in ((), ("Application Developer",)):
            assert denied(world.person(scopes, roles).post("/oauth2PermissionGrants", body))
        manager = world.person(scopes, ["Application Administrator"])
        assert manager.post("/oauth2PermissionGrants", body).status_code == 201

    def test_administrators_are_changed_by_their_betters_alone(self, world: World, name: str) -> None:
        administrator = world.user("noor.haddad@contoso.com")["id"]
        change = {"mobilePhone": "+31 6 5550 0000"}
        assert denied(world.application(["User.ReadWrite.All"]).patch(f"/users/{administrator}", change))
        users = world.person(["User.ReadWrite.All"], ["User Administrator"])
        assert denied(users.patch(f"/users/{administrator}", change))
        assert users.patch(f"/users/{administrator}", {"officeLocation": name}).status_code == 204


class TestMembersByKind:
    """``Add Group Member`` needs more for some kinds of members and groups."""

    def test_devices_and_service_principals_need_a_permission_of_their_own(
        self, world: World, admin: GraphClient, group: dict[str, Any]
    ) -> None:
        device = admin.get("/devices?$top=1").json()["value"][0]["id"]
        principal = world.principal()["id"]
        path = f"/groups/{group['id']}/members/$ref"
        for target, extra in ((device, "Device.ReadWrite.All"), (principal, "Application.ReadWrite.All")):
            body = {"@odata.id": f"{world.ready['graph']}/v1.0/directoryObjects/{target}"}
            assert denied(world.application(["GroupMember.ReadWrite.All"]).post(path, body))
            assert world.application(["GroupMember.ReadWrite.All", extra]).post(path, body).status_code == 204
        listed = admin.get(f"/groups/{group['id']}/members").json()["value"]
        assert [one["id"] for one in listed] == [device], "v1.0 does not list service principals"

    def test_role_assignable_groups_need_the_permission_to_manage_roles(
        self, world: World, admin: GraphClient, user: dict[str, Any]
    ) -> None:
        tier = admin.get("/groups?$filter=displayName eq 'Tier 0 Administrators'").json()["value"][0]
        path = f"/groups/{tier['id']}/members/$ref"
        body = {"@odata.id": f"{world.ready['graph']}/v1.0/directoryObjects/{user['id']}"}
        assert denied(world.application(["GroupMember.ReadWrite.All"]).post(path, body))
        both = world.application(["GroupMember.ReadWrite.All", "RoleManagement.ReadWrite.Directory"])
        assert both.post(path, body).status_code == 204


def test_single_properties_of_a_user_have_permissions_of_their_own(world: World, user: dict[str, Any]) -> None:
    path = f"/users/{user['id']}"
    phone = world.application(["User-Phone.ReadWrite.All"])
    assert phone.patch(path, {"mobilePhone": "+31 6 5550 0001"}).status_code == 204
    assert denied(phone.patch(path, {"jobTitle": "x"}))
    assert denied(world.application(["User.EnableDisableAccount.All"]).patch(path, {"accountEnabled": False}))
    both = world.application(["User.EnableDisableAccount.All", "User.Read.All"])
    assert both.patch(path, {"accountEnabled": False}).status_code == 204


def test_people_see_their_own_app_roles_and_grants(
    world: World, admin: GraphClient, application: dict[str, Any]
) -> None:
    user = world.user()
    resource = admin.post("/servicePrincipals", {"appId": application["appId"]}).json()
    default = "00000000-0000-0000-0000-000000000000"
    role = {"principalId": user["id"], "resourceId": resource["id"], "appRoleId": default}
    assigned = admin.post(f"/users/{user['id']}/appRoleAssignments", role).json()
    scope = {"clientId": resource["id"], "consentType": "Principal", "principalId": user["id"], "scope": "User.Read"}
    granted = admin.post("/oauth2PermissionGrants", {**scope, "resourceId": world.microsoft_graph()["id"]}).json()
    me = world.person(["Directory.Read.All"])
    assert assigned["id"] in [one["id"] for one in me.get("/me/appRoleAssignments").json()["value"]]
    assert granted["id"] in [one["id"] for one in me.get("/me/oauth2PermissionGrants").json()["value"]]


class TestTheDirectoryAsTheUser:
    """learn.microsoft.com/graph/permissions-reference: Directory.AccessAsUser.All, what the person may do."""

    SCOPE = ("Directory.AccessAsUser.All",)

    @pytest.mark.parametrize("path", ["/users", "/groups", "/applications", "/servicePrincipals", "/devices", "/me"])
    def test_it_reads_what_a_member_reads(self, world: World, path: str) -> None:
        assert world.person(self.SCOPE).get(path).status_code == 200

    def test_it_changes_what_the_persons_role_allows(self, world: World, group: dict[str, Any]) -> None:
        statuses = [
            world.person(self.SCOPE, roles).patch(f"/groups/{group['id']}", {"description": "x"}).status_code
            for roles in ((), ("Groups Administrator",))
        ]
        assert statuses == [403, 204]

    @pytest.mark.parametrize("path", ["/identity/conditionalAccess/policies", "/policies/authorizationPolicy"])
    def test_it_is_of_the_directory_alone(self, world: World, path: str) -> None:
        assert denied(world.person(self.SCOPE, ["Global Administrator"]).get(path))

    def test_there_is_no_such_application_permission(self, world: World) -> None:
        assert denied(world.application(self.SCOPE).get("/users"))
