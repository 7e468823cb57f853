"""What a person sees of an explanation: on the terminal, in a notebook, in the plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox.server import running

from runbook.clients.answers import explain, table
from runbook.secrets import Secret
from runbook.sections import section
from runbook.tenant.base import run_section
from runbook.tenant.credentials import require_current, secret_name, value
from runbook.tenant.registration import require_application
from runbook.widgets import message
from tests.conftest import Runner, runner

from .conftest import XDG, Stage
from .provoke import as_administrator, failing

SECRET_ID = "c7a1d2e3-0000-4f00-8000-5d6e7f8a9b0c"


@contextmanager
def served_with(folder: Path, secret: str) -> Iterator[Path]:
    """A served sandbox whose administrator's secret is not the one that it knows."""
    with running(folder / "sandbox.db") as ready:
        file = Path(ready["client_secret_file"])
        file.write_text(secret)
        line = folder / "ready.json"
        line.write_text(json.dumps(ready))
        yield line


@pytest.mark.parametrize("command_line", [("plan",), ("run", "--sections", "1..2"), ("verify",)], ids=" ".join)
def test_the_id_of_the_administrators_secret_is_named_and_no_section_is_advised(
    command: Runner, tmp_path: Path, command_line: tuple[str, ...]
) -> None:
    with served_with(tmp_path, SECRET_ID) as line:
        done = command(*command_line, "--sandbox", str(line))
    assert done.returncode == 1
    assert "id of the administrator application's client secret was used in place of its value" in done.stderr
    assert "Who can mend it: whoever manages the administrator's application" in done.stderr
    assert "portal (Certificates & secrets)" in done.stderr
    assert "section 5" not in done.stderr.lower()
    assert SECRET_ID not in done.stdout + done.stderr


def test_a_program_reads_the_same(command: Runner, tmp_path: Path) -> None:
    with served_with(tmp_path, "some~wrong.secret") as line:
        done = command("plan", "--json", "--sandbox", str(line))
    told = json.loads(done.stdout)
    assert told["code"] == "AADSTS7000215"
    assert all(told[name] for name in ("what", "meaning", "who", "next", "request_id"))


def test_a_notebook_shows_cause_who_and_next_step(stage: Stage) -> None:
    error = failing(lambda: as_administrator(stage, SECRET_ID))
    found = explain(error)
    shown = message.failure(error)
    for text in (found.cause, found.who, found.remedy):
        assert text in shown.text()
        assert text.split("'")[0] in shown.fragment()


def test_the_plan_says_what_is_wrong_with_the_connectors_own_secret(stage: Stage) -> None:
    ctx, part = stage.ctx, section("client_secret")
    found = require_application(ctx)
    credential = require_current(ctx, found)
    kept, name = value(ctx, credential), secret_name(ctx, found["appId"], credential.key_id)
    ctx.store.put(name, Secret(credential.key_id))
    try:
        (change, *_others) = part.plan(ctx, part.read(ctx))
    finally:
        ctx.store.put(name, kept)
    assert change.kind == "added"
    assert "the connector's client secret was kept in place of its value" in change.note


def test_the_action_whose_road_is_closed_says_why_and_what_to_do(stage: Stage) -> None:
    """A tenant that lets nobody sign in with a code: not tried, with the policy's administrator and another way."""
    reply: dict[str, Any] = {"kind": "answer", "status": 400, "code": "access_denied"}
    blocked = {**reply, "message": "AADSTS53003: Access has been blocked by Conditional Access policies."}
    with stage.ill({**blocked, "match": {"service": "entra", "method": "POST", "path": "*/devicecode"}}):
        result = run_section(stage.ctx, section("verify_actions"), apply=True)
    action = result.facts["actions"][0]
    assert action["delegated"]["used"] == "not tried"
    assert result.evidence is not None
    said = " ".join(result.evidence.notes)
    assert "does not let people sign in with a code (AADSTS53003)" in said
    assert "exclude this application from the policy" in said


def test_the_terminal_ends_with_why_an_action_failed_and_who_can_mend_it(stage: Stage, tmp_path: Path) -> None:
    home = stage.state.parent
    command = runner(home, tmp_path)
    choice = (
        "--actions",
        "List Users,Update User,Update Group",
        "--permission-types",
        "application",
        "--set",
        "secret_store=file",
    )
    refusal = {"kind": "answer", "status": 403, "code": "Authorization_RequestDenied", "message": "Insufficient."}
    with stage.ill({**refusal, "match": {"service": "graph", "method": "GET", "path": "/v1.0/users"}}):
        done = command("verify", "--sandbox", str(home / "ready.json"), *choice, **dict.fromkeys(XDG, str(home)))
    assert done.returncode == 1, done.stderr
    row = next(row for row in table().rows if row.name == "beyond_permission")
    assert "List Users (application)" in done.stdout
    assert f"Who can mend it: {table().people[row.who]}" in done.stdout
    assert f"Next: {row.remedy}" in done.stdout
    (summary,) = tmp_path.glob("records/*/summary.json")
    action = json.loads(summary.read_text())["actions"][0]
    assert action["explanations"]["application"]["answer"] == "beyond_permission"
