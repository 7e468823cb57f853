"""The form of one action, and the notebook's cells as a person uses them: choose, plan, send."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runbook import catalog, frames, notebook, rehearsal
from runbook.errors import HandOver, InputError, RunbookError
from runbook.notebook import inputs
from runbook.notebook.bench import InputRefused, Workbench
from runbook.notebook.step import Step
from runbook.notebook.subject import Guided, Ordered
from runbook.operations import order as orders
from runbook.operations.order import Order
from runbook.operations.run_action import Answer
from runbook.parameters import Parameters
from runbook.records.journal import read
from runbook.sections import connector_profile
from runbook.widgets.action_form import ActionForm, Filled
from runbook.widgets.apply_button import ApplyButton
from runbook.widgets.message import HandOverCard
from runbook.widgets.plan_table import AnswerTable, RequestCard


def form_of(slug: str) -> ActionForm:
    """The form as it stands once this action is chosen."""
    form = ActionForm(None, lambda: None)
    assert form.layout
    form.choose(slug)
    return form


SLUGS = [action.slug for action in catalog.actions()]


@pytest.mark.parametrize("slug", SLUGS)
def test_the_form_has_a_field_for_each_argument_and_begins_with_the_example(slug: str) -> None:
    action, form = catalog.action(slug), form_of(slug)
    for parameter in action.path_parameters:
        assert form.field("path", parameter.name).placeholder
    for option in action.query:
        assert form.field("query", option).value == ""
    for name in action.body.example if action.body else ():
        assert form.field("body", name).value
    for parameter in action.path_parameters:
        sample = "contoso.com" if parameter.shape == "domain-name" else "11111111-2222-4333-8444-555555555555"
        form.field("path", parameter.name).value = sample
    assert isinstance(form.value, Order), form.value


def test_the_form_says_what_is_wrong_while_it_is_filled_in() -> None:
    told = list[Any]()
    form = ActionForm(None, lambda: told.append(form.value))
    assert form.layout
    form.choose("Get Group")
    assert isinstance(told[-1], InputError)
    form.field("path", "group-id").value = "7"
    assert "'7' has the wrong shape" in str(told[-1])
    form.field("path", "group-id").value = "11111111-2222-4333-8444-555555555555"
    assert isinstance(told[-1], Order)
    assert told[-1].request.path == "/groups/11111111-2222-4333-8444-555555555555"


def test_another_action_brings_its_own_fields() -> None:
    form = form_of("list_users")
    form.choose("Create Group")
    assert form.arguments()["body"]["mailEnabled"] is False
    with pytest.raises(KeyError):
        form.field("query", "$top")


def test_a_password_is_never_asked_for_and_one_typed_in_is_refused() -> None:
    form = form_of("create_user")
    assert form.arguments()["body"]["passwordProfile"]["password"] == "generate"
    form.field("body", "passwordProfile").value = '{"password": "Correct-horse-7"}'
    value = form.value
    assert isinstance(value, InputError)
    assert "Correct-horse-7" not in str(value)


def test_the_plain_twin_shows_each_argument_with_what_it_takes() -> None:
    order = orders.read({"action": "get_user", "path": {"id": "ada@contoso.com"}, "query": {"select": "id"}})
    rows = {row[0]: row[1:] for row in Filled(order).table().rows}
    assert rows["path user-id"][0] == "ada@contoso.com"
    assert "user principal name" in rows["path user-id"][1]
    assert rows["query $select"][0] == "id"


def test_a_plan_says_what_is_sent_and_escapes_it() -> None:
    body = {"displayName": "<img src=x>", "mailEnabled": False, "mailNickname": "x", "securityEnabled": True}
    card = RequestCard(orders.read({"action": "create_group", "body": body}), "me")
    assert "POST /groups" in card.text()
    assert "WRITES" in card.text()
    assert "<img" not in card.html()
    assert card.value["body"] == body


def test_an_answer_leaves_out_empty_columns_and_masks_secrets() -> None:
    rows = [{"@odata.type": "x", "id": "1", "displayName": "Ada", "jobTitle": None, "secretText": "abc8Q~abcdefgh"}]
    table = AnswerTable(Answer(frames.table(rows)), is_list=True)
    assert list(table.value.columns) == ["id", "displayName", "jobTitle", "secretText"]
    assert table.table().columns[:2] == ("displayName", "id")
    assert "jobTitle" not in table.text()
    assert "abc8Q~abcdefgh" not in table.text() + table.html()


def test_of_a_long_answer_the_first_rows_are_shown_in_a_box_and_the_caption_says_where_the_rest_is() -> None:
    rows = [{"id": str(number), "displayName": f"Person {number}"} for number in range(3_000)]
    table = AnswerTable(Answer(frames.table(rows)), is_list=True)
    assert len(table.value) == 3_000
    assert table.html().count("<tr>") == 1 + 500
    assert "max-height" in table.html()
    assert table.text().count("Person") == 100
    assert "all 3,000 rows; 500 at a time" in table.html()
    short = AnswerTable(Answer(frames.table(rows[:3])), is_list=True)
    assert "<input" not in short.html()
    cut = AnswerTable(Answer(frames.table(rows[:3]), "; raise max_rows for more"), is_list=True)
    assert "first 3 rows; raise max_rows for more" in cut.text()


@pytest.fixture
def bench(connected: Parameters, tmp_path: Path) -> Iterator[Workbench]:
    """A notebook with a person there."""
    given = inputs.read({**connected.model_dump(exclude_unset=True), "records": str(tmp_path / "records")})
    with closing(Workbench(replace(given, attended=True))) as found:
        yield found


@pytest.fixture
def step(bench: Workbench) -> Step:
    """The notebook of one action, opened on nothing yet."""
    return Step(Ordered(None), bench)


def pressed(buttons: ApplyButton, label: str) -> str:
    """What stands beside the buttons once the one called ``label`` was clicked."""
    row = buttons.layout.children
    next(each for each in row if getattr(each, "description", "") == label and not each.disabled).click()
    return buttons.value


def test_a_person_plans_and_sends_and_another_sending_needs_another_plan(step: Step, tmp_path: Path) -> None:
    form, plan, buttons = step.choose(), step.plan(), step.apply()
    result, verdict = step.result(), step.verdict()
    assert isinstance(form, ActionForm)
    assert isinstance(buttons, ApplyButton)
    form.choose("Create Group")
    form.field("body", "displayName").value = "By hand"
    assert pressed(buttons, "Send") == "plan it first."
    assert "planned" in pressed(buttons, "Plan")
    assert "By hand" in plan.panel.text()
    assert not (tmp_path / "records").exists()
    assert pressed(buttons, "Send") == "Passed: sent and answered."
    assert "By hand" in result.panel.text()
    assert verdict.panel.text().startswith("Passed: Create Group")
    assert pressed(buttons, "Send") == "plan it first."
    (record,) = (tmp_path / "records").iterdir()
    intents = [event["path"] for event in read(record) if event["event"] == "http.intent"]
    assert intents == ["/actions/rpc"]


def test_what_was_planned_does_not_count_once_the_form_has_changed(step: Step) -> None:
    form, _, buttons = step.choose(), step.plan(), step.apply()
    assert isinstance(form, ActionForm)
    assert isinstance(buttons, ApplyButton)
    assert "planned" in pressed(buttons, "Plan")
    form.field("query", "$top").value = "3"
    assert pressed(buttons, "Send") == "plan it first."


def test_what_was_sent_before_says_nothing_of_a_new_plan(step: Step) -> None:
    form, plan, buttons, verdict = step.choose(), step.plan(), step.apply(), step.verdict()
    assert isinstance(form, ActionForm)
    assert isinstance(buttons, ApplyButton)
    form.choose("Get Group")
    form.field("path", "group-id").value = "11111111-2222-4333-8444-555555555555"
    for _ in range(2):
        assert "planned" in pressed(buttons, "Plan"), plan.panel.text()
        assert verdict.panel.text().startswith("Not tried: ")
        assert pressed(buttons, "Send").startswith("Failed: ")
        assert verdict.panel.text().startswith("Failed: ")


def test_a_deletion_is_sent_when_a_person_has_agreed_and_a_second_click_is_no_answer(step: Step) -> None:
    form, plan, buttons, result = step.choose(), step.plan(), step.apply(), step.result()
    assert isinstance(form, ActionForm)
    assert isinstance(buttons, ApplyButton)
    form.choose("Create Group")
    form.field("body", "displayName").value = "To be deleted"
    pressed(buttons, "Plan")
    pressed(buttons, "Send")
    made = result.panel.value["id"][0]  # type: ignore[attr-defined]
    form.choose("Delete Group")
    form.field("path", "group-id").value = made
    assert "planned" in pressed(buttons, "Plan")
    assert pressed(buttons, "Send").startswith(f"This removes DELETE /groups/{made}. Target: SANDBOX")
    assert "gone" in plan.panel.text()
    assert pressed(buttons, "Keep everything") == "nothing was removed."
    pressed(buttons, "Send")
    assert pressed(buttons, "Remove") == "Passed: sent and answered."
    form.choose("List Groups")
    pressed(buttons, "Plan")
    pressed(buttons, "Send")
    assert made not in result.panel.text()


def test_linking_that_failed_says_why_before_anybody_is_asked_again(bench: Workbench, sandbox: dict[str, Any]) -> None:
    ready = json.loads(Path(sandbox["file"]).read_text())
    wanted = connector_profile.read(bench._look()).form
    assert wanted is not None
    form = HandOver("connector_profile", "", "", fields=wanted.fields())
    assert rehearsal.attend(ready, form, lambda _reference: "abc8Q~wrong.secret_value-000000000000000")
    bench.choose(bench.params.model_copy(update={"account_owner_id": "somebody-else"}))
    step = Step(Guided("link_account"), bench)
    plan, buttons = step.plan(), step.apply()
    evidence, verdict = step.evidence(), step.verdict()
    assert isinstance(buttons, ApplyButton)
    assert pressed(buttons, "Apply").startswith("Parked")
    card = buttons.below.panel
    assert isinstance(card, HandOverCard), "what one has to do stands where one acts"
    assert "linking failed" not in plan.panel.text(), "nobody tried yet"
    assert "a person was asked to sign in" in plan.panel.text()
    with pytest.raises(RunbookError):
        rehearsal.attend(ready, card.hand_over, lambda _reference: "")
    again = Step(Guided("link_account"), bench)
    assert "7 Link an account (parked)" in again.header().panel.text()
    assert "linking failed: invalid_client AADSTS7000215" in " ".join(again.plan().panel.text().split())
    assert pressed(buttons, "I have done it").startswith("Failed: Linking the account failed: invalid_client")
    assert "AADSTS7000215" in evidence.panel.text()
    assert "Next: " in verdict.panel.text()
    assert buttons.below.panel.text() == ""
    assert "Plan that was applied" not in plan.panel.text()


def test_an_interrupted_press_says_so_and_its_record_is_incomplete(bench: Workbench, tmp_path: Path) -> None:
    step = Step(Guided("rotate_secret"), bench)
    plan, buttons, verdict = step.plan(), step.apply(), step.verdict()
    assert isinstance(buttons, ApplyButton)
    ended = threading.Event()

    def interrupt() -> None:
        while not ended.is_set():
            for journal in (tmp_path / "records").glob("*/journal.jsonl"):
                if '"http.intent"' in journal.read_text():
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                    return

    watcher = threading.Thread(target=interrupt)
    # Tests in the background of a shell inherit an ignored SIGINT; a kernel does not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    watcher.start()
    try:
        said = pressed(buttons, "Apply")
    finally:
        ended.set()
        watcher.join()
        signal.signal(signal.SIGINT, before)
    assert said.startswith("Stopped: It was interrupted, and may have written something before.")
    assert verdict.panel.text().startswith("Incomplete: ")
    assert "press the button again" in verdict.panel.text()
    (record,) = (tmp_path / "records").iterdir()
    assert json.loads((record / "summary.json").read_text())["verdict"] == "incomplete"
    assert (record / "manifest.json").is_file()
    assert plan.panel.text().startswith("Plan before this was tried")
    said = pressed(buttons, "Apply")
    if said.startswith("This removes client secret"):  # it was made, and its value was lost with the answer
        said = pressed(buttons, "Remove")
    assert said.startswith("Parked")
    assert "another takes its place" not in plan.panel.text(), "it is made by now"


def test_a_notebook_acts_on_what_is_chosen_now_or_not_at_all(connected: Parameters, tmp_path: Path) -> None:
    file = tmp_path / "choice.json"
    values = {**connected.model_dump(mode="json", exclude_unset=True), "records": str(tmp_path / "records")}
    file.write_text(json.dumps(values))
    names: dict[str, Any] = {"parameters_file": str(file)}
    begun = notebook.open("api_permissions", names)
    begun._attended = True
    plan = begun.plan()
    buttons, verdict = begun.apply(), begun.verdict()
    assert isinstance(buttons, ApplyButton)
    file.write_text(json.dumps({**values, "actions": ["list_devices"]}))
    assert pressed(buttons, buttons.layout.children[0].description) == "nothing was done; see the verdict."
    assert verdict.panel.text().startswith("Out of date: ")
    assert not (tmp_path / "records").exists()
    names["secret_lifetime_days"] = "many"
    with pytest.raises(InputRefused):
        notebook.open("api_permissions", names)
    for shown in (plan, verdict):
        assert shown.panel.text() == "Not tried: the notebook was opened anew; run this cell again."
    assert [each.description for each in buttons.layout.children[:-1]] == []


def test_secrets_live_on_a_time_line_and_nothing_is_torn_down_before_a_person_has_agreed(bench: Workbench) -> None:
    rotation = Step(Guided("rotate_secret"), bench)
    rotation.plan()
    buttons, evidence = rotation.apply(), rotation.evidence()
    assert isinstance(buttons, ApplyButton)
    assert pressed(buttons, "Apply").startswith("Parked")
    assert pressed(buttons, "Let the rehearsal do it").startswith("Passed")
    said = " ".join(evidence.panel.text().split())
    assert "superseded" in said
    assert "valid, in StackOne's profile since" in said
    assert evidence.panel.html().count('class="life"') == 1
    assert bench.record is not None
    assert 'class="life"' in (bench.record / "report.html").read_text()

    teardown = Step(Guided("teardown"), bench)
    plan = teardown.plan()
    buttons, verdict = teardown.apply(), teardown.verdict()
    assert isinstance(buttons, ApplyButton)
    before = len(list(bench.record.parent.iterdir()))
    asked = pressed(buttons, "Apply")
    assert asked.startswith("This removes ")
    assert " more. Target: SANDBOX" in asked
    assert asked.endswith("press Remove.")
    assert "+" not in plan.panel.text()
    assert pressed(buttons, "Keep everything") == "nothing was removed."
    assert len(list(bench.record.parent.iterdir())) == before, "nothing was written, and no record begun"
    pressed(buttons, "Apply")
    assert pressed(buttons, "Remove").startswith("Parked")
    assert pressed(buttons, "Let the rehearsal do it").startswith("Passed"), "what was agreed to is not asked for twice"
    assert verdict.panel.text().startswith("Passed")
