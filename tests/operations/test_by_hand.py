"""What a person meets in the notebooks when something is mistyped, refused, stopped, or does not answer."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox.server import running
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from runbook import notebook, rehearsal
from runbook.errors import HandOver, InputError
from runbook.notebook import inputs
from runbook.notebook.bench import InputRefused, Workbench
from runbook.notebook.opening import Front
from runbook.notebook.step import Step
from runbook.notebook.subject import Guided, Ordered
from runbook.parameters import Parameters
from runbook.sections import connector_profile
from runbook.widgets.action_form import ActionForm
from runbook.widgets.apply_button import ApplyButton
from runbook.widgets.picker import Picker
from tests.operations.test_action_form import bench, pressed
from tests.widgets.test_picker import boxes

__all__ = ["bench"]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Workbench, Any]]:
    """A notebook with a person there, on a sandbox of its own, and what ends that sandbox."""
    serving = running(tmp_path / "state.sqlite3")
    ready = tmp_path / "ready.json"
    ready.write_text(json.dumps(serving.__enter__()))
    ended: list[None] = []

    def end() -> None:
        if not ended:
            ended.append(serving.__exit__(None, None, None))

    given = inputs.read({"sandbox_file": str(ready), "records": str(tmp_path / "records"), "actions": ["List Users"]})
    try:
        with closing(Workbench(replace(given, attended=True))) as found:
            yield found, end
    finally:
        end()


def test_the_cells_below_a_refusal_do_nothing_with_the_parameters_of_before(connected: Parameters) -> None:
    names: dict[str, Any] = {**connected.model_dump(exclude_unset=True)}
    names["step"] = notebook.open("redirect_uri", names)
    names["redirect_uri"] = "ftp://wrong/1"
    with pytest.raises(InputRefused):
        notebook.open("redirect_uri", names)
    for cell in ("header", "plan", "apply", "evidence", "verdict"):
        assert getattr(names["step"], cell)().text() == "Not tried: the notebook was opened anew; run this cell again."
    del names["redirect_uri"]
    names["step"] = notebook.open("redirect_uri", names)
    assert isinstance(names["step"], Step)


def test_the_front_page_of_a_target_that_does_not_answer_says_so_and_asks_it_once(own: tuple[Workbench, Any]) -> None:
    found, end = own
    asked: list[str] = []
    end()
    found.watcher = lambda text, _ctx: asked.append(text)
    front = Front(found)
    front.header()
    guide = front.guide().text()
    assert guide.count("unknown") >= 8
    assert guide.count("Next: ") == len(set(guide.split("Next: "))) - 1, "each reason once"
    assert front.verdict().text().startswith("Failed: ")
    assert asked
    assert "asked 3 times" in asked[0]
    assert len([text for text in asked if "asked 3 times" in text]) == 1


def test_a_press_without_an_answer_asks_once_and_leaves_the_plan_as_it_was_read(own: tuple[Workbench, Any]) -> None:
    found, end = own
    step = Step(Guided("register_application"), found)
    plan, buttons, verdict = step.plan(), step.apply(), step.verdict()
    assert isinstance(buttons, ApplyButton)
    assert pressed(buttons, "Apply").startswith("Passed")
    applied, said = plan.panel.text(), list[str]()
    end()
    buttons._said.observe(lambda change: said.append(change["new"]), "value")
    assert pressed(buttons, "Check again").startswith("Failed")
    assert plan.panel.text() == applied
    assert verdict.panel.text().startswith("Failed: ")
    assert len([text for text in said if "asked 3 times" in text]) == 1


def played(bench: Workbench, name: str) -> tuple[str, str]:
    """The plan of a section, and what stands beside its buttons once the rehearsal has done what it parked for."""
    step = Step(Guided(name), bench)
    planned, buttons = step.plan().panel.text(), step.apply()
    assert isinstance(buttons, ApplyButton)
    assert pressed(buttons, "Apply").startswith("Parked")
    return planned, pressed(buttons, "Let the rehearsal do it")


def test_a_profile_whose_secret_was_refused_is_open_again_until_it_is_saved_anew(
    bench: Workbench, sandbox: dict[str, Any]
) -> None:
    ready = json.loads(Path(sandbox["file"]).read_text())
    wanted = connector_profile.read(bench._look()).form
    assert wanted is not None
    form = HandOver("connector_profile", "", "", fields=wanted.fields())
    assert rehearsal.attend(ready, form, lambda _reference: "abc8Q~wrong.secret_value-000000000000000")
    assert Step(Guided("connector_profile"), bench).plan().panel.text().count("same") == 0
    bench.choose(bench.params.model_copy(update={"account_owner_id": "somebody-else"}))
    assert played(bench, "link_account")[1].startswith("Failed: Linking the account failed")
    planned, said = played(bench, "connector_profile")
    assert "refused" in planned
    assert said.startswith("Passed")
    assert "refused" not in Step(Guided("connector_profile"), bench).plan().panel.text()
    assert played(bench, "link_account")[1].startswith("Passed")


def test_a_profile_whose_name_is_mistyped_is_named(bench: Workbench, sandbox: dict[str, Any]) -> None:
    ready = json.loads(Path(sandbox["file"]).read_text())
    own = f"Microsoft Entra ID {secrets.token_hex(8)}"
    bench.choose(bench.params.model_copy(update={"connector_profile_name": own}))
    wanted = connector_profile.read(bench._look()).form
    assert wanted is not None
    mistyped = own.replace("Microsoft", "Micosoft")
    form = HandOver("connector_profile", "", "", fields={**wanted.fields(), "name": mistyped})
    assert rehearsal.attend(ready, form, lambda _reference: "abc8Q~wrong.secret_value-000000000000000")
    said = " ".join(Step(Guided("connector_profile"), bench).plan().panel.text().split())
    assert f"'{mistyped}' is there: is it meant, and its name mistyped?" in said


def test_the_header_counts_what_the_file_holds(bench: Workbench, tmp_path: Path) -> None:
    bench.inputs = replace(bench.inputs, file=tmp_path / "parameters.yaml")
    step = Step(Guided("select_actions"), bench)
    header, picker = step.header(), step.choose()
    assert isinstance(picker, Picker)
    chosen = f"{len(bench.params.actions)} chosen"
    assert chosen in header.panel.text()
    ticks, buttons = boxes(picker.layout), boxes(picker.layout, "Button")
    ticks["Delegated"].value = ticks["Application"].value = False
    assert chosen in header.panel.text()
    assert "powerful permission" not in picker.layout.children[1].children[1].value
    ticks["Delegated"].value = True
    buttons["Select none"].click()
    assert "the 8 default ones count" in header.panel.text()


def test_the_form_is_the_one_of_the_action_in_its_box(bench: Workbench) -> None:
    step = Step(Ordered(None), bench)
    form, _, buttons = step.choose(), step.plan(), step.apply()
    assert isinstance(form, ActionForm)
    assert isinstance(buttons, ApplyButton)
    (box,) = boxes(form.layout, "Combobox").values()
    box.value = "list groups"
    assert (box.value, form.arguments()["action"]) == ("List Groups", "List Groups")
    assert ("query", "$filter") in form._fields
    box.value = "no such action"
    assert isinstance(form.value, InputError)
    box.value = "create group"
    result = step.result()
    pressed(buttons, "Plan")
    pressed(buttons, "Send")
    made = result.panel.value["id"][0]  # type: ignore[attr-defined]
    box.value = "Delete Group"
    form.field("path", "group-id").value = made
    pressed(buttons, "Plan")
    pressed(buttons, "Send")
    assert "Remove" in boxes(buttons.layout, "Button")
    form.field("path", "group-id").value = "11111111-2222-4333-8444-666666666666"
    assert "Remove" not in boxes(buttons.layout, "Button"), "the question was of another request"


@pytest.fixture
def kernel() -> Iterator[tuple[Any, BlockingKernelClient]]:
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


PRESS = """
from pathlib import Path
from threading import Event
from runbook.widgets.apply_button import ApplyButton, Offer
def press():
    Path({began!r}).touch()
    Event().wait(60)
    return "Done"
apply = ApplyButton(lambda: [Offer("Remove", press)])
print(apply.layout.children[0].comm.comm_id)
"""


def test_an_interrupt_stops_also_what_jupyterlab_asks_in_another_thread(
    kernel: tuple[Any, BlockingKernelClient], tmp_path: Path
) -> None:
    """JupyterLab sends the click of a button that came later through a subshell of the kernel."""
    manager, client = kernel
    shown: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        shown.append(str(message["content"].get("text", "")))

    began = tmp_path / "began"
    client.execute_interactive(PRESS.format(began=str(began)), output_hook=hear, timeout=60)
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    subshell = client.get_control_msg(timeout=60)["content"]["subshell_id"]
    click = client.session.msg("comm_msg", {"comm_id": "".join(shown).strip(), "data": CLICK})
    click["header"]["subshell_id"] = subshell
    client.shell_channel.send(click)
    until = time.monotonic() + 60
    while not began.exists() and time.monotonic() < until:
        client.is_alive()
    manager.interrupt_kernel()
    shown.clear()
    client.execute_interactive("print(apply.value)", output_hook=hear, timeout=60)
    assert "".join(shown).strip() == "Stopped."


CLICK = {"method": "custom", "content": {"event": "click"}}
