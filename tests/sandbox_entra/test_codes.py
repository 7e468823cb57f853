"""Codes of authorization and of devices with msal: what they take, and how long they serve."""

import uuid
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from entra_sandbox.browser import Screen

from tests.sandbox_entra.clients import claims_of, confidential, link, public, trouble
from tests.sandbox_entra.conftest import CALLBACK, App, Person, Token, World, values


@pytest.fixture(scope="module")
def app(world: World) -> App:
    app = world.app(name="Reporter")
    world.assign(app, "User.Read.All")
    world.consent(app, "User.Read")
    return app


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
def test_authorization_code(world: World, app: App, plain: Person, mode: str) -> None:
    client = confidential(world, app)
    flow = client.initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK, response_mode=mode)
    end = plain.open(flow["auth_uri"])
    if mode == "form_post":
        assert isinstance(end, Screen)
        form = end.forms[0]
        assert form.action == CALLBACK
        back = {one.name: one.value for one in form.controls if one.name}
    else:
        assert isinstance(end, str)
        assert bool(urlsplit(end).fragment) == (mode == "fragment")
        back = values(end)
    result = client.acquire_token_by_auth_code_flow(flow, back)
    claims = claims_of(world, result)
    assert claims["scp"].split()[0] == "User.Read"
    assert (claims["upn"], claims["oid"], claims["tid"]) == (plain.login, plain.id, world.tenant)
    assert (claims["idtyp"], claims["appidacr"], "roles" in claims) == ("user", "1", False)
    assert result["id_token_claims"]["aud"] == app.id
    assert result["id_token_claims"]["sub"] != claims["sub"]
    assert client.get_accounts()[0]["username"] == plain.login


def test_a_code_serves_once(world: World, app: App, plain: Person) -> None:
    flow = confidential(world, app).initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK)
    back = values(plain.open(flow["auth_uri"]))
    assert "access_token" in confidential(world, app).acquire_token_by_auth_code_flow(flow, back)
    again = confidential(world, app).acquire_token_by_auth_code_flow(flow, back)
    assert again["error_codes"] == [54005]


def test_a_code_needs_its_verifier_and_its_redirect_uri(world: World, app: App, plain: Person) -> None:
    flow = confidential(world, app).initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK)
    back = values(plain.open(flow["auth_uri"]))
    for changes, code in (({"code_verifier": "x" * 43}, 501481), ({"redirect_uri": "http://localhost:1/x"}, 50011)):
        result = confidential(world, app).acquire_token_by_auth_code_flow({**flow, **changes}, back)
        assert result["error_codes"] == [code]


def test_a_code_of_a_web_application_needs_its_secret(world: World, app: App, plain: Person, token: Token) -> None:
    flow = confidential(world, app).initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK)
    back = values(plain.open(flow["auth_uri"]))
    ask = {"code": back["code"], "redirect_uri": CALLBACK, "code_verifier": flow["code_verifier"]}
    answer = token(grant_type="authorization_code", client_id=app.id, **ask)
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [7000218])


def test_a_public_client_may_listen_on_any_loopback_port(world: World, plain: Person) -> None:
    app = world.app(web={}, publicClient={"redirectUris": ["http://localhost"]})
    world.consent(app, "User.Read")
    client = public(world, app)
    flow = client.initiate_auth_code_flow(["User.Read"], redirect_uri="http://localhost:45678")
    back = values(plain.open(flow["auth_uri"], outside="http://localhost:45678"))
    result = client.acquire_token_by_auth_code_flow(flow, back)
    assert claims_of(world, result)["appidacr"] == "0"
    with_secret = values(plain.open(flow["auth_uri"], outside="http://localhost:45678"))
    refused = confidential(world, app).acquire_token_by_auth_code_flow(flow, with_secret)
    assert refused["error_codes"] == [700025]


def test_device_code(world: World, plain: Person) -> None:
    app = world.app(isFallbackPublicClient=True, name="Tool")
    world.consent(app, "User.Read")
    client = public(world, app)
    flow = client.initiate_device_flow(["User.Read"])
    assert flow["user_code"] in flow["message"]
    screen = plain.page(flow["verification_uri"])
    end = plain.send(screen, screen.forms[0], {"otc": flow["user_code"].lower()})
    assert isinstance(end, Screen)
    assert end.headings == ["You have signed in to Tool"]
    assert claims_of(world, client.acquire_token_by_device_flow(flow))["upn"] == plain.login


def test_a_policy_against_the_device_code_flow_blocks_it_alone(world: World) -> None:
    """learn.microsoft.com/entra/identity/conditional-access/policy-block-authentication-flows"""
    app, person = world.app(isFallbackPublicClient=True), world.user()
    world.consent(app, "User.Read", "openid", "profile", "offline_access")
    conditions = {
        "users": {"includeUsers": [person.id]},
        "applications": {"includeApplications": ["All"]},
        "authenticationFlows": {"transferMethods": "deviceCodeFlow"},
    }
    policy = {"id": str(uuid.uuid4()), "state": "enabled", "conditions": conditions}
    grant = {"operator": "OR", "builtInControls": ["block"]}
    world.store.put("conditionalAccessPolicy", {**policy, "grantControls": grant}, world.tenant)
    flow = public(world, app).initiate_device_flow(["User.Read"])
    screen = person.page(flow["verification_uri"])
    assert trouble(person.send(screen, screen.forms[0], {"otc": flow["user_code"]})) == 53003
    assert "code" in values(person.open(link(world, app)))


