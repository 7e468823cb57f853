"""Whatever is sent: an answer in time, never a 500, and the sandbox goes on."""

from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sandbox_entra.conftest import CALLBACK, App, World, tls

SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
NAMES = [
    *("grant_type", "client_id", "client_secret", "scope", "code", "redirect_uri", "code_verifier", "refresh_token"),
    *("device_code", "assertion", "requested_token_use", "client_assertion", "client_assertion_type", "username"),
    *("password", "claims", "resource", "client_info", "response_type", "response_mode", "prompt", "login_hint"),
    *("state", "nonce", "code_challenge", "code_challenge_method", "flow", "login", "passwd", "decision", "otc"),
]
ODD = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            *("client_credentials", "authorization_code", "refresh_token", "password", "device_code", "code", "none"),
            *("urn:ietf:params:oauth:grant-type:jwt-bearer", "on_behalf_of", "openid", "User.Read", ".default", "/"),
            *("https://graph.microsoft.com/.default", "//", "a.b.c", "e30.e30.e30", "{}", "[]", '{"access_token": 1}'),
            *('{"access_token": {"xms_cc": []}}', "null", "select_account", "form_post", "\x00", "é", "x" * 40000),
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ]
    ),
)
FORMS = st.dictionaries(st.sampled_from(NAMES), ODD, max_size=12)
PATHS = st.sampled_from(
    [
        *("oauth2/v2.0/token", "oauth2/token", "oauth2/v2.0/devicecode", "oauth2/v2.0/authorize", "oauth2/authorize"),
        *("v2.0/adminconsent", "adminconsent", "adminconsent/done", "oauth2/deviceauth", "devicelogin", "login"),
        *("account", "verify", "consent", "oauth2/v2.0/logout", "discovery/instance", "discovery/keys", "v2.0"),
        *(".well-known/openid-configuration", "v2.0/.well-known/openid-configuration", "userrealm/x", ""),
    ]
)
SEGMENTS = st.one_of(st.sampled_from(["common", "organizations", "contoso.com", "{tenant}"]), st.text(max_size=20))


@pytest.fixture(scope="module")
def app(world: World) -> App:
    return world.app(isFallbackPublicClient=True)


@pytest.fixture(scope="module")
def client(world: World) -> httpx.Client:
    return httpx.Client(verify=tls(world.ready), base_url=world.base, trust_env=False, timeout=20)


def survives(response: httpx.Response) -> None:
    assert response.status_code < 500, response.text
    if response.headers.get("content-type", "").startswith("application/json") and response.status_code >= 400:
        assert response.json()["error"]


@SETTINGS
@given(method=st.sampled_from(["GET", "POST"]), segment=SEGMENTS, path=PATHS, form=FORMS, known=st.booleans())
def test_any_parameters_anywhere(
    client: httpx.Client,
    world: World,
    app: App,
    method: str,
    segment: str,
    path: str,
    form: dict[str, str],
    known: bool,
) -> None:
    if known:
        form = {**form, "client_id": app.id, "client_secret": app.secret, "redirect_uri": CALLBACK}
    address = f"/{quote(segment.replace('{tenant}', world.tenant), safe='')}/{path}"
    sent = {"data": form} if method == "POST" else {"params": {name: value[:2000] for name, value in form.items()}}
    survives(client.request(method, address, **sent))  # type: ignore[arg-type]


@SETTINGS
@given(
    content=st.binary(max_size=400),
    kind=st.sampled_from(
        [
            *("application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x"),
            *("application/json", "text/plain; charset=nothing", "a", ""),
        ]
    ),
    path=PATHS,
)
def test_any_bytes_as_a_body(client: httpx.Client, content: bytes, kind: str, path: str) -> None:
    survives(client.post(f"/common/{path}", content=content, headers={"content-type": kind}))


@SETTINGS
@given(bearer=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80))
def test_any_bearer_token_is_refused(client: httpx.Client, bearer: str) -> None:
    headers = {"authorization": f"Bearer {bearer}"}
    assert client.get("/oidc/userinfo", headers=headers).status_code == 401
    assert client.get("/v1.0/users", headers=headers).status_code == 401


@SETTINGS
@given(cookie=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60), host=st.text(max_size=20))
def test_any_cookie_and_host(client: httpx.Client, app: App, cookie: str, host: str) -> None:
    query = {"client_id": app.id, "response_type": "code", "scope": "openid", "redirect_uri": CALLBACK}
    headers = {"cookie": f"sandbox_00000000={cookie}", "host": host.encode("utf-8", "replace").hex() or "x"}
    assert client.get("/contoso.com/oauth2/v2.0/authorize", params=query, headers=headers).status_code == 421
    del headers["host"]
    assert client.get("/contoso.com/oauth2/v2.0/authorize", params=query, headers=headers).status_code == 200
