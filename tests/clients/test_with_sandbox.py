"""The clients and the real msal against the sandbox, over its sockets."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from entra_sandbox import server

from runbook.clients import entra, settle
from runbook.clients.calls import FixedToken
from runbook.clients.entra import Administrator
from runbook.clients.graph import BatchRequest, GraphClient
from runbook.clients.odata import key, literal
from runbook.clients.stackone import StackOneClient
from runbook.clients.target import Target, open_target
from runbook.errors import GraphError, HandOver, RunbookError, SignInError, StackOneError
from runbook.parameters import Parameters
from runbook.secrets import Secret
from runbook.secrets.stores import open_store

from .conftest import Log

GRAPH_APP = "00000003-0000-0000-c000-000000000000"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with server.running(tmp_path_factory.mktemp("sandbox") / "state.sqlite3") as line:
        yield line


@pytest.fixture
def sandbox_file(ready: dict[str, Any], tmp_path: Path) -> Path:
    file = tmp_path / "ready.json"
    file.write_text(json.dumps(ready))
    return file


@pytest.fixture
def sandbox(sandbox_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setenv("RUNBOOK_SECRETS_DIR", str(tmp_path / "secrets"))
    with open_target(Parameters(sandbox_file=str(sandbox_file)), open_store("file")) as target:
        yield target


@pytest.fixture
def graph(sandbox: Target, log: Log) -> Iterator[GraphClient]:
    administrator = Administrator(sandbox, Parameters(), log)
    with GraphClient(sandbox, administrator, log) as client:
        yield client


@pytest.fixture
def application(graph: GraphClient) -> Iterator[dict[str, Any]]:
    """An application of its own with a service principal, gone afterwards."""
    path = "/applications" + key("uniqueName", "clients-test")
    body = {"displayName": "Clients test", "signInAudience": "AzureADMyOrg"}
    made = graph.set(path, body, create_missing=True) or graph.get(path)
    principal = "/servicePrincipals" + key("appId", made["appId"])
    graph.ensure(
        lambda: graph.find(principal),
        lambda: graph.post("/servicePrincipals", {"appId": made["appId"]}),
        what="The service principal",
    )
    yield made
    graph.remove(f"/applications/{made['id']}")
    graph.remove(f"/directory/deletedItems/{made['id']}")


def new_secret(graph: GraphClient, application: dict[str, Any]) -> Secret:
    credential = {"passwordCredential": {"displayName": "test"}}
    added = graph.post(f"/applications/{application['id']}/addPassword", credential, fresh=True)
    assert added is not None
    return Secret(added["secretText"])


def test_the_administrator_signs_in_and_lists_every_user(graph: GraphClient) -> None:
    users = list(graph.list("/users", select=("id",), top=50))
    assert len({user["id"] for user in users}) == len(users) > 100


def test_an_advanced_filter_works_without_further_ado(graph: GraphClient) -> None:
    found = list(graph.list("/users", filter="accountEnabled ne false", select=("id", "accountEnabled")))
    assert found
    assert all(user["accountEnabled"] is True for user in found)


def test_a_batch_of_reads_equals_the_single_reads(graph: GraphClient) -> None:
    ids = [user["id"] for user in graph.page("/users", select=("id",), top=30).items]
    answers = graph.batch(BatchRequest("GET", f"/users/{number}?$select=id,displayName") for number in ids)
    assert [answer.body["id"] for answer in answers] == ids


def test_an_unknown_object_is_a_graph_error_with_request_id(graph: GraphClient) -> None:
    with pytest.raises(GraphError) as caught:
        graph.get("/groups/11111111-2222-3333-4444-555555555555")
    assert (caught.value.status, caught.value.code) == (404, "Request_ResourceNotFound")
    assert caught.value.request_id


def test_an_upsert_creates_once_and_updates_then(graph: GraphClient, application: dict[str, Any]) -> None:
    path = "/applications" + key("uniqueName", "clients-test")
    assert graph.set(path, {"displayName": "Clients test 2"}, create_missing=True) is None
    same = list(graph.list("/applications", filter=f"appId eq {literal(application['appId'])}"))
    assert [item["id"] for item in same] == [application["id"]]


def test_application_permissions_are_in_a_fresh_token(
    graph: GraphClient, sandbox: Target, application: dict[str, Any]
) -> None:
    secret = new_secret(graph, application)
    assert entra.application_token(sandbox, application["appId"], secret).roles == ()
    principal = graph.get("/servicePrincipals" + key("appId", application["appId"]))
    resource = graph.get("/servicePrincipals" + key("appId", GRAPH_APP), select=("id", "appRoles"))
    role = next(role["id"] for role in resource["appRoles"] if role["value"] == "User.Read.All")
    body = {"principalId": principal["id"], "resourceId": resource["id"], "appRoleId": role}
    graph.post(f"/servicePrincipals/{resource['id']}/appRoleAssignedTo", body, fresh=True)
    result = entra.application_token(sandbox, application["appId"], secret)
    assert result.roles == ("User.Read.All",)
    with GraphClient(sandbox, FixedToken(result.token)) as as_application:
        assert as_application.page("/users", top=1).items
        with pytest.raises(GraphError, match="Authorization_RequestDenied"):
            as_application.page("/groups", top=1)


def test_delegated_permissions_are_in_a_fresh_token_of_a_person(
    graph: GraphClient, sandbox: Target, application: dict[str, Any]
) -> None:
    secret = new_secret(graph, application)
    principal = graph.get("/servicePrincipals" + key("appId", application["appId"]))
    resource = graph.get("/servicePrincipals" + key("appId", GRAPH_APP), select=("id",))
    grant = {"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": resource["id"]}
    graph.post("/oauth2PermissionGrants", {**grant, "scope": "User.Read Group.Read.All"}, fresh=True)
    shown: list[HandOver] = []

    def attend(hand_over: HandOver) -> None:
        shown.append(hand_over)
        assert sandbox.attend is not None
        assert sandbox.attend(hand_over)

    result = entra.delegated_token(sandbox, application["appId"], secret, attend)
    assert {"User.Read", "Group.Read.All"} <= set(result.scopes)
    assert result.roles == ()
    assert [hand_over.kind for hand_over in shown] == ["device_sign_in"]


def test_a_wrong_secret_is_refused_with_its_code(sandbox: Target, application: dict[str, Any]) -> None:
    with pytest.raises(SignInError) as caught:
        entra.application_token(sandbox, application["appId"], Secret("wrong~secret-value"))
    assert caught.value.code == "AADSTS7000215"
    assert "secret" in caught.value.meaning


def test_an_unknown_application_is_refused_with_its_code(sandbox: Target) -> None:
    with pytest.raises(SignInError) as caught:
        entra.application_token(sandbox, "11111111-2222-3333-4444-555555555555", Secret("x~y"))
    assert caught.value.code == "AADSTS700016"


def test_stackones_lists_can_be_read(sandbox: Target) -> None:
    with StackOneClient(sandbox) as stackone:
        assert list(stackone.connector_profiles(connector_key="microsoftentraid")) == []
        assert list(stackone.accounts(provider="microsoftentraid")) == []


def test_stackone_refuses_an_unknown_account_with_its_own_error(sandbox: Target) -> None:
    with StackOneClient(sandbox) as stackone, pytest.raises(StackOneError):
        stackone.call_action("microsoftentraid_list_users", "unknown", effect="read")


@pytest.fixture
def people_app(graph: GraphClient) -> Iterator[dict[str, Any]]:
    """An administrator's application for people: a public client with consent for the tenant."""
    path = "/applications" + key("uniqueName", "people-test")
    body = {
        "displayName": "People test",
        "signInAudience": "AzureADMyOrg",
        "isFallbackPublicClient": True,
        "publicClient": {"redirectUris": ["http://localhost"]},
    }
    graph.set(path, body, create_missing=True)
    made = graph.get(path)
    principal = graph.post("/servicePrincipals", {"appId": made["appId"]}, fresh=True)
    assert principal is not None
    resource = graph.get("/servicePrincipals" + key("appId", GRAPH_APP), select=("id",))
    grant = {"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": resource["id"]}
    graph.post("/oauth2PermissionGrants", {**grant, "scope": "User.Read User.Read.All"}, fresh=True)
    yield made
    graph.remove(f"/applications/{made['id']}")
    graph.remove(f"/directory/deletedItems/{made['id']}")


