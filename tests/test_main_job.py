"""The main job as a user does it: ``runbook run`` on a fresh machine, again, with another choice, and after damage."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runbook import catalog
from runbook.catalog.loader import GRAPH_APP_ID
from runbook.records.journal import read as read_journal
from runbook.sections import NAMES
from tests.conftest import Runner, runner

NOTEBOOKS = [
    "01_select_actions",
    "02_register_application",
    "03_redirect_uri",
    "04_api_permissions",
    "05_client_secret",
    "06_connector_profile",
    "07_link_account",
    "08_verify_actions",
]
BOTH = ("--permission-types", "delegated,application")
EIGHTEEN = (
    "List Users,Get User,Create User,Update User,Delete User,List Groups,Get Group,Create Group,Update Group,"
    "Delete Group,List Group Members,Add Group Member,Remove Group Member,List Applications,List Service Principals,"
    "List Directory Roles,List Domains,Get Organization"
)


def run(command: Runner, *arguments: str) -> tuple[dict[str, Any], Path]:
    done = command("run", "--json", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    return document, Path(document["record"])


def writes(summary: dict[str, Any], *sections: int) -> int:
    return sum(summary["sections"][number - 1]["http"]["writes"] for number in sections)


def asked_of_entra(record: Path) -> set[str]:
    """What the kernels of a run asked Entra ID for."""
    calls = [event for event in read_journal(record) if event["event"] == "http.call" and event["service"] == "entra"]
    return {call["path"].partition("/v2.0")[2] for call in calls}


def asked_of_graph(record: Path) -> int:
    """The requests that the plan and sections 1 to 5 sent to Microsoft Graph."""
    calls = [event for event in read_journal(record) if event["event"] in ("http.call", "http.outcome")]
    return sum(call["service"] == "graph" and call["section"] in NAMES[:5] for call in calls)


def changes(done: subprocess.CompletedProcess[str]) -> dict[str, list[dict[str, str]]]:
    assert done.returncode == 0, done.stdout + done.stderr
    plan = json.loads(done.stdout)
    return {s["name"]: [c for c in s["changes"] if c["kind"] != "same"] for s in plan["sections"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def command(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """One fresh machine for the whole story."""
    return runner(tmp_path_factory.mktemp("home"), folder)


@pytest.fixture(scope="module")
def first(command: Runner, folder: Path) -> tuple[dict[str, Any], Path]:
    summary, record = run(command)
    return summary, folder / record


def test_the_first_run_proves_every_action_and_the_second_changes_nothing(
    first: tuple[dict[str, Any], Path], command: Runner
) -> None:
    summary, record = first
    assert summary["verdict"] == "passed"
    assert asked_of_entra(record) == {"/token", "/devicecode"}  # no discovery
    calls = [event for event in read_journal(record) if event["event"] == "http.call"]
    assert GRAPH_APP_ID not in str([(call["path"], call.get("parts")) for call in calls])  # the run has read it
    assert [path.stem for path in sorted(record.glob("*.ipynb"))] == NOTEBOOKS
    on_disk = json.loads((record / "summary.json").read_text())
    assert on_disk.items() <= summary.items()
    for name in ("app_id", "object_id", "unique_name"):
        assert summary["application"][name]
    assert summary["secret"]["key_id"]
    assert summary["secret"]["ref"].partition(":")[0] in ("file", "keyring")
    assert summary["connector_profile"]
    assert summary["account"]["status"] == "active"
    assert summary["permissions"]["delegated"]
    for permission in summary["permissions"]["delegated"]:
        assert all(permission[column] is True for column in ("wanted", "requested", "granted", "in_token"))
    assert summary["permissions"]["application"] == []
    assert {action["slug"] for action in summary["actions"]} == set(catalog.default_actions())
    for action in summary["actions"]:
        assert action["verdict"] == "passed"
        for road in ("delegated", "stackone"):
            assert action[road]["used"] is True
        assert action["application"] == "—"

    again, second = run(command)
    assert summary["http"]["requests"] <= 88
    assert again["http"]["requests"] <= 48
    # Of the first: 7 writes, a read before each section's writes and before the marks of section 5, and what shows that
    # they hold. Of the second: a read for the plan of the run, and one in each section.
    assert asked_of_graph(record) <= 26
    assert asked_of_graph(record.parent / second.name) <= 5
    assert again["plan_hash"] != summary["plan_hash"]
    assert writes(again, 1, 2, 3, 4, 5, 6, 7) == 0
    assert again["application"] == summary["application"]
    for same in ("key_id", "ref", "ends_at"):
        assert again["secret"][same] == summary["secret"][same]
    assert again["account"]["id"] == summary["account"]["id"]
    assert again["connector_profile"]["id"] == summary["connector_profile"]["id"]
    third, _ = run(command)
    assert third["plan_hash"] == again["plan_hash"]


def test_the_record_holds_and_no_secret_is_in_it(first: tuple[dict[str, Any], Path], command: Runner) -> None:
    _, record = first
    assert command("records", "verify", str(record)).returncode == 0
    notebook = record / "04_api_permissions.ipynb"
    notebook.write_text(notebook.read_text().replace("requested", "Requested", 1))
    found = command("records", "verify", str(record))
    assert found.returncode == 1
    assert "04_api_permissions.ipynb" in found.stdout


def test_a_narrower_choice_takes_a_permission_away_and_the_plan_says_so_first(command: Runner) -> None:
    own = ("--set", "unique_name=narrower", "--sections", "1..4")
    wide, _ = run(command, "--actions", "List Users,Create Group,Add Group Member", *own, *BOTH)
    for kind in ("delegated", "application"):
        names = {permission["name"] for permission in wide["permissions"][kind]}
        assert names <= {"Group.ReadWrite.All", "User.Read.All", *catalog.base_permissions()}
    narrow = ("--actions", "List Users", *own)
    priced = command("plan", *narrow, *BOTH)
    assert "whoever holds the client secret can use them, in the whole tenant" in priced.stdout
    planned = changes(command("plan", "--json", *narrow))["api_permissions"]
    assert {(c["what"], c["kind"]) for c in planned} == {
        ("Group.ReadWrite.All (delegated)", "removed"),
        ("Group.ReadWrite.All (application)", "removed"),
        ("User.Read.All (application)", "removed"),
    }
    summary, _ = run(command, *narrow)
    assert "Group.ReadWrite.All" not in {p["name"] for p in summary["permissions"]["delegated"]}
    assert summary["permissions"]["application"] == []
    left = command("plan", *narrow)
    assert "(application)" not in left.stdout
    assert "whoever holds the client secret" not in left.stdout


def test_all_actions_that_write_are_proven_on_objects_of_their_own(command: Runner) -> None:
    summary, _ = run(command, "--actions", EIGHTEEN, "--set", "unique_name=eighteen", *BOTH)
    assert len(summary["actions"]) == 18
    assert {action["verdict"] for action in summary["actions"]} == {"passed"}


def test_the_terminal_tells_a_rehearsal_and_what_to_do_next(command: Runner) -> None:
    done = command("run", "--sections", "1..2", "--set", "unique_name=terminal")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("REHEARSAL on the sandbox: nothing real is touched.")
    assert re.search(r"^2  .*passed .* created", done.stdout, re.MULTILINE)
    assert "runbook lab" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
