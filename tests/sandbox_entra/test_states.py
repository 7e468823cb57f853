"""States of a tenant, chosen by data while it is served: app management, synchronization, federation, licences.

Written from learn.microsoft.com/graph/api/resources/applicationauthenticationmethodpolicy, …/user-update, …/domain.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from entra_sandbox.store import Store

from tests.sandbox_entra.conftest import SCOPE, App, Play, Token, World, access, code_of

POLICIES = ("Policy.Read.All", "Policy.ReadWrite.ApplicationConfiguration", "Application.Read.All")
FORBIDDEN = "CredentialTypeNotAllowedAsPerAppPolicy"
TOO_LONG = "CredentialInvalidLifetimeAsPerAppPolicy"


@pytest.fixture
def manager(http: httpx.Client, token: Token, world: World, app: App) -> httpx.Client:
    """A client that may also read and write policies, users and groups."""
    names = ("User.ReadWrite.All", "Group.ReadWrite.All", "Organization.Read.All", "Domain.ReadWrite.All")
    conditional = ("Policy.ReadWrite.ConditionalAccess",)
    world.assign(app, *POLICIES, *names, *conditional)
    http.headers["authorization"] = f"Bearer {access(token, app)}"
    return http


def add(client: httpx.Client, application: str, **credential: Any) -> httpx.Response:
    body = {"passwordCredential": credential} if credential else {}
    return client.post(f"/v1.0/applications/{application}/addPassword", json=body)


def code(answer: httpx.Response) -> str:
    found: str = answer.json()["error"]["code"] if answer.status_code >= 400 else ""
    return found


def policy(*rules: dict[str, Any], enabled: bool = True) -> dict[str, Any]:
    restrictions = {"passwordCredentials": [{"state": "enabled", "maxLifetime": None, **one} for one in rules]}
    return {"displayName": "Own", "isEnabled": enabled, "restrictions": {**restrictions, "keyCredentials": []}}


def test_the_default_policy_can_be_read_as_it_is_documented(play: Play, manager: httpx.Client) -> None:
    play({"kind": "app_management", "forbid": ["passwordAddition"], "max_days": {"asymmetricKeyLifetime": 90}})
    shown = manager.get("/v1.0/policies/defaultAppManagementPolicy").json()
    assert shown["isEnabled"] is True
    rules = shown["applicationRestrictions"]
    assert [one["restrictionType"] for one in rules["passwordCredentials"]] == ["passwordAddition"]
    assert rules["keyCredentials"][0]["maxLifetime"] == "P90D"


def test_an_own_policy_takes_the_place_of_the_default_and_is_not_added_to_it(
    play: Play, manager: httpx.Client, world: World
) -> None:
    play({"kind": "app_management", "forbid": ["passwordAddition"]})
    ids = [world.app().document["id"] for _ in range(2)]
    assert [code(add(manager, one)) for one in ids] == [FORBIDDEN, FORBIDDEN]
    own = policy({"restrictionType": "passwordLifetime", "maxLifetime": "P30D"})
    made = manager.post("/v1.0/policies/appManagementPolicies", json=own)
    assert made.status_code == 201, made.text
    place = f"/v1.0/policies/appManagementPolicies/{made.json()['id']}"
    reference = {"@odata.id": f"https://graph.microsoft.com{place}"}
    assigned = f"/v1.0/applications/{ids[0]}/appManagementPolicies"
    assert manager.post(f"{assigned}/$ref", json=reference).status_code == 204
    assert [one["id"] for one in manager.get(assigned).json()["value"]] == [made.json()["id"]]
    assert [one["id"] for one in manager.get(f"{place}/appliesTo").json()["value"]] == [ids[0]]
    assert code(add(manager, ids[0])) == TOO_LONG
    soon = "2099-01-20T00:00:00Z"
    assert add(manager, ids[0], startDateTime="2099-01-01T00:00:00Z", endDateTime=soon).status_code == 200
    assert code(add(manager, ids[1])) == FORBIDDEN
    assert manager.patch(place, json={"isEnabled": False}).status_code == 204
    assert add(manager, ids[0]).status_code == 200, "a disabled policy of its own still keeps the default away"
    assert manager.delete(f"{assigned}/{made.json()['id']}/$ref").status_code == 204
    assert code(add(manager, ids[0])) == FORBIDDEN
    assert manager.delete(place).status_code == 204


def test_one_policy_is_assigned_at_most(manager: httpx.Client, world: World) -> None:
    assigned = f"/v1.0/applications/{world.app().document['id']}/appManagementPolicies/$ref"
    statuses = []
    for _ in range(2):
        made = manager.post("/v1.0/policies/appManagementPolicies", json=policy()).json()["id"]
        reference = {"@odata.id": f"https://graph.microsoft.com/v1.0/policies/appManagementPolicies/{made}"}
        statuses.append(manager.post(assigned, json=reference).status_code)
    assert statuses == [204, 400]


def test_an_own_policy_from_the_file_binds_what_is_made_later(play: Play, manager: httpx.Client) -> None:
    play(
        {"kind": "app_management", "forbid": ["passwordAddition"]},
        {"kind": "app_management", "max_days": {"passwordLifetime": 9999}, "applications": ["Exempt *"]},
    )
    made = [manager.post("/v1.0/applications", json={"displayName": name}).json()["id"] for name in ("Exempt 1", "Not")]
    assert [code(add(manager, one)) for one in made] == ["", FORBIDDEN]


def test_callers_with_the_custom_security_attribute_are_exempt(
    play: Play, manager: httpx.Client, world: World, app: App, token: Token
) -> None:
    target = world.app().document["id"]
    play({"kind": "app_management", "forbid": ["passwordAddition"], "exempt": ["nobody@contoso.com"]})
    assert code(add(manager, target)) == FORBIDDEN
    play({"kind": "app_management", "forbid": ["passwordAddition"], "exempt": [app.id]})
    assert add(manager, target).status_code == 200
    rule = manager.get("/v1.0/policies/defaultAppManagementPolicy").json()["applicationRestrictions"]
    condition = rule["passwordCredentials"][0]["excludeActors"]["customSecurityAttributes"][0]
    assert condition["operator"] == "equals"
    other = world.app()
    world.assign(other, "Application.ReadWrite.All")
    manager.headers["authorization"] = f"Bearer {access(token, other)}"
    assert code(add(manager, target)) == FORBIDDEN


def test_only_applications_made_on_or_after_the_date_are_restricted(play: Play, manager: httpx.Client) -> None:
    old = manager.post("/v1.0/applications", json={"displayName": "Old"}).json()["id"]
    play({"kind": "app_management", "forbid": ["passwordAddition"], "created_after": "2097-01-01T00:00:00Z"})
    assert add(manager, old).status_code == 200
    play({"kind": "app_management", "forbid": ["passwordAddition"], "created_after": "2020-01-01T00:00:00Z"})
    assert code(add(manager, old)) == FORBIDDEN


def test_a_disabled_rule_does_not_bind(play: Play, manager: httpx.Client, world: World) -> None:
    play({"kind": "app_management", "forbid": ["passwordAddition"], "state": "disabled"})
    assert add(manager, world.app().document["id"]).status_code == 200


def test_custom_passwords_can_be_forbidden_alone(play: Play, manager: httpx.Client, world: World) -> None:
    """Entra ID's own secrets stay allowed, as the documents say of customPasswordAddition."""
    play({"kind": "app_management", "forbid": ["customPasswordAddition"]})
    assert add(manager, world.app().document["id"]).status_code == 200


