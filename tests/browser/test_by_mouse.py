"""By mouse, in one JupyterLab: actions are chosen for the guide, and one is planned, sent, and its rows read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from runbook import catalog
from runbook.parameters import load
from tests.browser.conftest import Lab, Notebook, accessible, started

Opened = Callable[[str], Notebook]

THREE = ("List Users", "Create Group", "Add Group Member")
THEIRS = ("Group.ReadWrite.All", "User.Read.All")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One for both: the choice of the first is not the other's."""
    with started(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def test_three_clicked_actions_are_the_choice_the_scopes_and_the_plan(lab: Lab, opened: Opened, tmp_path: Path) -> None:
    book = opened("01_select_actions.ipynb")
    expect(book.page.get_by_text("Would you like to get notified")).to_have_count(0)
    book.run_all()
    picker, plan = book.output("step.choose()"), book.output("step.plan()")
    expect(plan).to_contain_text("Nothing chosen")
    expect(book.output("step.header()")).to_contain_text("nothing is chosen in parameters.yaml")
    expect(book.output("step.verdict()")).to_contain_text("tick actions above")
    accessible(book.page, ".jp-Notebook .jp-OutputArea")
    for name in THREE:
        book.page.get_by_label(name).check()
    expect(picker).to_contain_text(f"3 of {len(catalog.actions())} actions")
    expect(book.output("step.header()")).to_contain_text("3 chosen")
    expect(book.output("step.header()").locator("[aria-current]")).to_contain_text("done")
    expect(picker).to_contain_text("Delegated permissions: 2")
    expect(picker).not_to_contain_text("Application permissions")
    book.page.get_by_label("Application", exact=True).check()
    expect(picker).to_contain_text("Application permissions: 2")
    expect(picker).to_contain_text("whoever holds the client secret can use them")
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


def test_an_action_is_chosen_planned_and_sent_by_hand(lab: Lab, opened: Opened, tmp_path: Path) -> None:
    (lab.folder / "parameters.yaml").write_text("account_owner_name: Somebody\n")
    book = opened("operations/run_action.ipynb")
    book.run_all()
    form, plan, answer = (book.output(f"step.{name}()") for name in ("choose", "plan", "result"))
    expect(form).to_contain_text("GET /users")
    form.get_by_label("Sent by").select_option(label="the administrator's sign-in")
    form.get_by_label("$top").fill("two")
    form.get_by_label("$top").press("Tab")
    expect(form).to_contain_text("'two' is wrong")
    form.get_by_label("$top").fill("2")
    form.get_by_label("$select").fill("displayName,id")
    form.get_by_label("$select").press("Tab")
    expect(form).to_contain_text("Complete.")
    form.get_by_label("Most rows").fill("3")
    form.get_by_label("Most rows").press("Tab")
    buttons = book.output("step.apply()")
    buttons.get_by_role("button", name="Plan").click()
    expect(plan).to_contain_text("GET /users?$select=displayName,id&$top=2")
    expect(plan.locator("mjx-container")).to_have_count(0)
    expect(plan).to_contain_text("which the token has")
    expect(answer).to_contain_text("nothing was sent")
    buttons.get_by_role("button", name="Send").dblclick()
    expect(answer).to_contain_text("first 3 rows")
    expect(book.output("step.verdict()")).to_contain_text("Passed")
    accessible(book.page, ".jp-Notebook .jp-OutputArea")
    book.page.screenshot(path=tmp_path / "run_action.png", full_page=True)
    (record,) = (lab.folder / "records").iterdir()
    assert '"account_owner_name":"Somebody"' in (record / "journal.jsonl").read_text()
    assert (record / "report.html").is_file()
