"""Every flow with Microsoft's own library, unmodified, over TLS with the sandbox's CA."""

import base64
import datetime
import hashlib
import json
import uuid
from typing import Any

import msal
import pytest
from cryptography.hazmat.primitives import serialization

from tests.sandbox_entra.clients import certificate_of, claims_of, confidential
from tests.sandbox_entra.conftest import CALLBACK, App, Person, Token, World, values

SCOPE = "https://graph.microsoft.com/.default"


@pytest.fixture(scope="module")
def app(world: World) -> App:
    app = world.app(name="Reporter")
    world.assign(app, "User.Read.All")
    world.consent(app, "User.Read")
    return app


@pytest.mark.parametrize("tenant", ["", "contoso.com"])
@pytest.mark.parametrize(
    "scope", [SCOPE, "{base}/.default", "{base}//.default", "https://graph.microsoft.com//.default"]
)
def test_client_credentials(world: World, app: App, tenant: str, scope: str) -> None:
    result = confidential(world, app, tenant).acquire_token_for_client([scope.format(base=world.base)])
    claims = claims_of(world, result)
    assert claims["roles"] == ["User.Read.All"]
    assert {name: claims[name] for name in ("tid", "oid", "sub", "appid", "idtyp", "app_displayname", "ver")} == {
        "tid": world.tenant,
        "oid": app.principal["id"],
        "sub": app.principal["id"],
        "appid": app.id,
        "idtyp": "app",
        "app_displayname": "Reporter",
        "ver": "1.0",
    }
    assert claims["aud"] == "https://graph.microsoft.com"
    assert claims["iss"] == f"{world.base}/{world.tenant}/"
    assert claims["nbf"] == claims["iat"] < claims["exp"] == claims["iat"] + result["expires_in"]
    assert "scp" not in claims


def test_an_application_without_roles_gets_a_token_without_roles(world: World) -> None:
    result = confidential(world, world.app()).acquire_token_for_client([SCOPE])
    assert "roles" not in claims_of(world, result)


def test_a_token_from_before_a_grant_keeps_its_old_permissions(world: World) -> None:
    app = world.app()
    world.assign(app, "User.Read.All")
    first = confidential(world, app).acquire_token_for_client([SCOPE])
    world.assign(app, "Group.Read.All")
    second = confidential(world, app).acquire_token_for_client([SCOPE])
    assert claims_of(world, first)["roles"] == ["User.Read.All"]
    assert claims_of(world, second)["roles"] == ["Group.Read.All", "User.Read.All"]


def test_oidc_authority_accepts_the_issuer(world: World, app: App) -> None:
    client = msal.ConfidentialClientApplication(
        app.id, client_credential=app.secret, oidc_authority=f"{world.authority()}/v2.0", verify=world.ready["ca_file"]
    )
    assert "access_token" in client.acquire_token_for_client([SCOPE])


def test_instance_discovery_at_the_sandbox(world: World, app: App) -> None:
    client = confidential(world, app, instance_discovery=f"{world.base}/common/discovery/instance")
    assert "access_token" in client.acquire_token_for_client([SCOPE])


def test_a_wrong_ca_is_refused(world: World, app: App, tmp_path: Any) -> None:
    import requests
    import trustme

    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with pytest.raises(requests.exceptions.SSLError):
        confidential(world, app, verify=str(other)).acquire_token_for_client([SCOPE])


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_a_certificate(world: World, digest: str) -> None:
    certificate, key = certificate_of("Reporter")
    der = certificate.public_bytes(serialization.Encoding.DER)
    thumbprint = hashlib.new(digest, der).hexdigest()
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    credential = {"private_key": key, "thumbprint": thumbprint, "public_certificate": pem}
    if digest == "sha256":
        credential = {"private_key": key, "public_certificate": pem}
    app = world.app(keyCredentials=[{"keyId": str(uuid.uuid4()), "key": base64.b64encode(der).decode()}])
    world.assign(app, "User.Read.All")
    result = confidential(world, app, client_credential=credential).acquire_token_for_client([SCOPE])
    assert claims_of(world, result)["appidacr"] == "2"
    stranger = world.app()
    refused = confidential(world, stranger, client_credential=credential).acquire_token_for_client([SCOPE])
    assert refused["error_codes"] == [700027]


