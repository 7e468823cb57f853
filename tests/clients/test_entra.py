"""Sign-in with the real msal against a scripted Entra ID."""

from __future__ import annotations

import base64
import datetime
import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina

from runbook.clients import entra
from runbook.clients.entra import Administrator, _sign_in_error
from runbook.clients.msal_apps import MsalHttp
from runbook.clients.target import Target
from runbook.errors import HandOver, InputError, Parked, SignInError, TransportError
from runbook.parameters import Parameters
from runbook.run_socket import VARIABLE, offered
from runbook.secrets import Secret

from .conftest import Log
from .service import Reply, Service

APP = "99999999-8888-7777-6666-555555555555"
SECRET = Secret("abc8Q~canary.secret_value-1234567890")
TENANT = "11111111-2222-3333-4444-555555555555"
TOKEN = f"/{TENANT}/oauth2/v2.0/token"
DEVICE = f"/{TENANT}/oauth2/v2.0/devicecode"


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """stamina's own switch: the same retries, without the pauses."""
    stamina.set_testing(True, attempts=3, cap=True)
    yield
    stamina.set_testing(False)


def jwt(**claims: Any) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims)}.c2ln"


def issued(**claims: Any) -> Reply:
    body = {"token_type": "Bearer", "expires_in": 3599, "access_token": jwt(tid=TENANT, **claims)}
    return Reply(200, body)


def refused(number: int, status: int = 400, error: str = "invalid_client", text: str = "No.") -> Reply:
    description = f"AADSTS{number}: {text} Trace ID: trace-1 Correlation ID: corr-1 Timestamp: 2026-03-01 12:00:00Z"
    body = {"error": error, "error_description": description, "error_codes": [number], "trace_id": "trace-1"}
    return Reply(status, body)


@pytest.fixture
def entra_id(service: Service) -> Service:
    base = f"{service.base}/{TENANT}"
    discovery = {
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
    }
    service.on("GET", f"/{TENANT}/v2.0/.well-known/openid-configuration", Reply(200, discovery))
    return service


def forms(service: Service) -> list[dict[str, str]]:
    return [asked.form for asked in service.requests("POST", TOKEN)]


def test_an_application_token_has_its_roles_and_expiry(entra_id: Service, target: Target) -> None:
    entra_id.on("POST", TOKEN, issued(roles=["User.Read.All", "Group.Read.All"], idtyp="app"))
    result = entra.application_token(target, APP, SECRET)
    assert result.roles == ("Group.Read.All", "User.Read.All")
    assert result.scopes == ()
    assert datetime.datetime.now(datetime.UTC) < result.expires
    (form,) = forms(entra_id)
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == f"{target.endpoints.graph}/.default"
    assert form["client_secret"] == SECRET.reveal()


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_msal_uses_the_targets_ca_in_spite_of_the_environment(
    entra_id: Service, target: Target, other_ca: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(other_ca))
    entra_id.on("POST", TOKEN, issued(roles=[]))
    assert entra.application_token(target, APP, SECRET).roles == ()


def test_every_application_token_comes_from_entra_id_itself(entra_id: Service, target: Target) -> None:
    entra_id.on("POST", TOKEN, issued(roles=["A"]), issued(roles=["B"]))
    assert [entra.application_token(target, APP, SECRET).roles for _ in range(2)] == [("A",), ("B",)]


def test_a_400_is_not_remembered(entra_id: Service, target: Target) -> None:
    entra_id.on("POST", TOKEN, refused(65001, 400, "invalid_grant"), issued(roles=["A"]))
    with pytest.raises(SignInError):
        entra.application_token(target, APP, SECRET)
    assert entra.application_token(target, APP, SECRET).roles == ("A",)


def test_a_refusal_has_its_code_meaning_remedy_and_trace_id(entra_id: Service, target: Target) -> None:
    entra_id.on("POST", TOKEN, refused(7000215, 401, text="Invalid client secret provided."))
    with pytest.raises(SignInError) as caught:
        entra.application_token(target, APP, SECRET)
    error = caught.value
    assert (error.code, error.request_id) == ("AADSTS7000215", "trace-1")
    assert "secret" in error.meaning
    assert error.next_step
    assert "Trace ID" not in error.what


