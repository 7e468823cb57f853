"""The doctor names what will fail before it does: one planted problem a test, and what a run then comes to."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from runbook.operations.doctor import Finding, examine
from runbook.sections import NAMES
from tests.conftest import Runner, runner
from tests.sections.conftest import Journey, ill, journey, of_administrator, sandbox
from tests.sections.test_refresh import set_clock

__all__ = ["ill", "journey", "sandbox"]

Begin = Callable[..., Journey]


def examined(own: Journey, **changes: Any) -> dict[str, Finding]:
    return {each.about: each for each in examine(own.params(**changes), NAMES)}


def wrong(found: dict[str, Finding]) -> dict[str, str]:
    return {about: each.state for about, each in found.items() if each.state != "passed"}


def replaced(sandbox: dict[str, Any], folder: Path, **values: str) -> str:
    """The ready file with other values; those of files are their new contents."""
    line = dict(sandbox)
    for name, value in values.items():
        line[name] = value
        if name.endswith("_file"):
            file = Path(sandbox["client_secret_file"]).with_name(f"{folder.name}-{name}")
            file.touch(mode=0o600)
            file.write_text(value)
            line[name] = str(file)
    made = folder / "ready.json"
    made.write_text(json.dumps(line))
    return str(made)


@pytest.fixture
def command(tmp_path: Path) -> Runner:
    return runner(tmp_path / "home", tmp_path)


def test_a_healthy_rehearsal_is_said_to_be_one_and_nothing_is_written(
    sandbox: dict[str, Any], journey: Begin, command: Runner
) -> None:
    found = examined(journey())
    assert wrong(found) == {}
    assert found["section api_permissions: consent to application permissions"].said.startswith("by AppRole")
    done = command("doctor", "--json", "--sandbox", sandbox["file"], "--sections", "1..3")
    document = json.loads(done.stdout)
    assert (done.returncode, document["verdict"], document["exit_code"]) == (0, "passed", 0)
    assert document["least"] == ["Application.ReadWrite.OwnedBy"]
    shown = command("doctor", "--sandbox", sandbox["file"], "--set", "stackone_api_key_ref=file:nothing/here")
    assert "Verdict: passed" in shown.stdout
    with journey().context() as ctx:
        assert not any(app["displayName"].startswith("StackOne") for app in ctx.graph.list("/applications"))


def test_a_store_that_cannot_keep_anything(journey: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    monkeypatch.setenv("RUNBOOK_SECRETS_DIR", str(tmp_path / "taken"))
    assert "secret store" in wrong(examined(journey()))


@pytest.mark.parametrize(
    ("values", "about"),
    [
        ({"records": "taken/records"}, "records"),
        ({"signing_key_ref": "file:nothing/here"}, "records"),
        ({"application_object_id": "00000000-0000-4000-8000-000000000000"}, "plan"),
        ({"connector_profile_id": "no-such-profile"}, "plan"),
    ],
)
def test_what_a_run_would_meet_at_its_beginning_or_in_its_plan(
    journey: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, str], about: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file where a folder should be")
    found = examined(journey(), **values)
    assert about in wrong(found)
    assert found[about].remedy


@pytest.mark.parametrize(
    ("values", "about"),
    [
        ({"stackone_api_key_file": "v1.eu.nobody"}, "StackOne API key"),
        ({"client_secret_file": "not-the-secret"}, "sign-in"),
        ({"tenant_id": "00000000-0000-4000-8000-000000000000"}, "sign-in"),
    ],
)
def test_a_key_a_secret_or_a_tenant_that_is_not_right(
    sandbox: dict[str, Any], journey: Begin, tmp_path: Path, values: dict[str, str], about: str
) -> None:
    found = examined(journey(sandbox_file=replaced(sandbox, tmp_path, **values)))
    assert wrong(found) == {about: "failed"}
    assert found[about].remedy


def test_a_clock_that_is_wrong(sandbox: dict[str, Any], journey: Begin) -> None:
    set_clock(sandbox, 900)
    try:
        found = examined(journey())
    finally:
        set_clock(sandbox, 0)
    assert found["way to Microsoft Graph"].state == "failed"
    assert "+900 s" in found["way to Microsoft Graph"].said or "+899 s" in found["way to Microsoft Graph"].said
    assert "clock" in found["way to Microsoft Graph"].remedy


@pytest.mark.parametrize(
    ("state", "about", "actions"),
    [
        ({"kind": "secret_policy", "forbid": True}, "policy on client secrets", ["list_users"]),
        ({"kind": "unlicensed", "plans": ["AAD_PREMIUM", "AAD_PREMIUM_P2"]}, "licences", ["list_named_locations"]),
    ],
)
def test_a_policy_or_a_licence_in_the_way(
    ill: Callable[..., Any], state: dict[str, Any], about: str, actions: list[str]
) -> None:
    with ill(state, actions=actions) as own:
        found = examined(own)
    assert wrong(found) == {about: "failed"}


@pytest.mark.parametrize("broken", ["refused", "strange authority"])
def test_a_way_that_does_not_lead_there(sandbox: dict[str, Any], journey: Begin, tmp_path: Path, broken: str) -> None:
    with _nowhere(sandbox, tmp_path, broken) as file:
        found = examined(journey(sandbox_file=file))
    assert found["way to Microsoft Graph"].state == "failed"
    assert found["way to Microsoft Graph"].remedy


@contextmanager
def _nowhere(sandbox: dict[str, Any], folder: Path, broken: str) -> Iterator[str]:
    if broken == "strange authority":
        yield replaced(sandbox, folder, ca_file=trustme.CA().cert_pem.bytes().decode())
    else:
        with socket.socket() as port:
            port.bind(("127.0.0.1", 0))
            yield replaced(sandbox, folder, graph=f"https://localhost:{port.getsockname()[1]}")


LEAST = {
    "Application.ReadWrite.OwnedBy": "failed",
    "AppRoleAssignment.ReadWrite.All": "parked",
    "Application.Read.All": "parked",
    "DelegatedPermissionGrant.ReadWrite.All": "parked",
    "Policy.Read.All": "not tried",
    "User.Read.All": "not tried",
}


@pytest.mark.parametrize("without", ["", *LEAST])
def test_the_least_that_the_doctor_names_is_enough_and_each_that_is_taken_away_is_named(
    sandbox: dict[str, Any], journey: Begin, tmp_path: Path, without: str
) -> None:
    held = [name for name in LEAST if name != without]
    chosen = {"actions": ["get_user"], "allow_writes": False}
    own = journey(sandbox_file=str(of_administrator(sandbox, journey(), tmp_path, *held)), **chosen)
    found = examined(own)
    assert set(found["least privilege"].needs) == set(LEAST)
    if without:
        assert any(each.state == LEAST[without] and without in each.said for each in found.values())
        verdicts = {result.verdict for result in own.run().values()}
        asked = '"kind":"admin_consent"' in own.journal_text()
        assert (verdicts != {"passed"} or asked) is (without != "Policy.Read.All")
    else:
        assert wrong(found) == {}
        assert "has nothing besides" in found["least privilege"].said
        assert {result.verdict for result in own.run().values()} == {"passed"}
        assert '"kind":"admin_consent"' not in own.journal_text()
