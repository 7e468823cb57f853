"""One served sandbox for all tests of Microsoft Graph, and clients whose every answer is held against the schema."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from entra_sandbox.entra import tokens
from entra_sandbox.folder import Folder
from entra_sandbox.graph.roles import role_id
from entra_sandbox.server import running
from entra_sandbox.services import Addresses, Services
from entra_sandbox.store import Store
from entra_sandbox.vault import Vault

from tests.sandbox_graph.shapes import check_answer

EVENTUAL = {"ConsistencyLevel": "eventual"}
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"


class GraphClient:
    """Calls below ``/v1.0``, or another version, with one token; checks the shape of what comes back."""

    def __init__(self, http: httpx.Client, token: str, version: str = "v1.0") -> None:
        self._http = http
        self._token = token
        self._version = version
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def request(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """Send it; ``path`` may also be a whole nextLink."""
        address = path if path.startswith("https://") else f"/{self._version}{path}"
        response = self._http.request(method, address, headers={**self._headers, **(headers or {})}, **more)
        check_answer(method, response)
        return response

    def of(self, version: str) -> GraphClient:
        """The same below another version."""
        return GraphClient(self._http, self._token, version)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return self.request("POST", path, **({"json": body} if body is not None else {}), **more)

    def patch(self, path: str, body: Any, **more: Any) -> httpx.Response:
        return self.request("PATCH", path, json=body, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.request("DELETE", path, **more)


class World:
    """The served sandbox, with the store and the keys that the server uses."""

    def __init__(self, ready: dict[str, Any], services: Services, http: httpx.Client) -> None:
        self.ready = ready
        self.services = services
        self.http = http

    @property
    def store(self) -> Store:
        return self.services.store

    @property
    def tenant(self) -> str:
        return str(self.ready["tenant_id"])

    def application(self, granted: Iterable[str], *, principal: dict[str, Any] | None = None) -> GraphClient:
        """An app-only client whose token names exactly these application permissions."""
        principal = principal or self.principal()
        claims = {"idtyp": "app", "oid": principal["id"], "appid": principal["appId"], "roles": list(granted)}
        return self._client(claims)

    def person(self, granted: Iterable[str], roles: Iterable[str] = (), *, user: str = "") -> GraphClient:
        """A delegated client of a seeded person: these scopes, and directory roles by name."""
        found = self.user(user)
        wids = ["b79fbf4d-3ef9-4689-8143-76b194e85509", *(role_id(name) for name in roles)]
        names = {"upn": found["userPrincipalName"], "scp": " ".join(granted), "wids": wids}
        return self._client({"idtyp": "user", "oid": found["id"], "appid": str(uuid.uuid4()), **names})

    def anonymous(self) -> GraphClient:
        return GraphClient(self.http, "")

    def bearer(self, token: str) -> GraphClient:
        return GraphClient(self.http, token)

    def user(self, name: str = "") -> dict[str, Any]:
        """A seeded user by the first part of the name; by default the one without roles."""
        wanted = name or next(upn for upn, one in self.ready["users"].items() if not one["roles"])
        found = self.store.first("user", self.tenant, userPrincipalName=wanted)
        assert found is not None
        return found

    def principal(self) -> dict[str, Any]:
        """The service principal of the administrator's app."""
        found = self.store.first("servicePrincipal", self.tenant, appId=self.ready["client_id"])
        assert found is not None
        return found

    def everything(self) -> GraphClient:
        """App-only with the permissions that the administrator's app was given."""
        names = {role["id"]: role["value"] for role in self.microsoft_graph()["appRoles"]}
        held = self.store.find("appRoleAssignment", self.tenant, principalId=self.principal()["id"])
        return self.application(names[one["appRoleId"]] for one in held)

    def microsoft_graph(self) -> dict[str, Any]:
        """The service principal of Microsoft Graph."""
        found = self.store.first("servicePrincipal", self.tenant, appId="00000003-0000-0000-c000-000000000000")
        assert found is not None
        return found

    def kept(self) -> bytes:
        """Every byte of the state file and of its write-ahead log."""
        path = self.store.path
        return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*") if one.is_file())

    def mint(self, **claims: Any) -> str:
        """A token with the claims on top of those that every Graph token has."""
        common = {"aud": "https://graph.microsoft.com", "tid": self.tenant, "ver": "1.0"}
        return tokens.mint(self.services, {**common, **claims}, 3600)

    def _client(self, claims: dict[str, Any]) -> GraphClient:
        return GraphClient(self.http, self.mint(**claims))


@contextmanager
def served(state: Path) -> Iterator[World]:
    """A freshly seeded sandbox on sockets of its own."""
    with running(state) as ready:
        store, folder = Store(state), Folder(state)
        addresses = Addresses(ready["graph"], ready["pages"])
        services = Services(store, Vault(folder), folder, addresses, folder.file("ca.pem"))
        context = ssl.create_default_context(cafile=ready["ca_file"])
        with httpx.Client(base_url=ready["graph"], verify=context, trust_env=False, timeout=30) as http:
            yield World(ready, services, http)
        store.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all tests."""
    with served(tmp_path_factory.mktemp("graph") / "state.sqlite3") as world:
        yield world


@pytest.fixture
def admin(world: World) -> GraphClient:
    """App-only, allowed everything."""
    return world.everything()


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def application(admin: GraphClient, name: str) -> dict[str, Any]:
    """An application of this test alone."""
    made: dict[str, Any] = admin.post("/applications", {"displayName": name, "signInAudience": "AzureADMyOrg"}).json()
    return made


@pytest.fixture
def group(admin: GraphClient, name: str) -> dict[str, Any]:
    """A security group of this test alone."""
    body = {"displayName": name, "mailEnabled": False, "mailNickname": name, "securityEnabled": True}
    made: dict[str, Any] = admin.post("/groups", body).json()
    return made


@pytest.fixture
def user(admin: GraphClient, name: str) -> dict[str, Any]:
    """A user of this test alone."""
    body = {
        "accountEnabled": True,
        "displayName": name,
        "mailNickname": name,
        "userPrincipalName": f"{name}@contoso.com",
        "passwordProfile": {"password": "Sufficient-1ong"},
    }
    made: dict[str, Any] = admin.post("/users", body).json()
    return made


@pytest.fixture
def principal(admin: GraphClient, application: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = admin.post("/servicePrincipals", {"appId": application["appId"]}).json()
    return made


def reference(key: str) -> dict[str, str]:
    return {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{key}"}


def message(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["message"] if answer.content else ""


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def named(world: World, name: str) -> dict[str, Any]:
    found = world.store.first("group", world.tenant, displayName=name)
    assert found is not None
    return found