def test_a_busy_token_endpoint_is_asked_again(entra_id: Service, target: Target, log: Log) -> None:
    entra_id.on("POST", TOKEN, Reply(429, {"error": "temporarily_unavailable"}), Reply(503), issued(roles=["A"]))
    assert entra.application_token(target, APP, SECRET, http=MsalHttp(target, log)).roles == ("A",)
    assert log.retries == 2
    assert {kind for kind, _ in log.lines} == {"call"}


def test_a_token_endpoint_that_stays_down_is_a_transport_error(entra_id: Service, target: Target) -> None:
    entra_id.on("POST", TOKEN, Reply(500, {"error": "server_error"}))
    with pytest.raises(TransportError):
        entra.application_token(target, APP, SECRET)


def test_a_token_answer_that_is_cut_off_is_asked_for_again_and_never_logged(
    entra_id: Service, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    whole = issued(roles=["A"])
    entra_id.on("POST", TOKEN, Reply(200, whole.content()[:-5]), whole)
    with caplog.at_level(logging.DEBUG):
        result = entra.application_token(target, APP, SECRET)
    assert result.roles == ("A",)
    assert result.token.reveal() not in caplog.text
    assert SECRET.reveal() not in caplog.text


def test_an_unknown_tenant_is_a_sign_in_error(service: Service, target: Target) -> None:
    body = {"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant not found."}
    service.on("GET", f"/{TENANT}/v2.0/.well-known/openid-configuration", Reply(400, body))
    with pytest.raises(SignInError, match="does not know the tenant"):
        entra.application_token(target, APP, SECRET)


def test_an_unreachable_authority_is_a_transport_error(service: Service, target: Target) -> None:
    service.on("GET", f"/{TENANT}/v2.0/.well-known/openid-configuration", Reply(reset=True))
    with pytest.raises(TransportError):
        entra.application_token(target, APP, SECRET)


def test_an_endpoint_without_tls_gets_no_secret(service: Service, target: Target) -> None:
    base = service.base.replace("https", "http") + f"/{TENANT}"
    discovery = {"issuer": base, "authorization_endpoint": base, "token_endpoint": base + "/oauth2/v2.0/token"}
    service.on("GET", f"/{TENANT}/v2.0/.well-known/openid-configuration", Reply(200, discovery))
    with pytest.raises((SignInError, TransportError)):
        entra.application_token(target, APP, SECRET)
    assert [asked.method for asked in service.asked] == ["GET"]


@pytest.mark.parametrize(
    "reply",
    [refused(7000215, 401), Reply(reset=True), Reply(500), Reply(200, b'{"access_token": "cut')],
    ids=["refused", "reset", "500", "cut off"],
)
def test_no_failure_shows_the_secret_even_with_locals(entra_id: Service, target: Target, reply: Reply) -> None:
    entra_id.on("POST", TOKEN, reply)
    with pytest.raises((SignInError, TransportError)) as caught:
        entra.application_token(target, APP, SECRET)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    assert SECRET.reveal() not in "".join(shown)


def test_the_log_names_the_grant_and_holds_no_secret(entra_id: Service, target: Target, log: Log) -> None:
    entra_id.on("POST", TOKEN, issued(roles=[]))
    result = entra.application_token(target, APP, SECRET, http=MsalHttp(target, log))
    assert [kind for kind, _ in log.lines] == ["call", "call"]
    assert log.lines[1][1]["grant_type"] == "client_credentials"
    assert log.lines[1][1]["effect"] == "read"
    written = json.dumps(log.lines)
    assert SECRET.reveal() not in written
    assert result.token.reveal() not in written


def device_flow(interval: int = 1, expires_in: int = 900) -> Reply:
    body = {
        "device_code": "dc-canary",
        "user_code": "ABCD1234",
        "verification_uri": "https://microsoft.com/devicelogin",
        "expires_in": expires_in,
        "interval": interval,
        "message": "…",
    }
    return Reply(200, body)


def test_a_delegated_token_comes_by_device_code_with_the_applications_secret(entra_id: Service, target: Target) -> None:
    entra_id.on("POST", DEVICE, device_flow())
    entra_id.on("POST", TOKEN, issued(scp="User.Read Group.Read.All", upn="anna@contoso.com"))
    shown: list[HandOver] = []
    result = entra.delegated_token(target, APP, SECRET, shown.append)
    assert result.scopes == ("Group.Read.All", "User.Read")
    (hand_over,) = shown
    assert (hand_over.kind, hand_over.url) == ("device_sign_in", "https://microsoft.com/devicelogin")
    assert hand_over.fields == {"code": "ABCD1234"}
    assert hand_over.expires_at
    (form,) = forms(entra_id)
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code"
    assert form["client_secret"] == SECRET.reveal()
    assert (form["device_code"], form["code"]) == ("dc-canary", "dc-canary")


def test_a_pending_device_sign_in_is_polled_until_done(entra_id: Service, target: Target) -> None:
    pending = refused(70016, 400, "authorization_pending")
    entra_id.on("POST", DEVICE, device_flow(interval=0))
    entra_id.on("POST", TOKEN, pending, pending, issued(scp="User.Read"))
    assert entra.delegated_token(target, APP, SECRET, lambda _: None).scopes == ("User.Read",)
    assert len(forms(entra_id)) == 3


def test_a_declined_device_sign_in_is_an_error(entra_id: Service, target: Target) -> None:
    entra_id.on("POST", DEVICE, device_flow())
    entra_id.on("POST", TOKEN, refused(65004, 400, "authorization_declined"))
    with pytest.raises(SignInError) as caught:
        entra.delegated_token(target, APP, SECRET, lambda _: None)
    assert caught.value.code == "AADSTS65004"


@pytest.mark.parametrize(
    ("lifetime", "answer"),
    [(0, refused(70016, 400, "authorization_pending")), (900, refused(70020, 400, "expired_token"))],
)
def test_a_code_that_nobody_entered_in_time_parks(
    entra_id: Service, target: Target, lifetime: int, answer: Reply
) -> None:
    entra_id.on("POST", DEVICE, device_flow(expires_in=lifetime))
    entra_id.on("POST", TOKEN, answer)
    with pytest.raises(Parked) as caught:
        entra.delegated_token(target, APP, SECRET, lambda _: None)
    assert "a new code" in caught.value.next_step


def test_a_run_that_parks_at_the_code_stays_parked(entra_id: Service, target: Target) -> None:
    def park(hand_over: HandOver) -> None:
        raise Parked(hand_over)

    entra_id.on("POST", DEVICE, device_flow())
    with pytest.raises(Parked):
        entra.delegated_token(target, APP, SECRET, park)
    assert forms(entra_id) == []


def test_a_refused_device_code_request_is_an_error(entra_id: Service, target: Target) -> None:
    entra_id.on("POST", DEVICE, refused(700016, 400, "unauthorized_client"))
    with pytest.raises(SignInError) as caught:
        entra.delegated_token(target, APP, SECRET, lambda _: None)
    assert caught.value.code == "AADSTS700016"


@pytest.fixture
def administrator(target: Target, log: Log) -> Administrator:
    return Administrator(target, Parameters(), log)


def test_the_administrators_token_is_asked_for_once(entra_id: Service, administrator: Administrator) -> None:
    entra_id.on("POST", TOKEN, issued(roles=["A"]))
    assert administrator.token() == administrator.token()
    assert len(forms(entra_id)) == 1


def test_a_renewed_token_is_a_new_one_with_the_claims_that_were_asked(
    entra_id: Service, administrator: Administrator
) -> None:
    entra_id.on("POST", TOKEN, *(issued(roles=["A"], jti=n) for n in range(3)))
    claims = json.dumps({"access_token": {"nbf": {"essential": True, "value": "1"}}})
    first, second, third = administrator.token(), administrator.renew(claims), administrator.renew(None)
    assert first != second != third
    asked = [json.loads(form["claims"])["access_token"] for form in forms(entra_id)]
    assert [sorted(item) for item in asked] == [["xms_cc"], ["nbf", "xms_cc"], ["xms_cc"]]


def test_a_kernel_of_a_run_asks_the_run_and_not_more_often_than_it_must(
    entra_id: Service, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    lifetime = 3599

    def token(claims: str | None, fresh: bool) -> dict[str, Any]:
        assert claims is None
        asked.append(fresh)
        return {"access_token": jwt(jti=len(asked)), "expires_in": lifetime}

    document = {"authorization_endpoint": f"{entra_id.base}/a", "token_endpoint": f"{entra_id.base}{TOKEN}"}
    known = {"status_code": 200, "text": json.dumps({"issuer": f"{entra_id.base}/v2.0", **document}), "headers": {}}
    entra_id.on("POST", TOKEN, issued(roles=["A"]))
    with offered({"token": token, "discovery": lambda url: known if TENANT in url else {}}) as way:
        monkeypatch.setenv(VARIABLE, way[VARIABLE])
        kernel = Administrator(target, Parameters())
        first, again = kernel.token(), kernel.token()
        renewed, after = kernel.renew(None), kernel.token()
        assert (first == again, first == renewed, renewed == after, asked) == (True, False, True, [False, True])
        lifetime = 0
        assert kernel.renew(None) != kernel.token()
        assert entra.application_token(target, APP, SECRET, http=kernel.http).roles == ("A",)
    assert [each.method for each in entra_id.asked] == ["POST"]


@pytest.mark.parametrize(
    ("claims", "kind", "name", "permissions"),
    [
        ({"idtyp": "app", "roles": ["A"], "app_displayname": "Admin app", "oid": "o"}, "app", "Admin app", ("A",)),
        ({"scp": "B A", "upn": "anna@contoso.com", "oid": "o", "wids": ["w"]}, "user", "anna@contoso.com", ("A", "B")),
    ],
)
def test_who_is_signed_in_is_read_from_the_token(
    entra_id: Service,
    administrator: Administrator,
    claims: dict[str, Any],
    kind: str,
    name: str,
    permissions: tuple[str, ...],
) -> None:
    entra_id.on("POST", TOKEN, issued(**claims))
    found = administrator.identity()
    assert (found.kind, found.name, found.permissions, found.object_id) == (kind, name, permissions, "o")
    assert found.tenant_id == TENANT


def real(target: Target, sign_in: str) -> Parameters:
    return Parameters(
        target="entra",
        tenant_id=TENANT,
        client_id=target.client_id,
        sign_in=sign_in,
        stackone_api_key_ref="file:stackone/api-key",
    )


@pytest.mark.usefixtures("own_home")
def test_an_administrator_signs_in_by_device_code_as_a_public_client(entra_id: Service, target: Target) -> None:
    entra_id.on("POST", DEVICE, device_flow())
    entra_id.on("POST", TOKEN, issued(scp="Application.ReadWrite.All", upn="admin@contoso.com"))
    shown: list[HandOver] = []
    administrator = Administrator(target, real(target, "device-code"), on_code=shown.append)
    assert administrator.token().reveal().count(".") == 2
    assert shown[0].fields == {"code": "ABCD1234"}
    assert "client_secret" not in forms(entra_id)[0]


@pytest.mark.usefixtures("own_home")
def test_a_device_code_without_anybody_to_show_it_to_is_bad_input(entra_id: Service, target: Target) -> None:
    with pytest.raises(InputError, match="sign_in"):
        Administrator(target, real(target, "device-code")).token()
    assert entra_id.requests("POST", DEVICE) == []


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)


@pytest.mark.parametrize("token", ["opaque", "a.b", "a.!!!.c", "a.bm90IGpzb24.c", "a.WzFd.c"])
def test_an_opaque_token_has_no_claims(token: str) -> None:
    assert entra._decode_claims(token) == {}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"error": "invalid_grant", "error_description": "AADSTS65001: x"}, "AADSTS65001"),
        ({"error": "invalid_grant", "error_codes": [50076]}, "AADSTS50076"),
        ({"error": "invalid_grant", "error_description": "AADSTS424242: x"}, "AADSTS424242"),
        ({"error": "access_denied"}, "access_denied"),
        ({}, "unknown_error"),
    ],
)
def test_a_code_is_found_wherever_entra_id_puts_it(answer: dict[str, Any], code: str) -> None:
    error = _sign_in_error(answer, subject="x")
    assert error.code == code
    assert error.next_step


def test_a_code_that_is_redeemed_once_is_not_sent_again_after_a_reset(entra_id: Service, target: Target) -> None:
    entra_id.on("POST", TOKEN, Reply(reset=True))
    http = MsalHttp(target)
    with pytest.raises(TransportError):
        http.post(f"{entra_id.base}{TOKEN}", data={"grant_type": "authorization_code", "code": "x"})
    http.close()
    assert len(entra_id.asked) == 1
