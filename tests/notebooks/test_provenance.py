"""A record says who acted, with which tool, and with which notebooks."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import pytest

from runbook import __version__
from runbook.clients.entra import Identity
from runbook.errors import SignInError
from runbook.runs import provenance
from runbook.runs.provenance import folder
from runbook.records.journal import read
from tests.notebooks.conftest import Desk

FIRST = "01_select_actions.ipynb"


def started(desk: Desk, *before: Path) -> dict[str, Any]:
    """The opening of the newest record."""
    (record,) = set((desk.folder / "records").glob("*")) - set(before)
    return read(record)[0]


def check(desk: Desk, opening: dict[str, Any]) -> None:
    ready = json.loads((desk.folder / "ready.json").read_text())
    actor = opening["actor"]
    assert (actor["kind"], actor["name"]) == ("app", "Contoso Identity Automation")
    assert (actor["client_id"], actor["tenant_id"]) == (ready["client_id"], ready["tenant_id"])
    assert actor["object_id"]
    assert opening["tool"] == {
        "name": "entra-id-runbook",
        "version": __version__,
        "python": platform.python_version(),
    }
    (section,) = opening["sections"]
    assert (section["notebook"], section["sha256"]) == (
        FIRST,
        hashlib.sha256((folder() / FIRST).read_bytes()).hexdigest(),
    )


def test_a_run_and_a_notebook_alone_say_who_acted_with_what(desk: Desk) -> None:
    done = desk.call("runbook", "run", "--parameters", str(desk.parameters), "--sections", "1..1")
    assert done.returncode == 0, done.stderr
    opening = started(desk)
    check(desk, opening)
    summary = json.loads((desk.folder / "records" / opening["run_id"] / "summary.json").read_text())
    assert (summary["actor"], summary["tool"]) == (opening["actor"], opening["tool"])

    before = tuple((desk.folder / "records").glob("*"))
    done, _ = desk.papermill(folder() / FIRST, "-f", str(desk.parameters))
    assert done.returncode == 0, done.stderr[-2000:]
    check(desk, started(desk, *before))


def test_a_person_is_named_by_sign_in_name_and_tenant() -> None:
    person = Identity("user", "adele@contoso.com", "oid-1", "tid-1", ("User.Read",), ())
    assert provenance.actor(lambda: person, "an application") == {
        "kind": "user",
        "name": "adele@contoso.com",
        "object_id": "oid-1",
        "tenant_id": "tid-1",
    }


def test_a_refused_sign_in_is_recorded_with_its_reason() -> None:
    def refused() -> Identity:
        raise SignInError("Entra ID gave no token.", code="AADSTS7000215")

    assert provenance.actor(refused, "an application") == {
        "kind": "unknown",
        "client_id": "an application",
        "reason": "AADSTS7000215",
    }


@pytest.mark.parametrize("name", ["", FIRST])
def test_a_copy_that_a_person_opened_is_hashed_as_it_was_saved(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / FIRST
    own.write_text("edited")
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / name) if name else "")
    origin = provenance.notebook_origin(FIRST)
    assert origin["sha256"] == hashlib.sha256((folder() / FIRST).read_bytes()).hexdigest()
    assert origin.get("opened_sha256") == (hashlib.sha256(b"edited").hexdigest() if name else None)
