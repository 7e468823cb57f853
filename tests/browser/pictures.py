"""Makes all pictures: ``python -m tests.browser.pictures FOLDER [guide|records|sandbox|book|docs ...]``.

Every notebook in its states (planned, applied, parked, failed, proven), the pages of records and of a fleet, those of
the sandbox, and the book (built first): light and dark, wide and narrow, and at 200 %. ``docs`` makes
the two of ``docs/pictures`` anew. They are for eyes: nothing here compares them; a page that has to be scrolled
sideways is named, and what is hard for people who do not see it.
"""

from __future__ import annotations

import argparse
import base64
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from entra_sandbox import running
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.browser.conftest import Lab, Notebook, Services, environment, launched, opened_in, started, violations
from tests.browser.test_lab import press
from tests.browser.test_pages import sandbox_pages

ROOT = Path(__file__).resolve().parents[2]
HIGHEST = 5000  # CSS pixels of one picture


class Look(NamedTuple):
    """How a page is looked at: ``width`` in CSS pixels, each of them drawn ``zoom`` pixels wide."""

    name: str
    width: int
    dark: bool = False
    zoom: int = 1


IN_LAB = (Look("light", 1440), Look("dark-1024", 1024, dark=True), Look("light-200", 720, zoom=2))
ALONE = (
    Look("light", 1280),
    Look("dark-1024", 1024, dark=True),
    Look("light-390", 390),
    Look("dark-200", 640, True, 2),
)


class Studio:
    """Where the pictures are made and kept."""

    def __init__(self, chromium: Browser, folder: Path) -> None:
        self.chromium, self._folder = chromium, folder
        folder.mkdir(parents=True, exist_ok=True)

    def book(self, book: Notebook, name: str) -> None:
        """A notebook as JupyterLab shows it, from its first cell to its last."""
        session = book.page.context.new_cdp_session(book.page)
        for look in IN_LAB:
            themed(book.page, dark=look.dark)
            seen(session, look, 1200)
            high = book.page.locator(".jp-Notebook:visible .jp-WindowedPanel-inner").evaluate("e => e.scrollHeight")
            seen(session, look, min(int(high) + 150, HIGHEST))
            self._keep(book.page, session, f"{name}.{look.name}")
        themed(book.page, dark=False)
        seen(session, Look("", 1500), 1800)

    def alone(self, page: Page, name: str) -> None:
        """A page of its own, the whole of it."""
        session = page.context.new_cdp_session(page)
        for look in ALONE:
            page.emulate_media(color_scheme="dark" if look.dark else "light")
            seen(session, look, 600)
            wide, high = page.evaluate("(e => [e.scrollWidth, e.scrollHeight])(document.documentElement)")
            if wide > look.width:
                print(f"{name}.{look.name} is {wide} pixels wide")
            seen(session, look, min(high, HIGHEST))
            self._keep(page, session, f"{name}.{look.name}")
            print("".join(f"{name}.{look.name}: {each[0]}, {each[1][:3]}\n" for each in violations(page)), end="")

    def _keep(self, page: Page, session: CDPSession, name: str) -> None:
        page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        # Playwright's own screenshot gives the page the size of its viewport again.
        taken = session.send("Page.captureScreenshot", {"format": "png"})
        (self._folder / f"{name}.png").write_bytes(base64.b64decode(taken["data"]))


def seen(session: CDPSession, look: Look, height: int) -> None:
    metrics = {"width": look.width, "height": height, "deviceScaleFactor": look.zoom, "mobile": False}
    session.send("Emulation.setDeviceMetricsOverride", metrics)


def themed(page: Page, *, dark: bool) -> None:
    theme = f"JupyterLab {'Dark' if dark else 'Light'}"
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    expect(page.locator(f'body[data-jp-theme-light="{"false" if dark else "true"}"]')).to_be_attached()
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)


def guide(studio: Studio, lab: Lab, services: Services) -> None:
    """The notebooks of the guide and beside it."""
    page = studio.chromium.new_page(viewport={"width": 1500, "height": 1800})

    def ran(name: str) -> Notebook:
        book = opened_in(page, lab, f"{name}.ipynb")
        book.run_all()
        return book

    def shown(name: str, state: str = "planned") -> Notebook:
        book = ran(name)
        studio.book(book, f"{name.replace('operations/', '')}.{state}")
        return book

    def pressed(book: Notebook, name: str, button: str, verdict: str, state: str) -> None:
        press(book, button, verdict)
        studio.book(book, f"{name.replace('operations/', '')}.{state}")

    shown("00_start", "nothing done")
    shown("01_select_actions")
    for name, *struck in (
        ("02_register_application", "PATCH", "*/applications*", "Failed"),
        ("03_redirect_uri",),
        ("04_api_permissions", "POST", "*/oauth2PermissionGrants*", "Parked"),
        ("05_client_secret", "POST", "*/addPassword", "Failed"),
    ):
        book = shown(name)
        if struck:
            services.refuse(*struck[:2])
            pressed(book, name, "Apply", struck[2], struck[2].lower())
            services.heal()
        again = book.page.get_by_role("button", name="Apply", exact=True).count()
        pressed(book, name, "Apply" if again else "Let the rehearsal do it", "Passed", "applied")
    for name in ("06_connector_profile", "07_link_account"):
        book = shown(name)
        pressed(book, name, "Apply", "Parked", "parked")
        report = studio.chromium.new_page()
        report.goto(max((lab.folder / "records").glob("*/report.html")).as_uri())
        studio.alone(report, f"report.parked-{name[:2]}")
        report.close()
        pressed(book, name, "Let the rehearsal do it", "Passed", "applied")
    name = "08_verify_actions"
    book = shown(name)
    services.refuse("POST", "*/groups")
    pressed(book, name, "Prove", "Failed", "failed")
    services.heal()
    pressed(ran(name), name, "Prove", "Passed", "proven")
    shown("00_start", "all done")
    operations(studio, ran, pressed)
    (lab.folder / "parameters.yaml").write_text("actions: [Lst Users]\ntarget: nowhere\n")
    shown("02_register_application", "mistaken")
    page.close()


