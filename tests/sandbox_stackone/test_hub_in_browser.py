"""The hub and the dashboard in a real browser: found by label and role, used by keyboard, without a warning."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox_stackone.conftest import World

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1100, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(120_000)
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    yield opened
    context.close()
    assert [text for text in complaints if "Content Security Policy" in text] == []


def administrator(world: World) -> tuple[str, str]:
    return next(
        (name, one["password"]) for name, one in world.ready["users"].items() if "Global Administrator" in one["roles"]
    )


def photograph(page: Any, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_a_person_creates_the_profile_and_links_an_account(world: World, page: Any) -> None:
    registration = world.register("User.Read.All")
    entry = world.ready["stackone_dashboard"]
    page.goto(entry["url"])
    photograph(page, "1-sign-in")
    page.get_by_label("Email").fill(entry["user"])
    page.get_by_label("Password").fill(entry["password"])
    page.get_by_label("Password").press("Enter")
    page.get_by_role("link", name="+ Connector Profile").first.click()
    page.get_by_label("Name", exact=True).fill(registration.name)
    page.get_by_label("Client ID").fill(registration.application["appId"])
    page.get_by_label("Client Secret").fill(registration.secret)
    page.get_by_label("Scopes (optional)").fill("User.Read.All")
    page.get_by_text("Actions to enable (optional)").click()
    page.get_by_label("List Users").check()
    photograph(page, "2-profile")
    page.get_by_role("button", name="Create profile").click()
    page.get_by_role("link", name=registration.name).wait_for()
    photograph(page, "3-profiles")
    profile_id = page.get_by_role("link", name=registration.name).get_attribute("href").rsplit("/", 1)[1]

    session = world.session(profile_id, origin_username="ada@contoso.com")
    page.goto(session["auth_link_url"])
    photograph(page, "4-hub")
    page.get_by_role("button", name="Connect").click()
    name, password = administrator(world)
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    photograph(page, "5-entra")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Microsoft Entra ID is connected").wait_for()
    photograph(page, "6-connected")
    assert page.url.startswith(world.ready["pages"])
    account = world.stackone.get(f"/accounts/{world.attempt(session)['account_secure_id']}").json()
    assert account["status"] == "active"
    page.goto(f"{entry['url']}/accounts")
    page.get_by_text(account["id"]).wait_for()
    photograph(page, "7-accounts")


def test_a_person_sees_why_linking_failed_and_can_try_again(world: World, page: Any) -> None:
    session = world.session(world.profile(world.register("User.Read.All"), secret="wrong~secret~value"))
    page.goto(session["auth_link_url"])
    page.get_by_role("button", name="Connect").press("Enter")
    name, password = administrator(world)
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    assert "AADSTS7000215" in page.get_by_role("alert").inner_text()
    photograph(page, "8-failed")
    page.get_by_role("link", name="Try again").click()
    page.get_by_role("button", name="Connect").wait_for()


def test_a_narrow_screen_needs_no_sideways_scrolling(world: World, page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    session = world.session(world.profile(world.register("User.Read.All")))
    page.goto(session["auth_link_url"])
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    photograph(page, "9-narrow")
