"""The catalogue on the command line: the list, the permissions of a choice, what-if, presets, drift."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runbook import catalog
from runbook.catalog.guide import SEPARATORS
from tests.conftest import Runner


def document(command: Runner, *arguments: str) -> Any:
    done = command(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_list_has_all_with_request_permissions_and_example(command: Runner) -> None:
    rows = {row["slug"]: row for row in document(command, "actions")}
    assert len(rows) == len(catalog.actions())
    assert rows["list_users"]["method"] == "GET"
    assert rows["list_users"]["delegated"]["alternatives"][0] == ["User.ReadBasic.All"]
    assert rows["create_group"]["body"]["example"]["displayName"]


def test_search_resource_and_effect_narrow_the_list(command: Runner) -> None:
    found = document(command, "actions", "--resource", "Groups", "--effect", "delete")
    assert {row["slug"] for row in found} == {"delete_group", "remove_group_member"}
    assert "List Users" in command("actions", "--search", "user.read").stdout


@pytest.mark.parametrize(("name", "joint"), SEPARATORS.items())
def test_permissions_are_joined_by_the_chosen_separator(name: str, joint: str, command: Runner) -> None:
    choice = ("scopes", "--actions", "List Users,List Groups", "--type", "application", "--separator", name)
    done = command(*choice)
    assert done.stdout == joint.join(("GroupMember.Read.All", "User.Read.All")) + "\n"


def test_an_unknown_separator_is_bad_input(command: Runner) -> None:
    done = command("scopes", "--separator", "tab")
    assert done.returncode == 2
    assert "space, comma, newline" in done.stderr


def test_a_preset_is_a_choice_and_stands_alone(command: Runner) -> None:
    shown = document(command, "scopes", "--preset", "user-lifecycle")
    assert set(shown["actions"]) == set(catalog.presets()["user-lifecycle"].actions)
    unknown = command("scopes", "--preset", "all-of-it")
    assert unknown.returncode == 2
    assert "user-lifecycle" in unknown.stderr
    both = command("plan", "--preset", "start", "--all-actions")
    assert both.returncode == 2
    assert "more than once" in both.stderr


def test_a_preset_can_be_kept_as_parameters(command: Runner, tmp_path: Path) -> None:
    assert command("scopes", "--preset", "read-only", "--save", "kept.yaml").returncode == 0
    kept = document(command, "scopes", "--parameters", "kept.yaml")
    assert set(kept["actions"]) == set(catalog.presets()["read-only"].actions)
    assert (tmp_path / "kept.yaml").is_file()


def test_scopes_begin_with_what_costs_the_most(command: Runner) -> None:
    choice = ("scopes", "--actions", "List Users,Add Directory Role Member")
    assert "1 of your 2 actions (Add Directory Role Member) costs the most powerful permission" in (
        command(*choice).stdout.replace("\n", " ")
    )
    assert document(command, *choice)["headline"].startswith("1 of your 2 actions")


def test_what_if_says_what_an_action_adds_and_frees(command: Runner) -> None:
    choice = ("scopes", "--actions", "List Users,List Groups", "--type", "application")
    change = document(command, *choice, "--add", "Delete User", "--drop", "List Groups")["what_if"]
    assert change["added"]["application"] == ["User.ReadWrite.All"]
    assert change["freed"]["application"] == ["GroupMember.Read.All", "User.Read.All"]
    assert "What if: adds User.ReadWrite.All (application)" in command(*choice, "--add", "Delete User").stdout
    assert command(*choice, "--add", "Fly").returncode == 2


def test_a_list_that_agrees_has_no_drift(command: Runner, tmp_path: Path) -> None:
    (tmp_path / "now.json").write_text(command("actions", "--json").stdout)
    done = command("actions", "--check", "now.json")
    assert done.returncode == 0, done.stdout + done.stderr


def test_drift_is_reported_with_exit_code_1(command: Runner, tmp_path: Path) -> None:
    rows = json.loads(command("actions", "--json").stdout)
    rows = [row for row in rows if row["slug"] != "verify_domain"]
    rows[0]["path"] += "/delta"
    (tmp_path / "newer.json").write_text(json.dumps(rows))
    done = command("actions", "--check", "newer.json", "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["removed"] == ["Verify Domain"]
    assert [(change["subject"], change["field"]) for change in report["changes"]] == [(rows[0]["name"], "path")]
    assert "Verify Domain" in command("actions", "--check", "newer.json").stdout


def test_a_list_that_is_none_is_bad_input(command: Runner, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('{"hello": "world"}')
    for source in ("none.json", "absent.json"):
        done = command("actions", "--check", source)
        assert done.returncode == 2, done.stdout
        assert "Traceback" not in done.stderr