def test_device_code_by_a_confidential_client(world: World, app: App, plain: Person) -> None:
    client = confidential(world, app)
    flow = client.client.initiate_device_flow(scope=["User.Read"])
    screen = plain.page(flow["verification_uri"])
    plain.send(screen, screen.forms[0], {"otc": flow["user_code"]})
    result = client.client.obtain_token_by_device_flow(flow)
    assert claims_of(world, result)["appidacr"] == "1"


def test_device_code_errors(world: World, app: App, plain: Person, token: Token, control: Any) -> None:
    tool = world.app(isFallbackPublicClient=True)
    flow = public(world, tool).initiate_device_flow(["User.Read"])
    ask = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": tool.id}

    def poll(**changes: str) -> tuple[int, str, list[int]]:
        answer = token(**{**ask, "device_code": flow["device_code"], **changes})
        return answer.status_code, answer.json()["error"], answer.json()["error_codes"]

    assert [poll() for _ in range(3)] == [(400, "authorization_pending", [70016])] * 3
    assert poll() == (400, "slow_down", [70016])
    assert poll(device_code="", code="unknown") == (400, "bad_verification_code", [70019])
    assert poll(client_id=app.id) == (401, "invalid_client", [7000218])
    screen = plain.page(flow["verification_uri"])
    wrong = plain.send(screen, screen.forms[0], {"otc": "NOTACODE1"})
    assert isinstance(wrong, Screen)
    assert "didn't work" in wrong.alerts[0]
    plain.send(screen, screen.forms[0], {"otc": flow["user_code"]}, press="Cancel")
    assert poll() == (400, "authorization_declined", [70016])
    late = public(world, tool).initiate_device_flow(["User.Read"])
    control.post("/_sandbox/clock", json={"offset": 901})
    try:
        assert poll(device_code=late["device_code"]) == (400, "expired_token", [70020])
    finally:
        control.post("/_sandbox/clock", json={"offset": 0})


def test_state_comes_back_untouched(world: World, app: App, plain: Person) -> None:
    state = "a b&c=d#é"
    client = confidential(world, app)
    flow = client.initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK, state=state)
    end = plain.open(flow["auth_uri"])
    assert isinstance(end, str)
    assert dict(parse_qsl(urlsplit(end).query))["state"] == state


def test_a_single_page_application_redeems_from_its_own_origin(world: World, plain: Person, http: Any) -> None:
    app = world.app(web={}, spa={"redirectUris": [CALLBACK]})
    world.consent(app, "User.Read")
    endpoint = f"/{world.tenant}/oauth2/v2.0/token"
    preflight = http.options(endpoint, headers={"origin": "http://localhost:8400"})
    assert preflight.headers["access-control-allow-origin"] == "*"

    def redeem(**headers: str) -> Any:
        flow = public(world, app).initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK)
        code = values(plain.open(flow["auth_uri"]))["code"]
        ask = {"grant_type": "authorization_code", "client_id": app.id, "code": code, "redirect_uri": CALLBACK}
        return http.post(endpoint, data={**ask, "code_verifier": flow["code_verifier"]}, headers=headers)

    assert redeem().json()["error_codes"] == [9002327]
    answer = redeem(origin="http://localhost:8400")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert claims_of(world, answer.json())["upn"] == plain.login


def test_a_page_of_another_origin_redeems_for_nobody_else(world: World, app: App, plain: Person, http: Any) -> None:
    flow = confidential(world, app).initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK)
    code = values(plain.open(flow["auth_uri"]))["code"]
    ask = {"grant_type": "authorization_code", "client_id": app.id, "client_secret": app.secret, "code": code}
    ask |= {"redirect_uri": CALLBACK, "code_verifier": flow["code_verifier"]}
    answer = http.post(f"/{world.tenant}/oauth2/v2.0/token", data=ask, headers={"origin": "https://evil.example"})
    assert answer.json()["error_codes"] == [9002326]


def test_expired_codes_are_told_from_unknown_ones_and_swept_later(
    world: World, app: App, plain: Person, control: Any
) -> None:
    from entra_sandbox.entra.grant_types import CODE_KIND

    client = confidential(world, app)
    flow = client.initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK)
    back = values(plain.open(flow["auth_uri"]))
    try:
        control.post("/_sandbox/clock", json={"offset": 601})
        assert client.acquire_token_by_auth_code_flow(flow, back)["error_codes"] == [70008]
        control.post("/_sandbox/clock", json={"offset": 2 * 86400})
        person = world.user()
        person.open(confidential(world, app).initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK)["auth_uri"])
        assert confidential(world, app).acquire_token_by_auth_code_flow(flow, back)["error_codes"] == [70000]
        assert world.store.count(CODE_KIND) == 1
    finally:
        control.post("/_sandbox/clock", json={"offset": 0})
