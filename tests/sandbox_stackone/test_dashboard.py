"""The dashboard as a browser without scripts meets it, and what the API says of the profiles made there."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import pytest
from entra_sandbox.attendant import Lost
from entra_sandbox.browser import Browser, Form, Screen

from tests.sandbox_stackone.conftest import CONNECTOR, World

CLIENT_ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def browser(world: World) -> Iterator[Browser]:
    with Browser(world.ready["ca_file"]) as opened:
        yield opened


def sign_in(browser: Browser, world: World, password: str | None = None) -> Screen:
    entry = world.ready["stackone_dashboard"]
    screen = browser.open(entry["url"])
    form = screen.forms[0]
    if form.of_kind("password") is None:
        return screen
    set_fields(form, Email=entry["user"], Password=password or entry["password"])
    return browser.send(screen, form)


def set_fields(form: Form, **values: str) -> None:
    for label, value in values.items():
        control = form.find(label.replace("_", " "))
        assert control is not None, label
        control.value = value


def new_form(browser: Browser, world: World, **values: str) -> tuple[Screen, Form]:
    screen = sign_in(browser, world)
    address = screen.link("+ Connector Profile")
    assert address is not None
    screen = browser.open(address)
    form = next(one for one in screen.forms if one.find("Client ID"))
    defaults = {"Name": f"Profile {secrets.token_hex(4)}", "Client_ID": CLIENT_ID, "Client_Secret": "a~secret"}
    set_fields(form, **{**defaults, **values})
    return screen, form


def listed(world: World, name: str) -> dict[str, object]:
    found = world.stackone.get("/auth_configs", params={"page_size": 100}).json()["data"]
    return next((one for one in found if one["name"] == name), {})


def test_a_wrong_password_is_refused_and_shows_no_profile(world: World, browser: Browser) -> None:
    screen = sign_in(browser, world, password="wrong")
    assert screen.status == 401
    assert screen.alerts == ["The email or the password is wrong."]
    assert browser.open(f"{world.ready['pages']}/dashboard/connector-profiles").headings == ["Sign in to the dashboard"]


def test_a_form_that_another_site_sends_is_refused(world: World) -> None:
    entry = world.ready["stackone_dashboard"]
    form = {"email": entry["user"], "password": entry["password"]}
    with world.client() as client:
        address = f"{world.ready['pages']}/dashboard/sign-in"
        assert client.post(address, data=form).status_code == 403
        assert client.post(address, data={**form, "form_token": "x" * 43}).status_code == 403


def test_a_created_profile_is_listed_in_the_documented_shape(world: World, browser: Browser) -> None:
    screen, form = new_form(browser, world, Name="Shape")
    assert browser.send(screen, form).status == 200
    profile = listed(world, "Shape")
    assert profile["connector_key"] == CONNECTOR
    assert profile["authentication_config_label"] == "OAuth 2.0 (Common)"
    assert profile["active"] is True
    documented = "id name connector_key connector_label logo_url categories active default release_stage created_at "
    documented += "updated_at connector_version connector_pinned_version connector_owner environment "
    documented += "authentication_config_key authentication_config_label"
    assert set(profile) == set(documented.split())


@pytest.mark.parametrize(
    ("field", "value", "mistake"),
    [
        ("Client_ID", "not-a-guid", "Enter the application (client) ID: a GUID."),
        ("Client_Secret", "", "Enter the client secret's value."),
        ("Name", " ", "Enter a name of at most 120 characters."),
        ("Scopes", "User.Read.All <script>", "Not a scope: <script>"),
    ],
)
def test_a_mistake_in_the_form_is_shown_and_nothing_is_saved(
    world: World, browser: Browser, field: str, value: str, mistake: str
) -> None:
    screen, form = new_form(browser, world, **{"Name": f"Mistake {field}", field: value})
    answer = browser.send(screen, form)
    assert answer.status == 422
    assert mistake in answer.alerts[0]
    assert not listed(world, f"Mistake {field}")
    again = next(one for one in answer.forms if one.find("Client ID"))
    assert again.find("Client Secret").value == ""  # type: ignore[union-attr]


def test_two_profiles_of_one_name_are_refused(world: World, browser: Browser) -> None:
    for status in (200, 422):
        screen, form = new_form(browser, world, Name="Twice")
        assert browser.send(screen, form).status == status


def test_a_tenant_profile_needs_the_directory(world: World, browser: Browser) -> None:
    screen, form = new_form(browser, world, Name="Tenant", Type="oauth2_tenant")
    assert "Enter the directory (tenant) ID." in browser.send(screen, form).alerts[0]
    set_fields(form, Directory=world.ready["tenant_id"])
    assert browser.send(screen, form).status == 200
    assert listed(world, "Tenant")["authentication_config_label"] == "OAuth 2.0 (Tenant)"


def test_there_is_one_default_profile_at_a_time(own_world: World) -> None:
    with Browser(own_world.ready["ca_file"]) as browser:
        for name in ("First", "Second"):
            screen, form = new_form(browser, own_world, Name=name)
            form.find("Default").checked = True  # type: ignore[union-attr]
            browser.send(screen, form)
    assert [listed(own_world, name)["default"] for name in ("First", "Second")] == [False, True]


def test_the_first_profile_is_enabled_whatever_the_form_says(own_world: World) -> None:
    with Browser(own_world.ready["ca_file"]) as browser:
        for name in ("First", "Second"):
            screen, form = new_form(browser, own_world, Name=name)
            form.find("Enabled").checked = False  # type: ignore[union-attr]
            browser.send(screen, form)
    assert [listed(own_world, name)["active"] for name in ("First", "Second")] == [True, False]
    enabled = own_world.stackone.get("/auth_configs", params={"enabled": "true"}).json()
    assert (enabled["total"], enabled["data"][0]["name"]) == (1, "First")


def test_profiles_are_paged_with_their_total(own_world: World) -> None:
    with Browser(own_world.ready["ca_file"]) as browser:
        for number in range(3):
            browser.send(*new_form(browser, own_world, Name=f"P{number}"))
    second = own_world.stackone.get("/auth_configs", params={"page": 2, "page_size": 2}).json()
    assert (second["page"], second["page_size"], second["total"]) == (2, 2, 3)
    assert [one["name"] for one in second["data"]] == ["P2"]


def test_the_stored_secret_is_on_no_page_and_in_no_answer_and_not_in_the_state_file(own_world: World) -> None:
    canary = f"canary~{secrets.token_hex(16)}"
    texts: list[str] = []
    with Browser(own_world.ready["ca_file"]) as browser:
        browser.send(*new_form(browser, own_world, Name="Canary", Client_Secret=canary))
        screen = sign_in(browser, own_world)
        texts += [screen.html, browser.open(str(screen.link("Canary"))).html]
    texts.append(own_world.stackone.get("/auth_configs").text)
    assert "Canary" in texts[0]
    assert not any(canary in text for text in texts)
    folder = own_world.state.with_name(own_world.state.name + ".d")
    files = [own_world.state, own_world.state.with_name(own_world.state.name + "-wal"), *folder.iterdir()]
    assert not any(canary.encode() in file.read_bytes() for file in files if file.is_file())


def test_an_edit_with_an_empty_secret_keeps_the_old_one(world: World) -> None:
    registration = world.register("User.Read.All")
    profile_id = world.profile(registration)
    before = listed(world, registration.name)
    with Browser(world.ready["ca_file"]) as browser:
        screen = browser.open(str(sign_in(browser, world).link(registration.name)))
        form = next(one for one in screen.forms if one.find("Client ID"))
        assert form.find("Client ID").value == registration.application["appId"]  # type: ignore[union-attr]
        assert browser.send(screen, form, form.button("Save changes")).status == 200
    assert str(listed(world, registration.name)["updated_at"]) > str(before["updated_at"])
    assert world.link(profile_id)["status"] == "active"


def test_disabling_a_profile_makes_its_accounts_inactive_until_it_is_enabled(world: World) -> None:
    registration = world.register("User.Read.All")
    account = world.link(world.profile(registration))
    world.profile(registration, enabled="no")
    disabled = world.stackone.get(f"/accounts/{account['id']}").json()
    assert disabled["status"] == "inactive"
    assert disabled["status_reasons"][0]["code"] == "connector_profile_disabled"
    assert world.rpc(account, "list_users").status_code == 412
    world.profile(registration, enabled="yes")
    assert world.rpc(account, "list_users").status_code == 200


def test_a_deleted_profile_is_gone_and_its_accounts_are_inactive(world: World) -> None:
    registration = world.register("User.Read.All")
    account = world.link(world.profile(registration))
    assert world.attend("connector_profile_removal", name=registration.name)
    assert not listed(world, registration.name)
    assert world.stackone.get(f"/accounts/{account['id']}").json()["status"] == "inactive"


def test_the_dashboard_is_not_open_without_signing_in(world: World) -> None:
    with world.client() as client:
        for path in ("", "/connector-profiles", "/connector-profiles/new", "/accounts"):
            response: httpx.Response = client.get(f"{world.ready['pages']}/dashboard{path}")
            while response.is_redirect:
                response = client.get(response.next_request.url)  # type: ignore[union-attr]
            assert response.url.path == "/dashboard/sign-in"


def test_the_attendant_reports_what_the_form_said(world: World) -> None:
    registration = world.register("User.Read.All")
    with pytest.raises(Lost, match="Enter the application"):
        world.profile(registration, client_id="nonsense")


def test_the_attendant_does_not_know_other_kinds(world: World) -> None:
    assert world.attend("brew_coffee") is False


def test_pages_are_protected_by_their_headers(world: World) -> None:
    with world.client() as client:
        headers = client.get(f"{world.ready['pages']}/dashboard/sign-in").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "HttpOnly" in headers["set-cookie"]
