"""Applications, service principals, secrets, grants and assignments, as the set-up of a connector uses them."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from entra_sandbox.entra import credentials

from tests.sandbox_graph.conftest import GraphClient, World, code

UPSERT = {"Prefer": "create-if-missing"}
GRAPH = "00000003-0000-0000-c000-000000000000"


class TestUpsert:
    def test_creates_once_and_updates_afterwards(self, admin: GraphClient, name: str) -> None:
        path = f"/applications(uniqueName='{name}')"
        first = admin.patch(path, {"displayName": "First"}, headers=UPSERT)
        assert first.status_code == 201
        assert first.json()["uniqueName"] == name
        assert admin.patch(path, {"displayName": "Second"}, headers=UPSERT).status_code == 204
        again = admin.get(path).json()
        assert (again["id"], again["displayName"]) == (first.json()["id"], "Second")

    def test_without_the_preference_nothing_is_made(self, admin: GraphClient, name: str) -> None:
        assert admin.patch(f"/applications(uniqueName='{name}')", {"displayName": "x"}).status_code == 404

    def test_also_for_groups_and_service_principals(
        self, admin: GraphClient, name: str, application: dict[str, Any]
    ) -> None:
        body = {"displayName": name, "mailEnabled": False, "mailNickname": name, "securityEnabled": True}
        assert admin.patch(f"/groups(uniqueName='{name}')", body, headers=UPSERT).status_code == 201
        path = f"/servicePrincipals(appId='{application['appId']}')"
        assert admin.patch(path, {"tags": ["a"]}, headers=UPSERT).status_code == 201
        assert admin.patch(path, {"tags": ["b"]}, headers=UPSERT).status_code == 204
        assert admin.get(path).json()["tags"] == ["b"]

    def test_a_unique_name_is_set_once_and_stays_taken_in_the_bin(self, admin: GraphClient, name: str) -> None:
        made = admin.post("/applications", {"displayName": name}).json()
        path = f"/applications/{made['id']}"
        assert admin.patch(path, {"uniqueName": name}).status_code == 204
        assert code(admin.patch(path, {"uniqueName": f"{name}2"})) == (400, "Request_BadRequest")
        admin.delete(path)
        taken = admin.post("/applications", {"displayName": "x", "uniqueName": name})
        assert taken.json()["error"]["details"][0]["code"] == "ObjectConflict"
        assert admin.delete(f"/directory/deletedItems/{made['id']}").status_code == 204
        assert admin.post("/applications", {"displayName": "x", "uniqueName": name}).status_code == 201


class TestBin:
    def test_a_deleted_application_comes_back_with_its_ids(
        self, admin: GraphClient, application: dict[str, Any], principal: dict[str, Any]
    ) -> None:
        assert admin.delete(f"/applications(appId='{application['appId']}')").status_code == 204
        assert code(admin.get(f"/applications/{application['id']}")) == (404, "Request_ResourceNotFound")
        assert admin.get(f"/servicePrincipals/{principal['id']}").status_code == 404, "it goes along"
        listed = admin.get("/directory/deletedItems/microsoft.graph.application").json()["value"]
        assert application["id"] in {one["id"] for one in listed}
        assert code(admin.post("/servicePrincipals", {"appId": application["appId"]}))[0] == 400
        restored = admin.post(f"/directory/deletedItems/{application['id']}/restore").json()
        assert (restored["id"], restored["appId"]) == (application["id"], application["appId"])
        assert restored["deletedDateTime"] is None
        assert admin.post(f"/directory/deletedItems/{principal['id']}/restore").status_code == 200

    def test_deleting_a_service_principal_takes_its_consents(
        self, admin: GraphClient, world: World, principal: dict[str, Any]
    ) -> None:
        graph = world.microsoft_graph()["id"]
        grant = {"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": graph, "scope": "User.Read"}
        made = admin.post("/oauth2PermissionGrants", grant).json()
        admin.delete(f"/servicePrincipals/{principal['id']}")
        assert admin.get(f"/oauth2PermissionGrants/{made['id']}").status_code == 404

    def test_users_and_microsoft_365_groups_are_kept_and_security_groups_are_not(
        self, admin: GraphClient, user: dict[str, Any], group: dict[str, Any], name: str
    ) -> None:
        body = {"displayName": name, "mailEnabled": True, "mailNickname": f"{name}u", "securityEnabled": False}
        unified = admin.post("/groups", {**body, "groupTypes": ["Unified"]}).json()
        for path in (f"/users/{user['id']}", f"/groups/{group['id']}", f"/groups/{unified['id']}"):
            assert admin.delete(path).status_code == 204
        assert admin.get(f"/directory/deletedItems/{user['id']}").json()["@odata.type"] == "#microsoft.graph.user"
        assert admin.get(f"/directory/deletedItems/{unified['id']}").status_code == 200
        assert admin.get(f"/directory/deletedItems/{group['id']}").status_code == 404

    def test_a_user_does_not_come_back_under_a_taken_name(self, admin: GraphClient, user: dict[str, Any]) -> None:
        admin.delete(f"/users/{user['id']}")
        body = {
            "accountEnabled": True,
            "displayName": "Successor",
            "mailNickname": "successor",
            "userPrincipalName": user["userPrincipalName"],
            "passwordProfile": {"password": "Sufficient-1ong"},
        }
        assert admin.post("/users", body).status_code == 201
        assert code(admin.post(f"/directory/deletedItems/{user['id']}/restore"))[0] == 400

    def test_the_bin_is_emptied_after_thirty_days(
        self, admin: GraphClient, world: World, application: dict[str, Any]
    ) -> None:
        admin.delete(f"/applications/{application['id']}")
        old = (datetime.now(UTC) - timedelta(days=31)).strftime("%Y-%m-%dT%H:%M:%SZ")
        world.store.update("application", application["id"], {"deletedDateTime": old})
        assert admin.get(f"/directory/deletedItems/{application['id']}").status_code == 404


class TestSecrets:
    def test_the_value_is_shown_once_and_kept_as_a_hash(
        self, admin: GraphClient, world: World, application: dict[str, Any]
    ) -> None:
        path = f"/applications/{application['id']}"
        made = admin.post(f"{path}/addPassword", {"passwordCredential": {"displayName": "one"}}).json()
        assert made["hint"] == made["secretText"][:3]
        assert 16 <= len(made["secretText"]) <= 64
        kept = admin.get(path).json()["passwordCredentials"]
        assert [one["keyId"] for one in kept] == [made["keyId"]]
        assert kept[0]["secretText"] is None
        assert credentials.is_secret(world.store, made["keyId"], made["secretText"])
        assert made["secretText"].encode() not in world.kept()
        assert admin.post(f"{path}/removePassword", {"keyId": made["keyId"]}).status_code == 204
        assert not credentials.is_secret(world.store, made["keyId"], made["secretText"])
        assert admin.get(path).json()["passwordCredentials"] == []
        assert code(admin.post(f"{path}/removePassword", {"keyId": made["keyId"]}))[0] == 400

    def test_it_lasts_two_years_unless_told_otherwise(self, admin: GraphClient, application: dict[str, Any]) -> None:
        path = f"/applications/{application['id']}/addPassword"
        made = admin.post(path).json()
        assert int(made["endDateTime"][:4]) - int(made["startDateTime"][:4]) == 2
        end = "2031-05-06T07:08:09.5Z"
        assert admin.post(path, {"passwordCredential": {"endDateTime": end}}).json()["endDateTime"] == end
        past = {"startDateTime": "2030-01-01T00:00:00Z", "endDateTime": "2029-01-01T00:00:00Z"}
        assert code(admin.post(path, {"passwordCredential": past}))[0] == 400
        assert code(admin.post(path, {"passwordCredential": {"secretText": "mine"}}))[0] == 400
        assert code(admin.post(path, {"credential": {}}))[0] == 400

    def test_a_request_that_is_cut_off_before_its_end_is_not_carried_out(
        self, admin: GraphClient, application: dict[str, Any]
    ) -> None:
        def cut() -> Iterator[bytes]:
            yield from ()
            raise ConnectionAbortedError

        path = f"/applications/{application['id']}"
        for _ in range(5):
            with pytest.raises(ConnectionAbortedError):
                admin.request("POST", f"{path}/addPassword", content=cut(), headers={"Content-Length": "50"})
        for name in ("one", "two"):
            admin.post(f"{path}/addPassword", {"passwordCredential": {"displayName": name}})
        assert [each["displayName"] for each in admin.get(path).json()["passwordCredentials"]] == ["one", "two"]

    def test_they_may_come_with_the_application_but_not_by_update(self, admin: GraphClient, name: str) -> None:
        made = admin.post("/applications", {"displayName": name, "passwordCredentials": [{"displayName": "x"}]}).json()
        assert made["passwordCredentials"][0]["secretText"]
        path = f"/applications/{made['id']}"
        assert admin.get(path).json()["passwordCredentials"][0]["secretText"] is None
        assert code(admin.patch(path, {"passwordCredentials": []}))[0] == 400

    def test_policy_forbids_secrets_or_limits_their_life(self, admin: GraphClient, application: dict[str, Any]) -> None:
        policy, path = "/policies/defaultAppManagementPolicy", f"/applications/{application['id']}/addPassword"
        rule: dict[str, Any] = {"restrictionType": "passwordLifetime", "maxLifetime": "P30D", "state": "enabled"}
        long = {"passwordCredential": {"endDateTime": "2035-01-01T00:00:00Z"}}
        try:
            admin.patch(policy, {"isEnabled": True, "applicationRestrictions": {"passwordCredentials": [rule]}})
            assert code(admin.post(path, long)) == (400, "CredentialInvalidLifetimeAsPerAppPolicy")
            soon = (datetime.now(UTC) + timedelta(days=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
            assert admin.post(path, {"passwordCredential": {"endDateTime": soon}}).status_code == 200
            rule = {"restrictionType": "passwordAddition", "maxLifetime": None, "state": "enabled"}
            admin.patch(policy, {"applicationRestrictions": {"passwordCredentials": [rule]}})
            refused = admin.post(path, {})
            assert code(refused) == (400, "CredentialTypeNotAllowedAsPerAppPolicy")
            assert refused.json()["error"]["message"] == "Credential type not allowed as per assigned policy"
        finally:
            admin.patch(policy, {"isEnabled": False, "applicationRestrictions": {"passwordCredentials": []}})

    def test_certificates_come_by_update_and_hide_their_value(
        self, admin: GraphClient, application: dict[str, Any]
    ) -> None:
        path = f"/applications/{application['id']}"
        key = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": certificate()}
        assert admin.patch(path, {"keyCredentials": [key]}).status_code == 204
        shown = admin.get(path).json()["keyCredentials"][0]
        assert shown["key"] is None
        assert shown["endDateTime"]
        wrong = {"keyCredentials": [{**key, "key": base64.b64encode(b"no certificate").decode()}]}
        assert code(admin.patch(path, wrong))[0] == 400
        assert code(admin.post(f"{path}/addKey", {"keyCredential": key, "proof": "x"}))[0] == 401

    def test_personal_accounts_allow_two_secrets(self, admin: GraphClient, name: str) -> None:
        body = {"displayName": name, "signInAudience": "AzureADandPersonalMicrosoftAccount"}
        path = f"/applications/{admin.post('/applications', body).json()['id']}/addPassword"
        assert [admin.post(path, {}).status_code for _ in range(3)] == [200, 200, 400]


class TestRedirectUris:
    @pytest.mark.parametrize(
        "uri",
        [
            "https://api.stackone.com/connect/oauth2/microsoftentraid/callback",
            "http://localhost:8080/callback",
            "http://127.0.0.1/x",
            "https://contoso.com/a?b=c",
            "https://*.contoso.com/a",
        ],
    )
    def test_that_entra_takes(self, admin: GraphClient, application: dict[str, Any], uri: str) -> None:
        path = f"/applications/{application['id']}"
        assert admin.patch(path, {"web": {"redirectUris": [uri]}}).status_code == 204
        assert admin.get(path).json()["web"]["redirectUris"] == [uri]

    @pytest.mark.parametrize(
        "uri",
        [
            "http://contoso.com/callback",
            "https://contoso.com/a#b",
            "https://contoso.com/a(b)",
            "https://contoso.com/a,b",
            "contoso.com/callback",
            "ftp://contoso.com",
            "http://[::1]/callback",
            "https://contoso.com/" + "a" * 256,
        ],
    )
    def test_that_entra_refuses(self, admin: GraphClient, application: dict[str, Any], uri: str) -> None:
        answer = admin.patch(f"/applications/{application['id']}", {"web": {"redirectUris": [uri]}})
        assert code(answer) == (400, "Request_BadRequest")

    def test_rules_grow_stricter_with_personal_accounts(self, admin: GraphClient, name: str) -> None:
        body = {"displayName": name, "signInAudience": "AzureADandPersonalMicrosoftAccount"}
        for uri in ("https://*.contoso.com/a", "https://contoso.com/a?b=c"):
            assert code(admin.post("/applications", {**body, "web": {"redirectUris": [uri]}}))[0] == 400
        many = [f"https://contoso.com/{number}" for number in range(101)]
        assert code(admin.post("/applications", {**body, "web": {"redirectUris": many}}))[0] == 400
        own = admin.post("/applications", {"displayName": name, "web": {"redirectUris": many}}).json()
        assert len(own["web"]["redirectUris"]) == 101
        assert code(admin.patch(f"/applications/{own['id']}", {"signInAudience": body["signInAudience"]}))[0] == 400

    def test_a_patch_replaces_the_list_and_keeps_the_rest_of_web(
        self, admin: GraphClient, application: dict[str, Any]
    ) -> None:
        path = f"/applications/{application['id']}"
        admin.patch(path, {"web": {"homePageUrl": "https://contoso.com", "redirectUris": ["https://contoso.com/a"]}})
        admin.patch(path, {"web": {"redirectUris": ["https://contoso.com/b"]}})
        web = admin.get(path).json()["web"]
        assert (web["homePageUrl"], web["redirectUris"]) == ("https://contoso.com", ["https://contoso.com/b"])


class TestValidation:
    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"displayName": ""},
            {"displayName": None},
            {"displayName": 5},
            {"displayName": "x" * 121},
            {"displayName": "x", "colour": "red"},
            {"displayName": "x", "signInAudience": "Everybody"},
            {"displayName": "x", "appId": str(uuid.uuid4())},
            {"displayName": "x", "tags": "a"},
            {"displayName": "x", "tags": [1]},
            {"displayName": "x", "web": []},
            {"displayName": "x", "web": {"redirectUrls": []}},
            {"displayName": "x", "isFallbackPublicClient": "yes"},
            {"displayName": "x", "requiredResourceAccess": [{"resourceAppId": GRAPH, "resourceAccess": [{"id": "x"}]}]},
            {"displayName": "x", "identifierUris": ["no uri"]},
            {"displayName": "x", "@odata.type": "#microsoft.graph.user"},
        ],
    )
    def test_a_body_that_does_not_fit_is_a_400(self, admin: GraphClient, body: dict[str, Any]) -> None:
        assert admin.post("/applications", body).status_code == 400

    def test_names_come_in_any_casing_and_with_redundant_annotations(self, admin: GraphClient, name: str) -> None:
        body = {"@odata.type": "#microsoft.graph.application", "DISPLAYNAME": name, "Web": {"RedirectUris": []}}
        made = admin.post("/applications", body)
        assert made.status_code == 201
        assert made.json()["displayName"] == name
        assert made.headers["location"].endswith(f"/applications/{made.json()['id']}")

    def test_at_most_fifty_apis_and_four_hundred_permissions(self, admin: GraphClient, name: str) -> None:
        def wanted(apis: int, each: int) -> dict[str, Any]:
            access = [{"id": str(uuid.uuid4()), "type": "Scope"} for _ in range(each)]
            listed = [{"resourceAppId": str(uuid.uuid4()), "resourceAccess": access} for _ in range(apis)]
            return {"displayName": name, "requiredResourceAccess": listed}

        assert admin.post("/applications", wanted(50, 8)).status_code == 201
        assert admin.post("/applications", wanted(51, 1)).status_code == 400
        assert admin.post("/applications", wanted(1, 401)).status_code == 400

    def test_an_enabled_scope_is_disabled_before_it_is_removed(self, admin: GraphClient, name: str) -> None:
        scope = {
            "adminConsentDescription": "d",
            "adminConsentDisplayName": "n",
            "id": str(uuid.uuid4()),
            "isEnabled": True,
            "type": "User",
            "value": "Read",
        }
        made = admin.post("/applications", {"displayName": name, "api": {"oauth2PermissionScopes": [scope]}}).json()
        path = f"/applications/{made['id']}"
        refused = admin.patch(path, {"api": {"oauth2PermissionScopes": []}})
        assert refused.json()["error"]["message"].endswith("unless disabled first.")
        assert (
            admin.patch(path, {"api": {"oauth2PermissionScopes": [{**scope, "isEnabled": False}]}}).status_code == 204
        )
        assert admin.patch(path, {"api": {"oauth2PermissionScopes": []}}).status_code == 204

    def test_display_names_need_not_be_unique(self, admin: GraphClient, name: str) -> None:
        made = [admin.post("/applications", {"displayName": name}).json()["appId"] for _ in range(2)]
        assert len(set(made)) == 2


def test_a_plain_member_makes_at_most_250_objects(world: World, admin: GraphClient, user: dict[str, Any]) -> None:
    made = [{"id": one["id"], "creator": user["id"]} for one in admin.get("/users?$top=249&$select=id").json()["value"]]
    world.store.put_many("graph.created", made, world.tenant)
    plain = world.person(["Application.ReadWrite.All"], user=user["userPrincipalName"])
    last = plain.post("/applications", {"displayName": "250th"})
    assert last.status_code == 201
    over = plain.post("/applications", {"displayName": "251st"})
    assert code(over) == (403, "Directory_QuotaExceeded")
    plain.delete(f"/applications/{last.json()['id']}")
    assert code(plain.post("/applications", {"displayName": "x"}))[0] == 403, "what can be restored still counts"
    admin.delete(f"/directory/deletedItems/{last.json()['id']}")
    assert plain.post("/applications", {"displayName": "250th"}).status_code == 201


def certificate() -> str:
    """A self-signed certificate, base64 DER."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=30))
    return base64.b64encode(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)).decode()


def test_a_key_may_hold_the_lines_of_a_pem_file(admin: GraphClient, application: dict[str, Any]) -> None:
    text = certificate()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    key = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": f"{lines}\n"}
    changed = admin.patch(f"/applications/{application['id']}", {"keyCredentials": [key]})
    assert changed.status_code == 204, changed.text
