"""The guide as a person meets it: clicked in JupyterLab, in a real browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, Page, expect

from runbook import catalog
from tests.browser.conftest import Lab, Notebook, Services, accessible

Opened = Callable[[str], Notebook]

BY_BUTTON = (
    ("02_register_application", "1 application, 1 service principal created"),
    ("03_redirect_uri", "1 application updated"),
    ("04_api_permissions", "created"),
    ("05_client_secret", "1 client secret created"),
)
BY_A_PERSON = (("06_connector_profile", "client secret"), ("07_link_account", "QR code of the link"))


def test_the_guide_is_walked_by_the_keyboard_alone(lab: Lab, opened: Opened, services: Services) -> None:
    """From the front page, by Tab, Enter, arrows and words; a kernel is restarted between two steps and in one."""
    (lab.folder / "parameters.yaml").write_text(f"sandbox_file: {services.file}\nsecret_store: file\n")
    book = opened("00_start.ipynb")
    run(book)
    follow(book, "01_select_actions.ipynb", most=3)
    run(book)
    choose(book)
    follow(book, "02_register_application.ipynb", most=20)
    for (name, made), following in zip(BY_BUTTON, (*BY_BUTTON[1:], *BY_A_PERSON), strict=False):
        run(book)
        expect(book.output("step.evidence()")).to_contain_text("Nothing yet")
        expect(book.output("step.verdict()")).to_contain_text("Not tried")
        if name.startswith("04"):
            restarted_at_work(book, services)
        struck(book, "Apply", "Passed")
        at = book.output("step.header()").locator("[aria-current]")
        expect(at).to_contain_text("done")
        expect(book.output("step.evidence()")).to_contain_text("request ids")
        assert book.focus() == ("Check again", True)
        accessible(book.page, ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-OutputArea")
        expect(book.output("step.verdict()")).to_contain_text(made)
        saved(book, lab.folder / f"{name}.ipynb")
        if name.startswith("03"):
            restarted_between(book)
            # From here on in the dark, and on a small screen.
            book.command("Use Theme: JupyterLab Dark")
            expect(book.page.locator('body[data-jp-theme-light="false"]')).to_be_attached()
            book.page.set_viewport_size({"width": 1024, "height": 1800})
        follow(book, f"{following[0]}.ipynb", most=10)
    for name, asked in BY_A_PERSON:
        run(book)
        struck(book, "Apply", "Parked")
        at = book.output("step.header()").locator("[aria-current]")
        expect(at).to_contain_text("parked")
        expect(book.output("step.apply()")).to_contain_text(asked)
        assert book.focus() == ("I have done it", True)
        accessible(book.page, ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-OutputArea")
        if name.startswith("06"):
            by_hand(book)
        else:
            in_a_browser(book, lab)
        book.reach("Let the rehearsal do it", most=2)
        book.page.keyboard.press("Enter")
        expect(book.output("step.verdict()")).to_contain_text("Passed")
        expect(book.page.get_by_role("button", name="Check again")).to_be_focused()
        expect(book.output("step.plan()")).to_contain_text("Plan that was applied")
        expect(at).to_contain_text("done")
        follow(book, "07_link_account.ipynb" if name.startswith("06") else "08_verify_actions.ipynb", most=10)
    run(book)
    struck(book, "Prove", "Passed")
    expect(book.output("step.evidence()")).to_contain_text("Actions: 2 passed")
    accessible(book.page, ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-OutputArea")
    save(book)
    front = opened("00_start.ipynb")
    front.run_all()
    expect(front.output("front.guide()").get_by_text("done", exact=True)).to_have_count(8)
    expect(front.output("front.guide()")).to_contain_text("2 of 2 actions proven")
    accessible(front.page, ".jp-Notebook .jp-OutputArea")
    front.page.goto((sorted((lab.folder / "records").iterdir())[-1] / "report.html").as_uri())
    accessible(front.page)
    front.page.emulate_media(color_scheme="dark")
    front.page.set_viewport_size({"width": 390, "height": 800})
    accessible(front.page)
    assert front.page.evaluate("document.documentElement.scrollWidth") <= 390
    beside(book)
    assert verdicts(lab) == [
        *[("passed",), ("passed",), ("incomplete",), ("passed",), ("passed",)],
        *2 * [("parked",), ("passed",)],
        ("passed",),
        *2 * [("parked",), ("parked",), ("passed",)],
    ]
    reopened(lab, opened)


def beside(book: Notebook) -> None:
    """Beside the guide, by mouse: every button that writes is clicked twice, and does it once."""
    files = book.page.locator(".jp-DirListing-item")
    files.filter(has_text="operations").dblclick()
    for name in ("rotate_secret", "teardown"):
        files.filter(has_text=name).dblclick()
        arrived(book, f"{name}.ipynb")
        book.run_all()
        book.page.get_by_role("button", name="Apply", exact=True).dblclick()
        if name == "teardown":
            expect(book.output("step.verdict()")).to_contain_text("Not tried")
            book.page.get_by_role("button", name="Remove", exact=True).dblclick()
        expect(book.output("step.verdict()")).to_contain_text("Parked")
        book.settled()
        expect(book.output("step.plan()")).not_to_contain_text("another takes its place")
        accessible(book.page, ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-OutputArea")
        press(book, "I have done it", "Parked")
        expect(book.output("step.apply()")).to_contain_text("Parked: nothing changed")
        press(book, "Let the rehearsal do it", "Passed")
        save(book)


def run(book: Notebook) -> None:
    book.command("Run All Cells")
    book.settled()


def follow(book: Notebook, name: str, most: int) -> None:
    """Save this one, and open the notebook that the verdict names."""
    save(book)
    book.reach(name, most=most)
    book.page.keyboard.press("Enter")
    arrived(book, name)


def arrived(book: Notebook, name: str) -> None:
    """Wait until this notebook is in front, its kernel idle."""
    expect(book.page.locator(".lm-TabBar-tab.jp-mod-current")).to_contain_text(name)
    expect(book.page.get_by_role("contentinfo").get_by_text(name)).to_be_visible()
    expect(book.page.get_by_text("| Idle")).to_be_visible()
    book.settled()


def save(book: Notebook) -> None:
    book.page.keyboard.press("Control+S")
    expect(book.page.locator(".lm-TabBar-tab.jp-mod-current.jp-mod-dirty")).to_have_count(0)


def choose(book: Notebook) -> None:
    """Two actions, each found by its name: from the cell of the picker, a few steps each."""
    for _ in range(12):
        if "step.choose()" in book.panel.locator(".jp-Cell.jp-mod-selected .cm-content").inner_text():
            break
        book.page.keyboard.press("ArrowUp")
    book.reach("Search", most=9)
    for count, (name, other) in enumerate((("List Users", "Create Group"), ("Create Group", "List Users")), 1):
        book.page.keyboard.press("Control+A")
        book.page.keyboard.type(name)
        expect(book.panel.get_by_label(other, exact=True)).to_be_hidden()
        expect(book.panel.get_by_label(name, exact=True)).to_be_visible()
        expect(book.panel.get_by_label("Get User", exact=True)).to_be_hidden()
        book.reach(name, most=12)
        book.page.keyboard.press("Space")
        expect(book.output("step.choose()")).to_contain_text(f"{count} of {len(catalog.actions())} actions")
        expect(book.output("step.plan()")).to_contain_text("added")
        assert book.focus() == (name, True)
        if count == 1:
            book.reach("Search", "Shift+Tab", most=12)
    expect(book.output("step.choose()").get_by_text("actions chosen")).to_be_hidden()
    expect(book.output("step.choose()").locator("svg[role=img]").first).to_be_visible()


def struck(book: Notebook, button: str, verdict: str) -> None:
    """From the end of the notebook back to its button, which is struck twice in a row: it is done once."""
    book.reach(button, "Shift+Tab", most=2)
    book.page.keyboard.press("Enter")
    book.page.keyboard.press("Enter")
    expect(book.output("step.verdict()")).to_contain_text(verdict)
    book.settled()
    expect(book.output("step.apply()").get_by_role("button").first).to_be_focused()


def restarted(book: Notebook) -> Locator:
    """Restart the kernel, until it can be asked again; the widgets of before, which say that they are dead."""
    book.command("Restart Kernel…")
    expect(book.page.get_by_role("dialog")).to_be_visible()
    book.page.keyboard.press("Enter")
    dead = book.output("step.apply()").locator(".rb-live.jupyter-widgets-disconnected")
    expect(dead).to_be_visible()
    expect(book.page.get_by_text("| Idle")).to_be_visible()
    return dead


def restarted_between(book: Notebook) -> None:
    """The kernel of a step that is done: its buttons say that they are dead, and running again finds all as wanted."""
    dead = restarted(book)
    assert "Run All Cells" in dead.evaluate("e => getComputedStyle(e, '::after').content")
    run(book)
    expect(book.output("step.apply()")).to_contain_text("everything is as wanted")
    expect(book.output("step.verdict()")).to_contain_text("Passed")


def restarted_at_work(book: Notebook, services: Services) -> None:
    """The kernel while a grant is on its way."""
    services.hold("POST", "*/oauth2PermissionGrants", 20)
    book.reach("Apply", "Shift+Tab", most=2)
    book.page.keyboard.press("Enter")
    expect(book.output("step.apply()")).to_contain_text(re.compile(r"Working … \d+ s"))
    restarted(book)
    services.heal()
    run(book)
    expect(book.output("step.plan()")).to_contain_text("6 changed")


def by_hand(book: Notebook) -> None:
    """Sign in to the sandbox's dashboard with the password that is shown once; it is nowhere in the notebook."""
    place = book.output("step.apply()")
    expect(place).to_contain_text("Show the secret once” above")
    book.reach("Show the rehearsal's passwords", most=3)
    book.page.keyboard.press("Enter")
    expect(place).to_contain_text("it works once. Waiting for the person")
    once, dashboard = (str(place.get_by_role("link").nth(at).get_attribute("href")) for at in (0, 1))
    assert book.page.context.browser is not None
    page = book.page.context.browser.new_page()
    page.goto(once)
    accessible(page)
    page.get_by_role("button", name="Show it").click()
    accessible(page)
    password = page.get_by_label("StackOne's dashboard").input_value()
    user = page.get_by_text("StackOne's dashboard").inner_text().split()[0]
    assert password not in book.page.content()
    page.goto(dashboard)
    accessible(page)
    page.locator("input[type=password]").fill(password)
    page.locator("input:not([type=password]):not([type=hidden])").first.fill(user)
    page.locator("form button").first.click()
    expect(page.get_by_role("link", name="Connector Profile").first).to_be_visible()
    accessible(page)
    page.get_by_role("link", name="+ Connector Profile").first.click()
    accessible(page)
    page.close()


