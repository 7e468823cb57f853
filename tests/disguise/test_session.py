"""The administrator's session: kept where the system encrypts it, used by the next command, removed on request."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.disguise.conftest import NEEDED, Desk, Tenant

KEYRING = """
import json, pathlib
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 1
    place = pathlib.Path(__file__).with_name("kept.json")

    def _all(self):
        return json.loads(self.place.read_text()) if self.place.exists() else {}

    def get_password(self, service, username):
        return self._all().get(f"{service} {username}")

    def set_password(self, service, username, password):
        self.place.write_text(json.dumps({**self._all(), f"{service} {username}": password}))
"""
ROLES = ("Global Administrator", "Application Developer")

Begin = Callable[..., Desk]


@pytest.fixture(scope="module")
def client_id(tenant: Tenant) -> str:
    return tenant.application(*NEEDED)


@pytest.fixture
def at(desk: Begin, client_id: str) -> Desk:
    """A desk whose system has a keyring: one that keeps everything in a file of the test."""
    found = desk(sign_in="device-code", client_id=client_id)
    folder = found.folder / "keyring"
    folder.mkdir()
    (folder / "of_this_system.py").write_text(KEYRING)
    found.variables |= {"PYTHON_KEYRING_BACKEND": "of_this_system.Keyring"}
    found.variables |= {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}
    return found


def signed_in(at: Desk, *arguments: str) -> str:
    done = at.call("sign-in", "--json", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["kept"] is True
    return str(document["signed_in"])


def who_plans(at: Desk) -> str:
    done = at.call("plan", "--json", "--sections", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    return str(json.loads(done.stdout)["signed_in"])


def chosen_on_a_terminal(at: Desk, answer: str) -> str:
    """Who is signed in after ``answer`` to the question which account."""
    ours, theirs = pty.openpty()
    line = [sys.executable, "-m", "runbook", "sign-in", "--json", "--parameters", str(at.parameters)]
    variables = {**at.tenant.environment, **at.variables}
    with subprocess.Popen(
        line, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, cwd=at.folder, env=variables
    ) as process:
        os.write(ours, f"{answer}\n".encode())
        document = process.communicate(timeout=60)[0]
    os.close(theirs)
    said = os.read(ours, 4096).decode()
    os.close(ours)
    assert "3  another account" in said
    return str(json.loads(document)["signed_in"])


def test_the_next_command_goes_on_as_whoever_signed_in_last_or_was_chosen(at: Desk, tenant: Tenant) -> None:
    for at.signs_in in ROLES:
        assert at.signs_in in signed_in(at)
        assert at.signs_in in who_plans(at)
    assert len(at.codes) == 2
    administrator = tenant.person(ROLES[0])
    assert ROLES[0] in signed_in(at, "--as", administrator.upper())
    assert ROLES[0] in who_plans(at)
    assert ROLES[1] in chosen_on_a_terminal(at, "2")
    assert ROLES[1] in who_plans(at)
    assert len(at.codes) == 2, "a choice among those who are signed in asks nobody"
    kept = (at.folder / "keyring" / "kept.json").read_text()
    tokens = [line for line in kept.split('\\"') if line.startswith("eyJ") or len(line) > 200]
    assert tokens
    for path in tenant.home.rglob("*"):
        assert not path.is_file() or not any(token in path.read_text("latin-1") for token in tokens)

    assert at.call("sign-out").stdout == "The session is removed from this machine.\n"
    assert not any(token in (at.folder / "keyring" / "kept.json").read_text() for token in tokens)
    assert at.call("sign-out").stdout == "No session is kept on this machine.\n"
    assert ROLES[1] in who_plans(at)
    assert len(at.codes) == 3


def test_a_role_that_was_activated_meanwhile_counts_after_a_fresh_token(at: Desk, tenant: Tenant) -> None:
    at.signs_in = ROLES[1]
    name = "Cloud Application Administrator"
    assert name not in signed_in(at)
    with tenant.graph() as graph:
        person = graph.get(f"/users/{tenant.person(ROLES[1])}").raise_for_status().json()["id"]
        roles = graph.get("/roleManagement/directory/roleDefinitions").raise_for_status().json()["value"]
        role = next(each["id"] for each in roles if each["displayName"] == name)
        body = {"principalId": person, "roleDefinitionId": role, "directoryScopeId": "/"}
        made = graph.post("/roleManagement/directory/roleAssignments", json=body).raise_for_status().json()
        assert name not in who_plans(at)
        assert name in signed_in(at, "--fresh")
        assert name in who_plans(at)
        graph.delete(f"/roleManagement/directory/roleAssignments/{made['id']}").raise_for_status()
    assert len(at.codes) == 1


def test_where_nothing_is_encrypted_nothing_is_kept_and_that_is_said(desk: Begin, client_id: str) -> None:
    at = desk(sign_in="device-code", client_id=client_id)
    assert "kept nowhere: each command signs in" in at.call("sign-in").stdout
    assert at.call("sign-out").stdout == "No session is kept on this machine.\n"


def test_an_application_signs_in_with_each_command(desk: Begin) -> None:
    done = desk().call("sign-in", "--json")
    assert json.loads(done.stdout)["signed_in"].startswith("application ")
    assert json.loads(done.stdout)["kept"] is False
