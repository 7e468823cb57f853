"""Every refusal of the token endpoint: its number, its OAuth error, its status and its shape."""

import re
import uuid
from typing import Any

import httpx
import pytest

from tests.sandbox_entra.conftest import App, Person, Token, World, code_of

SCOPE = "https://graph.microsoft.com/.default"


def credentials_of(app: App, **changes: str) -> dict[str, str]:
    wanted = {"grant_type": "client_credentials", "client_id": app.id, "client_secret": app.secret, "scope": SCOPE}
    return {name: value for name, value in {**wanted, **changes}.items() if value}


def refused(response: httpx.Response, code: int, error: str, status: int = 400) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (body["error_codes"], body["error"], response.status_code) == ([code], error, status), body
    assert code_of(body) == code
    assert re.search(r" Trace ID: \S{36} Correlation ID: \S{36} Timestamp: \S{10} \S{8}Z$", body["error_description"])
    assert body["trace_id"] in body["error_description"]
    assert body["correlation_id"] in body["error_description"]
    assert body["error_uri"].endswith(f"/error?code={code}")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", body["timestamp"])
    assert response.headers["cache-control"].startswith("no-store")
    return body


@pytest.fixture(scope="module")
def app(world: World) -> App:
    return world.app()


def test_a_wrong_secret(token: Token, app: App) -> None:
    refused(token(**credentials_of(app, client_secret="wrong")), 7000215, "invalid_client", 401)


def test_the_id_of_a_secret_in_place_of_its_value_is_told_in_words(token: Token, app: App) -> None:
    body = refused(token(**credentials_of(app, client_secret=app.key_id)), 7000215, "invalid_client", 401)
    assert "the client secret value, not the client secret ID" in body["error_description"]


def test_an_expired_secret(token: Token, world: World) -> None:
    app = world.app()
    entry = {**app.document["passwordCredentials"][0], "endDateTime": "2020-01-01T00:00:00Z"}
    world.change("application", app.document["id"], passwordCredentials=[entry])
    refused(token(**credentials_of(app)), 7000222, "invalid_client", 401)


def test_a_removed_secret(token: Token, world: World) -> None:
    app = world.app()
    world.change("application", app.document["id"], passwordCredentials=[])
    refused(token(**credentials_of(app)), 7000215, "invalid_client", 401)


def test_an_unknown_application(token: Token, app: App) -> None:
    refused(token(**credentials_of(app, client_id=str(uuid.uuid4()))), 700016, "unauthorized_client")


def test_an_application_of_another_tenant(token: Token, world: World, app: App) -> None:
    refused(token(world.fabrikam, **credentials_of(app)), 700016, "unauthorized_client")


def test_an_application_without_service_principal(token: Token, world: World) -> None:
    refused(token(**credentials_of(world.app(principal=False))), 7000229, "unauthorized_client")


def test_a_disabled_application(token: Token, world: World) -> None:
    app = world.app()
    world.change("servicePrincipal", app.principal["id"], accountEnabled=False)
    refused(token(**credentials_of(app)), 7000112, "unauthorized_client")


def test_an_unknown_tenant(token: Token, app: App) -> None:
    refused(token("nowhere.example", **credentials_of(app)), 90002, "invalid_request")


def test_an_application_must_name_its_tenant(token: Token, app: App) -> None:
    refused(token("common", **credentials_of(app)), 50059, "invalid_request")


@pytest.mark.parametrize("name", ["grant_type", "client_id", "scope"])
def test_a_missing_parameter(token: Token, app: App, name: str) -> None:
    body = refused(token(**credentials_of(app, **{name: ""})), 900144, "invalid_request")
    assert f"'{name}'" in body["error_description"]


def test_no_credential(token: Token, app: App) -> None:
    refused(token(**credentials_of(app, client_secret="")), 7000216, "invalid_client", 401)


def test_an_unknown_grant_type(token: Token, app: App) -> None:
    refused(token(**credentials_of(app, grant_type="magic")), 70003, "unsupported_grant_type")


@pytest.mark.parametrize("scope", ["User.Read.All", "https://graph.microsoft.com/User.Read.All"])
def test_a_single_scope_in_client_credentials(token: Token, app: App, scope: str) -> None:
    refused(token(**credentials_of(app, scope=scope)), 1002012, "invalid_scope")


def test_default_beside_a_single_scope(token: Token, app: App) -> None:
    refused(token(**credentials_of(app, scope=f"{SCOPE} User.Read")), 70011, "invalid_scope")


def test_two_resources_in_one_scope(token: Token, app: App) -> None:
    refused(token(**credentials_of(app, scope=f"{SCOPE} api://other/.default")), 28000, "invalid_request")


def test_an_unknown_resource(token: Token, app: App) -> None:
    refused(token(**credentials_of(app, scope="https://nothing.example/.default")), 500011, "invalid_resource")