def operations(studio: Studio, ran: Any, pressed: Any) -> None:
    """What stands beside the guide."""
    book = ran("operations/run_action")
    book.page.get_by_label("Most rows").fill("40")
    book.page.get_by_label("Most rows").press("Tab")
    pressed(book, "run_action", "Plan", "Not tried", "planned")
    pressed(book, "run_action", "Send", "Passed", "answered")
    for name, done in (("rotate_secret", "Passed"), ("teardown", "Passed")):
        book = ran(f"operations/{name}")
        studio.book(book, f"{name}.planned")
        book.page.get_by_role("button", name="Apply", exact=True).click()
        remove = book.page.get_by_role("button", name="Remove", exact=True)
        play = book.page.get_by_role("button", name="Let the rehearsal do it")
        while not book.output("step.verdict()").get_by_text(done, exact=True).count():
            expect(
                remove.or_(play).or_(book.output("step.verdict()").get_by_text(done, exact=True)).first
            ).to_be_visible()
            for button, state in ((remove, "asked"), (play, "parked")):
                if button.count():
                    studio.book(book, f"{name}.{state}")
                    pressed_one = button.element_handle()
                    button.click()
                    pressed_one.wait_for_element_state("hidden")  # after each press the buttons are others
            book.settled()
        studio.book(book, f"{name}.applied")


def call(home: Path, *arguments: str) -> None:
    """A command of the runbook, in ``home``."""
    command = [sys.executable, "-m", "runbook", *arguments]
    done = subprocess.run(command, env=environment(home), cwd=home, check=False, capture_output=True, text=True)
    if done.returncode not in (0, 1, 3):
        raise SystemExit(f"runbook {' '.join(arguments)}: {done.stderr}")


def docs(chromium: Browser, lab: Lab, home: Path, services: Services) -> None:
    """The two pictures of the tutorial."""
    place = ROOT / "docs" / "pictures"
    page = chromium.new_page(viewport={"width": 1400, "height": 1800})
    book = opened_in(page, lab, "01_select_actions.ipynb")
    book.run_all()
    book.output("step.choose()").screenshot(path=place / "picker.png")
    call(home, "run", "--records", "docs", "--set", f"sandbox_file={services.file}", "--set", "secret_store=file")
    page.goto(next((home / "docs").glob("*/report.html")).as_uri())
    page.set_viewport_size({"width": 1000, "height": 760})
    page.screenshot(path=place / "report.png")
    page.close()


def records(studio: Studio, home: Path, services: Services) -> None:
    """The report of a run that passed and of one that failed; and of a fleet."""
    page = studio.chromium.new_page()
    chosen = ["--set", f"sandbox_file={services.file}", "--set", "secret_store=file"]

    def run(folder: str, *arguments: str) -> Path:
        call(home, *arguments, "--records", folder, *chosen)
        return next((home / folder).glob("*/report.html")).parent

    def taken(record: Path, name: str) -> None:
        page.goto((record / "report.html").as_uri())
        studio.alone(page, f"report.{name}")

    taken(run("passed", "run", "--all-actions"), "passed")
    services.refuse("POST", "*/groups")
    taken(run("failed", "run", "--actions", "List Users,Create Group"), "failed")
    services.heal()
    call(
        home,
        "fleet",
        "run",
        str(services.tenants),
        "--records",
        "fleet",
        "--workers",
        "1",
        "--set",
        "secret_store=file",
    )
    call(home, "fleet", "report", "fleet")
    page.goto((home / "fleet" / "fleet.html").as_uri())
    studio.alone(page, "fleet")
    page.close()


def book(studio: Studio) -> None:
    """Some pages of the book, of each kind one, as ``bash docs/build`` makes them."""
    subprocess.run(["bash", str(ROOT / "docs" / "build")], check=True, stdout=subprocess.DEVNULL)
    page = studio.chromium.new_page()
    for name in ("index", "tutorial", "real-tenant", "reference/commands", "reference/actions", "architecture"):
        page.goto((ROOT / "docs" / "_build" / "html" / f"{name}.html").as_uri())
        studio.alone(page, f"book.{name.replace('/', '-')}")
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.pictures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("parts", nargs="*", default=["guide", "records", "sandbox", "book"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, launched() as chromium:
        home, studio = Path(made), Studio(chromium, asked.folder)
        state = home / "sandbox" / "state.sqlite3"
        state.parent.mkdir(mode=0o700)
        with running(state, tenants=4) as ready:
            services = Services(ready, state)
            if {"guide", "docs"} & {*asked.parts}:
                with started(home / "lab", "--LabApp.expose_app_in_browser=True") as lab:
                    own = {
                        "sandbox_file": str(services.file),
                        "secret_store": "file",
                        "actions": ["List Users", "Create Group"],
                    }
                    (lab.folder / "parameters.yaml").write_text(yaml.safe_dump(own))
                    if "docs" in asked.parts:
                        docs(chromium, lab, home, services)
                    if "guide" in asked.parts:
                        guide(studio, lab, services)
            if "records" in asked.parts:
                records(studio, home, services)
            if "sandbox" in asked.parts:
                with chromium.new_context() as context:
                    for name, page in sandbox_pages(context, services):
                        studio.alone(page, name)
        if "book" in asked.parts:
            book(studio)


if __name__ == "__main__":
    main()
