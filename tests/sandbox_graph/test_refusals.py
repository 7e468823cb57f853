"""What the directory refuses, from the pages of the reference: groups, their owners, roles."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.sandbox_graph.conftest import EVENTUAL, GraphClient, World

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


class TestApplications:
    """learn.microsoft.com/entra/identity-platform/identifier-uri-restrictions, …/graph/api/resources/apiapplication"""

    def uris(self, admin: GraphClient, application: dict[str, Any], *uris: str) -> tuple[int, str]:
        answer = admin.patch(f"/applications/{application['id']}", {"identifierUris": list(uris)})
        return message(answer)

    def test_an_identifier_uri_is_of_a_verified_domain_or_names_the_application_or_tenant(
        self, admin: GraphClient, application: dict[str, Any], world: World
    ) -> None:
        own, tenant, name = application["appId"], world.tenant, application["displayName"]
        for uri in (
            f"api://{own}",
            f"api://{tenant}/{name}",
            f"api://{name}/{own}",
            f"https://contoso.com/{name}",
            f"https://sub.contoso.com/{name}",
            f"https://contoso.onmicrosoft.com/{name}",
            f"api://sub.contoso.com/{name}",
            f"urn:{name}",
        ):
            assert self.uris(admin, application, uri) == (204, "")

    @pytest.mark.parametrize(
        "uri", ["https://example.com/x", "https://contoso-labs.com/x", "https://notcontoso.com/x", "api://something"]
    )
    def test_one_of_a_domain_that_is_not_verified_is_refused(
        self, admin: GraphClient, application: dict[str, Any], uri: str
    ) -> None:
        status, text = self.uris(admin, application, uri)
        assert status == 400
        assert text.startswith("Values of identifierUris property must use a verified domain of the organization")

    def test_an_audience_with_personal_accounts_needs_tokens_of_version_2(self, admin: GraphClient, name: str) -> None:
        body = {"displayName": name, "signInAudience": "AzureADandPersonalMicrosoftAccount"}
        assert admin.post("/applications", body).json()["api"]["requestedAccessTokenVersion"] == 2
        first = {**body, "api": {"requestedAccessTokenVersion": 1}}
        assert message(admin.post("/applications", first))[1] == "Property api.requestedAccessTokenVersion is invalid."
        place = f"/applications/{admin.post('/applications', {'displayName': name}).json()['id']}"
        audience = {"signInAudience": "AzureADandPersonalMicrosoftAccount"}
        assert admin.patch(place, audience).status_code == 400
        assert admin.patch(place, {**audience, "api": {"requestedAccessTokenVersion": 2}}).status_code == 204

    @pytest.mark.parametrize(
        ("roles", "audience", "status"),
        [
            ((), "AzureADMyOrg", 403),
            (("Application Developer",), "AzureADMyOrg", 201),
            (("Application Developer",), "AzureADMultipleOrgs", 403),
            (("Cloud Application Administrator",), "AzureADMultipleOrgs", 201),
        ],
    )
    def test_a_service_principal_asks_for_a_role_besides_ownership(
        self, world: World, name: str, roles: tuple[str, ...], audience: str, status: int
    ) -> None:
        """learn.microsoft.com/graph/api/serviceprincipal-post-serviceprincipals"""
        person = world.person(["Application.ReadWrite.All"], roles)
        made = person.post("/applications", {"displayName": name, "signInAudience": audience}).json()
        assert person.post("/servicePrincipals", {"appId": made["appId"]}).status_code == status

    @pytest.mark.parametrize(
        ("value", "status"),
        [("a.b:/[<x>]", 204), ("a" * 120, 204), ("a b", 400), ('a"b', 400), (".a", 400), ("a" * 121, 400)],
    )
    def test_an_app_role_has_a_value_that_a_token_may_carry(
        self, admin: GraphClient, application: dict[str, Any], value: str, status: int
    ) -> None:
        """learn.microsoft.com/graph/api/resources/approle"""
        change = {"appRoles": [self.role(value)]}
        assert admin.patch(f"/applications/{application['id']}", change).status_code == status

    def test_two_app_roles_have_two_values(self, admin: GraphClient, application: dict[str, Any]) -> None:
        answer = admin.patch(f"/applications/{application['id']}", {"appRoles": [self.role("a"), self.role("a")]})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "DuplicateValue")

    def role(self, value: str) -> dict[str, Any]:
        words = {"displayName": "Role", "description": "Role", "value": value}
        return {**words, "id": str(uuid.uuid4()), "isEnabled": True, "allowedMemberTypes": ["User"]}

    @pytest.mark.parametrize(
        ("claims", "status"), [("All", 204), ("SecurityGroup, DirectoryRole", 204), ("Every", 400)]
    )
    def test_claims_of_groups_are_those_that_the_page_names(
        self, admin: GraphClient, application: dict[str, Any], claims: str, status: int
    ) -> None:
        place = f"/applications/{application['id']}"
        assert admin.patch(place, {"groupMembershipClaims": claims}).status_code == status

    def test_limits_of_what_an_application_requests(self, admin: GraphClient, application: dict[str, Any]) -> None:
        """learn.microsoft.com/entra/identity-platform/supported-accounts-validation"""

        def apis(count: int, each: int = 1) -> dict[str, Any]:
            one = [{"id": str(uuid.UUID(int=number)), "type": "Scope"} for number in range(1, each + 1)]
            listed = [{"resourceAppId": str(uuid.UUID(int=api)), "resourceAccess": one} for api in range(1, count + 1)]
            return {"requiredResourceAccess": listed}

        place = f"/applications/{application['id']}"
        sizes = ((50,), (51,), (1, 400), (1, 401), (2, 200))
        statuses = [admin.patch(place, apis(*size)).status_code for size in sizes]
        assert statuses == [204, 400, 204, 400, 204]
        uris = [f"https://contoso.com/{number}" for number in range(257)]
        sent = [{"web": {"redirectUris": uris[:256]}}, {"web": {"redirectUris": uris}}]
        assert [admin.patch(place, one).status_code for one in sent] == [204, 400]
        both = {"web": {"redirectUris": uris[:200]}, "spa": {"redirectUris": uris[200:]}}
        assert admin.patch(place, both).status_code == 400, "256 of all platforms together"

    def test_ids_are_one_in_any_casing(self, admin: GraphClient, application: dict[str, Any], world: World) -> None:
        graph = world.microsoft_graph()["appId"]
        place = f"/applications/{application['id'].upper()}"
        one = {"id": str(uuid.uuid4()).upper(), "type": "Scope"}
        entry = {"resourceAppId": "AAAAAAAA-0000-4000-8000-000000000001", "resourceAccess": [one]}
        assert admin.patch(place, {"requiredResourceAccess": [entry]}).status_code == 204
        kept = admin.get(f"/applications(appId='{application['appId'].upper()}')").json()["requiredResourceAccess"]
        assert kept[0]["resourceAccess"][0]["id"] == one["id"].lower()
        twice = [entry, {**entry, "resourceAppId": entry["resourceAppId"].lower()}]
        assert admin.patch(place, {"requiredResourceAccess": twice}).status_code == 400
        assert admin.get(f"/servicePrincipals(appId='{graph.upper()}')").status_code == 200


def test_a_grants_scope_has_3850_characters_at_most(
    admin: GraphClient, application: dict[str, Any], world: World
) -> None:
    """learn.microsoft.com/graph/api/resources/oauth2permissiongrant"""
    client = admin.post("/servicePrincipals", {"appId": application["appId"]}).json()["id"]
    grant = {"clientId": client, "consentType": "AllPrincipals", "resourceId": world.microsoft_graph()["id"]}
    assert admin.post("/oauth2PermissionGrants", {**grant, "scope": "a" * 3851}).status_code == 400
    made = admin.post("/oauth2PermissionGrants", {**grant, "scope": "a" * 3850})
    assert made.status_code == 201
    assert admin.patch(f"/oauth2PermissionGrants/{made.json()['id']}", {"scope": "b" * 3851}).status_code == 400


class TestUsers:
    """learn.microsoft.com/graph/api/resources/user"""

    def test_a_text_is_cleared_by_null_and_not_by_an_empty_one(self, admin: GraphClient, user: dict[str, Any]) -> None:
        place = f"/users/{user['id']}"
        assert admin.patch(place, {"jobTitle": "Engineer"}).status_code == 204
        assert admin.patch(place, {"jobTitle": ""}).status_code == 400
        assert admin.get(f"{place}?$select=jobTitle").json()["jobTitle"] == "Engineer"
        assert admin.patch(place, {"jobTitle": None}).status_code == 204

    def test_one_business_phone(self, admin: GraphClient, user: dict[str, Any]) -> None:
        place = f"/users/{user['id']}"
        sent = (["+31 30 1"], ["+31 30 1", "+31 30 2"], [])
        assert [admin.patch(place, {"businessPhones": one}).status_code for one in sent] == [204, 400, 204]

    @pytest.mark.parametrize(
        ("name", "most"),
        [
            *((name, 64) for name in ("givenName", "surname", "department", "companyName", "mailNickname")),
            *((name, 64) for name in ("mobilePhone", "faxNumber")),
            *((name, 128) for name in ("jobTitle", "city", "country", "state", "officeLocation")),
            *(("postalCode", 40), ("streetAddress", 1024), ("employeeId", 16), ("displayName", 256)),
        ],
    )
    def test_texts_have_their_documented_length(
        self, admin: GraphClient, user: dict[str, Any], name: str, most: int
    ) -> None:
        place = f"/users/{user['id']}"
        assert [admin.patch(place, {name: "a" * size}).status_code for size in (most, most + 1)] == [204, 400]

    @pytest.mark.parametrize(
        ("field", "taken", "refused"),
        [
            (
                "otherMails",
                [f"{number}@example.com" for number in range(250)],
                [f"{n}@example.com" for n in range(251)],
            ),
            ("otherMails", ["a@example.com"], ["no address"]),
            ("onPremisesExtensionAttributes", {"extensionAttribute1": "a" * 1024}, {"extensionAttribute2": "a" * 1025}),
            ("ageGroup", "NotAdult", "Old"),
            ("consentProvidedForMinor", "NotRequired", "Perhaps"),
            ("passwordPolicies", "DisablePasswordExpiration, DisableStrongPassword", "DisableEverything"),
            ("preferredLanguage", "en-US", "plain English"),
            ("mail", "someone@example.com", "müller@example.com"),
            ("usageLocation", "NL", "NLD"),
            ("userType", "Guest", "Visitor"),
        ],
    )
    def test_values_are_those_that_the_page_names(
        self, admin: GraphClient, user: dict[str, Any], field: str, taken: Any, refused: Any
    ) -> None:
        place = f"/users/{user['id']}"
        answers = [admin.patch(place, {field: value}) for value in (taken, refused)]
        assert [one.status_code for one in answers] == [204, 400]
        assert answers[1].json()["error"]["target"] == field

    def test_what_sharepoint_keeps_comes_by_itself_and_from_people(
        self, admin: GraphClient, world: World, user: dict[str, Any]
    ) -> None:
        """learn.microsoft.com/graph/api/user-update"""
        place = f"/users/{user['id']}"
        person = world.person(["User.ReadWrite.All"], ["User Administrator"])
        bodies = ({"aboutMe": "x", "jobTitle": "y"}, {"aboutMe": "x", "skills": ["y"]}, {"jobTitle": "y"})
        assert [person.patch(place, one).status_code for one in bodies] == [400, 204, 204]
        assert [admin.patch(place, {name: None}).status_code for name in ("aboutMe", "employeeHireDate")] == [403, 403]

    @pytest.mark.parametrize("field", ["aboutMe", "skills", "hireDate", "mailboxSettings"])
    def test_what_no_list_can_show_is_not_implemented_there(
        self, admin: GraphClient, user: dict[str, Any], field: str
    ) -> None:
        """learn.microsoft.com/graph/api/user-list"""
        answer = admin.get(f"/users?$select=id,{field}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (501, "NotImplemented")
        assert admin.get(f"/users/{user['id']}?$select=id,{field}").status_code == 200

    @pytest.mark.parametrize("change", [{"onPremisesImmutableId": "x"}, {"businessPhones": ["+31 30 1"]}])
    def test_sensitive_properties_of_an_administrator_take_the_directory_as_the_user(
        self, world: World, change: dict[str, Any]
    ) -> None:
        """learn.microsoft.com/graph/api/resources/users, who can perform sensitive actions"""
        held = {name: one["roles"] for name, one in world.ready["users"].items()}
        place = next(f"/users/{name}" for name, roles in held.items() if "Application Developer" in roles)
        for granted, status in (("User.ReadWrite.All", 403), ("Directory.AccessAsUser.All", 204)):
            person = world.person([granted], ["Privileged Authentication Administrator", "User Administrator"])
            assert person.patch(place, change).status_code == status


@pytest.mark.parametrize(
    ("path", "name", "most"),
    [("/applications", "description", 1024), ("/servicePrincipals", "notes", 1024), ("/groups", "displayName", 256)],
)
def test_texts_of_other_types_have_their_documented_length(
    admin: GraphClient, group: dict[str, Any], application: dict[str, Any], path: str, name: str, most: int
) -> None:
    made = {"/groups": group, "/applications": application}.get(path)
    made = made or admin.post("/servicePrincipals", {"appId": application["appId"]}).json()
    place = f"{path}/{made['id']}"
    assert [admin.patch(place, {name: "a" * size}).status_code for size in (most, most + 1)] == [204, 400]


@pytest.mark.parametrize(
    ("kind", "taken", "refused"),
    [
        ("applications", {"api": {"requestedAccessTokenVersion": 2}}, {"api": {"requestedAccessTokenVersion": 3}}),
        ("servicePrincipals", {"preferredSingleSignOnMode": "saml"}, {"preferredSingleSignOnMode": "magic"}),
    ],
)
def test_values_of_applications_are_those_that_the_pages_name(
    admin: GraphClient, application: dict[str, Any], kind: str, taken: dict[str, Any], refused: dict[str, Any]
) -> None:
    """learn.microsoft.com/graph/api/resources/apiapplication, serviceprincipal"""
    principal = admin.post("/servicePrincipals", {"appId": application["appId"]}).json()
    place = f"/{kind}/{principal['id'] if kind == 'servicePrincipals' else application['id']}"
    assert [admin.patch(place, one).status_code for one in (taken, refused)] == [204, 400]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "a" * 120}, 201),
        ({"name": "a" * 121}, 400),
        ({"name": "a/b"}, 400),
        ({"subject": "s" * 601}, 400),
        ({"description": "d" * 601}, 400),
        ({"audiences": ["a", "b"]}, 400),
    ],
)
def test_a_federated_credential_has_its_documented_form(
    admin: GraphClient, application: dict[str, Any], change: dict[str, Any], status: int
) -> None:
    """learn.microsoft.com/graph/api/resources/federatedidentitycredential"""
    body = {"name": "ci", "issuer": "https://ci.example", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}
    answer = admin.post(f"/applications/{application['id']}/federatedIdentityCredentials", {**body, **change})
    assert answer.status_code == status


class TestConditionalAccess:
    """learn.microsoft.com/graph/api/conditionalaccesspolicy-update"""

    PLACE = "/identity/conditionalAccess/policies"

    def policy(self, name: str, **users: Any) -> dict[str, Any]:
        conditions = {
            "clientAppTypes": ["all"],
            "applications": {"includeApplications": ["All"]},
            "users": {"includeUsers": ["None"], **users},
        }
        grant = {"operator": "OR", "builtInControls": ["mfa"]}
        return {"displayName": name, "state": "disabled", "conditions": conditions, "grantControls": grant}

    def test_a_part_of_the_conditions_is_merged_before_the_whole_is_checked(
        self, admin: GraphClient, name: str
    ) -> None:
        made = admin.post(self.PLACE, self.policy(name)).json()
        change = {"conditions": {"signInRiskLevels": ["high", "medium", "low", "none"]}}
        assert admin.patch(f"{self.PLACE}/{made['id']}", change).status_code == 204
        kept = admin.get(f"{self.PLACE}/{made['id']}").json()["conditions"]
        assert kept["signInRiskLevels"] == ["high", "medium", "low", "none"]
        assert kept["users"]["includeUsers"] == ["None"]
        assert kept["applications"]["includeApplications"] == ["All"]

    def test_roles_and_applications_that_do_not_exist_are_refused(
        self, admin: GraphClient, name: str, world: World
    ) -> None:
        role = self.policy(name, includeRoles=[GLOBAL_ADMINISTRATOR])
        assert admin.post(self.PLACE, role).status_code == 201
        for users in ({"includeRoles": [str(uuid.uuid4())]}, {"excludeRoles": [str(uuid.uuid4())]}):
            assert admin.post(self.PLACE, self.policy(name, **users)).status_code == 400
        for key, status in ((world.ready["client_id"], 201), (str(uuid.uuid4()), 400)):
            body = self.policy(name)
            body["conditions"]["applications"] = {"includeApplications": [key]}
            assert admin.post(self.PLACE, body).status_code == status

    @pytest.mark.parametrize(
        ("controls", "operator", "status"),
        [
            (["mfa", "passwordChange"], "AND", 201),
            (["mfa", "passwordChange"], "OR", 400),
            (["passwordChange"], "AND", 400),
            (["mfa", "passwordChange", "compliantDevice"], "AND", 400),
        ],
    )
    def test_a_change_of_password_goes_with_a_second_factor_and_user_risk(
        self, admin: GraphClient, name: str, controls: list[str], operator: str, status: int
    ) -> None:
        """learn.microsoft.com/graph/api/resources/conditionalaccessgrantcontrols"""
        body = self.policy(name)
        body["grantControls"] = {"operator": operator, "builtInControls": controls}
        assert admin.post(self.PLACE, body).status_code == 400, "without user risk"
        body["conditions"]["userRiskLevels"] = ["high"]
        assert admin.post(self.PLACE, body).status_code == status
        for more in ({"signInRiskLevels": ["high"]}, {"applications": {"includeApplications": ["None"]}}):
            one = {**body, "conditions": {**body["conditions"], **more}}
            assert admin.post(self.PLACE, one).status_code == 400, "for all applications, without another condition"

    def test_named_locations_are_listed_by_their_kind(self, admin: GraphClient, name: str) -> None:
        """learn.microsoft.com/graph/api/conditionalaccessroot-list-namedlocations, examples 2 to 4"""
        place = "/identity/conditionalAccess/namedLocations"
        country = {"@odata.type": "#microsoft.graph.countryNamedLocation", "countriesAndRegions": ["CA"]}
        made = admin.post(place, {**country, "displayName": name}).json()["id"]
        kind = "microsoft.graph.countryNamedLocation"
        asked = (f"isof('{kind}')", f"not isof('{kind}')", f"{kind}/countriesAndRegions/any(c: c eq 'CA')")
        found = [admin.get(place, params={"$filter": one}).json()["value"] for one in asked]
        assert [made in {one["id"] for one in listed} for listed in found] == [True, False, True]
        assert {one["@odata.type"] for one in found[0]} == {f"#{kind}"}
        assert {one["@odata.type"] for one in found[1]} == {"#microsoft.graph.ipNamedLocation"}
        assert admin.get(place, params={"$filter": "isof('microsoft.graph.user')"}).status_code == 400


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


def test_a_role_is_named_by_its_template_as_a_segment(admin: GraphClient, user: dict[str, Any]) -> None:
    """learn.microsoft.com/graph/api/directoryrole-post-members, example 2"""
    template = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
    assert admin.post("/directoryRoles", {"roleTemplateId": template}).status_code in (201, 400)
    for key in (f"/roleTemplateId={template}", f"(roleTemplateId='{template}')", f"/roleTemplateId='{template}'"):
        assert admin.get(f"/directoryRoles{key}").json()["roleTemplateId"] == template
    place = f"/directoryRoles/roleTemplateId={template}/members"
    assert admin.post(f"{place}/$ref", reference(user["id"])).status_code == 204
    assert admin.delete(f"{place}/{user['id']}/$ref").status_code == 204
    assert admin.get(f"/directoryRoles/nothing={template}").status_code == 400


@pytest.mark.parametrize(
    ("services", "status"), [(["Email"], 204), (["Email", "Yammer"], 204), (["Intune"], 400), (["Nothing"], 400)]
)
def test_services_of_a_domain_are_those_that_graph_may_change(
    admin: GraphClient, name: str, services: list[str], status: int
) -> None:
    """learn.microsoft.com/graph/api/resources/domain"""
    place = f"/domains/{name}.example"
    assert admin.post("/domains", {"id": f"{name}.example"}).status_code == 201
    assert admin.post(f"{place}/verify").status_code == 200
    assert admin.patch(place, {"supportedServices": services}).status_code == status
    assert admin.delete(place).status_code == 204


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


def test_objects_without_owners_are_found_by_a_count(admin: GraphClient, application: dict[str, Any]) -> None:
    """learn.microsoft.com/graph/aad-advanced-queries, $count in a filter."""
    params = {"$filter": f"owners/$count eq 0 and appId eq '{application['appId']}'", "$count": "true"}
    assert admin.get("/applications", params=params).status_code == 400
    found = admin.get("/applications", params=params, headers=EVENTUAL)
    assert [one["id"] for one in found.json()["value"]] == [application["id"]]
    owner = admin.get("/users?$top=1").json()["value"][0]["id"]
    assert admin.post(f"/applications/{application['id']}/owners/$ref", reference(owner)).status_code == 204
    assert admin.get("/applications", params=params, headers=EVENTUAL).json()["value"] == []
