"""A served sandbox, an administrator's Graph client, and an application registered as the guide has it."""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from entra_sandbox import running
from entra_sandbox.attendant import attend

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
CALLBACK = "/connect/oauth2/microsoftentraid/callback"
CONNECTOR = "microsoftentraid"


@dataclass(frozen=True)
class Wanted:
    """A hand-over as the attendant takes it."""

    kind: str
    url: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass
class World:
    """One served sandbox seen from outside."""

    ready: dict[str, Any]
    state: Path
    graph: httpx.Client
    stackone: httpx.Client

    def attend(self, kind: str, url: str = "", reveal: Callable[[str], str] = str, **fields: str) -> bool:
        """Let the person of the rehearsal act; ``reveal`` gives the secret of a reference."""
        return attend(self.ready, Wanted(kind, url, fields), reveal)

    def client(self, **options: Any) -> httpx.Client:
        """An HTTP client that trusts the sandbox's CA and nothing of the environment."""
        context = ssl.create_default_context(cafile=self.ready["ca_file"])
        return httpx.Client(verify=context, trust_env=False, timeout=30, **options)

    def shift_clock(self, seconds: float) -> None:
        """Set the sandbox's clock off."""
        self._control("POST", "clock", {"offset": seconds})

    def ail(self, *illnesses: Mapping[str, Any]) -> None:
        """Give the sandbox these illnesses; none heals it."""
        self._control("PUT", "faults", {"seed": 1, "illnesses": list(illnesses)})

    def _control(self, method: str, name: str, body: Any) -> None:
        token = (self.state.with_name(self.state.name + ".d") / "control-token").read_text()
        address = f"{self.ready['authority']}/_sandbox/{name}"
        response = self.graph.request(method, address, json=body, headers={"authorization": f"Bearer {token}"})
        assert response.is_success, response.text

    def register(self, *scopes: str, consent: bool = True, redirect: str = CALLBACK, pages: str = "") -> Registration:
        """An application with a secret, the callback as redirect URI, and ``scopes`` granted for the whole tenant."""
        name = f"Connector {secrets.token_hex(4)}"
        resource = self._microsoft_graph()
        ids = [one["id"] for one in resource["oauth2PermissionScopes"] if one["value"] in scopes]
        body = {
            "displayName": name,
            "signInAudience": "AzureADMultipleOrgs",
            "web": {"redirectUris": [(pages or self.ready["pages"]) + redirect]},
            "requiredResourceAccess": [
                {"resourceAppId": GRAPH_APP_ID, "resourceAccess": [{"id": one, "type": "Scope"} for one in ids]}
            ],
        }
        application = self.post("/applications", body)
        principal = self.post("/servicePrincipals", {"appId": application["appId"]})
        secret = self.post(f"/applications/{application['id']}/addPassword", {"passwordCredential": {}})
        found = Registration(name, application, principal["id"], secret["secretText"], list(scopes))
        if consent:
            grant = {"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": resource["id"]}
            found.grant = self.post("/oauth2PermissionGrants", {**grant, "scope": " ".join(scopes)})["id"]
        return found

    def profile(self, registration: Registration, *, secret: str = "", **fields: str) -> str:
        """Fill in the dashboard's form for the registration; the profile's id."""
        values = {
            "name": registration.name,
            "connector": "Microsoft Entra ID",
            "type": "OAuth 2.0 (Common)",
            "client_id": registration.application["appId"],
            "client_secret": "keyring:the-secret",
            "scopes": " ".join(registration.scopes),
            **fields,
        }
        self.attend("connector_profile", reveal=lambda _reference: secret or registration.secret, **values)
        listed = self.stackone.get("/auth_configs", params={"page_size": 100}).json()["data"]
        return next(str(one["id"]) for one in listed if one["name"] == values["name"])

    def session(self, profile_id: str, **more: Any) -> dict[str, Any]:
        """A connect session of a new owner."""
        owner = f"owner-{secrets.token_hex(4)}"
        body = {"origin_owner_id": owner, "origin_owner_name": owner.title(), "provider": CONNECTOR}
        response = self.stackone.post("/connect_sessions", json={**body, "connector_profile_id": profile_id, **more})
        assert response.status_code == 201, response.text
        found: dict[str, Any] = response.json()
        return found

    def attempt(self, session: Mapping[str, Any]) -> dict[str, Any]:
        """The latest connection attempt of a session."""
        response = self.stackone.post("/connect_sessions/authenticate", json={"token": session["token"]})
        assert response.status_code == 201, response.text
        found: dict[str, Any] = response.json()["latest_connection_attempt"]
        return found

    def link(self, profile_id: str, **more: Any) -> dict[str, Any]:
        """Link an account with the seeded Global Administrator: the account as StackOne lists it."""
        session = self.session(profile_id, **more)
        assert self.attend("link_account", session["auth_link_url"])
        found: dict[str, Any] = self.stackone.get(f"/accounts/{self.attempt(session)['account_secure_id']}").json()
        return found

    def rpc(self, account: Mapping[str, Any], action: str, **parts: Any) -> httpx.Response:
        """Run one action of the connector through a linked account."""
        body = {"action": f"{CONNECTOR}_{action}", **parts}
        return self.stackone.post("/actions/rpc", json=body, headers={"x-account-id": account["id"]})

    def post(self, path: str, body: Any) -> dict[str, Any]:
        """Create something in the tenant as its administrator."""
        response = self.graph.post(path, json=body)
        assert response.is_success, response.text
        found: dict[str, Any] = response.json() if response.content else {}
        return found

    def _microsoft_graph(self) -> dict[str, Any]:
        response = self.graph.get(f"/servicePrincipals(appId='{GRAPH_APP_ID}')")
        assert response.is_success, response.text
        found: dict[str, Any] = response.json()
        return found


