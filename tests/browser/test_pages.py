"""The pages of the sandbox, as a person comes by them: on a telephone nothing lies sideways, and all can read them."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from playwright.sync_api import Browser, BrowserContext, Page, expect

from runbook import frames
from runbook.operations.run_action import Answer
from runbook.widgets.plan_table import AnswerTable
from tests.browser.conftest import Services, accessible


def sandbox_pages(context: BrowserContext, services: Services) -> Iterator[tuple[str, Page]]:
    """Each with its name, on the same tab."""
    ready, page = services.ready, context.new_page()
    base, tenant = ready["pages"], f"{ready['pages']}/{ready['tenant_id']}"
    consent = f"{tenant}/adminconsent?client_id={ready['client_id']}"
    for name, address in {
        "entra.code": f"{base}/common/oauth2/deviceauth",
        "entra.error": f"{tenant}/oauth2/v2.0/authorize?client_id={ready['tenant_id']}&response_type=code&scope=openid",
        "entra.explained": f"{base}/error?code=50011",
        "entra.ca": f"{base}/ca",
        "entra.sign-in": consent,
        "stackone.sign-in": f"{base}/dashboard",
        "stackone.no such link": f"{base}/hub/nothing",
    }.items():
        page.goto(address)
        yield name, page
    page.goto(f"{base}/common/oauth2/deviceauth")
    page.get_by_label("Code").fill("nothing")
    page.get_by_role("button", name="Next").click()
    yield "entra.wrong code", page
    name, person = next((name, one) for name, one in ready["users"].items() if "Global Administrator" in one["roles"])
    page.goto(consent)
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    yield "entra.wrong password", page
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Accept")).to_be_visible()
    yield "entra.consent", page
    page.goto(f"{base}/dashboard")
    page.locator("input[type=password]").fill(ready["stackone_dashboard"]["password"])
    page.locator("input:not([type=password]):not([type=hidden])").first.fill(ready["stackone_dashboard"]["user"])
    page.locator("form button").first.click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    for name in ("connector-profiles", "accounts", "connector-profiles/new"):
        page.goto(f"{base}/dashboard/{name}")
        if name.endswith("new"):
            page.get_by_text("Actions to enable").click()
        yield f"stackone.{name.replace('/', '-')}", page
    page.get_by_label("Name", exact=True).fill("Entra")
    page.get_by_label("Client ID").fill("no id")
    page.get_by_label("Client Secret").fill("short")
    page.get_by_role("button", name="Create profile").click()
    expect(page.get_by_role("alert")).to_be_visible()
    yield "stackone.mistaken", page
    page.get_by_label("Client ID").fill(ready["client_id"])
    page.get_by_label("Client Secret").fill("abc8Q~of.nobody_who-signs_in-anywhere.0")
    page.get_by_role("button", name="Create profile").click()
    page.goto(f"{base}/dashboard/connector-profiles")
    expect(page.get_by_text(ready["client_id"])).to_be_visible()
    yield "stackone.one profile", page


def test_the_pages_of_the_sandbox_are_for_everybody(chromium: Browser, services: Services) -> None:
    with chromium.new_context(viewport={"width": 390, "height": 800}) as context:
        seen = []
        for name, page in sandbox_pages(context, services):
            accessible(page)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, f"{name} is {wide} pixels wide"
            seen.append(name)
    assert len(seen) == 15


def test_the_rows_of_a_long_answer_are_paged_found_sorted_and_saved(chromium: Browser) -> None:
    rows = [{"id": str(number), "displayName": f"Person {number * 7 % 1_203}"} for number in range(1_203)]
    with chromium.new_context() as context:
        page = context.new_page()
        page.set_content(
            AnswerTable(Answer(frames.table([*rows, {"id": "=1", "displayName": "<b>"}])), is_list=True).html()
        )
        said, body = page.get_by_role("status"), page.locator("tbody")
        expect(said).to_have_text("1 to 500 of 1204")
        page.get_by_role("button", name="Rows behind").click()
        page.get_by_role("button", name="Rows behind").click()
        expect(said).to_have_text("1001 to 1204 of 1204")
        expect(body.locator("tr")).to_have_count(204)
        page.get_by_role("button", name="Sort").click()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(body.locator("tr").first).to_contain_text("1202")
        page.get_by_label("Find in these rows").fill("person 120")
        expect(said).to_have_text("1 to 4 of 4")
        page.get_by_label("Find in these rows").fill("")
        with page.expect_download() as saved:
            page.get_by_role("button", name="CSV of these rows").click()
        table = [*csv.reader(saved.value.path().read_text().splitlines())]
        assert len(table) == 1 + 1_204
        assert ["<b>", "'=1"] in table
        accessible(page)
