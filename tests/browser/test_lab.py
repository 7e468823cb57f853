"""The guide as a person meets it: clicked in JupyterLab, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nbformat
from playwright.sync_api import expect

from runbook.parameters import load
from tests.browser.conftest import Lab, Notebook

Opened = Callable[[str], Notebook]

THREE = ("List Users", "Create Group", "Add Group Member")
THEIRS = ("Group.ReadWrite.All", "User.Read.All")


def test_three_clicked_actions_are_the_choice_the_scopes_and_the_plan(lab: Lab, opened: Opened, tmp_path: Path) -> None:
    book = opened("01_select_actions.ipynb")
    book.run_all()
    picker, plan = book.output("step.choose()"), book.output("step.plan()")
    expect(plan).to_contain_text("Nothing chosen")
    for name in THREE:
        book.page.get_by_label(name).check()
    expect(picker).to_contain_text("3 of 67 actions")
    expect(picker).to_contain_text("Delegated permissions: 2")
    expect(picker).to_contain_text("Application permissions: 2")
    expect(plan).to_contain_text("Group.ReadWrite.All (application)")
    assert load(lab.folder / "parameters.yaml").actions == ("add_group_member", "create_group", "list_users")

    book.run_all()
    for name in THREE:
        expect(book.page.get_by_label(name)).to_be_checked()
    expect(plan).to_contain_text("What this choice would do: 8 added")
    for kind in ("delegated", "application"):
        for permission in THEIRS:
            expect(plan).to_contain_text(f"{permission} ({kind})")
    expect(plan).not_to_contain_text("Domain.Read.All")
    expect(book.output("step.verdict()")).to_contain_text("Passed")
    book.page.screenshot(path=tmp_path / "picker.png")

    later = opened("04_api_permissions.ipynb")
    later.run_all()
    expect(later.output("step.plan()")).to_contain_text("8 added")
    expect(later.output("step.plan()")).not_to_contain_text("Domain.Read.All")


def test_nothing_is_written_before_the_button_and_the_cells_below_fill_after_it(lab: Lab, opened: Opened) -> None:
    (lab.folder / "parameters.yaml").write_text("actions: [List Users]\n")
    for name, made in (
        ("02_register_application", "2 created"),
        ("03_redirect_uri", "1 created"),
        ("04_api_permissions", "created"),
    ):
        book = opened(f"{name}.ipynb")
        book.run_all()
        expect(book.output("step.evidence()")).to_contain_text("Nothing yet")
        expect(book.output("step.verdict()")).to_contain_text("Not tried")
        book.page.get_by_role("button", name="Apply", exact=True).click()
        expect(book.output("step.verdict()")).to_contain_text("Passed", timeout=60_000)
        expect(book.output("step.verdict()")).to_contain_text(made)
        expect(book.output("step.evidence()")).to_contain_text("read back")
        book.settled()
        saved(book, lab.folder / f"{name}.ipynb")
    summaries = [json.loads(path.read_text()) for path in sorted((lab.folder / "records").glob("*/summary.json"))]
    assert [(s["verdict"], [x["name"] for x in s["sections"]]) for s in summaries] == [
        ("passed", ["register_application"]),
        ("passed", ["redirect_uri"]),
        ("passed", ["api_permissions"]),
    ]


def saved(book: Notebook, path: Path) -> None:
    """Save with the keyboard: what was filled in after the click is in the file, without any widget."""
    book.page.get_by_role("menuitem", name="File", exact=True).click()
    book.page.get_by_text("Save Notebook", exact=True).click()
    expect(book.page.locator(".jp-mod-dirty")).to_have_count(0, timeout=20_000)
    verdict = nbformat.read(path, 4).cells[-1]
    assert "Passed" in verdict.outputs[0].data["text/plain"]
    assert "Passed" in verdict.outputs[0].data["text/html"]


def test_a_person_is_asked_and_the_notebook_goes_on_when_it_is_done(lab: Lab, opened: Opened) -> None:
    (lab.folder / "parameters.yaml").write_text("actions: [List Users]\n")
    for name in ("02_register_application", "03_redirect_uri", "04_api_permissions", "05_client_secret"):
        book = opened(f"{name}.ipynb")
        book.run_all()
        book.page.get_by_role("button", name="Apply", exact=True).click()
        expect(book.output("step.verdict()")).to_contain_text("Passed", timeout=60_000)
    book = opened("06_connector_profile.ipynb")
    book.run_all()
    book.page.get_by_role("button", name="Apply", exact=True).click()
    expect(book.output("step.verdict()")).to_contain_text("Parked", timeout=60_000)
    card = book.output("step.evidence()")
    for field in ("client_id", "client_secret", "scopes", "OAuth 2.0 (Common)", "List Users"):
        expect(card).to_contain_text(field)
    book.page.get_by_role("button", name="Let the rehearsal do it").click()
    expect(book.output("step.verdict()")).to_contain_text("Passed", timeout=60_000)
