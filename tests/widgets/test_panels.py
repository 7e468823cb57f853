"""What every panel promises: text, HTML and a table of the same facts, with nothing of them taken for markup."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook.errors import GraphError, HandOver, InputError, Problem
from runbook.parameters import parse
from runbook.tenant.base import Change, row
from runbook.widgets import message
from runbook.widgets.evidence import EvidenceTable
from runbook.widgets.guide_list import Chapter, GuideList
from runbook.widgets.hand_over import HandOverCard, qr_code
from runbook.widgets.header import Header, Place, Step
from runbook.widgets.key_value import KeyValue
from runbook.widgets.matrix import ActionMatrix, PermissionMatrix
from runbook.widgets.panel import Panel
from runbook.widgets.picker import Picker
from runbook.widgets.picture import Picture
from runbook.widgets.plan_table import PlanTable
from runbook.widgets.scopes_panel import ScopesPanel

HOSTILE = "<img src=x onerror=alert(1)>"
PLACE = Place((Step(1, HOSTILE, "done"),), 1, HOSTILE, HOSTILE, HOSTILE, rehearsal=True)
PANELS: list[Panel] = [
    PlanTable([Change(HOSTILE, HOSTILE, HOSTILE, "added", HOSTILE), Change(HOSTILE, "", "", "same")]),
    EvidenceTable([row(HOSTILE, HOSTILE, HOSTILE, HOSTILE)], notes=[HOSTILE]),
    GuideList([Chapter(1, HOSTILE, "open", HOSTILE, "01.ipynb")], missing=[HOSTILE]),
    HandOverCard(HandOver("link_account", HOSTILE, "https://x/", (HOSTILE,), {HOSTILE: HOSTILE}, HOSTILE)),
    Header(PLACE, HOSTILE),
    KeyValue(HOSTILE, HOSTILE),
    message.verdict("passed", HOSTILE, HOSTILE),
    PermissionMatrix({"delegated": [{"name": HOSTILE, "wanted": True}]}, {"delegated": {HOSTILE: HOSTILE}}),
    ActionMatrix([{"name": HOSTILE, "delegated": {"used": None}, "verdict": "failed", "explanation": HOSTILE}]),
    Picture({HOSTILE: ["User.Read.All"]}, HOSTILE),
]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: type(panel).__name__)
def test_panel_saves_text_and_html_of_the_same_facts_and_escapes_them(panel: Panel) -> None:
    bundle = panel._repr_mimebundle_()
    assert HOSTILE in bundle["text/plain"].replace("\n", " ")
    assert "<img" not in bundle["text/html"]
    assert "&lt;img src=x" in bundle["text/html"]
    assert HOSTILE in str(panel.table().rows) + str(panel.table().columns)


def test_plan_that_changes_nothing_is_one_line() -> None:
    panel = PlanTable([Change("redirect URI", "there", "there", "same")])
    assert panel.text() == "Plan: nothing changes, 1 as wanted"
    assert "<details>" in panel.fragment()


def test_unknown_is_never_shown_as_good() -> None:
    panel = PermissionMatrix({"delegated": [{"name": "User.Read.All", "wanted": True, "granted": None}]})
    assert panel.table().rows[0][2:6] == ("yes", "unknown", "unknown", "unknown")
    assert 'class="word good">unknown' not in panel.html()


def test_error_says_what_it_means_and_what_comes_next() -> None:
    error = GraphError(
        "Forbidden.", status=403, meaning="A role is missing.", next_step="Ask an admin.", request_id="r-1"
    )
    text = message.failure(error).text()
    assert text.splitlines() == [
        "Stopped: Forbidden.",
        "What it means: A role is missing.",
        "Next: Ask an admin.",
        "Request id: r-1",
    ]


def test_input_error_lists_every_mistake() -> None:
    error = InputError([Problem("actions", "is empty."), Problem("target", "is unknown.", "Did you mean entra?")])
    text = message.failure(error).text()
    assert "1. actions: is empty." in text
    assert "2. target: is unknown. Did you mean entra?" in text


def test_hand_over_offers_each_value_for_copying_and_the_link_as_a_picture() -> None:
    card = HandOverCard(HandOver("link_account", "Link", "https://hub/x", fields={"code": "ABC-DEF"}))
    assert 'data-value="ABC-DEF"' in card.html()
    assert 'data-value="https://hub/x"' in card.html()
    assert qr_code("https://hub/x") in card.html()


def test_an_address_that_is_no_web_address_never_becomes_a_link() -> None:
    card = HandOverCard(HandOver("link_account", "Link", "javascript:alert(1)"))
    assert "href" not in card.fragment()


def test_an_address_in_the_evidence_can_be_opened() -> None:
    shown = EvidenceTable([row("page in the portal", "https://portal/x?a=1&b=2", "Entra admin center")]).html()
    assert '<a href="https://portal/x?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">' in shown


def test_header_says_the_target_in_words_and_marks_the_current_step() -> None:
    steps = (Step(1, "Select actions", "done"), Step(2, "Register", "next"))
    header = Header(Place(steps, 2, "SANDBOX, nothing real is touched", "t-1", "admin app", rehearsal=True), "Register")
    assert "Target: SANDBOX, nothing real is touched" in header.text()
    assert "Step: 2 of 2: Register" in header.text()
    assert header.html().count('aria-current="step"') == 1


def test_scopes_panel_marks_powerful_permissions_in_words_and_joins_names_for_copying() -> None:
    from runbook import catalog

    panel = ScopesPanel(catalog.compute(["list_users", "create_group"], ("application",)), "comma")
    assert panel.joined("application") == "Group.ReadWrite.All,User.Read.All"
    assert (
        catalog.permissions()["Group.ReadWrite.All"].powerful in panel.text().replace("\n", " ")
        or "powerful" in panel.html()
    )
    assert "only for List Users" in panel.html()


def test_picker_has_a_twin_without_widgets(tmp_path: Path) -> None:
    still = Picker(parse({"actions": ["List Users"]}), tmp_path / "p.yaml").still()
    assert still.value == ("list_users",)
    assert "List Users" in still.text()
    assert "User.Read.All" in still.text()
