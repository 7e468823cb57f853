"""The guide walked by hand behind Microsoft's and StackOne's own names: every page is met in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Lab, Notebook, started
from tests.browser.test_lab import BY_BUTTON, arrived, press
from tests.disguise.conftest import NEEDED, Tenant, desks, tenant

__all__ = ["tenant"]

Opened = Callable[[str], Notebook]


@pytest.fixture
def lab(tenant: Tenant, tmp_path: Path) -> Iterator[Lab]:
    own = desks(tenant, tmp_path)(sign_in="device-code", client_id=tenant.application(*NEEDED), unasked=[])
    with started(tmp_path / "lab", **tenant.environment) as lab:
        (lab.folder / "parameters.yaml").write_text(yaml.safe_dump(own.values))
        yield lab


@pytest.fixture
def person(tenant: Tenant, chromium: Browser) -> Iterator[BrowserContext]:
    """A browser of the administrator, behind the company's proxy."""
    proxy = {"server": tenant.ready["environment"]["HTTPS_PROXY"], "bypass": "127.0.0.1,localhost"}
    with chromium.new_context(proxy=proxy, ignore_https_errors=True) as context:
        yield context


@dataclass
class Person:
    """The administrator, who reads the notebook and acts on the pages that it points to."""

    context: BrowserContext
    tenant: Tenant
    shown: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)

    def at(self, address: str) -> Page:
        page = self.context.new_page()
        page.goto(address)
        self.shown.append(page.url)
        return page

    def signs_in(self, page: Page) -> None:
        """On Microsoft's pages, to the last of them."""
        name = self.tenant.person("Global Administrator")
        known = page.get_by_role("button", name=name)
        expect(known.or_(page.get_by_label("User name")).first).to_be_visible()
        self.shown.append(page.url)
        if known.count():
            known.click()
            return
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill(self.tenant.ready["users"][name]["password"])
        page.get_by_role("button", name="Sign in").click()

    def enters_the_code(self, book: Notebook) -> None:
        page = self.at(str(book.page.get_by_role("link", name="deviceauth").first.get_attribute("href")))
        page.get_by_label("Code").fill(field_of(book, "Code"))
        page.get_by_role("button", name="Next").click()
        self.signs_in(page)
        expect(page.get_by_text("You may now close this window")).to_be_visible()
        page.close()

    def fetches_the_secret(self, book: Notebook) -> str:
        """From the page that shows it once."""
        book.page.get_by_role("button", name="Show the secret once").click()
        place = book.output("step.apply()")
        expect(place).to_contain_text("it works once")
        page = self.at(str(place.get_by_role("link", name="127.0.0.1").first.get_attribute("href")))
        page.get_by_role("button", name="Show it").click()
        self.held.append(page.get_by_label("Client secret").input_value())
        page.close()
        return self.held[-1]

    def fills_in_the_profile(self, book: Notebook, secret: str) -> None:
        dashboard = self.tenant.ready["stackone_dashboard"]
        page = self.at(str(book.page.get_by_role("link", name="app.stackone.com").first.get_attribute("href")))
        page.locator("input[type=password]").fill(dashboard["password"])
        page.locator("input:not([type=password]):not([type=hidden])").first.fill(dashboard["user"])
        page.locator("form button").first.click()
        page.get_by_role("link", name="+ Connector Profile").first.click()
        page.get_by_label("Type").select_option(label=field_of(book, "Type"))
        for label in ("Name", "Client ID", "Scopes (optional)"):
            page.get_by_label(label, exact=True).fill(field_of(book, label.removesuffix(" (optional)")))
        page.get_by_label("Client Secret").fill(secret)
        page.get_by_text("Actions to enable").click()
        for action in field_of(book, "Actions").split(", "):
            page.get_by_label(action, exact=True).check()
        page.get_by_label("Enabled").check()
        page.get_by_role("button", name="Create profile").click()
        expect(page.get_by_role("link", name=field_of(book, "Name"))).to_be_visible()
        page.close()

    def links_the_account(self, address: str) -> None:
        page = self.at(address)
        page.get_by_role("button", name="Connect").click()
        self.signs_in(page)
        expect(page.get_by_text("is connected")).to_be_visible()
        page.close()


def field_of(book: Notebook, label: str) -> str:
    """What a hand-over says is to be entered in the field of this label."""
    row = book.page.get_by_role("row").filter(has=book.page.get_by_text(label, exact=True))
    return row.get_by_role("cell").first.inner_text().strip()


def test_the_guide_is_walked_by_hand_on_a_real_target(
    tenant: Tenant, lab: Lab, opened: Opened, person: BrowserContext
) -> None:
    admin, name = Person(person, tenant), tenant.person("Global Administrator")
    book = opened(f"{BY_BUTTON[0][0]}.ipynb")

    def begin(notebook: str) -> None:
        if notebook != BY_BUTTON[0][0]:
            book.output("step.verdict()").get_by_role("link", name=f"{notebook}.ipynb").click()
            arrived(book, f"{notebook}.ipynb")
        book.start_all()
        expect(book.output("step.header()")).to_contain_text("Sign in with a code")
        admin.enters_the_code(book)
        book.settled()
        expect(book.output("step.header()")).to_contain_text("PRODUCTION tenant")
        expect(book.output("step.header()")).to_contain_text(f"Signed in {name}, Global Administrator")
        expect(book.panel.get_by_text("Sign in with a code")).to_have_count(0)

    for notebook, _ in BY_BUTTON:
        begin(notebook)
        press(book, "Apply", "Passed")
    begin("06_connector_profile")
    press(book, "Apply", "Parked")
    expect(book.page.get_by_role("button", name="Let the rehearsal do it")).to_have_count(0)
    admin.fills_in_the_profile(book, admin.fetches_the_secret(book))
    expect(book.output("step.verdict()")).to_contain_text("Passed")
    begin("07_link_account")
    press(book, "Apply", "Parked")
    admin.links_the_account(str(book.output("step.apply()").get_by_role("link").first.get_attribute("href")))
    expect(book.output("step.verdict()")).to_contain_text("Passed")
    begin("08_verify_actions")
    book.page.get_by_role("button", name="Prove", exact=True).click()
    expect(book.output("step.apply()")).to_contain_text("Sign in with a code")
    admin.enters_the_code(book)
    expect(book.output("step.verdict()")).to_contain_text("Passed")
    expect(book.output("step.evidence()")).to_contain_text("Actions: 1 passed")
    assert {"app.stackone.com", "api.stackone.com"} <= {urlsplit(address).hostname for address in admin.shown}
    texts = [file.read_text() for record in (lab.folder / "records").iterdir() for file in record.glob("*.json*")]
    assert sum(name in text for text in texts) >= len(BY_BUTTON) + 3
    kept = "".join(texts) + "".join(file.read_text() for file in lab.folder.glob("*.ipynb"))
    for secret in (*admin.held, tenant.ready["stackone_dashboard"]["password"]):
        assert secret not in kept
