"""Tools whose hosts are fixed in their source, with all their defaults, through the CONNECT proxy."""

import asyncio
import datetime
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msal
import pytest
from azure.identity import ClientSecretCredential
from cryptography import x509
from entra_sandbox import running

SCOPE = "https://graph.microsoft.com/.default"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    state = tmp_path_factory.mktemp("proxied") / "state.sqlite3"
    with running(state, proxy=True) as ready:
        yield {**ready, "secret": Path(ready["client_secret_file"]).read_text(encoding="utf-8"), "state": state}


@pytest.fixture
def _environment(proxied: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in proxied["environment"].items():
        monkeypatch.setenv(name, value)


def test_the_ready_line_has_the_variables_to_set(proxied: dict[str, Any]) -> None:
    variables = proxied["environment"]
    assert variables["HTTPS_PROXY"] == proxied["https_proxy"]
    assert variables["NO_PROXY"] == ""
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        assert variables[name] == proxied["ca_file"]
    assert proxied["secret"] not in json.dumps(variables)


@pytest.mark.usefixtures("_environment")
def test_msal_with_its_defaults(proxied: dict[str, Any]) -> None:
    for tenant in (proxied["tenant_id"], "contoso.com"):
        client = msal.ConfidentialClientApplication(
            proxied["client_id"],
            client_credential=proxied["secret"],
            authority=f"https://login.microsoftonline.com/{tenant}",
        )
        assert "access_token" in client.acquire_token_for_client([SCOPE])


@pytest.mark.usefixtures("_environment")
def test_msal_signs_a_person_in_with_its_defaults(proxied: dict[str, Any]) -> None:
    name, person = next(iter(proxied["users"].items()))
    client = msal.PublicClientApplication(
        proxied["client_id"], authority=f"https://login.microsoftonline.com/{proxied['tenant_id']}"
    )
    refused = client.acquire_token_by_username_password(name, "wrong", ["User.Read"])
    assert refused["error"] in ("invalid_client", "invalid_grant")
    assert person["password"] not in refused["error_description"]


@pytest.mark.usefixtures("_environment")
def test_azure_identity_and_the_graph_sdk_with_their_defaults(proxied: dict[str, Any]) -> None:
    from msgraph import GraphServiceClient

    credential = ClientSecretCredential(proxied["tenant_id"], proxied["client_id"], proxied["secret"])
    client = GraphServiceClient(credential)

    async def read() -> Any:
        first = await client.users.get()
        assert first is not None
        return first, await client.users.with_url(first.odata_next_link).get()

    first, second = asyncio.run(read())
    assert first.odata_next_link.startswith("https://graph.microsoft.com/v1.0/users?")
    assert {one.id for one in first.value}.isdisjoint(one.id for one in second.value)


@pytest.mark.usefixtures("_environment")
def test_stackone_answers_at_its_own_name(proxied: dict[str, Any]) -> None:
    key = Path(proxied["stackone_api_key_file"]).read_text(encoding="utf-8")
    with httpx.Client() as client:
        assert client.get("https://api.stackone.com/accounts", auth=(key, "")).status_code == 200


@pytest.mark.usefixtures("_environment")
@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/",
        "http://example.com/",
        "https://graph.microsoft.com:8443/",
        "https://localhost:1/",
        "http://localhost:1/",
        "https://login.microsoftonline.com.example.com/",
    ],
)
def test_nothing_else_can_be_reached(address: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"):
        try:
            status = httpx.get(address).status_code
        except httpx.ProxyError as error:
            status = int(str(error).split()[0])
    assert status == 403
    assert "is not part of the sandbox" in caplog.text


@pytest.mark.usefixtures("_environment")
def test_the_sandboxs_own_addresses_are_let_through(proxied: dict[str, Any]) -> None:
    with httpx.Client() as client:
        assert client.get(f"{proxied['authority']}/_sandbox/health").json() == {"status": "ok"}
        assert "Enter code" in client.get(f"{proxied['pages']}/devicelogin?x=1").text


def test_the_ca_lives_a_day_and_its_key_is_kept_nowhere(proxied: dict[str, Any]) -> None:
    certificate = x509.load_pem_x509_certificate(Path(proxied["ca_file"]).read_bytes())
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime <= datetime.timedelta(days=1, hours=1)
    permitted = certificate.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
    assert permitted is not None
    assert {str(one.value) for one in permitted} == {
        *("localhost", "127.0.0.1/32", "::1/128"),
        *("login.microsoftonline.com", "graph.microsoft.com", "api.stackone.com", "app.stackone.com"),
    }
    names = {path.name for path in Path(f"{proxied['state']}.d").iterdir()}
    assert not names & {"ca.key", "listener.key"}
    assert not [name for name in names if "leaf" in name]


def test_without_the_proxy_no_certificate_names_a_real_host(ready: dict[str, Any]) -> None:
    ca = x509.load_pem_x509_certificate(Path(ready["ca_file"]).read_bytes())
    assert "microsoftonline" not in str(ca.extensions.get_extension_for_class(x509.NameConstraints).value)
    port = int(ready["authority"].rsplit(":", 1)[1])
    leaf = x509.load_pem_x509_certificate(ssl.get_server_certificate(("localhost", port)).encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


@pytest.mark.parametrize(
    "request_line",
    [b"CONNECT\r\n\r\n", b"\x16\x03\x01\x02\r\n\r\n", b"CONNECT a b c\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"],
)
def test_a_broken_request_is_answered(proxied: dict[str, Any], request_line: bytes) -> None:
    import socket

    port = int(proxied["https_proxy"].rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request_line)
        assert connection.recv(100).startswith((b"HTTP/1.1 400", b"HTTP/1.1 403"))


@pytest.mark.parametrize("command", [["entra_sandbox"], ["runbook", "sandbox"]])
def test_the_shell_leads_everything_to_the_sandbox(tmp_path: Path, command: list[str]) -> None:
    program = tmp_path / "shell"
    code = (
        "import os, json, pathlib, httpx;"
        "ready = json.loads(pathlib.Path(os.environ['ENTRA_SANDBOX_READY']).read_text());"
        "secret = pathlib.Path(ready['client_secret_file']).read_text(); assert secret not in str(os.environ);"
        "ask = dict(grant_type='client_credentials', client_id=ready['client_id'], client_secret=secret,"
        f" scope='{SCOPE}');"
        "print(httpx.post(f\"https://login.microsoftonline.com/{ready['tenant_id']}/oauth2/v2.0/token\", data=ask)"
        ".status_code)"
    )
    program.write_text(f"#!{sys.executable}\n{code}\n")
    program.chmod(0o700)
    command = [sys.executable, "-m", *command, "shell", "--state", str(tmp_path / "state.sqlite3")]
    environment = {**os.environ, "SHELL": str(program)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "200"), done.stderr
    assert "Leave with" in done.stderr
    assert not (tmp_path / "state.sqlite3.d" / "ready.json").exists()
