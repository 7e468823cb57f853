"""What every panel promises: text, HTML and a table of the same facts, with nothing of them taken for markup."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest

from runbook import frames
from runbook.errors import GraphError, HandOver, InputError, Problem
from runbook.operations.run_action import Answer
from runbook.parameters import parse
from runbook.records.timeline import TimeLine
from runbook.tenant.changes import Change, row
from runbook.widgets import message
from runbook.widgets import panel as panels
from runbook.widgets.guide import Chapter, GuideList, Header, Place
from runbook.widgets.message import HandOverCard, KeyValue
from runbook.widgets.panel import Panel
from runbook.widgets.permissions import Consent, Pictures, ScopesPanel
from runbook.widgets.picker import Choice, PickedTable
from runbook.widgets.plan_table import AnswerTable, PlanTable
from runbook.widgets.states import ActionMatrix, EvidenceTable, PermissionMatrix, SecretLives
from tests.styled import lacking

HOSTILE = "<img src=x onerror=alert(1)>"


def life(
    description: str, key_id: str, starts_at: str, ends_at: str, days_left: int, **more: object
) -> dict[str, object]:
    """A client secret as section 5 tells of it."""
    told = {"description": description, "key_id": key_id, "starts_at": starts_at, "ends_at": ends_at}
    return {**told, "days_left": days_left, "ours": False, "in_profile": False, **more}


PLACE = Place((Chapter(1, HOSTILE, "done", "", ""),), 1, HOSTILE, HOSTILE, HOSTILE, rehearsal=True)
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
    SecretLives(TimeLine([life(HOSTILE, HOSTILE, "", "", 36_500)], "2026-07-01T00:00:00Z")),
]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: type(panel).__name__)
def test_panel_saves_text_and_html_of_the_same_facts_and_escapes_them(panel: Panel) -> None:
    bundle = panel._repr_mimebundle_()
    assert HOSTILE in bundle["text/plain"].replace("\n", " ")
    assert "<img" not in bundle["text/html"]
    assert "&lt;img src=x" in bundle["text/html"]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: type(panel).__name__)
def test_each_panel_brings_the_style_of_all_that_is_on_it_and_no_whole_sheet(panel: Panel) -> None:
    assert lacking(panel.html()) == []
    assert panels.style() not in panel.html()
    assert ("<table" in panel.fragment()) is (".rb table{" in panel.html())
    assert lacking(panel.html().replace(".rb .soft{color:var(--rb-soft)}", "")) or "soft" not in panel.fragment()


def test_what_is_drawn_and_what_is_sorted_bring_theirs_too(tmp_path: Path) -> None:
    rows = [{"id": str(number), "displayName": "x"} for number in range(30)]
    answer = AnswerTable(Answer(frames.table(rows)), is_list=True)
    picked = PickedTable(Choice(parse({"actions": ["List Users", "Create Group"]}), tmp_path / "p.yaml"))
    for shown in (answer.html(), picked.html(), HandOverCard(HandOver("link_account", "x", "https://x/")).html()):
        assert lacking(shown) == []
        assert lacking(shown.replace("<style>", "<b>").replace("</style>", "</b>")), "it would be found"


def test_plan_that_changes_nothing_is_one_line() -> None:
    panel = PlanTable([Change("redirect URI", "there", "there", "same")])
    assert panel.text() == "Plan: nothing changes, 1 as wanted"
    assert "<details>" in panel.fragment()


def test_unknown_is_never_shown_as_good() -> None:
    panel = PermissionMatrix({"delegated": [{"name": "User.Read.All", "wanted": True, "granted": None}]}, {})
    assert panel.tables()[0][1].rows[0][1:5] == ("yes", "unknown", "unknown", "unknown")
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
    assert card.qr_code() in card.html()


def test_an_address_that_is_no_web_address_never_becomes_a_link() -> None:
    card = HandOverCard(HandOver("link_account", "Link", "javascript:alert(1)"))
    assert "href" not in card.fragment()


def test_an_address_in_the_evidence_can_be_opened() -> None:
    shown = EvidenceTable([row("page in the portal", "https://portal/x?a=1&b=2", "Entra admin center")]).html()
    assert '<a href="https://portal/x?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">' in shown


def test_header_says_the_target_in_words_and_marks_the_current_step() -> None:
    steps = (Chapter(1, "Select actions", "done", "", ""), Chapter(2, "Register", "next", "", ""))
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
    still = PickedTable(Choice(parse({"actions": ["List Users"]}), tmp_path / "p.yaml"))
    assert "List Users" in still.text()
    assert "User.Read.All" in still.text()


def test_the_picture_marks_every_use_and_names_powerful_permissions_in_words() -> None:
    from runbook import catalog
    from runbook.catalog import explain

    for choice in (["list_users"], [action.slug for action in catalog.actions()]):
        scopes = catalog.compute(choice)
        drawn = unescape(panels.render("Pictures", Pictures.of(scopes)))
        tables = [explain.matrix(scopes, kind) for kind in scopes.types]
        different = {(table.permissions, table.cells, table.forced) for table in tables}
        assert drawn.count("<g class=") == sum(used for _, cells, _ in different for row in cells for used in row)
        names = {name for table in tables for name in table.permissions}
        for permission in (catalog.permissions()[name] for name in names):
            assert permission.name in drawn
            assert (f"▲ {permission.name}" in drawn) == bool(permission.powerful)
            assert not permission.powerful or permission.powerful in drawn
    assert panels.render("Pictures", Pictures.of(catalog.compute([]))) == ""


def test_consent_names_what_is_powerful_and_says_of_each_permission_what_it_can_do() -> None:
    from runbook import catalog

    scopes = catalog.compute(["list_users", "assign_app_role_to_user"], ("application",))
    text = " ".join(Consent(scopes).text().split())
    assert "in the whole tenant, at any time, with nobody signed in" in text
    assert "in the name of the person" not in text
    assert "Powerful among them: AppRoleAssignment.ReadWrite.All" in text
    for name in scopes.application.names:
        assert (
            catalog.permissions()[name].powerful or catalog.power_words()[catalog.permissions()[name].power]
        ) in text


def test_the_time_line_says_of_each_secret_when_it_was_made_what_comes_next_and_when_it_ends() -> None:
    ours = {
        "ours": True,
        "in_profile": True,
        "profile_since": "2026-06-25T00:00:00Z",
        "renew_at": "2026-11-27T00:00:00Z",
    }
    secrets = [
        life("StackOne", "k-1", "2026-06-24T00:00:00Z", "2026-12-27T00:00:00Z", 179, **ours),
        life(
            "StackOne",
            "k-0",
            "2026-01-01T00:00:00Z",
            "2026-08-20T00:00:00Z",
            50,
            ours=True,
            kept_until="2026-07-02T00:00:00Z",
        ),
        life("Portal", "k-2", "2025-01-01T00:00:00Z", "2026-06-28T00:00:00Z", -3),
        life("Build", "k-3", "2026-01-06T00:00:00Z", "2026-07-06T00:00:00Z", 5),
        life("Old", "k-4", "", "", 36_500),
    ]
    line = TimeLine(secrets, "2026-07-01T00:00:00Z")
    assert line.rows == (
        ("Portal", "not ours", "2025-01-01", "2026-06-28", "ended", "ended", "left alone", "k-2"),
        ("Build", "not ours", "2026-01-06", "2026-07-06", "5 days", "ends soon", "left alone", "k-3"),
        ("StackOne", "ours", "2026-01-01", "2026-08-20", "50 days", "superseded",
         "removed from 2026-07-02 on, once StackOne works without it", "k-0"),
        ("StackOne", "ours", "2026-06-24", "2026-12-27", "179 days", "valid, in StackOne's profile since 2026-06-25",
         "another is made from 2026-11-27 on", "k-1"),
        ("Old", "not ours", "unknown", "never", "no end", "valid", "left alone", "k-4"),
    )  # fmt: skip
    drawn = unescape(SecretLives(line).fragment())
    assert [drawn.count(f'<g class="{tone}">') for tone in ("bad", "wait", "none", "good")] == [1, 1, 1, 2]
    assert [drawn.count(mark) for mark in ("<circle", "l7 7", "l10 10")] == [1, 1, 1]
    words = drawn[drawn.index("<desc") : drawn.index("</desc>")]
    assert all(cell in words for cells in line.rows for cell in (cells[0], cells[2], *cells[4:7]))
    points = [(life.begin, life.today, life.unused, life.end) for life in line.lives]
    assert all(
        0 <= begin <= today <= 340 and begin <= end <= 340 and unused <= end for begin, today, unused, end in points
    )
    assert points[2][2] < points[2][3]
    assert TimeLine.of({"secrets": [{"days_left": 3}], "secret": {"proven_at": "2026-07-01T00:00:00Z"}}) is None


def test_the_cost_of_a_choice_is_said_in_words_and_also_as_plain_text(tmp_path: Path) -> None:
    chosen = Choice(parse({"actions": ["List Users", "Assign App Role To User"]}), tmp_path / "p.yaml")
    for shown in (PickedTable(chosen).text(), PickedTable(chosen).html()):
        assert "1 of your 2 actions (Assign App Role To User) costs the most powerful permission" in shown
        assert "make itself Global Administrator" in " ".join(shown.split())


def test_a_verdict_leads_to_the_next_notebook_and_to_no_address_of_another_kind() -> None:
    shown = message.verdict("passed", "done", "open 03_redirect_uri.ipynb.").html()
    assert '<a href="03_redirect_uri.ipynb">03_redirect_uri.ipynb</a>.' in shown
    for other in ("javascript:alert(1).ipynb", "//elsewhere.example/a.ipynb", "../../a.ipynb"):
        assert "<a " not in message.verdict("passed", "done", f"open {other}.").html()


def test_the_matrix_leaves_out_what_nobody_chose_and_says_each_thing_of_a_failure_on_its_own_line() -> None:
    why = "With delegated permissions: refused.\nWho can mend it: you.\nNext: mend it."
    row = {"name": "List Users", "delegated": {"used": False}, "application": "—", "verdict": "failed"}
    shown = ActionMatrix([{**row, "explanation": why}])
    assert "Application" not in shown.text()
    assert "Application" not in shown.html()
    assert "<p>Who can mend it: you.</p><p>Next: mend it.</p>" in shown.html()
