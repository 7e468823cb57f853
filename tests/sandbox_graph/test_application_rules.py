"""What applications, service principals and grants may hold, from the pages of the reference."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

import pytest

from tests.sandbox_graph.conftest import EVENTUAL, GraphClient, World, message, reference


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


def test_objects_without_owners_are_found_by_a_count(admin: GraphClient, application: dict[str, Any]) -> None:
    """learn.microsoft.com/graph/aad-advanced-queries, $count in a filter."""
    params = {"$filter": f"owners/$count eq 0 and appId eq '{application['appId']}'", "$count": "true"}
    assert admin.get("/applications", params=params).status_code == 400
    found = admin.get("/applications", params=params, headers=EVENTUAL)
    assert [one["id"] for one in found.json()["value"]] == [application["id"]]
    owner = admin.get("/users?$top=1").json()["value"][0]["id"]
    assert admin.post(f"/applications/{application['id']}/owners/$ref", reference(owner)).status_code == 204
    assert admin.get("/applications", params=params, headers=EVENTUAL).json()["value"] == []


def published(value: str) -> dict[str, Any]:
    words = {"adminConsentDescription": "d", "adminConsentDisplayName": "d"}
    return {"id": str(uuid.uuid4()), "value": value, "type": "User", "isEnabled": True, **words}


class TestPersonalAccounts:
    """learn.microsoft.com/entra/identity-platform/supported-accounts-validation"""

    ROLE: ClassVar = {"displayName": "r", "description": "r", "value": "r", "allowedMemberTypes": ["User"]}

    @pytest.mark.parametrize(
        "more",
        [
            {"identifierUris": ["https://contoso.com/" + "b" * 101]},
            {"identifierUris": ["urn:one:two"]},
            {"identifierUris": ["https://contoso.com/x?y=1"]},
            {"identifierUris": ["https://contoso.com/x#y"]},
            {"identifierUris": [f"https://contoso.com/{number}" for number in range(51)]},
            {"api": {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [published("s" * 41)]}},
            {"api": {"oauth2PermissionScopes": [published(f"s{number}") for number in range(101)]}},
            {"api": {"preAuthorizedApplications": [{"appId": str(uuid.uuid4())} for _ in range(101)]}},
            {
                "api": {
                    "preAuthorizedApplications": [{"delegatedPermissionIds": [str(uuid.uuid4()) for _ in range(31)]}]
                }
            },
            {"appRoles": [{"id": str(uuid.uuid4()), **ROLE}]},
        ],
    )
    def test_they_allow_less(self, admin: GraphClient, name: str, more: dict[str, Any]) -> None:
        own = {"displayName": name, "signInAudience": "AzureADMyOrg", **more}
        personal = {**own, "signInAudience": "AzureADandPersonalMicrosoftAccount"}
        if "api" in more:
            personal["api"] = {**more["api"], "requestedAccessTokenVersion": 2}
        assert admin.post("/applications", personal).status_code == 400
        made = admin.post("/applications", own)
        assert made.status_code == 201
        assert admin.delete(f"/applications/{made.json()['id']}").status_code == 204


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"identifierUris": ["api://contoso.com/" + "a" * 237]}, 204),
        ({"identifierUris": ["api://contoso.com/" + "a" * 238]}, 400),
        ({"identifierUris": ["https://*.contoso.com/x"]}, 400),
        ({"web": {"logoutUrl": "https://contoso.com/out"}}, 204),
        ({"web": {"logoutUrl": "https://localhost:5001/out"}}, 204),
        ({"web": {"logoutUrl": "http://contoso.com/out"}}, 400),
        ({"web": {"logoutUrl": "https://contoso.com/" + "a" * 236}}, 400),
    ],
)
def test_addresses_of_an_application_have_their_documented_form(
    admin: GraphClient, application: dict[str, Any], change: dict[str, Any], status: int
) -> None:
    """learn.microsoft.com/entra/identity-platform/supported-accounts-validation"""
    assert admin.patch(f"/applications/{application['id']}", change).status_code == status


def test_a_service_principal_tells_five_people_and_keeps_its_type(
    admin: GraphClient, principal: dict[str, Any]
) -> None:
    """learn.microsoft.com/graph/api/resources/serviceprincipal"""
    place = f"/servicePrincipals/{principal['id']}"
    people = [f"p{number}@contoso.com" for number in range(6)]
    statuses = [admin.patch(place, {"notificationEmailAddresses": people[:most]}).status_code for most in (5, 6)]
    assert statuses == [204, 400]
    assert admin.patch(place, {"servicePrincipalType": "ManagedIdentity"}).status_code == 400


@pytest.mark.parametrize("kind", ["application", "group"])
def test_a_hundred_owners_at_most(
    admin: GraphClient, world: World, application: dict[str, Any], group: dict[str, Any], kind: str
) -> None:
    """learn.microsoft.com/entra/identity/users/directory-service-limits-restrictions"""
    key = {"application": application, "group": group}[kind]["id"]
    people = [one["id"] for one in admin.get("/users?$top=101&$select=id").json()["value"]]
    world.store.link_many(f"{kind}.owners", [(key, one) for one in people[:99]])
    place = f"/{kind}s/{key}/owners/$ref"
    assert [admin.post(place, reference(one)).status_code for one in people[99:]] == [204, 400]


def test_grants_are_found_by_what_they_join_alone(admin: GraphClient, world: World) -> None:
    """learn.microsoft.com/graph/api/resources/oauth2permissiongrant: eq alone, and not of every property"""
    graph = world.microsoft_graph()["id"]
    for asked, status in (
        (f"resourceId eq '{graph}' and consentType eq 'AllPrincipals'", 200),
        ("scope eq 'User.Read'", 400),
        (f"startswith(resourceId,'{graph}')", 400),
        (f"resourceId in ('{graph}')", 400),
    ):
        assert admin.get("/oauth2PermissionGrants", params={"$filter": asked}).status_code == status
