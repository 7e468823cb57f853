import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.sandbox_entra.conftest import Token, World


@pytest.mark.parametrize("version", ["v2.0/", ""])
@pytest.mark.parametrize("segment", ["{tenant}", "contoso.com", "CONTOSO.com", "common", "organizations"])
def test_discovery_names_the_tenant_that_was_asked_for(
    http: httpx.Client, world: World, segment: str, version: str
) -> None:
    segment = segment.format(tenant=world.tenant)
    document = http.get(f"/{segment}/{version}.well-known/openid-configuration").json()
    expected = segment if segment in ("common", "organizations") else world.tenant
    oauth = "oauth2/v2.0" if version else "oauth2"
    assert document["token_endpoint"] == f"{world.base}/{expected}/{oauth}/token"
    assert document["authorization_endpoint"] == f"{world.base}/{expected}/{oauth}/authorize"
    tenant_id = "{tenantid}" if expected != world.tenant else world.tenant
    assert document["issuer"] == f"{world.base}/{tenant_id}/{version.rstrip('/')}"


def test_a_slash_too_many_is_none(http: httpx.Client, world: World) -> None:
    """MSAL without an authority asks for ``/common//v2.0/…``."""
    for address in ("/common//v2.0/.well-known/openid-configuration", f"//{world.tenant}//discovery/v2.0/keys"):
        assert http.get(world.base + address).status_code == 200


@pytest.mark.parametrize("segment", ["unknown.example", "11111111-2222-4333-8444-555555555555", "a" * 300, "%00"])
def test_a_tenant_that_is_not_there_is_an_error(http: httpx.Client, segment: str) -> None:
    answer = http.get(f"/{segment}/v2.0/.well-known/openid-configuration")
    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["error_codes"]) == ("invalid_tenant", [90002])


def test_an_unverified_domain_is_no_tenant(http: httpx.Client, world: World) -> None:
    world.store.put("domain", {"id": "unverified.example", "isVerified": False}, world.tenant)
    answer = http.get("/unverified.example/v2.0/.well-known/openid-configuration")
    assert answer.json()["error_codes"] == [90002]


def test_addresses_follow_the_host_header(http: httpx.Client, world: World) -> None:
    base = world.base.replace("localhost", "127.0.0.1")
    document = http.get(f"{base}/common/v2.0/.well-known/openid-configuration").json()
    assert document["token_endpoint"].startswith(base)
    assert document["issuer"].startswith(base)


def test_pages_stay_on_plain_http_and_the_token_endpoint_does_not(world: World) -> None:
    with httpx.Client(trust_env=False) as client:
        document = client.get(f"{world.ready['pages']}/common/v2.0/.well-known/openid-configuration").json()
        assert document["authorization_endpoint"].startswith(world.ready["pages"])
        assert document["token_endpoint"].startswith(world.base)
        refused = client.post(f"{world.ready['pages']}/{world.tenant}/oauth2/v2.0/token")
        assert refused.status_code == 403
        for path in ("/v1.0/users", "/accounts", "/_sandbox/health", "//v1.0/users", "/common/oauth2/token"):
            assert client.get(world.ready["pages"] + path).status_code == 403


@pytest.mark.parametrize("asked", ["common", "organizations", "contoso.com", "{tenant}"])
def test_instance_discovery_gives_the_asked_tenant_back(http: httpx.Client, world: World, asked: str) -> None:
    asked = asked.format(tenant=world.tenant)
    # MSAL drops the port here.
    query = {"authorization_endpoint": f"https://localhost/{asked}/oauth2/v2.0/authorize", "api-version": "1.1"}
    found = http.get("/common/discovery/instance", params=query).json()
    assert found["tenant_discovery_endpoint"] == f"{world.base}/{asked}/v2.0/.well-known/openid-configuration"
    assert http.get(found["tenant_discovery_endpoint"]).status_code == 200


def test_a_rotated_key_was_published_before_and_old_tokens_stay_valid(
    http: httpx.Client, world: World, token: Token, control: httpx.Client
) -> None:
    def keys() -> KeySet:
        document = http.get(f"/{world.tenant}/v2.0/.well-known/openid-configuration").json()
        return KeySet.import_key_set(http.get(document["jwks_uri"]).json())

    app = world.app()
    ask = {"grant_type": "client_credentials", "client_id": app.id, "client_secret": app.secret}
    ask["scope"] = "https://graph.microsoft.com/.default"
    before, old = keys(), token(**ask).json()["access_token"]
    kid = control.post("/_sandbox/keys/rotate").json()["kid"]
    new = token(**ask).json()["access_token"]
    assert jwt.decode(new, before, algorithms=["RS256"]).header["kid"] == kid
    assert jwt.decode(old, keys(), algorithms=["RS256"]).header["kid"] != kid