def in_a_browser(book: Notebook, lab: Lab) -> None:
    """The page behind the link to sign in with, and the report of what is parked, on a desk and on a telephone."""
    link = str(book.output("step.apply()").get_by_role("link").first.get_attribute("href"))
    report = max((lab.folder / "records").glob("*/report.html")).as_uri()
    assert book.page.context.browser is not None
    page = book.page.context.browser.new_page()
    for address, said in ((link, "You will be sent to Microsoft"), (report, "Sign in to link an account")):
        page.goto(address)
        expect(page.get_by_text(said).first).to_be_visible()
        for width, scheme in ((1440, "dark"), (390, "light")):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 900})
            accessible(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.get_by_text("Nobody had to act")).to_have_count(0)
    page.close()


def press(book: Notebook, button: str, verdict: str) -> None:
    """Press it twice in a row, as an impatient person does: it is done once."""
    book.page.get_by_role("button", name=button, exact=True).dblclick()
    expect(book.output("step.verdict()")).to_contain_text(verdict)
    book.settled()


def verdicts(lab: Lab) -> list[tuple[str, ...]]:
    """The verdicts of the records that the notebooks kept, oldest first; each is of one section."""
    summaries = [json.loads(path.read_text()) for path in sorted((lab.folder / "records").glob("*/summary.json"))]
    return [tuple(section["verdict"] for section in summary["sections"]) for summary in summaries]