def test_an_expired_assertion(world: World, token: Token) -> None:
    from joserfc import jwt
    from joserfc.jwk import RSAKey

    certificate, key = certificate_of("Reporter")
    der = certificate.public_bytes(serialization.Encoding.DER)
    app = world.app(keyCredentials=[{"keyId": str(uuid.uuid4()), "key": base64.b64encode(der).decode()}])
    x5t = base64.urlsafe_b64encode(hashlib.sha1(der, usedforsecurity=False).digest()).rstrip(b"=").decode()
    endpoint = f"{world.authority()}/oauth2/v2.0/token"
    now = world.store.now()

    def ask(**changes: Any) -> dict[str, Any]:
        claims = {"iss": app.id, "sub": app.id, "aud": endpoint, "iat": now, "exp": now + 600.5, **changes}
        assertion = jwt.encode({"alg": "RS256", "x5t": x5t}, claims, RSAKey.import_key(key))
        answer: dict[str, Any] = token(
            grant_type="client_credentials",
            client_id=app.id,
            scope=SCOPE,
            client_assertion=assertion,
            client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ).json()
        return answer

    assert "access_token" in ask()
    assert ask(iat=now - 7200, exp=now - 3600.25)["error_codes"] == [700024]
    assert ask(aud="https://elsewhere.example/token")["error_codes"] == [700027]


def test_a_federated_credential(world: World) -> None:
    workload, app = world.app(name="Workload"), world.app(name="Target")
    api = {"id": str(uuid.uuid4()), "appId": str(uuid.uuid4()), "displayName": "Exchange"}
    world.store.put("servicePrincipal", api, world.tenant)
    result = confidential(world, workload).acquire_token_for_client([f"{api['appId']}/.default"])
    issued = claims_of(world, result)
    record = {"id": str(uuid.uuid4()), "name": "trust", "issuer": issued["iss"], "subject": issued["sub"]}
    world.store.put("federatedIdentityCredential", {**record, "audiences": [issued["aud"]]}, world.tenant)

    def ask(target: App) -> dict[str, Any]:
        credential = {"client_assertion": result["access_token"]}
        found: dict[str, Any] = confidential(world, target, client_credential=credential).acquire_token_for_client(
            [SCOPE]
        )
        return found

    assert ask(app)["error_codes"] == [700211]
    world.store.link("application.federatedIdentityCredentials", app.document["id"], record["id"])
    assert claims_of(world, ask(app))["appid"] == app.id
    world.change("federatedIdentityCredential", record["id"], subject="someone else")
    assert ask(app)["error_codes"] == [700213]
    world.change("federatedIdentityCredential", record["id"], subject=issued["sub"], audiences=["another"])
    assert ask(app)["error_codes"] == [700212]


def test_a_refresh_token_is_renewed_and_serves_another_permission(world: World, plain: Person) -> None:
    app = world.app()
    world.consent(app, "User.Read")
    client = confidential(world, app)
    flow = client.initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK)
    first = client.acquire_token_by_auth_code_flow(flow, values(plain.open(flow["auth_uri"])))
    account = client.get_accounts()[0]
    second = client.acquire_token_silent(["User.Read"], account=account, force_refresh=True)
    assert second["access_token"] != first["access_token"]
    renewed = confidential(world, app).acquire_token_by_refresh_token(first["refresh_token"], ["User.Read"])
    assert renewed["refresh_token"] != first["refresh_token"]
    missing = confidential(world, app).acquire_token_by_refresh_token(first["refresh_token"], ["Group.Read.All"])
    assert (missing["error"], missing["suberror"], missing["error_codes"]) == (
        "invalid_grant",
        "consent_required",
        [65001],
    )
    world.consent(app, "Group.Read.All")
    result = confidential(world, app).acquire_token_by_refresh_token(first["refresh_token"], ["Group.Read.All"])
    assert claims_of(world, result)["scp"].split()[0] == "Group.Read.All"