def test_a_repeated_parameter(http: httpx.Client, world: World, app: App) -> None:
    pairs = [*credentials_of(app).items(), ("scope", SCOPE)]
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = "&".join(f"{name}={value}" for name, value in pairs)
    refused(http.post(f"/{world.tenant}/oauth2/v2.0/token", content=body, headers=form), 9002313, "invalid_request")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"a=b&" * 5000])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_is_no_form(http: httpx.Client, world: World, content: bytes, kind: str) -> None:
    answer = http.post(f"/{world.tenant}/oauth2/v2.0/token", content=content, headers={"content-type": kind})
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize("basic", ["Basic %%%", "Basic /w==", "Basic"])
def test_a_broken_basic_header(token: Token, app: App, basic: str) -> None:
    answer = token(headers={"authorization": basic}, **credentials_of(app, client_id="", client_secret=""))
    assert answer.status_code == 400


def test_a_public_client_that_is_not_allowed(token: Token, app: App, plain: Person) -> None:
    ask = {"grant_type": "password", "username": plain.login, "password": plain.password, "scope": "User.Read"}
    refused(token(client_id=app.id, **ask), 7000218, "invalid_client", 401)


@pytest.fixture(scope="module")
def public(world: World) -> App:
    app = world.app(isFallbackPublicClient=True)
    world.consent(app, "User.Read")
    return app


class TestPeople:
    """Refusals about the person, without a page."""

    def ask(self, token: Token, app: App, person: Person, tenant: str = "", **changes: str) -> httpx.Response:
        wanted = {"username": person.login, "password": person.password, "scope": "User.Read"}
        return token(tenant, grant_type="password", client_id=app.id, **{**wanted, **changes})

    def test_signs_in_without_a_page(self, token: Token, public: App, plain: Person) -> None:
        assert self.ask(token, public, plain).json()["scope"] == "User.Read"

    def test_a_wrong_password(self, token: Token, public: App, plain: Person) -> None:
        refused(self.ask(token, public, plain, password="wrong"), 50126, "invalid_grant")

    def test_an_unknown_user(self, token: Token, public: App, plain: Person) -> None:
        refused(self.ask(token, public, plain, username="nobody@contoso.com"), 50034, "invalid_grant")

    def test_a_disabled_user(self, token: Token, world: World, public: App) -> None:
        person = world.user(accountEnabled=False)
        refused(self.ask(token, public, person), 50057, "invalid_grant")

    def test_a_user_of_another_tenant(self, token: Token, world: World, public: App) -> None:
        refused(self.ask(token, public, world.user(tenant=world.fabrikam)), 50020, "invalid_request")

    def test_a_scope_without_consent(self, token: Token, public: App, plain: Person) -> None:
        body = refused(self.ask(token, public, plain, scope="Group.Read.All"), 65001, "invalid_grant")
        assert body["suberror"] == "consent_required"

    def test_a_scope_that_does_not_exist(self, token: Token, public: App, plain: Person) -> None:
        refused(self.ask(token, public, plain, scope="User.Invent"), 650053, "invalid_client")

    def test_a_user_who_is_not_assigned(self, token: Token, world: World, plain: Person) -> None:
        app = world.app(isFallbackPublicClient=True)
        world.consent(app, "User.Read")
        world.change("servicePrincipal", app.principal["id"], appRoleAssignmentRequired=True)
        refused(self.ask(token, app, plain), 50105, "access_denied")
        assignment = {"id": "assigned", "principalId": plain.id, "resourceId": app.principal["id"], "appRoleId": "0"}
        world.store.put("appRoleAssignment", assignment, world.tenant)
        assert self.ask(token, app, plain).status_code == 200

    @pytest.mark.parametrize(
        ("control", "code", "error"),
        [("block", 53003, "access_denied"), ("mfa", 50076, "interaction_required"), ("compliantDevice", 53000, None)],
    )
    def test_conditional_access(
        self, token: Token, world: World, plain: Person, control: str, code: int, error: str | None
    ) -> None:
        app = world.app(isFallbackPublicClient=True)
        world.consent(app, "User.Read")
        policy = {
            "id": str(uuid.uuid4()),
            "state": "enabled",
            "conditions": {
                "users": {"includeUsers": ["All"]},
                "applications": {"includeApplications": [app.id]},
                "clientAppTypes": ["all"],
            },
            "grantControls": {"operator": "AND", "builtInControls": [control]},
        }
        world.store.put("conditionalAccessPolicy", policy, world.tenant)
        refused(self.ask(token, app, plain), code, error or "interaction_required")
        world.change("conditionalAccessPolicy", policy["id"], state="enabledForReportingButNotEnforced")
        assert self.ask(token, app, plain).status_code == 200
