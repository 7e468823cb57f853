"""One action as a person runs it: chosen in the form, planned, sent, and its rows read, in JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Lab, Notebook

Opened = Callable[[str], Notebook]


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
    buttons.get_by_role("button", name="Send").click()
    expect(answer).to_contain_text("first 3 rows", timeout=30_000)
    expect(book.output("step.verdict()")).to_contain_text("Passed")
    book.page.screenshot(path=tmp_path / "run_action.png", full_page=True)
    (record,) = (lab.folder / "records").iterdir()
    assert '"account_owner_name":"Somebody"' in (record / "journal.jsonl").read_text()
    assert (record / "report.html").is_file()