class Person:
    """A browser that plays the Global Administrator; the standard library's registry of browsers opens it."""

    def __init__(self, sandbox: Target) -> None:
        self._sandbox = sandbox
        self.opened: list[str] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:  # noqa: ARG002 - webbrowser's own names
        self.opened.append(url)
        threading.Thread(target=self._sign_in, args=(url,), daemon=True).start()
        return True

    def _sign_in(self, url: str) -> None:
        assert self._sandbox.attend is not None
        # The attendant misses the words of a consent on the last page, which is msal's own; by then all is done.
        with contextlib.suppress(RunbookError):
            self._sandbox.attend(HandOver(kind="admin_consent", title="sign in", url=url))


@pytest.fixture
def person(sandbox: Target) -> Iterator[Person]:
    found = Person(sandbox)
    before = list(webbrowser._tryorder or [])
    webbrowser.register("rehearsal", None, instance=found, preferred=True)
    yield found
    webbrowser._tryorder[:] = before


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)


def signing_in(sandbox: Target, how: str, client_id: str) -> tuple[Target, Parameters]:
    return replace(sandbox, client_id=client_id, client_secret=None), Parameters(sign_in=how)


@pytest.mark.usefixtures("own_home")
def test_an_administrator_signs_in_by_browser_once(sandbox: Target, people_app: dict[str, Any], person: Person) -> None:
    target, params = signing_in(sandbox, "browser", people_app["appId"])
    administrator = Administrator(target, params)
    with GraphClient(target, administrator) as as_person:
        me = as_person.get("/me")
        as_person.page("/users", top=1)
    assert len(person.opened) == 1
    identity = administrator.identity()
    assert (identity.kind, identity.object_id) == ("user", me["id"])
    assert {"User.Read", "User.Read.All"} <= set(identity.permissions)


