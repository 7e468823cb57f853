"""A real target's own addresses, CA and proxy rules, with the sandbox behind its CONNECT proxy in their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox import server

from runbook.clients import entra
from runbook.clients.entra import Administrator
from runbook.clients.graph import GraphClient
from runbook.clients.stackone import StackOneClient
from runbook.clients.target import Target, open_target
from runbook.errors import TransportError
from runbook.parameters import Parameters
from runbook.secrets import Secret
from runbook.secrets.stores import SecretStore, open_store

from .conftest import Log


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with server.running(tmp_path_factory.mktemp("proxied") / "state.sqlite3", proxy=True) as line:
        yield line


@pytest.fixture
def store(ready: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecretStore:
    monkeypatch.setenv("RUNBOOK_SECRETS_DIR", str(tmp_path))
    found = open_store("file")
    found.put("admin/secret", Secret(Path(ready["client_secret_file"]).read_text().strip()))
    found.put("stackone/api-key", Secret(Path(ready["stackone_api_key_file"]).read_text().strip()))
    return found


@pytest.fixture
def surroundings(ready: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A company's network: everything goes through its proxy, whose CA is named in the environment."""
    for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", ready["https_proxy"])
    return monkeypatch


def parameters(ready: dict[str, Any]) -> Parameters:
    return Parameters(
        target="entra",
        tenant_id=ready["tenant_id"],
        client_id=ready["client_id"],
        client_secret_ref="file:admin/secret",
        stackone_api_key_ref="file:stackone/api-key",
    )


@pytest.fixture
def real(ready: dict[str, Any], store: SecretStore) -> Iterator[Target]:
    with open_target(parameters(ready), store) as target:
        yield target


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_microsofts_and_stackones_addresses_are_reached_through_the_environments_proxy_and_ca(
    ready: dict[str, Any], real: Target, surroundings: pytest.MonkeyPatch, variable: str, log: Log
) -> None:
    surroundings.setenv(variable, ready["ca_file"])
    administrator = Administrator(real, parameters(ready), log)
    with GraphClient(real, administrator, log) as graph:
        users = list(graph.list("/users", select=("id",), top=100))
    with StackOneClient(real, log) as stackone:
        assert list(stackone.connector_profiles()) == []
    administrator.close()
    assert len(users) > 200
    assert {line["host"] for _, line in log.lines} == {
        "login.microsoftonline.com",
        "graph.microsoft.com",
        "api.stackone.com",
    }


def test_an_application_token_is_for_the_clouds_own_graph(
    ready: dict[str, Any], real: Target, surroundings: pytest.MonkeyPatch
) -> None:
    surroundings.setenv("REQUESTS_CA_BUNDLE", ready["ca_file"])
    assert real.client_secret is not None
    result = entra.application_token(real, real.client_id, real.client_secret)
    assert result.claims["aud"] in ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000")
    assert "Application.ReadWrite.All" in result.roles


@pytest.mark.usefixtures("surroundings")
def test_a_proxy_whose_ca_is_not_named_is_refused_with_what_to_set(real: Target) -> None:
    assert real.client_secret is not None
    with pytest.raises(TransportError) as caught:
        entra.application_token(real, real.client_id, real.client_secret)
    assert "REQUESTS_CA_BUNDLE" in caught.value.next_step
