"""The vault backend with Microsoft's own client against a scripted vault."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from runbook import run_socket
from runbook.errors import SecretStoreError
from runbook.secrets import Secret
from runbook.secrets.key_vault import KeyVaultBackend

from ..clients.service import Asked, Reply, Service, serving
from .conftest import CANARY

pytest.importorskip("azure.keyvault.secrets", reason="the extra azure is not installed")

NAME = "stackone-connector/11111111-2222-3333-4444-555555555555/app"
KEY = "stackone-connector-11111111-2222-3333-4444-555555555555-app"


class Credential:
    """Somebody who is signed in."""

    def get_token(self, *_scopes: str, **_options: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken("signed-in", int(time.time()) + 3600)


class Vault:
    """Azure Key Vault's REST interface for secrets, as far as the client uses it."""

    def __init__(self, service: Service) -> None:
        self.kept: dict[str, str] = {}
        self.deleted: dict[str, str] = {}
        self.forbidden = False
        self._base = service.base
        for method in ("GET", "PUT", "DELETE", "POST"):
            for path in (
                "/secrets/" + KEY,
                f"/secrets/{KEY}/",
                "/deletedsecrets/" + KEY,
                f"/deletedsecrets/{KEY}/recover",
            ):
                service.on(method, path, self._guarded)

    def _guarded(self, asked: Asked) -> Reply:
        if "authorization" not in asked.headers:
            where = 'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"'
            return Reply(401, {"error": {"code": "Unauthorized"}}, {"www-authenticate": where})
        if self.forbidden:
            return Reply(403, {"error": {"code": "Forbidden", "message": "no role"}})
        return self._answer(asked)

    def _answer(self, asked: Asked) -> Reply:
        name = asked.path.split("/")[2]
        missing = Reply(404, {"error": {"code": "SecretNotFound", "message": "x"}})
        if asked.method == "PUT":
            if name in self.deleted:
                return Reply(409, {"error": {"code": "Conflict", "message": "deleted but recoverable"}})
            self.kept[name] = json.loads(asked.body)["value"]
            return self._bundle(name)
        if asked.path.startswith("/deletedsecrets/"):
            if asked.method == "POST":
                self.kept[name] = self.deleted.pop(name)
                return self._bundle(name)
            return self._bundle(name) if name in self.deleted else missing
        if asked.method == "DELETE" and name in self.kept:
            self.deleted[name] = self.kept.pop(name)
            return self._bundle(name)
        return self._bundle(name) if name in self.kept else missing

    def _bundle(self, name: str) -> Reply:
        attributes = {"enabled": True, "created": 1, "updated": 1}
        ids = {"id": f"{self._base}/secrets/{name}/v1", "recoveryId": f"{self._base}/deletedsecrets/{name}"}
        return Reply(200, {"value": self.kept.get(name), "attributes": attributes, **ids})


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[tuple[Vault, KeyVaultBackend]]:
    from azure.keyvault.secrets import SecretClient

    ca, ca_file = trustme.CA(), tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    with serving(context, ca_file) as service:
        client = SecretClient(
            service.base,
            Credential(),  # type: ignore[arg-type]
            verify_challenge_resource=False,
            connection_verify=str(ca_file),
            retry_total=0,
        )
        yield Vault(service), KeyVaultBackend("myvault.vault.azure.net", client)


def test_a_secret_is_kept_read_replaced_and_deleted(vault: tuple[Vault, KeyVaultBackend]) -> None:
    kept, backend = vault
    assert backend.get(NAME) is None
    backend.put(NAME, Secret(CANARY))
    assert kept.kept == {KEY: CANARY}
    assert backend.get(backend.place(NAME)) == Secret(CANARY)
    backend.put(NAME, Secret("second"))
    assert backend.get(NAME) == Secret("second")
    assert backend.delete(NAME) is True
    assert backend.delete(NAME) is False


def test_a_deleted_secret_is_recovered_before_it_is_kept_anew(vault: tuple[Vault, KeyVaultBackend]) -> None:
    kept, backend = vault
    backend.put(NAME, Secret("first"))
    backend.delete(NAME)
    backend.put(NAME, Secret("second"))
    assert kept.kept == {KEY: "second"}


def test_a_refusal_is_a_clear_error_that_shows_no_value(vault: tuple[Vault, KeyVaultBackend]) -> None:
    kept, backend = vault
    kept.forbidden = True
    with pytest.raises(SecretStoreError, match=r"Key Vault myvault.*did not keep") as caught:
        backend.put(NAME, Secret(CANARY))
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("given", ["myvault", "myvault.vault.azure.net", "https://myvault.vault.azure.net/"])
def test_a_vault_is_named_by_name_host_or_address(given: str) -> None:
    backend = KeyVaultBackend.of(given)
    assert backend.place(NAME) == f"myvault.vault.azure.net/{KEY}"
    assert backend.place("myvault.vault.azure.net/" + KEY) == f"myvault.vault.azure.net/{KEY}"


def test_in_a_kernel_the_service_principal_of_the_runs_environment_opens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", "11111111-2222-3333-4444-555555555555")
    monkeypatch.setenv("AZURE_CLIENT_ID", "66666666-7777-8888-9999-000000000000")
    monkeypatch.delenv("AZURE_CLIENT_SECRET", raising=False)
    asked = []

    def secret(name: str) -> dict[str, str]:
        asked.append(name)
        return {"value": CANARY}

    with run_socket.offered({"secret": secret}) as way:
        for name, value in way.items():
            monkeypatch.setenv(name, value)
        KeyVaultBackend.of("myvault")
    assert asked == ["AZURE_CLIENT_SECRET"]


def test_without_the_libraries_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['azure'] = None\n"
        "from runbook.errors import SecretStoreError\n"
        "from runbook.secrets.stores import open_store\n"
        "try: open_store('azure-key-vault:https://v.vault.azure.net')\n"
        "except SecretStoreError as error: print(error.next_step)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "entra-id-runbook[azure]" in done.stdout
