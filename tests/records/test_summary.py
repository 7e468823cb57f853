from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook.records import summary
from runbook.records.journal import Journal, read

MakeRun = Callable[..., Journal]


def _run(tmp_path: Path) -> Journal:
    sections = [{"name": name, "title": name, "notebook": f"{name}.ipynb"} for name in ("a", "b")]
    return Journal.create(tmp_path, "r", target="sandbox", tenant_id="t", plan_hash="sha256:0", sections=sections)


def _finish(journal: Journal, section: str, verdict: str = "passed", **data: object) -> None:
    journal.event("section.started", section=section, title=section, notebook=section)
    journal.event("section.finished", section=section, verdict=verdict, **data)


def _fold(journal: Journal) -> dict:
    return summary.fold(read(journal.path))


def test_the_summary_holds_what_the_design_promises(make_run: MakeRun) -> None:
    folded = _fold(make_run())
    assert folded.keys() >= {
        *("run_id", "target", "tenant_id", "started_at", "finished_at", "plan_hash", "verdict", "sections"),
        *("permissions", "actions", "application", "secret", "connector_profile", "account", "http"),
    }
    assert folded["verdict"] == "passed"
    assert [section["notebook"] for section in folded["sections"]][1] == "02_register_application.ipynb"
    assert folded["sections"][1].keys() >= {"name", "notebook", "verdict", "created", "updated", "deleted", "unchanged"}
    assert folded["sections"][1]["created"] == 1
    assert folded["application"]["unique_name"] == "stackone-entra-id-connector"
    assert folded["secret"]["ref"] == "keyring:entra-id-runbook/6a8a4f0e"
    assert folded["permissions"]["application"][0].keys() >= {"name", "wanted", "requested", "granted", "in_token"}
    assert folded["actions"][0]["probe"]["outcome"] == "success"
    assert folded["http"] == {
        "requests": 64,
        "writes": 8,
        "retries": 8,
        "by_host": {"localhost:8443": {"requests": 64, "writes": 8, "retries": 8}},
    }
    assert folded["sections"][0]["http"] == {"requests": 8, "writes": 1, "retries": 1}


def test_a_journal_without_a_closing_event_is_incomplete_however_far_it_came(make_run: MakeRun) -> None:
    events = read(make_run().path)
    assert {summary.fold(events[:end])["verdict"] for end in range(len(events))} == {"incomplete"}
    assert summary.fold(events)["verdict"] == "passed"


@pytest.mark.parametrize(
    ("verdict", "claimed", "expected"),
    [
        ("passed", "passed", "passed"),
        ("failed", "passed", "failed"),
        ("parked", "passed", "parked"),
        ("planned", "passed", "parked"),
        ("failed", "parked", "failed"),
        ("parked", "parked", "parked"),
        ("passed", "splendid", "incomplete"),
    ],
)
def test_a_run_is_no_better_than_its_worst_section(tmp_path: Path, verdict: str, claimed: str, expected: str) -> None:
    journal = _run(tmp_path)
    _finish(journal, "a", verdict)
    _finish(journal, "b")
    journal.event("run.finished", verdict=claimed)
    assert _fold(journal)["verdict"] == expected


def test_a_section_that_was_never_reached_keeps_a_run_from_passing(tmp_path: Path) -> None:
    journal = _run(tmp_path)
    _finish(journal, "a")
    journal.event("run.finished", verdict="passed")
    folded = _fold(journal)
    assert folded["verdict"] == "incomplete"
    assert [section["verdict"] for section in folded["sections"]] == ["passed", "not tried"]


def test_a_section_that_began_and_did_not_end_is_incomplete(tmp_path: Path) -> None:
    journal = _run(tmp_path)
    journal.event("section.started", section="a", title="a")
    assert _fold(journal)["sections"][0]["verdict"] == "incomplete"


def test_a_section_that_ran_twice_adds_up_what_it_did(tmp_path: Path) -> None:
    journal = _run(tmp_path)
    for verdict, unchanged in (("failed", 2), ("passed", 3)):
        journal.event("section.started", section="a")
        ticket = journal.intent(service="graph", method="POST", path="/v1.0/groups")
        journal.outcome(ticket, service="graph", method="POST", path="/v1.0/groups", status=201)
        journal.event("section.finished", section="a", verdict=verdict, unchanged=unchanged)
    section = _fold(journal)["sections"][0]
    assert (section["verdict"], section["created"], section["unchanged"]) == ("passed", 2, 3)


def test_what_a_later_section_says_counts(tmp_path: Path) -> None:
    journal = _run(tmp_path)
    _finish(
        journal,
        "a",
        facts={"application": {"app_id": "1", "object_id": "2"}, "permissions": {"delegated": [{"name": "x"}]}},
    )
    _finish(journal, "b", facts={"application": {"app_id": "3"}, "permissions": {"application": [{"name": "y"}]}})
    folded = _fold(journal)
    assert folded["application"] == {"app_id": "3", "object_id": "2"}
    assert folded["permissions"] == {"delegated": [{"name": "x"}], "application": [{"name": "y"}]}


def test_a_write_whose_outcome_is_not_known_counts_and_is_named(tmp_path: Path) -> None:
    journal = _run(tmp_path)
    journal.intent(service="graph", host="graph.microsoft.com", method="POST", path="/v1.0/applications")
    folded = _fold(journal)
    assert folded["http"]["writes"] == 1
    assert folded["writes_without_outcome"][0]["path"] == "/v1.0/applications"


def test_a_hand_over_waits_until_it_is_done(tmp_path: Path) -> None:
    journal = _run(tmp_path)
    journal.event(
        "hand_over", kind="admin_consent", title="Grant admin consent", who="an administrator", url="https://x"
    )
    assert [(item["title"], item["done"]) for item in _fold(journal)["hand_overs"]] == [("Grant admin consent", False)]
    journal.event("hand_over.done", kind="admin_consent")
    assert [item["done"] for item in _fold(journal)["hand_overs"]] == [True]


def test_no_events_at_all_are_an_incomplete_run() -> None:
    assert summary.fold([])["verdict"] == "incomplete"


def test_the_file_is_the_summary(make_run: MakeRun) -> None:
    journal = make_run()
    path = summary.write(journal.folder, _fold(journal))
    assert json.loads(path.read_text()) == _fold(journal)
