"""The store of HashiCorp Vault, by its own client and commands, against a scripted server of its KV v2 interface."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from runbook.records.journal import read as read_journal
from tests.conftest import environment

from ..clients.service import Asked, Reply, Service, serving
from .conftest import CANARY

pytest.importorskip("hvac", reason="the extra vault is not installed")

TOKEN = "hvs.a-token-canary-of-the-vault"
ONE = "vault:secret/stackone/api-key"


class Vault:
    """KV v2 at the mount ``secret`` (developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2)."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.kept: dict[str, list[dict[str, str]]] = {}
        self.folder, self.home = folder, folder / "home"
        service.reply = self.answer  # type: ignore[method-assign]
        self.variables = {"VAULT_ADDR": service.base, "VAULT_CACERT": str(service.ca_file)}

    def answer(self, asked: Asked) -> Reply:
        if asked.headers.get("x-vault-token") != TOKEN:
            return Reply(403, {"errors": ["permission denied"]})
        version, mount, kind, *parts = asked.path.strip("/").split("/")
        assert (version, mount) == ("v1", "secret"), asked.path
        path = "/".join(parts)
        if asked.method == "LIST":
            folder = f"{path}/" if path else ""
            below = {name.removeprefix(folder) for name in self.kept if name.startswith(folder)}
            keys = sorted({name.split("/")[0] + ("/" if "/" in name else "") for name in below})
            return Reply(200, {"data": {"keys": keys}}) if keys else Reply(404, {"errors": []})
        if asked.method in ("POST", "PUT") and kind == "data":
            self.kept.setdefault(path, []).append(asked.json["data"])
            return Reply(200, {"data": {"version": len(self.kept[path])}})
        if path not in self.kept:
            return Reply(404, {"errors": []})
        if asked.method == "DELETE" and kind == "metadata":
            del self.kept[path]
            return Reply(204)
        return Reply(200, {"data": {"data": self.kept[path][-1], "metadata": {"version": len(self.kept[path])}}})

    def runbook(self, *line: str, given: str = "", token: str = TOKEN) -> subprocess.CompletedProcess[str]:
        variables = environment(self.home, **self.variables) | ({"VAULT_TOKEN": token} if token else {})
        return subprocess.run(
            [sys.executable, "-m", "runbook", *line],
            input=given,
            cwd=self.folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    ca, ca_file = trustme.CA(), tmp_path / "vault-ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    with serving(context, ca_file) as service:
        yield Vault(service, tmp_path)


def test_a_secret_is_kept_listed_read_replaced_and_removed_with_its_versions(vault: Vault) -> None:
    assert vault.runbook("secrets", "set", ONE, given="first\n").returncode == 0
    assert vault.runbook("secrets", "set", ONE, given=CANARY).returncode == 0
    assert vault.kept == {"stackone/api-key": [{"value": "first"}, {"value": CANARY}]}
    vault.kept["top"] = [{"value": "x"}]
    assert vault.runbook("secrets", "list", "vault:secret").stdout.splitlines() == [ONE, "vault:secret/top"]
    assert vault.runbook("secrets", "get", ONE).stdout == f"{CANARY}\n"
    assert vault.runbook("secrets", "remove", ONE).returncode == 0
    assert "stackone/api-key" not in vault.kept
    assert vault.runbook("secrets", "get", ONE).returncode == 1


def test_the_token_may_lie_where_vault_login_leaves_it(vault: Vault) -> None:
    vault.home.mkdir(exist_ok=True)
    (vault.home / ".vault-token").write_text(f"{TOKEN}\n")
    assert vault.runbook("secrets", "set", ONE, given=CANARY, token="").returncode == 0
    assert vault.runbook("secrets", "get", ONE, token="").stdout == f"{CANARY}\n"


@pytest.mark.parametrize("wrong", ["token", "address"])
def test_a_refusal_names_the_vault_and_shows_neither_token_nor_value(vault: Vault, wrong: str) -> None:
    if wrong == "address":
        vault.variables["VAULT_ADDR"] = "https://localhost:1"
    token = TOKEN if wrong == "address" else "hvs.another-token-canary"
    done = vault.runbook("secrets", "set", ONE, "--traceback", given=CANARY, token=token)
    assert done.returncode == 1
    assert f"HashiCorp Vault {vault.variables['VAULT_ADDR']}, mount secret did not keep" in done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert token not in done.stdout + done.stderr


def test_a_run_keeps_the_client_secret_there_and_its_kernels_ask_it_for_the_token(vault: Vault) -> None:
    done = vault.runbook("run", "--json", "--sections", "1..5", "--set", "secret_store=vault:secret")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    path = document["secret"]["ref"].removeprefix("vault:secret/")
    (kept,) = vault.kept[path]
    record = vault.folder / document["record"]
    assert read_journal(record)
    for file in record.iterdir():
        assert TOKEN not in file.read_text(encoding="utf-8")
        assert kept["value"] not in file.read_text(encoding="utf-8")
