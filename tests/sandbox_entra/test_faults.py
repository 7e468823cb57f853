"""Illnesses are data: checked on load, the same course each time, and seen by clients as in reality."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import msal
import pytest
from entra_sandbox import running
from entra_sandbox.faults import BadFaults, Faults, load
from entra_sandbox.illnesses import Slow, Throttle
from entra_sandbox.store import Store

from tests.sandbox_entra.clients import link
from tests.sandbox_entra.conftest import SCOPE, App, Person, Play, Token, World, access, code_of, values


@pytest.mark.parametrize(("wait", "header"), [(3, "3"), (None, None)])
def test_throttling_with_and_without_retry_after(
    play: Play, graph: httpx.Client, wait: int | None, header: str | None
) -> None:
    play({"kind": "throttle", "retry_after": wait, "times": 1, "match": {"service": "graph"}})
    answer = graph.get("/v1.0/users?$top=1")
    assert (answer.status_code, answer.headers.get("retry-after")) == (429, header)
    assert answer.json()["error"]["code"] == "TooManyRequests"
    assert graph.get("/v1.0/users?$top=1").status_code == 200


@pytest.mark.parametrize("status", [503, 504])
def test_unavailable_in_the_shape_of_each_service(play: Play, graph: httpx.Client, world: World, status: int) -> None:
    play({"kind": "unavailable", "status": status})
    assert graph.get("/v1.0/users").json()["error"]["innerError"]["request-id"]
    assert graph.get("/accounts").json()["statusCode"] == status
    entra = graph.get(f"/{world.tenant}/v2.0/.well-known/openid-configuration")
    assert (entra.status_code, entra.json()["error"]) == (status, "temporarily_unavailable")


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_connection_reset_before_and_after_the_write_took_effect(
    play: Play, graph: httpx.Client, world: World, when: str, made: int
) -> None:
    name = f"Reset {when}"
    play({"kind": "reset", "when": when, "match": {"method": "POST", "path": "/v1.0/applications"}})
    with pytest.raises((httpx.NetworkError, httpx.RemoteProtocolError)):
        graph.post("/v1.0/applications", json={"displayName": name})
    assert len(world.store.find("application", displayName=name)) == made


def test_a_write_that_is_applied_and_still_answered_with_an_error(
    play: Play, graph: httpx.Client, world: World
) -> None:
    illness = {"kind": "answer", "when": "after", "status": 404, "code": "Directory_ObjectNotFound"}
    play({**illness, "match": {"path": "/v1.0/applications"}})
    answer = graph.post("/v1.0/applications", json={"displayName": "Applied all the same"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "Directory_ObjectNotFound")
    assert world.store.find("application", displayName="Applied all the same")


def test_a_truncated_body(play: Play, graph: httpx.Client) -> None:
    play({"kind": "truncate", "times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        graph.get("/v1.0/users")
    assert graph.get("/v1.0/users").status_code == 200


def test_a_slow_answer_runs_into_the_clients_deadline(play: Play, graph: httpx.Client) -> None:
    play({"kind": "slow", "seconds": [30, 40], "times": 1})
    with pytest.raises(httpx.ReadTimeout):
        graph.get("/v1.0/users", timeout=0.2)


def test_a_new_object_is_not_seen_for_a_while(play: Play, graph: httpx.Client, control: httpx.Client) -> None:
    play({"kind": "lag", "read": [50, 60], "link": [50, 60]})
    made = graph.post("/v1.0/applications", json={"displayName": "Late"}).json()
    assert graph.get(f"/v1.0/applications/{made['id']}").status_code == 404
    control.post("/_sandbox/clock", json={"offset": 61})
    try:
        assert graph.get(f"/v1.0/applications/{made['id']}").status_code == 200
    finally:
        control.post("/_sandbox/clock", json={"offset": 0})


def test_replicas_show_a_new_object_and_then_do_not_until_the_slowest_has_it(
    play: Play, graph: httpx.Client, control: httpx.Client
) -> None:
    play({"kind": "lag", "read": [50, 50]}, {"kind": "ahead", "seconds": [0, 100]})
    made = graph.post("/v1.0/applications", json={"displayName": "Here and there"}).json()

    def seen() -> list[int]:
        return [graph.get(f"/v1.0/applications/{made['id']}").status_code for _ in range(20)]

    course = seen()
    assert 404 in course[course.index(200) :]
    control.post("/_sandbox/clock", json={"offset": 51})
    try:
        assert set(seen()) == {200}
    finally:
        control.post("/_sandbox/clock", json={"offset": 0})


def test_permissions_that_this_cloud_lacks_are_in_no_read_no_grant_and_no_token(
    play: Play, graph: httpx.Client, token: Token, world: World, app: App, control: httpx.Client
) -> None:
    from entra_sandbox.entra import tokens

    role = next(one for one in world.graph()["appRoles"] if one["value"] == "User.Read.All")
    play({"kind": "unpublished", "permissions": ["User.Read.All"]})
    shown = graph.get(f"/v1.0/servicePrincipals(appId='{world.graph()['appId']}')").json()
    published = {one["value"] for key in ("appRoles", "oauth2PermissionScopes") for one in shown[key]}
    assert "User.Read.All" not in published
    assert "User.ReadWrite.All" in published
    assert tokens.verify(world.store, access(token, app))["roles"] == ["Application.ReadWrite.All"]
    other = world.app()
    body = {"principalId": other.principal["id"], "resourceId": shown["id"], "appRoleId": role["id"]}
    world.assign(app, "AppRoleAssignment.ReadWrite.All")
    graph.headers["authorization"] = f"Bearer {access(token, app)}"
    refused = graph.post(f"/v1.0/servicePrincipals/{other.principal['id']}/appRoleAssignments", json=body)
    assert (refused.status_code, refused.json()["error"]["message"]) == (
        400,
        "Permission being assigned was not found on application",
    )
    control.delete("/_sandbox/faults")
    assert "User.Read.All" in tokens.verify(world.store, access(token, app))["roles"]


def test_a_persons_token_holds_nothing_that_this_cloud_lacks(play: Play, world: World, token: Token) -> None:
    app, person = world.app(), world.user()
    world.consent(app, "User.Read", "User.Read.All")
    play({"kind": "unpublished", "permissions": ["User.Read.All"]})
    ask = {"client_id": app.id, "client_secret": app.secret, "username": person.login, "password": person.password}
    answer = token(grant_type="password", scope=SCOPE, **ask).json()
    assert "User.Read" in answer["scope"]
    assert "User.Read.All" not in answer["scope"]


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({"forbid": True}, "CredentialTypeNotAllowedAsPerAppPolicy"),
        ({"max_days": 90}, "CredentialInvalidLifetimeAsPerAppPolicy"),
    ],
)
def test_a_tenant_policy_refuses_secrets_as_graph_words_it(
    play: Play, graph: httpx.Client, world: World, control: httpx.Client, policy: dict[str, Any], code: str
) -> None:
    path = f"/v1.0/applications/{world.app().document['id']}/addPassword"
    play({"kind": "secret_policy", **policy})
    refused = graph.post(path, json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)
    control.delete("/_sandbox/faults")
    assert graph.post(path, json={}).status_code == 200


def test_a_sandbox_that_was_killed_while_ill_is_well_again_when_it_starts(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with running(state):
        pass
    store = Store(state)
    before = store.find("servicePrincipal", displayName="Microsoft Graph")
    Faults(store, load({"illnesses": [{"kind": "unpublished", "permissions": ["User.Read.All"]}]}))
    assert store.find("servicePrincipal", displayName="Microsoft Graph") != before
    store.close()
    with running(state):
        pass
    assert Store(state).find("servicePrincipal", displayName="Microsoft Graph") == before


def test_a_new_secret_is_refused_for_a_while(
    play: Play, graph: httpx.Client, token: Token, world: World, control: httpx.Client
) -> None:
    play({"kind": "secret_delay", "seconds": [50, 60]})
    target = world.app()
    secret = graph.post(f"/v1.0/applications/{target.document['id']}/addPassword", json={}).json()["secretText"]
    ask = {"grant_type": "client_credentials", "client_id": target.id, "client_secret": secret, "scope": SCOPE}
    refused = token(**ask)
    assert (refused.status_code, refused.json()["error_codes"]) == (401, [7000215])
    control.post("/_sandbox/clock", json={"offset": 61})
    try:
        assert token(**ask).status_code == 200
    finally:
        control.post("/_sandbox/clock", json={"offset": 0})


def test_a_new_grant_reaches_tokens_late_and_an_old_one_is_there(
    play: Play, token: Token, world: World, app: App, control: httpx.Client
) -> None:
    from entra_sandbox.entra import tokens

    def roles() -> list[str]:
        found: list[str] = tokens.verify(world.store, access(token, app))["roles"]
        return found

    before = roles()
    play({"kind": "late_grants", "seconds": 60})
    world.assign(app, "Group.Read.All")
    assert roles() == before
    control.post("/_sandbox/clock", json={"offset": 61})
    try:
        assert "Group.Read.All" in roles()
    finally:
        control.post("/_sandbox/clock", json={"offset": 0})


def test_clock_skew_shows_in_tokens_and_ends_with_the_illness(
    play: Play, token: Token, world: World, app: App, control: httpx.Client
) -> None:
    from entra_sandbox.entra import tokens

    before = world.store.now()
    play({"kind": "clock_skew", "seconds": 7200})
    issued = access(token, app)
    control.delete("/_sandbox/faults")
    with pytest.raises(tokens.InvalidToken, match="not yet valid"):
        tokens.verify(world.store, issued)
    assert tokens.verify(world.store, access(token, app))["iat"] - before < 3600


def test_a_claims_challenge_is_answered_by_a_new_token(
    play: Play, http: httpx.Client, token: Token, app: App, world: World
) -> None:
    play({"kind": "claims_challenge", "times": 1})
    claims = json.dumps({"access_token": {"xms_cc": {"values": ["cp1"]}}})
    plain, able = access(token, app), access(token, app, claims=claims)

    def ask(bearer: str) -> httpx.Response:
        return http.get("/v1.0/users?$top=1", headers={"authorization": f"Bearer {bearer}"})

    assert ask(plain).status_code == 200
    challenged = ask(able)
    assert challenged.status_code == ask(able).status_code == 401
    header = challenged.headers["www-authenticate"]
    assert 'error="insufficient_claims"' in header
    wanted = base64.b64decode(header.split('claims="')[1].split('"')[0]).decode()
    assert json.loads(wanted)["access_token"]["nbf"]["essential"] is True
    client = msal.ConfidentialClientApplication(
        app.id,
        client_credential=app.secret,
        authority=world.authority(),
        instance_discovery=False,
        verify=world.ready["ca_file"],
        client_capabilities=["cp1"],
    )
    renewed = client.acquire_token_for_client([SCOPE], claims_challenge=wanted)
    assert ask(renewed["access_token"]).status_code == 200


def test_consent_that_lies(play: Play, world: World) -> None:
    app, person = world.app(), world.user()
    play({"kind": "consent_lies"})
    assert "code" in values(person.open(link(world, app)))
    assert world.scopes_of(app, person.id) == set()


@pytest.mark.parametrize(
    ("course", "mistake"),
    [
        ({"illnesses": [{"kind": "flu"}]}, "flu"),
        ({"illnesses": [{"kind": "slow"}]}, "seconds"),
        ({"illnesses": [{"kind": "slow", "seconds": [1, -1]}]}, "greater than or equal to 0"),
        ({"illnesses": [{"kind": "reset", "chance": 2}]}, "less than or equal to 1"),
        ({"illnesses": [{"kind": "reset", "match": {"service": "bing"}}]}, "graph"),
        ({"illnesses": [{"kind": "clock_skew", "seconds": 1}] * 2}, "only one clock"),
        ({"illnesses": [{"kind": "unpublished", "permissions": ["User.Fly.All"]}]}, "User.Fly.All"),
        ({"illnesses": [{"kind": "unpublished", "permissions": ["User.Read.All"], "times": 1}]}, "times"),
        ({"illnesses": [{"kind": "secret_policy"}]}, "either forbid: true or max_days"),
        ({"weather": "rain"}, "weather"),
        ({"seed": "seven"}, "seed"),
    ],
)
def test_a_wrong_course_is_refused_with_its_mistake(
    course: dict[str, Any], mistake: str, control: httpx.Client
) -> None:
    with pytest.raises(BadFaults, match=mistake):
        load(course)
    answer = control.put("/_sandbox/faults", json=course)
    assert answer.status_code == 400
    assert mistake in answer.json()["error"]


@pytest.mark.parametrize("text", ["illnesses: [", "- a list", "\x00", "illnesses: {kind: reset}"])
def test_a_file_that_is_no_course_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(text)
    with pytest.raises(BadFaults):
        load(file)
    with pytest.raises(BadFaults), running(tmp_path / "state.sqlite3", faults=file):
        pass


def test_a_file_is_played_from_the_start(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("illnesses:\n  - {kind: unavailable, status: 504, match: {service: entra}}\n")
    import ssl

    with running(tmp_path / "state.sqlite3", faults=file) as ready:
        context = ssl.create_default_context(cafile=ready["ca_file"])
        address = f"{ready['authority']}/common/discovery/keys"
        assert httpx.get(address, verify=context, trust_env=False).status_code == 504


def test_the_same_seed_and_the_same_requests_give_the_same_course(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite3")

    def played(seed: int) -> list[Any]:
        course = {
            "seed": seed,
            "illnesses": [
                {"kind": "throttle", "chance": 0.3, "match": {"method": "get"}},
                {"kind": "slow", "seconds": [0, 9], "chance": 0.5},
            ],
        }
        faults = Faults(store, load(course))
        seen: list[Any] = []
        for number in range(60):
            method = "GET" if number % 3 else "POST"
            seen.append(bool(faults.strikes(Throttle, "graph", method, "/v1.0/users")))
            seen += [draw.uniform(*one.seconds) for one, draw in faults.strikes(Slow, "graph", method, "/v1.0/users")]
        return seen

    assert played(1) == played(1)
    assert played(1) != played(2)


def test_skip_times_and_match_limit_an_illness(tmp_path: Path) -> None:
    match = {"service": "graph", "method": "GET", "path": "/V1.0/users*"}
    course = {"illnesses": [{"kind": "throttle", "skip": 2, "times": 3, "match": match}]}
    faults = Faults(Store(tmp_path / "state.sqlite3"), load(course))
    others = [("entra", "GET", "/v1.0/users"), ("graph", "POST", "/v1.0/users"), ("graph", "GET", "/v1.0/groups")]
    assert not any(faults.strikes(Throttle, *other) for other in others)
    struck = [bool(faults.strikes(Throttle, "graph", "GET", "/v1.0/users/1")) for _ in range(7)]
    assert struck == [False, False, True, True, True, False, False]
    assert faults.report()["counts"] == [{"chances": 7, "strikes": 3}]


def test_control_calls_are_spared(play: Play, control: httpx.Client, plain: Person, world: World) -> None:
    play({"kind": "unavailable"})
    assert control.get("/_sandbox/faults").json()["illnesses"][0]["kind"] == "unavailable"
    assert plain.page(f"{world.ready['pages']}/devicelogin").status == 503


def test_an_error_of_entra_keeps_its_shape_when_ill(play: Play, token: Token, app: App) -> None:
    play({"kind": "throttle", "match": {"service": "entra"}})
    ask = {"grant_type": "client_credentials", "client_id": app.id, "client_secret": app.secret, "scope": SCOPE}
    answer = token(**ask)
    assert answer.status_code == 429
    assert code_of(answer.json()) == 90033
