"""One action in its notebook with nobody there: sent as planned, recorded, and refused before anything is sent."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from runbook import notebook
from runbook.notebook.bench import InputRefused
from runbook.parameters import Parameters
from runbook.records import summary as summaries
from runbook.records.verify import verify
from runbook.tenant.base import open_context
from tests.conftest import Listener
from tests.operations.conftest import Run

GROUP = {"displayName": "Ledger readers", "mailEnabled": False, "mailNickname": "ledgers", "securityEnabled": True}
SECRET = "Correct-horse-7"


def test_a_list_is_shown_as_far_as_asked_and_further_pages_are_not_fetched(run: Run) -> None:
    done = run(action="List Users", query={"$top": 2, "$select": "displayName"}, max_rows=3)
    assert done.execution.ok, done.execution
    assert "first 3 rows; raise max_rows for more" in done.text
    assert len(done.calls("GET")) <= 5
    assert "GET /users" in done.text
    assert "by User.ReadWrite.All, which the token has" in done.text
    assert done.record is not None
    summary = json.loads((done.record / "summary.json").read_text())
    assert summary["verdict"] == "passed"
    assert [(s["name"], s["notebook"]) for s in summary["sections"]] == [("run_action", "run_action.ipynb")]
    assert summary["http"]["writes"] == 0
    assert (done.record / "report.html").is_file()
    assert verify(done.record).ok


def test_an_object_is_shown_by_its_properties(run: Run) -> None:
    done = run(
        action="get_user", path={"user-id": "noor.haddad@contoso.com"}, query={"$select": "displayName,jobTitle"}
    )
    assert done.execution.ok, done.execution
    assert "Noor Haddad" in done.text
    assert "Identity Engineer" in done.text


def test_a_group_is_made_changed_once_and_removed_with_the_connector_s_own_token(run: Run) -> None:
    made = run(action="Create Group", body=GROUP)
    assert made.execution.ok, made.execution
    finished = next(e for e in made.events if e["event"] == "section.finished")
    assert finished["verdict"] == "passed"
    assert summaries.fold(made.events)["sections"][0]["done"] == {"created": {"object": 1}}
    group = finished["facts"]["run_action"]["id"]
    assert [e["status"] for e in made.calls("POST")] == [201]
    intents = [e for e in made.events if e["event"] == "http.intent"]
    assert [e["path"] for e in intents] == ["/v1.0/groups"]

    change = {"description": "May read the ledgers"}
    changed = run(action="Update Group", path={"group-id": group}, body=change)
    assert [e["status"] for e in changed.calls("PATCH")] == [204]
    again = run(action="Update Group", path={"group-id": group}, body=change)
    assert again.execution.ok
    assert again.calls("PATCH") == []
    assert "nothing changes" in again.text

    gone = run(action="Delete Group", path={"group-id": group})
    assert [e["status"] for e in gone.calls("DELETE")] == [204]
    assert "not there any more" in gone.text
    for absent in (group, "00000000-1111-2222-3333-444444444444"):
        twice = run(action="Delete Group", path={"group-id": absent})
        assert twice.execution.ok
        assert twice.calls("DELETE") == []
        assert re.search(r"^read back +not there +GET ", twice.text, re.MULTILINE)


def test_a_write_is_only_planned_where_nobody_allowed_it(run: Run) -> None:
    done = run(action="Create Group", body=GROUP, apply=False)
    assert done.execution.ok
    assert "nothing was written; applying was not allowed" in done.text
    assert done.record is None


def test_a_password_is_made_kept_and_never_seen(run: Run, connected: Parameters) -> None:
    body: dict[str, Any] = {"accountEnabled": False, "displayName": "Kim Vos", "mailNickname": "kim.vos"}
    body |= {"userPrincipalName": "kim.vos@contoso.com", "passwordProfile": {"password": "generate"}}
    done = run(action="Create User", body=body)
    assert done.execution.ok, done.execution
    finished = next(e for e in done.events if e["event"] == "section.finished")
    reference = finished["facts"]["run_action"]["kept"]["body.passwordProfile.password"]
    with open_context(connected) as ctx:
        password = ctx.store.get(reference).reveal()
    assert len(password) >= 24
    assert reference in done.files[0].read_text().replace("<wbr>", "")  # where a long name may break
    for file in done.files:
        assert password not in file.read_text(errors="replace")


def test_the_refusal_of_graph_is_shown_and_recorded(run: Run) -> None:
    done = run(action="List Devices")
    assert not done.execution.ok
    assert done.execution.error == "SectionFailed"
    assert "the token has no documented set for it" in " ".join(done.text.split())
    assert "403" in done.text
    assert done.record is not None
    assert json.loads((done.record / "summary.json").read_text())["verdict"] == "failed"


def test_stackone_and_the_administrator_send_it_too(run: Run) -> None:
    linked = run(action="List Groups", query={"$top": 3}, max_rows=4, as_="stackone")
    assert linked.execution.ok, linked.execution
    assert "first 4 rows" in linked.text
    assert [e["path"] for e in linked.events if e["event"] == "http.call" and "rpc" in e["path"]] == [
        "/actions/rpc"
    ] * 2
    administrator = run(action="List Devices", max_rows=2, as_="administrator")
    assert administrator.execution.ok, administrator.execution


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"action": "Lst Users"}, "Did you mean List Users?"),
        ({}, "action: is missing."),
        ({"action": "get_user"}, "path.user-id: is missing."),
        ({"action": "get_group", "path": {"group-id": "7"}}, "'7' has the wrong shape."),
        ({"action": "list_users", "path": {"user-id": "x"}}, "is not a parameter of this action."),
        ({"action": "list_users", "query": {"$tpo": 3}}, "Did you mean $top?"),
        ({"action": "create_group", "body": {**GROUP, "colour": "red"}}, "is not a property that can be written here."),
        ({"action": "create_group", "body": "{"}, "body: is not JSON."),
        ({"action": "list_users", "as_": "root"}, "as_: names no token."),
        ({"action": "list_users", "max_rows": 0}, "max_rows: is wrong."),
        ({"action": "list_users", "colour": "red"}, "colour"),
        (
            {"action": "update_user", "path": {"id": "a@b.de"}, "body": {"passwordProfile": {"password": SECRET}}},
            "(its",
        ),
    ],
)
def test_bad_input_is_named_and_nothing_is_sent(values: dict[str, Any], said: str, listener: Listener) -> None:
    namespace = {"sandbox_file": str(listener.ready_file), **values}
    with pytest.raises(InputRefused, match="nothing was sent") as caught:
        notebook.open("run_action", namespace)
    assert said in str(caught.value.__cause__)
    assert SECRET not in str(caught.value.__cause__)
    assert listener.connections == []


def test_bad_input_stops_the_notebook_without_a_record(run: Run) -> None:
    done = run(action="get_group", path={"group-id": "7"})
    assert done.execution.error == "InputRefused"
    assert "'7' has the wrong shape." in done.text
    assert done.record is None


def test_a_password_in_the_clear_is_refused_and_not_repeated(run: Run) -> None:
    body = {"passwordProfile": {"password": SECRET}}
    done = run(action="update_user", path={"user-id": "noor.haddad@contoso.com"}, body=body)
    assert done.execution.error == "InputRefused"
    assert "body.passwordProfile.password" in done.text
    for file in done.files:
        assert SECRET not in file.read_text(errors="replace")


def test_all_rows_go_into_a_file_that_no_spreadsheet_takes_for_formulas(run: Run, tmp_path: Path) -> None:
    made = {**GROUP, "displayName": "=cmd|'/c calc'!A0", "mailNickname": "formula"}
    assert run(action="Create Group", body=made).execution.ok
    file = tmp_path / "groups.csv"
    done = run(action="List Groups", query={"$select": "id,displayName,securityEnabled"}, max_rows=1_000, csv=str(file))
    assert done.execution.ok, done.execution
    rows = list(csv.DictReader(file.open(encoding="utf-8", newline="")))
    assert f"all {len(rows)} rows" in done.text
    assert "groups.csv" in done.text
    assert {row["securityEnabled"] for row in rows} == {"True", "False"}
    assert [row["displayName"] for row in rows if "cmd" in row["displayName"]] == ["'=cmd|'/c calc'!A0"]
    assert [event["path"] for event in done.calls("GET") if event["path"].startswith("/v1.0/groups")] == [
        "/v1.0/groups?$select=id,displayName,securityEnabled&$top=999"
    ]
