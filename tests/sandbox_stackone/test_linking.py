"""Linking an account through Entra ID's own pages, and the ways in which that fails."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from entra_sandbox.attendant import Lost
from entra_sandbox.browser import Browser, Control, Screen

from tests.sandbox_stackone.conftest import World


def administrator(world: World) -> tuple[str, str]:
    return next(
        (name, one["password"]) for name, one in world.ready["users"].items() if "Global Administrator" in one["roles"]
    )


def plain_user(world: World) -> tuple[str, str]:
    return next((name, one["password"]) for name, one in world.ready["users"].items() if not one["roles"])


def at_entra(browser: Browser, session: dict[str, Any]) -> Screen:
    """Press Connect in the hub: Entra ID's page, or its answer."""
    screen = browser.open(session["auth_link_url"])
    return browser.send(screen, screen.forms[0], screen.forms[0].button("Connect"))


def sign_in(browser: Browser, screen: Screen, name: str, password: str) -> Screen:
    """Enter a user name and a password, on one page or on two."""
    while not any(form.of_kind("password") for form in screen.forms):
        form = next(one for one in screen.forms if one.of_kind("text", "email"))
        put(form.of_kind("text", "email"), name)
        screen = browser.send(screen, form)
    form = next(one for one in screen.forms if one.of_kind("password"))
    if form.of_kind("text", "email"):
        put(form.of_kind("text", "email"), name)
    put(form.of_kind("password"), password)
    return browser.send(screen, form)


def put(control: Control | None, value: str) -> None:
    assert control is not None
    control.value = value


def press(browser: Browser, screen: Screen, *words: str) -> Screen:
    form = next(one for one in screen.forms if one.button(*words))
    return browser.send(screen, form, form.button(*words))


def test_a_person_links_an_account_with_the_secret_of_the_profile(world: World) -> None:
    profile_id = world.profile(world.register("User.Read.All"))
    session = world.session(profile_id, origin_username="ada@contoso.com", label="first")
    assert world.attend("link_account", session["auth_link_url"])
    attempt = world.attempt(session)
    assert (attempt["status"], attempt["oauth_error_code"]) == ("authenticated", None)
    account = world.stackone.get(f"/accounts/{attempt['account_secure_id']}").json()
    assert account["status"] == "active"
    assert account["origin_owner_id"] == session["origin_owner_id"]
    assert (account["origin_username"], account["label"]) == ("ada@contoso.com", "first")
    assert account["credentials"] == {}
    listed = world.stackone.get("/accounts", params={"origin_owner_id": session["origin_owner_id"]}).json()
    assert listed == [account]