def test_an_audience_that_a_policy_forbids(play: Play, manager: httpx.Client) -> None:
    play({"kind": "app_management", "audiences": ["AzureADMultipleOrgs"]})
    body = {"displayName": "Everywhere", "signInAudience": "AzureADMultipleOrgs"}
    refused = manager.post("/v1.0/applications", json=body)
    shown = manager.get("/v1.0/policies/defaultAppManagementPolicy").json()
    assert refused.status_code == 400
    message = f"SignInAudience value 'AzureADMultipleOrgs' not allowed as per assigned policy '{shown['id']}'."
    assert refused.json()["error"]["message"].startswith(message)
    assert "audiences" not in shown["applicationRestrictions"], "v1.0 has no word for it"
    single = {"displayName": "Here", "signInAudience": "AzureADMyOrg"}
    assert manager.post("/v1.0/applications", json=single).status_code == 201


def test_reading_policies_needs_the_documented_permissions(
    http: httpx.Client, token: Token, world: World, app: App
) -> None:
    target = world.app().document["id"]
    places = ("/v1.0/policies/appManagementPolicies", f"/v1.0/applications/{target}/appManagementPolicies")
    statuses = []
    for names in ((), ("Policy.Read.All",)):
        world.assign(app, *names)
        http.headers["authorization"] = f"Bearer {access(token, app)}"
        statuses.append([http.get(place).status_code for place in places])
    assert statuses == [[403, 403], [200, 403]]
    world.assign(app, "Application.Read.All")
    http.headers["authorization"] = f"Bearer {access(token, app)}"
    assert [http.get(place).status_code for place in places] == [200, 200]


def test_synchronized_users_and_groups_are_changed_on_premises(
    play: Play, manager: httpx.Client, world: World, control: httpx.Client
) -> None:
    person = world.user()
    play({"kind": "synced", "users": [person.login], "groups": ["Sales"]})
    text = "Unable to update the specified properties for on-premises mastered Directory Sync objects"
    place = f"/v1.0/users/{person.id}"
    shown = manager.get(f"{place}?$select=onPremisesSyncEnabled,onPremisesImmutableId").json()
    assert shown["onPremisesSyncEnabled"] is True
    assert shown["onPremisesImmutableId"]
    group = manager.get("/v1.0/groups?$filter=displayName eq 'Sales'").json()["value"][0]
    reference = {"@odata.id": f"https://graph.microsoft.com{place}"}
    refused = [
        manager.patch(place, json={"jobTitle": "x"}),
        manager.patch(f"/v1.0/groups/{group['id']}", json={"description": "x"}),
        manager.post(f"/v1.0/groups/{group['id']}/members/$ref", json=reference),
    ]
    assert [(one.status_code, one.json()["error"]["message"].startswith(text)) for one in refused] == [(400, True)] * 3
    assert manager.patch(place, json={"usageLocation": "DE"}).status_code == 204, "this the cloud keeps"
    assert manager.get("/v1.0/organization").json()["value"][0]["onPremisesSyncEnabled"] is True
    control.delete("/_sandbox/faults")
    assert manager.patch(place, json={"jobTitle": "x"}).status_code == 204


