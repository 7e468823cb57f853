"""Microsoft's credentials and Graph SDK, unmodified."""

import asyncio
import os
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientSecretCredential, DeviceCodeCredential, EnvironmentCredential
from cryptography.hazmat.primitives import serialization
from entra_sandbox.entra import tokens

from tests.sandbox_entra.clients import certificate_of
from tests.sandbox_entra.conftest import App, Person, World, tls

SCOPE = "https://graph.microsoft.com/.default"


@pytest.fixture(scope="module")
def app(world: World) -> App:
    app = world.app(isFallbackPublicClient=True)
    world.assign(app, "User.Read.All")
    world.consent(app, "User.Read")
    return app


def options(world: World) -> dict[str, Any]:
    return {"authority": world.base, "disable_instance_discovery": True, "connection_verify": world.ready["ca_file"]}


def test_client_secret(world: World, app: App) -> None:
    credential = ClientSecretCredential(world.tenant, app.id, app.secret, **options(world))
    assert credential.get_token(SCOPE).token


def test_a_wrong_secret_is_the_librarys_own_error(world: World, app: App) -> None:
    credential = ClientSecretCredential(world.tenant, app.id, "wrong", **options(world))
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        credential.get_token(SCOPE)


@pytest.mark.parametrize("chain", [False, True])
def test_certificate(world: World, chain: bool) -> None:
    import base64
    import uuid

    certificate, key = certificate_of("Reporter")
    der = certificate.public_bytes(serialization.Encoding.DER)
    app = world.app(keyCredentials=[{"keyId": str(uuid.uuid4()), "key": base64.b64encode(der).decode()}])
    pem = key.encode() + certificate.public_bytes(serialization.Encoding.PEM)
    wanted = {"certificate_data": pem, "send_certificate_chain": chain, **options(world)}
    assert CertificateCredential(world.tenant, app.id, **wanted).get_token(SCOPE).token


def test_device_code(world: World, app: App, plain: Person) -> None:
    def prompt(address: str, code: str, _expires: object) -> None:
        screen = plain.page(address)
        plain.send(screen, screen.forms[0], {"otc": code})

    credential = DeviceCodeCredential(app.id, tenant_id=world.tenant, prompt_callback=prompt, **options(world))
    assert credential.get_token("User.Read").token


@pytest.fixture
def environment(world: World, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", world.base)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", world.ready["ca_file"])
    monkeypatch.setenv("SSL_CERT_FILE", world.ready["ca_file"])
    monkeypatch.setenv("AZURE_TENANT_ID", world.tenant)
    monkeypatch.setenv("AZURE_CLIENT_ID", app.id)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", app.secret)


@pytest.mark.usefixtures("environment")
def test_environment_credential() -> None:
    assert os.environ["AZURE_AUTHORITY_HOST"]
    assert EnvironmentCredential(disable_instance_discovery=True).get_token(SCOPE).token


@pytest.mark.usefixtures("environment")
def test_the_graph_sdk_declares_that_it_handles_claims_challenges(world: World) -> None:
    from entra_sandbox.entra import tokens
    from msgraph import GraphServiceClient

    seen: list[str] = []

    class Credential(ClientSecretCredential):
        def get_token(self, *scopes: str, **more: Any) -> Any:
            found = super().get_token(*scopes, **more)
            seen.append(found.token)
            return found

    credential = Credential(
        world.tenant, os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"], **options(world)
    )
    client = GraphServiceClient(credential, scopes=[f"{world.base}/.default"])
    client.request_adapter.base_url = f"{world.base}/v1.0"

    async def read() -> Any:
        return await client.users.get()

    users = asyncio.run(read())
    assert len(users.value) == 100
    assert tokens.verify(world.store, seen[0])["xms_cc"] == ["CP1"]


def test_a_token_opens_graph_for_its_roles_alone(world: World, app: App) -> None:
    token = ClientSecretCredential(world.tenant, app.id, app.secret, **options(world)).get_token(SCOPE).token
    with httpx.Client(verify=tls(world.ready), base_url=world.base, trust_env=False) as client:
        headers = {"authorization": f"Bearer {token}"}
        assert client.get("/v1.0/users?$top=1", headers=headers).status_code == 200
        assert client.get("/v1.0/groups?$top=1", headers=headers).status_code == 403
        broken = {"authorization": f"Bearer {token[:-8]}AAAAAAAA"}
        assert client.get("/v1.0/users?$top=1", headers=broken).status_code == 401


def test_device_code_of_a_credential_without_any_setting(world: World, plain: Person) -> None:
    """Without a client id the library signs in as Microsoft's own Azure CLI, which every tenant knows."""

    def prompt(address: str, code: str, _expires: object) -> None:
        screen = plain.page(address)
        plain.send(screen, screen.forms[0], {"otc": code})

    credential = DeviceCodeCredential(tenant_id=world.tenant, prompt_callback=prompt, **options(world))
    assert credential.get_token("https://graph.microsoft.com/.default").token
    assert credential.get_token("https://management.azure.com/.default").token


def test_a_token_for_azures_management(world: World, app: App) -> None:
    """Azure's command-line tools ask for one before anything else."""
    credential = ClientSecretCredential(world.tenant, app.id, app.secret, **options(world))
    token = credential.get_token("https://management.core.windows.net//.default").token
    assert tokens.verify(world.store, token)["aud"] == "https://management.azure.com/"
