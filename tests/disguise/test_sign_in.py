"""How the administrator signs in to a real tenant from the terminal: one sign-in a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from runbook.records.journal import read as read_journal
from tests.disguise.conftest import NEEDED, Desk, Tenant

Begin = Callable[..., Desk]


@pytest.fixture(scope="module")
def client_id(tenant: Tenant) -> str:
    return tenant.application(*NEEDED)


def test_a_plan_shows_the_code_beside_its_document_and_goes_on_when_it_was_entered(desk: Begin, client_id: str) -> None:
    at = desk(sign_in="device-code", client_id=client_id)
    done = at.call("plan", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pending"] > 0
    assert len(at.codes) == 1
    assert at.codes[0] not in done.stdout


def test_a_run_signs_in_once_and_its_kernels_get_their_tokens_from_it(desk: Begin, client_id: str) -> None:
    at = desk(sign_in="device-code", client_id=client_id)
    code, document = at.run("--sections", "1..3")
    assert code == 0, document
    assert len(at.codes) == 1
    assert [section["verdict"] for section in document["sections"][:3]] == ["passed"] * 3
    opening = read_journal(at.folder / document["record"])[0]
    assert (opening["actor"]["kind"], opening["actor"]["name"]) == ("user", at.tenant.person("Global Administrator"))


BROWSER = """
import json, pathlib, sys
from entra_sandbox import attendant
from runbook.errors import HandOver
folder = pathlib.Path(__file__).parent
with (folder / "opened").open("a") as file:
    file.write("once\\n")
try:
    attendant.attend(json.loads((folder / "ready.json").read_text()), HandOver("admin_consent", "", sys.argv[1]), str)
except attendant.Lost:
    pass  # the last page is msal's own, and says nothing of a consent
"""


def test_a_browser_is_opened_once_in_a_run(desk: Begin, client_id: str, tenant: Tenant) -> None:
    at = desk(sign_in="browser", client_id=client_id)
    (at.folder / "ready.json").write_text(json.dumps(tenant.ready))
    (at.folder / "person.py").write_text(BROWSER)
    code, document = at.run("--sections", "1..2", BROWSER=f"{sys.executable} {at.folder / 'person.py'} %s &")
    assert code == 0, document
    assert (at.folder / "opened").read_text() == "once\n"
