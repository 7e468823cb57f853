"""Where a run goes: clouds, ready lines, references; nothing is guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from runbook.catalog import guide
from runbook.clients.target import open_target
from runbook.data import table
from runbook.errors import InputError
from runbook.parameters import Parameters
from runbook.secrets import Secret
from runbook.secrets.stores import SecretStore, open_store

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecretStore:
    monkeypatch.setenv("RUNBOOK_SECRETS_DIR", str(tmp_path / "secrets"))
    found = open_store("file")
    found.put("admin/secret", Secret("admin-canary"))
    found.put("stackone/api-key", Secret("key-canary"))
    return found


def real(**changes: Any) -> Parameters:
    given = {
        "target": "entra",
        "tenant_id": TENANT,
        "client_id": CLIENT,
        "client_secret_ref": "file:admin/secret",
        "stackone_api_key_ref": "file:stackone/api-key",
    }
    return Parameters(**(given | changes))


@pytest.mark.parametrize(
    ("cloud", "authority", "graph"),
    [
        ("global", "https://login.microsoftonline.com", "https://graph.microsoft.com"),
        ("usgov", "https://login.microsoftonline.us", "https://graph.microsoft.us"),
        ("usgov-dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        ("china", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
    ],
)
def test_each_cloud_has_its_documented_hosts(store: SecretStore, cloud: str, authority: str, graph: str) -> None:
    with open_target(real(cloud=cloud), store) as target:
        assert (target.endpoints.authority, target.endpoints.graph) == (authority, graph)
        assert ("worldwide cloud only" in target.description) is (cloud != "global")
        assert not target.rehearsal
        assert target.attend is None
        assert target.endpoints.ca_file is None


def test_every_cloud_of_the_parameters_is_in_the_table() -> None:
    choices = Parameters.model_json_schema()["properties"]["cloud"]["enum"]
    assert set(choices) == set(table("clients/clouds.json")["clouds"])


def test_the_callback_of_a_real_target_is_the_guides(store: SecretStore) -> None:
    with open_target(real(), store) as target:
        callback = target.endpoints.pages + guide.CALLBACK_PATH
    assert callback == "https://api.stackone.com/connect/oauth2/microsoftentraid/callback"


def test_a_real_targets_secrets_come_from_the_store_by_reference(store: SecretStore) -> None:
    with open_target(real(), store) as target:
        assert target.client_secret == Secret("admin-canary")
        assert target.stackone_api_key == Secret("key-canary")
        assert "canary" not in repr(target)
        assert "PRODUCTION" in target.description


def test_signing_in_as_a_person_reads_no_client_secret(store: SecretStore) -> None:
    with open_target(real(sign_in="device-code", client_secret_ref=""), store) as target:
        assert target.client_secret is None


def ready(folder: Path, **changes: Any) -> dict[str, Any]:
    for name, value in (("secret", "admin-canary\n"), ("key", "key-canary")):
        (folder / name).write_text(value)
        (folder / name).chmod(0o600)
    line = {
        "authority": "https://localhost:8443/",
        "graph": "https://localhost:8443",
        "stackone": "https://localhost:8443",
        "pages": "http://localhost:8080",
        "ca_file": str(folder / "ca.pem"),
        "tenant_id": TENANT,
        "client_id": CLIENT,
        "client_secret_ref": "file:sandbox/admin",
        "client_secret_file": str(folder / "secret"),
        "stackone_api_key_file": str(folder / "key"),
        "users": {"admin@contoso.com": {"password": "password-canary", "roles": ["Global Administrator"]}},
    }
    return {name: value for name, value in (line | changes).items() if value is not None}


def named(folder: Path, line: object) -> Parameters:
    file = folder / "ready.json"
    file.write_text(line if isinstance(line, str) else json.dumps(line))
    return Parameters(sandbox_file=str(file))


def test_a_served_sandbox_is_described_by_its_ready_line(store: SecretStore, tmp_path: Path) -> None:
    with open_target(named(tmp_path, ready(tmp_path)), store) as target:
        assert target.rehearsal
        assert target.endpoints.authority == "https://localhost:8443"
        assert target.endpoints.pages == "http://localhost:8080"
        assert target.endpoints.ca_file == tmp_path / "ca.pem"
        assert target.client_secret == Secret("admin-canary")
        assert target.stackone_api_key == Secret("key-canary")
        assert "SANDBOX" in target.description
        assert "canary" not in repr(target)


@pytest.mark.parametrize("variable", ["RUNBOOK_SANDBOX", "ENTRA_SANDBOX_READY"])
def test_the_environment_names_a_served_sandbox_too(
    store: SecretStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, named(tmp_path, ready(tmp_path)).sandbox_file)
    with open_target(Parameters(), store) as target:
        assert target.tenant_id == TENANT


def test_other_lines_around_the_ready_line_do_not_matter(store: SecretStore, tmp_path: Path) -> None:
    text = "starting…\n" + json.dumps(ready(tmp_path)) + '\n{"other": 1}\n'
    with open_target(named(tmp_path, text), store) as target:
        assert target.client_id == CLIENT


def without_secret_file(folder: Path) -> dict[str, Any]:
    line = ready(folder)
    (folder / "secret").unlink()
    return line


def with_open_secret_file(folder: Path) -> dict[str, Any]:
    line = ready(folder)
    (folder / "key").chmod(0o644)
    return line


def with_empty_secret_file(folder: Path) -> dict[str, Any]:
    line = ready(folder)
    (folder / "key").write_text("\n")
    return line


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda _folder: "no json at all", "no ready line"),
        (lambda _folder: "", "no ready line"),
        (lambda folder: ready(folder, graph=None, ca_file=""), "lacks graph, ca_file"),
        (without_secret_file, "cannot be read"),
        (with_open_secret_file, "can be read by others"),
        (with_empty_secret_file, "is empty"),
    ],
)
def test_a_ready_line_that_cannot_be_used_is_bad_input(
    store: SecretStore, tmp_path: Path, make: Callable[[Path], object], what: str
) -> None:
    with pytest.raises(InputError, match=what), open_target(named(tmp_path, make(tmp_path)), store):
        pass


def test_a_ready_file_that_is_not_there_is_bad_input(store: SecretStore, tmp_path: Path) -> None:
    params = Parameters(sandbox_file=str(tmp_path / "missing.json"))
    with pytest.raises(InputError, match="cannot be read"), open_target(params, store):
        pass


def test_every_address_in_the_table_of_clouds_is_https() -> None:
    for cloud in table("clients/clouds.json")["clouds"].values():
        parts = [urlsplit(value) for value in (cloud["authority"], cloud["graph"], cloud["portal"])]
        assert {(one.scheme, one.path, one.query) for one in parts} == {("https", "", "")}
        assert all(one.netloc for one in parts)
