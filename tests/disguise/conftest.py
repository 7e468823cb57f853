"""A real target in disguise: Microsoft's and StackOne's own addresses, with the sandbox behind a company's proxy."""

from __future__ import annotations

import functools
import json
import re
import secrets
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from entra_sandbox import server
from entra_sandbox.entra import credentials
from entra_sandbox.seed import data
from entra_sandbox.store import Store

from runbook import rehearsal
from runbook.errors import HandOver
from runbook.records.journal import read as read_journal
from runbook.secrets import Secret
from runbook.secrets.encrypted_file import EncryptedFileBackend
from tests.conftest import environment

NEEDED = (
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Directory.Read.All",
    "Policy.Read.All",
)
"""What the README asks for the administrator's application."""
GRAPH_APP = "00000003-0000-0000-c000-000000000000"
_CODE = re.compile(r"open (?P<url>\S+) and enter the code (?P<code>\S+) ")


@dataclass
class Tenant:
    """The sandbox's tenant as it looks from a machine whose traffic goes through its proxy."""

    ready: Mapping[str, Any]
    home: Path
    folder: Path
    people: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        variables = {name: value for name, value in self.ready["environment"].items() if name != "NODE_USE_ENV_PROXY"}
        return environment(self.home, RUNBOOK_SECRETS_DIR=str(self.home / "secrets"), **variables)

    @property
    def store(self) -> EncryptedFileBackend:
        return EncryptedFileBackend(self.home / "secrets" / "secrets.enc", self.home / "secrets" / "secrets.key")

    @functools.cached_property
    def another(self) -> str:
        """The id of the sandbox's second tenant."""
        return str(self.customer.ready["tenant_id"])

    @functools.cached_property
    def customer(self) -> Tenant:
        """The sandbox's second tenant, with somebody who may do everything there."""
        store = Store(self.folder / "state.sqlite3")
        try:
            name = data()["tenants"][1]["name"]
            found = next(str(row.id) for row in store.rows("organization") if row.doc["displayName"] == name)
            person, password = store.find("user", found)[0], secrets.token_urlsafe(15)
            credentials.keep_password(store, person["id"], password)
        finally:
            store.close()
        users = {person["userPrincipalName"]: {"password": password, "roles": ["Global Administrator"]}}
        return replace(self, ready={**self.ready, "tenant_id": found, "users": users})

    @functools.cached_property
    def neighbour(self) -> Tenant:
        """A tenant beside this one whose connection is kept in the same StackOne project."""
        (other,) = self.ready["tenants"]
        line = json.loads(Path(self.ready["client_secret_file"]).with_name(f"tenant-{other}.json").read_text())
        self.store.put("neighbour/secret", Secret(Path(line["client_secret_file"]).read_text().strip()))
        return replace(self, ready={**self.ready, **line})

    def person(self, role: str) -> str:
        """The user name of somebody with this role."""
        return next(name for name, person in self.ready["users"].items() if role in person["roles"])

    def graph(self) -> httpx.Client:
        """Microsoft Graph as the sandbox's own administrator, for what a test prepares and looks at."""
        secret = Path(self.ready["client_secret_file"]).read_text(encoding="utf-8").strip()
        asked = {"grant_type": "client_credentials", "client_id": self.ready["client_id"], "client_secret": secret}
        trusted = ssl.create_default_context(cafile=self.ready["ca_file"])
        with httpx.Client(verify=trusted, trust_env=False) as client:
            url = f"{self.ready['authority']}/{self.ready['tenant_id']}/oauth2/v2.0/token"
            scope = f"{self.ready['graph']}/.default"
            token = client.post(url, data={**asked, "scope": scope}).raise_for_status().json()["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        base = f"{self.ready['graph']}/v1.0"
        return httpx.Client(base_url=base, headers=headers, verify=trusted, trust_env=False)

    def application(self, *permissions: str) -> str:
        """The client id of a public application through which people sign in with these delegated permissions."""
        body = {
            "displayName": "Runbook sign-in",
            "signInAudience": "AzureADMyOrg",
            "isFallbackPublicClient": True,
            "publicClient": {"redirectUris": ["http://localhost"]},
        }
        with self.graph() as graph:
            made = graph.post("/applications", json=body).raise_for_status().json()
            principal = graph.post("/servicePrincipals", json={"appId": made["appId"]}).raise_for_status().json()
            resource = graph.get(f"/servicePrincipals(appId='{GRAPH_APP}')").raise_for_status().json()
            grant = {"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": resource["id"]}
            scope = " ".join(("User.Read", *permissions))
            graph.post("/oauth2PermissionGrants", json={**grant, "scope": scope}).raise_for_status()
        return str(made["appId"])

    def act(self, item: Mapping[str, Any], role: str = "Global Administrator") -> None:
        """Do what a hand-over asks for, as somebody with this role."""
        fields = {**(item.get("fields") or {}), "username": self.person(role)}
        hand_over = HandOver(str(item["kind"]), str(item.get("title", "")), str(item["url"]), fields=fields)
        assert rehearsal.attend(self.ready, hand_over, self._value)

    def _value(self, reference: str) -> str:
        found = self.store.get(reference.removeprefix("file:"))
        assert found is not None
        return found.reveal()


@dataclass
class Desk:
    """One folder with a parameters file, from which ``runbook`` is called as a user would."""

    tenant: Tenant
    folder: Path
    values: dict[str, Any]
    signs_in: str = "Global Administrator"
    codes: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    passed: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> Path:
        file = self.folder / "contoso.yaml"
        file.write_text(yaml.safe_dump(self.values), encoding="utf-8")
        return file

    def call(
        self, command: str, *arguments: str, given: str | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """``runbook COMMAND --parameters FILE …``; codes on stderr are entered by whoever signs in."""
        line = [sys.executable, "-m", "runbook", command, "--parameters", str(self.parameters), *arguments]
        return self.spoken(line, given, **variables)

    def spoken(self, line: list[str], given: str | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command line and enter the codes that it shows."""
        pipe = subprocess.PIPE
        with (self.folder / "stdout").open("w+", encoding="utf-8") as out:
            process = subprocess.Popen(
                line,
                cwd=self.folder,
                env={**self.tenant.environment, **self.variables, **variables},
                stdin=pipe,
                stdout=out,
                stderr=pipe,
                text=True,
            )
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write(given or "")
            process.stdin.close()
            said = []
            for text in process.stderr:
                said.append(text)
                self.sign_in(text)
            process.wait(timeout=300)
            out.seek(0)
            return subprocess.CompletedProcess(line, process.returncode, out.read(), "".join(said))

    def sign_in(self, said: str) -> None:
        """Enter the code that is shown, if one is that was not entered before."""
        found = _CODE.search(said)
        if found and found["code"] not in self.codes:
            self.codes.append(found["code"])
            item = {"kind": "device_sign_in", "url": found["url"], "fields": {"code": found["code"]}}
            self.tenant.act(item, self.signs_in)

    def run(self, *arguments: str, **variables: str) -> tuple[int, dict[str, Any]]:
        """``runbook run --json``: its exit code and its document."""
        done = self.call("run", "--json", *arguments, **variables)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            raise AssertionError(done.stdout + done.stderr) from None

    def hand_over(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """What the latest run handed over, with the address that its record keeps to itself."""
        events = read_journal(self.folder / document["record"])
        item = next(event for event in reversed(events) if event["event"] == "hand_over")
        if item.get("kept"):
            item["url"] = self.tenant._value(item["kept"])
        return item


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    home = tmp_path_factory.mktemp("home")
    folder = tmp_path_factory.mktemp("disguise")
    with server.running(folder / "state.sqlite3", proxy=True, tenants=1) as ready:
        found = Tenant(ready, home, folder)
        for name, file in {"admin/secret": "client_secret_file", "stackone/api-key": "stackone_api_key_file"}.items():
            found.store.put(name, Secret(Path(ready[file]).read_text(encoding="utf-8").strip()))
        yield found


@pytest.fixture
def desk(tenant: Tenant, tmp_path: Path) -> Callable[..., Desk]:
    """A desk whose application, profile and account nobody else uses."""
    return desks(tenant, tmp_path)


def desks(tenant: Tenant, place: Path) -> Callable[..., Desk]:
    """Begins such desks below ``place``."""

    def begin(signs_in: str = "Global Administrator", **values: Any) -> Desk:
        own = secrets.token_hex(4)
        defaults: dict[str, Any] = {
            "target": "entra",
            "tenant_id": tenant.ready["tenant_id"],
            "client_id": tenant.ready["client_id"],
            "client_secret_ref": "file:admin/secret",
            "stackone_api_key_ref": "file:stackone/api-key",
            "secret_store": "file",
            "application_name": f"Connector {own}",
            "unique_name": f"connector-{own}",
            "connector_profile_name": f"Entra {own}",
            "account_owner_id": f"owner-{own}",
            "actions": ["List Users"],
            "unasked": ["added", "changed", "removed"],
        }
        folder = place / own
        folder.mkdir()
        return Desk(tenant, folder, {**defaults, **values}, signs_in)

    return begin