def test_no_log_holds_the_link_the_code_or_the_secret(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    registration = world.register("User.Read.All")
    session = world.session(world.profile(registration))
    world.attend("link_account", session["auth_link_url"])
    # pytest listens to uvicorn.access too, which has no handler and passes nothing on where a sandbox is served.
    said = "\n".join(one.getMessage() for one in caplog.records if one.name != "uvicorn.access")
    assert "HTTP Request: POST" in said
    assert session["token"] not in said
    assert registration.secret not in said
    assert "code=" not in said


def test_the_same_owner_is_linked_again_into_the_same_account_unless_multiple(world: World) -> None:
    profile_id = world.profile(world.register("User.Read.All"))
    owner = {"origin_owner_id": "again", "origin_owner_name": "Again"}
    first = world.link(profile_id, **owner)
    session = world.session(profile_id, **owner)
    assert session["account_id"] == first["id"]
    assert world.attend("link_account", session["auth_link_url"])
    assert world.attempt(session)["account_secure_id"] == first["id"]
    assert world.link(profile_id, **owner, multiple=True)["id"] != first["id"]
    assert world.link(profile_id, account_id=first["id"])["id"] == first["id"]


def test_the_person_whom_the_hand_over_names_signs_in(world: World) -> None:
    registration = world.register("User.Read.All", "Directory.AccessAsUser.All")
    session = world.session(world.profile(registration))
    name, _ = plain_user(world)
    assert world.attend("link_account", session["auth_link_url"], username=name.upper())
    account = {"id": world.attempt(session)["account_secure_id"]}
    me = world.stackone.post(
        "/unified/proxy", json={"method": "get", "path": "/me"}, headers={"x-account-id": account["id"]}
    )
    assert me.json()["userPrincipalName"] == name


def test_a_tenant_profile_signs_in_at_its_own_directory(world: World) -> None:
    fields = {"type": "OAuth 2.0 (Tenant)", "Directory (tenant) ID": world.ready["tenant_id"]}
    assert world.link(world.profile(world.register("User.Read.All"), **fields))["status"] == "active"


def test_a_wrong_secret_in_the_profile_is_explained_by_the_attempt(world: World) -> None:
    profile_id = world.profile(world.register("User.Read.All"), secret="wrong~secret~value")
    session = world.session(profile_id)
    with pytest.raises(Lost, match="AADSTS7000215"):
        world.attend("link_account", session["auth_link_url"])
    attempt = world.attempt(session)
    assert (attempt["status"], attempt["oauth_error_code"]) == ("error", "invalid_client")
    assert attempt["oauth_error_description"].startswith("AADSTS7000215")
    assert attempt["account_secure_id"] is None
    owner = {"origin_owner_id": session["origin_owner_id"]}
    assert world.stackone.get("/accounts", params=owner).json() == []


def test_a_wrong_redirect_uri_ends_on_entras_page_and_stays_pending(world: World) -> None:
    profile_id = world.profile(world.register("User.Read.All", redirect="/somewhere/else"))
    session = world.session(profile_id)
    with pytest.raises(Lost, match="AADSTS50011"):
        world.attend("link_account", session["auth_link_url"])
    assert world.attempt(session)["status"] == "pending"


def test_an_unknown_application_ends_on_entras_page(world: World) -> None:
    registration = world.register("User.Read.All")
    profile_id = world.profile(registration, client_id="11111111-2222-4333-8444-555555555555")
    session = world.session(profile_id)
    with pytest.raises(Lost, match="AADSTS700016"):
        world.attend("link_account", session["auth_link_url"])
    assert world.attempt(session)["status"] == "pending"


def test_an_administrator_is_asked_for_missing_consent_and_can_give_it(world: World) -> None:
    profile_id = world.profile(world.register("User.Read.All", consent=False))
    session = world.session(profile_id)
    with Browser(world.ready["ca_file"]) as browser:
        screen = sign_in(browser, at_entra(browser, session), *administrator(world))
        assert any(form.button("Accept") for form in screen.forms), screen.says()
        assert "is connected" in press(browser, screen, "Accept").headings[0]
    assert world.attempt(session)["status"] == "authenticated"


def test_a_declined_consent_is_explained_by_the_attempt(world: World) -> None:
    profile_id = world.profile(world.register("User.Read.All", consent=False))
    session = world.session(profile_id)
    with Browser(world.ready["ca_file"]) as browser:
        screen = sign_in(browser, at_entra(browser, session), *administrator(world))
        end = press(browser, screen, "Cancel")
    assert "AADSTS65004" in end.alerts[0]
    attempt = world.attempt(session)
    assert attempt["oauth_error_code"] == "access_denied" or "AADSTS65004" in attempt["oauth_error_description"]
    assert attempt["status"] == "error"


def test_a_plain_user_may_not_consent_to_what_needs_an_administrator(world: World) -> None:
    profile_id = world.profile(world.register("User.Read.All", consent=False))
    session = world.session(profile_id)
    with Browser(world.ready["ca_file"]) as browser:
        end = sign_in(browser, at_entra(browser, session), *plain_user(world))
        assert not any(form.button("Accept") for form in end.forms), end.says()
        assert "AADSTS90094" in end.text or "admin" in end.text.lower()
    assert world.attempt(session)["status"] in ("pending", "error")


def test_a_disabled_user_cannot_link(world: World) -> None:
    profile_id = world.profile(world.register("User.Read.All"))
    name, password = plain_user(world)
    session = world.session(profile_id)
    assert world.graph.patch(f"/users/{name}", json={"accountEnabled": False}).is_success
    try:
        with Browser(world.ready["ca_file"]) as browser:
            end = sign_in(browser, at_entra(browser, session), name, password)
        assert "AADSTS50057" in end.text
        assert world.attempt(session)["status"] == "pending"
    finally:
        assert world.graph.patch(f"/users/{name}", json={"accountEnabled": True}).is_success


def test_by_the_proxy_everything_bears_the_real_hosts_names(proxied_world: World) -> None:
    world = proxied_world
    profile_id = world.profile(world.register("User.Read.All", pages="https://api.stackone.com"))
    body = {"origin_owner_id": "o", "origin_owner_name": "O", "connector_profile_id": profile_id}
    with world.client(proxy=world.ready["https_proxy"], auth=world.stackone.auth) as client:
        session = client.post("https://api.stackone.com/connect_sessions", json=body).json()
    assert session["auth_link_url"].startswith("https://api.stackone.com/hub/")
    with Browser(world.ready["ca_file"], world.ready["https_proxy"]) as browser:
        screen = at_entra(browser, session)
        assert screen.url.startswith("https://login.microsoftonline.com/common/oauth2/v2.0/authorize?")
        end = sign_in(browser, screen, *administrator(world))
    assert end.url.startswith("https://api.stackone.com/hub/")
    account = {"id": world.attempt(session)["account_secure_id"]}
    assert world.rpc(account, "list_users").status_code == 200


def callback_of(client: httpx.Client, session: dict[str, Any]) -> dict[str, str]:
    """Press Connect without a browser's redirects: what is sent to Entra ID."""
    page = client.get(session["auth_link_url"]).text
    token = page.split('name="form_token" value="')[1].split('"')[0]
    response = client.post(f"{session['auth_link_url']}/connect", data={"form_token": token})
    assert response.status_code == 303
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["location"]).query).items()}


