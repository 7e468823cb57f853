"""One served sandbox for all tests of Entra ID, a second tenant, and people who use its pages."""

from __future__ import annotations

import re
import secrets
import ssl
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest
from entra_sandbox import running
from entra_sandbox.browser import Form, Screen, read
from entra_sandbox.entra import credentials
from entra_sandbox.entra.consents import CLOUD_APPLICATION_ADMINISTRATOR, GLOBAL_ADMINISTRATOR
from entra_sandbox.store import Document, Store

GRAPH = "00000003-0000-0000-c000-000000000000"
CALLBACK = "http://localhost:8400/callback"
SCOPE = "https://graph.microsoft.com/.default"
Play = Callable[..., None]


@pytest.fixture(scope="session", autouse=True)
def _no_foreign_ca() -> Iterator[None]:
    """requests lets these win over the CA that a client was given, and many machines have them set."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("entra") / "state.sqlite3"


@pytest.fixture(scope="session")
def ready(state: Path) -> Iterator[dict[str, Any]]:
    with running(state) as line:
        yield line


@dataclass
class App:
    """An application of a test, with its secret's value."""

    document: Document
    principal: Document
    secret: str
    key_id: str

    @property
    def id(self) -> str:
        return str(self.document["appId"])


@dataclass
class World:
    """The directory behind the server, for tests to arrange."""

    store: Store
    ready: dict[str, Any]

    @property
    def fabrikam(self) -> str:
        """The id of the second tenant."""
        found = self.store.first("organization", displayName="Fabrikam")
        assert found is not None
        return str(found["id"])

    @property
    def tenant(self) -> str:
        return str(self.ready["tenant_id"])

    @property
    def base(self) -> str:
        return str(self.ready["authority"])

    def authority(self, tenant: str = "") -> str:
        return f"{self.base}/{tenant or self.tenant}"

    def graph(self, tenant: str = "") -> Document:
        found = self.store.first("servicePrincipal", tenant or self.tenant, appId=GRAPH)
        assert found is not None
        return found

    def change(self, kind: str, id: str, **changes: Any) -> None:
        self.store.update(kind, id, changes)

    def app(
        self, *, tenant: str = "", name: str = "Test application", principal: bool = True, **properties: Any
    ) -> App:
        """An application with one secret; by default a web application of one tenant with :data:`CALLBACK`."""
        tenant = tenant or self.tenant
        key_id, secret = str(uuid.uuid4()), secrets.token_urlsafe(30)
        document = {
            "id": str(uuid.uuid4()),
            "appId": str(uuid.uuid4()),
            "displayName": name,
            "signInAudience": "AzureADMyOrg",
            "web": {"redirectUris": [CALLBACK]},
            "passwordCredentials": [{"keyId": key_id, "endDateTime": "2100-01-01T00:00:00Z", "displayName": "test"}],
            **properties,
        }
        self.store.put("application", document, tenant)
        credentials.keep_secret(self.store, key_id, secret)
        service = {"id": str(uuid.uuid4()), "appId": document["appId"], "displayName": name, "accountEnabled": True}
        if principal:
            self.store.put("servicePrincipal", service, tenant)
        return App(document, service, secret, key_id)

    def consent(self, app: App, *scopes: str, user: str | None = None) -> None:
        """Delegated permissions of Microsoft Graph, for everybody or for one user."""
        document = {
            "id": secrets.token_urlsafe(24),
            "clientId": app.principal["id"],
            "consentType": "Principal" if user else "AllPrincipals",
            "principalId": user,
            "resourceId": self.graph()["id"],
            "scope": " ".join(scopes),
        }
        self.store.put("oAuth2PermissionGrant", document, self.tenant)

    def assign(self, app: App, *roles: str) -> None:
        """Application permissions of Microsoft Graph."""
        graph = self.graph()
        for role in graph["appRoles"]:
            if role["value"] in roles:
                document = {
                    "id": secrets.token_urlsafe(24),
                    "principalId": app.principal["id"],
                    "principalType": "ServicePrincipal",
                    "resourceId": graph["id"],
                    "appRoleId": role["id"],
                }
                self.store.put("appRoleAssignment", document, self.tenant)

    def requested(self, *, scopes: tuple[str, ...] = (), roles: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """``requiredResourceAccess`` for Microsoft Graph."""
        graph = self.graph()
        access = [
            {"id": one["id"], "type": "Scope"} for one in graph["oauth2PermissionScopes"] if one["value"] in scopes
        ]
        access += [{"id": one["id"], "type": "Role"} for one in graph["appRoles"] if one["value"] in roles]
        assert len(access) == len(scopes) + len(roles)
        return [{"resourceAppId": GRAPH, "resourceAccess": access}]

    def user(self, name: str = "", *, tenant: str = "", roles: tuple[str, ...] = (), **properties: Any) -> Person:
        """A new person with a password and directory roles (template ids)."""
        tenant = tenant or self.tenant
        domain = self.store.find("domain", tenant, isDefault=True)[0]["id"]
        login = f"{name or 'p' + secrets.token_hex(5)}@{domain}"
        document = {"id": str(uuid.uuid4()), "userPrincipalName": login, "displayName": name or login, **properties}
        password = secrets.token_urlsafe(12)
        self.store.put("user", {"accountEnabled": True, "mail": login, **document}, tenant)
        credentials.keep_password(self.store, document["id"], password)
        for template in roles:
            role = self.store.first("directoryRole", tenant, roleTemplateId=template)
            if role is None:
                role = self.store.put("directoryRole", {"id": str(uuid.uuid4()), "roleTemplateId": template}, tenant)
            self.store.link("directoryRole.members", role["id"], document["id"])
        return Person(self, login, password, document["id"])

    def scopes_of(self, app: App, user: str | None = None) -> set[str]:
        """Delegated permissions granted for everybody, or for one user."""
        rows = self.store.find("oAuth2PermissionGrant", clientId=app.principal["id"])
        rows = [row for row in rows if row.get("principalId") == user]
        return {name for row in rows for name in row["scope"].split()}


class Person:
    """Somebody at a browser. Pages are used as they are: forms are read, filled in by label, and sent by a button."""

    def __init__(self, world: World, login: str, password: str, id: str) -> None:
        self.login, self.password, self.id = login, password, id
        self.seen: list[str] = []
        self._client = httpx.Client(verify=tls(world.ready), trust_env=False, timeout=30)

    def open(self, address: str, *, outside: str = CALLBACK, **answers: Any) -> Screen | str:
        """Follow the pages to their end: the address (of the application) that the browser is sent to, or the page.

        ``answers``: ``press`` is the text of the button to press where it is offered, ``tick`` checks every box.
        """
        return self._follow(self._client.get(address), outside, answers)

    def send(self, screen: Screen, form: Form, data: dict[str, Any], **answers: Any) -> Screen | str:
        response = self._client.post(urljoin(screen.url, form.action), data=data)
        return self._follow(response, answers.pop("outside", CALLBACK), answers)

    def page(self, address: str) -> Screen:
        response = self._client.get(address)
        return read(str(response.url), response.status_code, response.text)

    @property
    def cookies(self) -> dict[str, str]:
        """What the browser keeps."""
        return dict(self._client.cookies)

    def _follow(self, response: httpx.Response, outside: str, answers: dict[str, Any]) -> Screen | str:
        for _ in range(12):
            if response.is_redirect:
                target = urljoin(str(response.url), response.headers["location"])
                if target.startswith(outside):
                    return target
                response = self._client.get(target)
                continue
            screen = read(str(response.url), response.status_code, response.text)
            self.seen.append(screen.title.split(" · ")[0])
            form = next(iter(screen.forms), None)
            if form is None or form.action.startswith(outside) or screen.alerts:
                return screen
            response = self._client.post(urljoin(screen.url, form.action), data=self._filled(form, answers))
        raise AssertionError(f"the pages do not end: {self.seen}")

    def _filled(self, form: Form, answers: dict[str, Any]) -> dict[str, list[str]]:
        for one in form.fields:
            if one.text == "User name":
                one.value = self.login
            if one.text == "Password":
                one.value = self.password
            one.checked = one.checked or (one.kind == "checkbox" and bool(answers.get("tick")))
        wanted = [answers.get("press", "Accept"), "Accept", "Continue"]
        return form.data(next((found for text in wanted if (found := form.button(text))), form.button()))


def tls(ready: dict[str, Any]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ready["ca_file"])


def values(address: Screen | str) -> dict[str, str]:
    """The parameters that the browser brought back to the application."""
    assert isinstance(address, str), address.says()
    parts = urlsplit(address)
    return dict(parse_qsl(parts.query or parts.fragment))


def code_of(body: dict[str, Any]) -> int:
    """The AADSTS number of an error body or of a redirect's parameters."""
    found = re.match(r"AADSTS(\d+): ", body["error_description"])
    assert found is not None, body
    return int(found[1])


@pytest.fixture(scope="session")
def world(ready: dict[str, Any], state: Path) -> Iterator[World]:
    store = Store(state)
    yield World(store, ready)
    store.close()


@pytest.fixture
def http(ready: dict[str, Any]) -> Iterator[httpx.Client]:
    """A plain client of the sandbox's https address."""
    with httpx.Client(verify=tls(ready), base_url=ready["authority"], trust_env=False, timeout=30) as client:
        yield client


Token = Callable[..., httpx.Response]


@pytest.fixture
def token(http: httpx.Client, world: World) -> Token:
    """A request to the token endpoint, by its parameters."""

    def ask(tenant: str = "", headers: dict[str, str] | None = None, **parameters: str) -> httpx.Response:
        address = f"/{tenant or world.tenant}/oauth2/v2.0/token"
        return http.post(address, data=parameters, headers=headers)

    return ask


@pytest.fixture(scope="session")
def administrator(world: World) -> Person:
    return world.user("global.admin.of.tests", roles=(GLOBAL_ADMINISTRATOR,))


@pytest.fixture(scope="session")
def cloud_administrator(world: World) -> Person:
    return world.user("cloud.admin.of.tests", roles=(CLOUD_APPLICATION_ADMINISTRATOR,))


@pytest.fixture(scope="session")
def plain(world: World) -> Person:
    return world.user("plain.person.of.tests")


@pytest.fixture
def control(ready: dict[str, Any], state: Path) -> Iterator[httpx.Client]:
    """A client with the control token of the sandbox's folder."""
    token = Path(f"{state}.d", "control-token").read_text(encoding="utf-8")
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(verify=tls(ready), base_url=ready["authority"], headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def play(control: httpx.Client) -> Iterator[Play]:
    """Let the sandbox fall ill for one test."""

    def start(*illnesses: dict[str, Any], seed: int = 1) -> None:
        answer = control.put("/_sandbox/faults", json={"seed": seed, "illnesses": list(illnesses)})
        assert answer.status_code == 200, answer.text

    yield start
    assert control.delete("/_sandbox/faults").json() == {"illnesses": []}


@pytest.fixture
def app(world: World) -> App:
    app = world.app()
    world.assign(app, "User.Read.All", "Application.ReadWrite.All")
    return app


@pytest.fixture
def graph(http: httpx.Client, token: Token, app: App) -> httpx.Client:
    http.headers["authorization"] = f"Bearer {access(token, app)}"
    return http


def access(token: Token, app: App, **more: str) -> str:
    ask = {"grant_type": "client_credentials", "client_id": app.id, "client_secret": app.secret, "scope": SCOPE}
    found: str = token(**ask, **more).json()["access_token"]
    return found