@dataclass
class Registration:
    """An application as the guide has it."""

    name: str
    application: dict[str, Any]
    principal_id: str
    secret: str
    scopes: list[str]
    grant: str = ""


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One sandbox for all tests of this package that leave its clock alone."""
    yield from _served(tmp_path_factory.mktemp("sandbox") / "state.sqlite3")


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[World]:
    """A sandbox for one test alone, whose clock and limits may be changed."""
    yield from _served(tmp_path / "state.sqlite3")


@pytest.fixture
def proxied_world(tmp_path: Path) -> Iterator[World]:
    """A sandbox that is also reached by the real hosts' names, through its proxy."""
    yield from _served(tmp_path / "state.sqlite3", proxy=True)


def _served(state: Path, *, proxy: bool = False) -> Iterator[World]:
    with running(state, proxy=proxy) as ready:
        context = ssl.create_default_context(cafile=ready["ca_file"])
        token = _administrator_token(ready, context)
        key = Path(ready["stackone_api_key_file"]).read_text().strip()
        options: dict[str, Any] = {"verify": context, "trust_env": False, "timeout": 30}
        with (
            httpx.Client(
                base_url=f"{ready['graph']}/v1.0", headers={"authorization": f"Bearer {token}"}, **options
            ) as graph,
            httpx.Client(base_url=ready["stackone"], auth=(key, ""), **options) as stackone,
        ):
            yield World(json.loads(json.dumps(ready)), state, graph, stackone)


def _administrator_token(ready: Mapping[str, Any], context: ssl.SSLContext) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": ready["client_id"],
        "client_secret": Path(ready["client_secret_file"]).read_text().strip(),
        "scope": "https://graph.microsoft.com/.default",
    }
    address = f"{ready['authority']}/{ready['tenant_id']}/oauth2/v2.0/token"
    response = httpx.post(address, data=form, verify=context, trust_env=False, timeout=30)
    assert response.is_success, response.text
    return str(response.json()["access_token"])