def test_the_authorize_request_carries_state_pkce_and_the_profiles_scopes(world: World) -> None:
    registration = world.register("User.Read.All", "Group.Read.All")
    session = world.session(world.profile(registration))
    with world.client() as client:
        sent = callback_of(client, session)
    assert sent["client_id"] == registration.application["appId"]
    assert sent["redirect_uri"] == world.ready["pages"] + "/connect/oauth2/microsoftentraid/callback"
    assert set(sent["scope"].split()) == {"User.Read.All", "Group.Read.All", "offline_access", "openid", "profile"}
    assert sent["code_challenge_method"] == "S256"
    assert len(sent["code_challenge"]) == 43
    assert len(sent["state"]) >= 32


def test_a_callback_is_refused_in_another_browser_and_after_it_was_used(world: World) -> None:
    session = world.session(world.profile(world.register("User.Read.All")))
    with world.client() as client, world.client() as stranger:
        sent = callback_of(client, session)
        refused = {"error": "access_denied", "error_description": "AADSTS65004: declined", "state": sent["state"]}
        address = sent["redirect_uri"]
        assert stranger.get(address, params=refused).status_code == 400
        assert world.attempt(session)["status"] == "pending"
        assert client.get(address, params={**refused, "state": "forged"}).status_code == 400
        assert client.get(address, params=refused).status_code == 303
        assert world.attempt(session)["oauth_error_code"] == "access_denied"
        assert client.get(address, params=refused).status_code == 400


def test_what_an_error_says_is_shown_as_text(world: World) -> None:
    session = world.session(world.profile(world.register("User.Read.All")))
    with world.client() as client:
        sent = callback_of(client, session)
        nasty = {"error": "x", "error_description": "<script>alert(1)</script>", "state": sent["state"]}
        page = client.get(sent["redirect_uri"], params=nasty, follow_redirects=True)
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text


def test_an_admin_consent_that_ends_at_the_callback_is_told_apart(world: World) -> None:
    address = world.ready["pages"] + "/connect/oauth2/microsoftentraid/callback"
    with world.client() as client:
        given = client.get(address, params={"admin_consent": "True", "tenant": world.ready["tenant_id"]})
        declined = client.get(address, params={"admin_consent": "True", "error": "access_denied"})
    assert (given.status_code, declined.status_code) == (200, 400)


def test_the_attendant_gives_admin_consent_by_its_link(world: World) -> None:
    registration = world.register("User.Read.All", consent=False)
    query = f"client_id={registration.application['appId']}&redirect_uri={world.ready['pages']}"
    query += "/connect/oauth2/microsoftentraid/callback&state=1"
    link = f"{world.ready['pages']}/{world.ready['tenant_id']}/adminconsent?{query}"
    assert world.attend("admin_consent", link)
    grants = world.graph.get(
        "/oauth2PermissionGrants", params={"$filter": f"clientId eq '{registration.principal_id}'"}
    )
    assert "User.Read.All" in grants.json()["value"][0]["scope"]


def test_the_attendant_signs_in_a_device(world: World) -> None:
    registration = world.register("User.Read.All")
    form = {
        "client_id": registration.application["appId"],
        "client_secret": registration.secret,
        "scope": "User.Read.All offline_access openid",
    }
    base = f"{world.ready['authority']}/{world.ready['tenant_id']}/oauth2/v2.0"
    with world.client() as client:
        device = client.post(f"{base}/devicecode", data=form).json()
        assert world.attend("device_sign_in", device["verification_uri"], code=device["user_code"])
        grant = "urn:ietf:params:oauth:grant-type:device_code"
        answer = client.post(f"{base}/token", data={**form, "grant_type": grant, "device_code": device["device_code"]})
    assert answer.json()["token_type"] == "Bearer", answer.text