@pytest.mark.usefixtures("own_home")
def test_an_administrator_signs_in_by_device_code_once_and_renews_silently(
    sandbox: Target, people_app: dict[str, Any]
) -> None:
    target, params = signing_in(sandbox, "device-code", people_app["appId"])
    shown: list[HandOver] = []

    def attend(hand_over: HandOver) -> None:
        shown.append(hand_over)
        assert sandbox.attend is not None
        assert sandbox.attend(hand_over)

    administrator = Administrator(target, params, on_code=attend)
    first = administrator.token()
    assert administrator.token() == first
    assert administrator.renew(None) not in (None, first)
    assert [hand_over.kind for hand_over in shown] == ["device_sign_in"]


SICK = [
    {"kind": "lag", "read": [0.05, 0.4], "link": [0.05, 0.4]},
    {"kind": "reset", "when": "after", "match": {"service": "graph", "method": "POST"}, "chance": 0.3},
    {"kind": "reset", "when": "before", "match": {"service": "graph"}, "chance": 0.1},
    {"kind": "throttle", "retry_after": 0, "chance": 0.15},
    {"kind": "throttle", "retry_after": None, "match": {"service": "graph"}, "chance": 0.1},
    {"kind": "unavailable", "match": {"service": "graph"}, "chance": 0.1},
    {"kind": "truncate", "match": {"service": "graph"}, "chance": 0.1},
    {"kind": "truncate", "match": {"service": "entra"}, "chance": 0.2},
    {"kind": "claims_challenge", "skip": 5, "times": 1},
]


@pytest.fixture
def illnesses(ready: dict[str, Any]) -> Iterator[Callable[[int, list[dict[str, Any]]], None]]:
    """Make the sandbox ill, by its control call; it is well again afterwards."""
    token = (Path(ready["ca_file"]).parent / "control-token").read_text()
    with httpx.Client(
        base_url=ready["graph"],
        verify=ssl.create_default_context(cafile=ready["ca_file"]),
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
    ) as control:

        def fall_ill(seed: int, course: list[dict[str, Any]]) -> None:
            answer = control.put("/_sandbox/faults", json={"seed": seed, "illnesses": course})
            answer.raise_for_status()

        yield fall_ill
        control.delete("/_sandbox/faults").raise_for_status()