def saved(book: Notebook, path: Path) -> None:
    """What was filled in after the click is in the saved file, as text and as HTML, without any widget."""
    save(book)
    verdict = nbformat.read(path, 4).cells[-1]
    assert "Passed" in verdict.outputs[0].data["text/plain"]
    assert "Passed" in verdict.outputs[0].data["text/html"]


def reopened(lab: Lab, opened: Opened) -> None:
    """Every notebook without its kernel, in a copy that nobody trusts: the same words and tables, though no style."""
    paths = [*lab.folder.glob("0*.ipynb"), *lab.folder.glob("operations/*.ipynb")]
    kept, *others = (nbformat.read(path, 4) for path in sorted(paths))
    for each in others:
        kept.cells += each.cells
    for at, cell in enumerate(kept.cells):
        cell.id = f"kept-{at}"
    assert not {mime for cell in kept.cells for one in cell.get("outputs", ()) for mime in one.data if "widget" in mime}
    nbformat.write(kept, lab.folder / "kept.ipynb")
    converted = [sys.executable, "-m", "nbconvert", "--to", "html", "--log-level", "ERROR", "kept.ipynb"]
    printing = subprocess.Popen(converted, cwd=lab.folder)
    untrusted = opened("kept.ipynb")
    untrusted.page.set_viewport_size({"width": 1500, "height": 12_000})  # all of it is drawn, and at once
    tables = sum(
        one.data.get("text/html", "").count("<table") for cell in kept.cells for one in cell.get("outputs", ())
    )
    assert tables > 20
    texts = shown(untrusted.page, tables)
    assert f"2 of {len(catalog.actions())} actions chosen" in texts
    assert "Error displaying widget" not in texts
    assert "Loading widget" not in texts
    assert "seen here" not in texts, "the letters of a picture are left, which is not"
    assert printing.wait() == 0
    untrusted.page.goto((lab.folder / "kept.html").as_uri())
    printed = shown(untrusted.page, tables)
    assert " object at 0x" not in printed
    together = {*texts.split()} - {*printed.split()}
    assert not together, f"words run together: {together}"
    accessible(untrusted.page, ".rb")


def shown(page: Page, tables: int) -> str:
    """What is to be read in all outputs, folded away or not; and all ``tables`` are there."""
    areas = page.locator(".jp-OutputArea-output")
    expect(areas.locator("table")).to_have_count(tables)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    return "\n".join([*areas.all_inner_texts(), *areas.locator("svg title, svg desc").all_text_contents()])