def test_a_refresh_token_ends_with_the_sessions_of_its_user(world: World) -> None:
    app, person = world.app(), world.user()
    world.consent(app, "User.Read")
    client = confidential(world, app)
    flow = client.initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK)
    result = client.acquire_token_by_auth_code_flow(flow, values(person.open(flow["auth_uri"])))
    later = datetime.datetime.fromtimestamp(world.store.now() + 5, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    world.change("user", person.id, signInSessionsValidFromDateTime=later)
    refused = confidential(world, app).acquire_token_by_refresh_token(result["refresh_token"], ["User.Read"])
    assert refused["error_codes"] == [50173]
    stranger = confidential(world, world.app()).acquire_token_by_refresh_token(result["refresh_token"], ["User.Read"])
    assert stranger["error_codes"] == [70000]


def test_on_behalf_of(world: World, plain: Person) -> None:
    scope = {"id": str(uuid.uuid4()), "value": "access_as_user", "type": "User", "isEnabled": True}
    api = world.app(name="Middle tier")
    world.change("application", api.document["id"], api={"requestedAccessTokenVersion": 2})
    world.change("servicePrincipal", api.principal["id"], oauth2PermissionScopes=[scope])
    world.consent(api, "User.Read")
    front = world.app(name="Front")
    grant = {"clientId": front.principal["id"], "consentType": "AllPrincipals", "principalId": None}
    grant |= {"id": str(uuid.uuid4()), "resourceId": api.principal["id"], "scope": "access_as_user"}
    world.store.put("oAuth2PermissionGrant", grant, world.tenant)
    client = confidential(world, front)
    flow = client.initiate_auth_code_flow([f"api://{api.id}/access_as_user"], redirect_uri=CALLBACK)
    result = client.acquire_token_by_auth_code_flow(flow, values(plain.open(flow["auth_uri"])))
    first = claims_of(world, result)
    assert (first["aud"], first["azp"], first["ver"], first["scp"]) == (api.id, front.id, "2.0", "access_as_user")
    assert first["iss"] == f"{world.authority()}/v2.0"
    second = confidential(world, api).acquire_token_on_behalf_of(result["access_token"], ["User.Read"])
    assert claims_of(world, second)["upn"] == plain.login
    assert claims_of(world, second)["appid"] == api.id
    wrong = confidential(world, front).acquire_token_on_behalf_of(result["access_token"], ["User.Read"])
    assert wrong["error_codes"] == [500131]
    broken = confidential(world, api).acquire_token_on_behalf_of("a.b.c", ["User.Read"])
    assert broken["error_codes"] == [50013]


def test_client_capabilities_reach_the_token(world: World, app: App) -> None:
    client = confidential(world, app, client_capabilities=["CP1"])
    assert claims_of(world, client.acquire_token_for_client([SCOPE]))["xms_cc"] == ["CP1"]


def test_client_info_names_the_account(world: World, app: App, plain: Person) -> None:
    client = confidential(world, app)
    flow = client.initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK)
    result = client.acquire_token_by_auth_code_flow(flow, values(plain.open(flow["auth_uri"])))
    info = json.loads(base64.urlsafe_b64decode(result["client_info"] + "=="))
    assert info == {"uid": plain.id, "utid": world.tenant}


def test_http_basic_carries_the_secret_too(app: App, token: Token) -> None:
    basic = base64.b64encode(f"{app.id}:{app.secret}".encode()).decode()
    ask = {"grant_type": "client_credentials", "scope": SCOPE}
    assert token(headers={"authorization": f"Basic {basic}"}, **ask).status_code == 200


def test_the_v1_endpoint_takes_a_resource(world: World, app: App, http: Any) -> None:
    ask = {"grant_type": "client_credentials", "client_id": app.id, "client_secret": app.secret}
    answer = http.post(f"/{world.tenant}/oauth2/token", data={**ask, "resource": "https://graph.microsoft.com/"})
    assert claims_of(world, answer.json())["roles"] == ["User.Read.All"]


def test_user_info(world: World, app: App, plain: Person, http: Any) -> None:
    client = confidential(world, app)
    flow = client.initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK)
    result = client.acquire_token_by_auth_code_flow(flow, values(plain.open(flow["auth_uri"])))
    found = http.get("/oidc/userinfo", headers={"authorization": f"Bearer {result['access_token']}"}).json()
    assert found["email"] == plain.login
    assert found["sub"] == result["id_token_claims"]["sub"]
    machine = confidential(world, app).acquire_token_for_client([SCOPE])["access_token"]
    assert http.get("/oidc/userinfo", headers={"authorization": f"Bearer {machine}"}).status_code == 403


def test_a_secret_of_the_service_principal_counts_too(world: World, token: Token) -> None:
    from entra_sandbox.entra import credentials

    app = world.app()
    key_id = str(uuid.uuid4())
    credentials.keep_secret(world.store, key_id, "of-the-service-principal")
    world.change("servicePrincipal", app.principal["id"], passwordCredentials=[{"keyId": key_id, "endDateTime": None}])
    ask = {"grant_type": "client_credentials", "client_id": app.id, "scope": SCOPE}
    assert token(client_secret="of-the-service-principal", **ask).status_code == 200