def exactly(graph: GraphClient, path: str, **options: Any) -> int:
    """How many there are, once there is one to be seen."""
    found = settle.until(lambda: list(graph.list(path, **options)), pace=graph.pace, describe="it is seen")
    return len(found)


@pytest.mark.parametrize("seed", range(4))
def test_through_every_illness_each_thing_is_made_exactly_once(
    graph: GraphClient, illnesses: Callable[[int, list[dict[str, Any]]], None], log: Log, seed: int
) -> None:
    illnesses(seed, SICK)
    path = "/applications" + key("uniqueName", f"ill-{seed}")
    body = {"displayName": f"Ill {seed}", "signInAudience": "AzureADMyOrg"}
    made, _ = graph.ensure(
        lambda: graph.find(path), lambda: graph.set(path, body, create_missing=True), what="The application"
    )
    by_app_id = "/servicePrincipals" + key("appId", made["appId"])
    principal, _ = graph.ensure(
        lambda: graph.find(by_app_id),
        lambda: graph.post("/servicePrincipals", {"appId": made["appId"]}),
        what="The service principal",
    )
    resource = graph.get("/servicePrincipals" + key("appId", GRAPH_APP), select=("id", "appRoles"))
    of_client = f"clientId eq {literal(principal['id'])}"
    grant = {"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": resource["id"]}
    graph.ensure(
        lambda: next(graph.list("/oauth2PermissionGrants", filter=of_client), None),
        lambda: graph.post("/oauth2PermissionGrants", {**grant, "scope": "User.Read"}),
        what="The grant",
    )
    role = next(role["id"] for role in resource["appRoles"] if role["value"] == "User.Read.All")
    assigned = f"/servicePrincipals/{principal['id']}/appRoleAssignments"
    body = {"principalId": principal["id"], "resourceId": resource["id"], "appRoleId": role}
    graph.ensure(
        lambda: next((item for item in graph.list(assigned) if item["appRoleId"] == role), None),
        lambda: graph.post(f"/servicePrincipals/{resource['id']}/appRoleAssignedTo", body),
        what="The app role assignment",
    )
    illnesses(seed, [])
    assert log.retries > 0
    assert exactly(graph, "/applications", filter=f"displayName eq 'Ill {seed}'") == 1
    assert exactly(graph, "/servicePrincipals", filter=f"appId eq {literal(made['appId'])}") == 1
    assert exactly(graph, "/oauth2PermissionGrants", filter=of_client) == 1
    assert exactly(graph, assigned) == 1


def test_a_secret_that_is_not_valid_yet_is_awaited(
    graph: GraphClient,
    sandbox: Target,
    application: dict[str, Any],
    illnesses: Callable[[int, list[dict[str, Any]]], None],
) -> None:
    illnesses(1, [{"kind": "secret_delay", "seconds": [0.4, 0.8]}])
    secret = new_secret(graph, application)
    refusals: list[str | None] = []

    def token() -> entra.TokenResult | None:
        try:
            return entra.application_token(sandbox, application["appId"], secret)
        except SignInError as error:
            refusals.append(error.code)
            return None

    found = settle.until(token, pace=graph.pace, describe="the secret works")
    assert found.claims["appid"] == application["appId"]
    assert set(refusals) == {"AADSTS7000215"}


SIGN_IN = """
import sys
from runbook.clients import entra, settle
from runbook.clients.graph import GraphClient
from runbook.parameters import Parameters
from runbook.secrets.stores import open_store
from runbook.clients.target import open_target
params = Parameters(sandbox_file=sys.argv[1])
with open_target(params, open_store("file")) as target:
    with GraphClient(target, entra.Administrator(target, params)) as graph:
        print(len(graph.page("/users", top=5).items))
"""


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "HTTPS_PROXY"])
def test_the_sandbox_works_whatever_the_machines_ca_and_proxy_variables_say(
    sandbox_file: Path, other_ca: Path, tmp_path: Path, variable: str
) -> None:
    value = "http://127.0.0.1:9" if variable == "HTTPS_PROXY" else str(other_ca)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = {**kept, "HOME": str(tmp_path), "RUNBOOK_SECRETS_DIR": str(tmp_path), variable: value}
    done = subprocess.run(
        [sys.executable, "-c", SIGN_IN, str(sandbox_file)], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("5\n", "", 0)