def test_a_federated_domain(play: Play, manager: httpx.Client, token: Token, world: World, app: App) -> None:
    play({"kind": "federated", "domains": ["contoso.com"]})
    assert manager.get("/v1.0/domains/contoso.com").json()["authenticationType"] == "Federated"
    assert manager.patch("/v1.0/domains/contoso.com", json={"isDefault": True}).status_code == 400
    person = {
        "accountEnabled": True,
        "displayName": "Fed",
        "mailNickname": "fed",
        "userPrincipalName": "fed.erated@contoso.com",
        "passwordProfile": {"password": "Sufficient-1ong"},
    }
    refused = manager.post("/v1.0/users", json=person)
    assert (refused.status_code, refused.json()["error"]["details"][0]["target"]) == (400, "onPremisesImmutableId")
    assert manager.post("/v1.0/users", json={**person, "onPremisesImmutableId": "AbC="}).status_code == 201
    user = world.user()
    ask = {"client_id": app.id, "client_secret": app.secret, "username": user.login, "password": user.password}
    answer = token(grant_type="password", scope=SCOPE, **ask)
    assert code_of(answer.json()) == 50126, "its password is not here"
    realm = manager.get(f"/common/userrealm/{user.login}?api-version=1.0").json()
    assert (realm["account_type"], realm["federation_protocol"]) == ("Federated", "WSTrust")


def test_a_tenant_without_entra_id_p1_has_no_conditional_access(
    play: Play, manager: httpx.Client, control: httpx.Client
) -> None:
    play({"kind": "unlicensed"})
    refused = manager.get("/v1.0/identity/conditionalAccess/policies")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AccessDenied")
    assert refused.json()["error"]["message"].startswith("Your tenant is not licensed for this feature.")
    assert manager.post("/v1.0/identity/conditionalAccess/namedLocations", json={}).status_code == 403
    control.delete("/_sandbox/faults")
    assert manager.get("/v1.0/identity/conditionalAccess/policies").status_code == 200


def test_a_tenant_without_entra_id_p1_has_no_groups_by_rule_and_none_for_roles(
    play: Play, manager: httpx.Client, control: httpx.Client
) -> None:
    """learn.microsoft.com/graph/api/resources/group: groupTypes, isAssignableToRole"""
    plain = {"displayName": "x", "mailNickname": "x", "mailEnabled": False, "securityEnabled": True}
    rule = {"membershipRule": "user.department -eq null", "membershipRuleProcessingState": "On"}
    by_rule = {**plain, **rule, "groupTypes": ["DynamicMembership"]}
    for_roles = {**plain, "isAssignableToRole": True}
    play({"kind": "unlicensed"})
    made = manager.post("/v1.0/groups", json=plain)
    place = f"/v1.0/groups/{made.json()['id']}"
    assert made.status_code == 201
    assert [manager.post("/v1.0/groups", json=one).status_code for one in (by_rule, for_roles)] == [403, 403]
    turned = {**rule, "groupTypes": ["DynamicMembership"]}
    assert manager.patch(place, json=turned).status_code == 403
    control.delete("/_sandbox/faults")
    assert manager.patch(place, json=turned).status_code == 204
    assert manager.post("/v1.0/groups", json=by_rule).status_code == 201


def test_what_a_state_added_and_changed_is_gone_when_it_ends(
    play: Play, control: httpx.Client, world: World, state: Any
) -> None:
    kinds = ("user", "group", "domain", "subscribedSku", "organization")
    kinds += ("tenantAppManagementPolicy", "appManagementPolicy")

    def kept() -> Any:
        store = Store(state)
        docs = {kind: [row.doc for row in store.rows(kind, world.tenant)] for kind in kinds}
        members = [store.links_to("group.members", one["id"]) for one in docs["user"]]
        store.close()
        return [[{k: v for k, v in one.items() if v is not None} for one in docs[kind]] for kind in kinds], members

    before = kept()
    play(
        {"kind": "synced", "users": ["*"], "groups": ["*"]},
        {"kind": "federated", "domains": ["*"]},
        {"kind": "unlicensed"},
        {"kind": "app_management", "forbid": ["passwordAddition"], "exempt": ["*"], "applications": ["*"]},
    )
    assert kept() != before
    control.delete("/_sandbox/faults")
    assert kept() == before
