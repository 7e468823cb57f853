"""A served sandbox, and journeys through the sections with a choice of their own on it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox.server import running

from runbook.errors import HandOver, Parked
from runbook.operations import section
from runbook.parameters import Parameters, parse
from runbook.records.journal import Journal, read
from runbook.sections import NAMES
from runbook.tenant.base import Context, SectionResult, open_context, plan_sections, run_section
from runbook.tenant.changes import Change, pending
from runbook.tenant.permissions import Permissions

BOTH = ("delegated", "application")
READS = ("list_users", "get_user", "list_groups", "get_organization")


def nobody(_target: object, _journal: object) -> Callable[[HandOver], None]:
    """Where nobody is there to act."""

    def park(item: HandOver) -> None:
        raise Parked(item)

    return park


@dataclass
class Journey:
    """One choice on the shared sandbox, run section by section as a run does, each time with its own journal."""

    records: Path
    values: dict[str, Any]
    journals: list[Path] = field(default_factory=list)

    def params(self, **changes: Any) -> Parameters:
        return parse({**self.values, **changes})

    @contextmanager
    def context(self, journal: Journal | None = None, **changes: Any) -> Iterator[Context]:
        """A context (by default without a record), for looking at the tenant or damaging it."""
        with open_context(self.params(**changes), journal) as ctx:
            yield ctx

    def journal(self) -> Journal:
        """A new journal."""
        journal = Journal.create(self.records, secrets.token_hex(6))
        self.journals.append(journal.path)
        return journal

    def run(self, *names: str, stop: bool = True, **changes: Any) -> dict[str, SectionResult]:
        """Run the sections (all eight by default) until one does not pass; results by name."""
        results: dict[str, SectionResult] = {}
        with self.context(self.journal(), **changes) as ctx:
            for name in names or NAMES:
                results[name] = run_section(ctx, section(name), apply=True)
                if stop and results[name].verdict != "passed":
                    break
        return results

    def plan(self, *names: str, **changes: Any) -> dict[str, list[Change]]:
        """The pending changes by section, without those that stay the same."""
        with self.context(**changes) as ctx:
            found = plan_sections(ctx, [section(name) for name in names or NAMES])
        return {name: pending(of_section) for name, of_section in found.items() if pending(of_section)}

    def writes(self) -> dict[str, int]:
        """Writes of the last run by section, as its journal has them."""
        counts: dict[str, int] = {}
        for event in read(self.journals[-1]):
            if event["event"] == "http.intent":
                counts[event["section"]] = counts.get(event["section"], 0) + 1
        return counts

    def journal_text(self) -> str:
        return "".join(path.read_text() for path in self.journals)


REGISTERS = ("Application.ReadWrite.All", "Directory.Read.All", "Policy.Read.All")


def of_administrator(ready: dict[str, Any], own: Journey, folder: Path, *permissions: str) -> Path:
    """The ready file of an administrator's application of its own that has exactly these permissions."""
    with own.context() as ctx:
        graph = Permissions.read(ctx)
        made: Any = ctx.graph.post("/applications", {"displayName": "Registrar"})
        principal: Any = ctx.graph.post("/servicePrincipals", {"appId": made["appId"]})
        for name in permissions:
            role = {"principalId": principal["id"], "resourceId": graph.resource_id}
            role["appRoleId"] = graph.ids["application"][name]
            ctx.graph.post(f"/servicePrincipals/{graph.resource_id}/appRoleAssignedTo", role)
        added: Any = ctx.graph.post(f"/applications/{made['id']}/addPassword", {"passwordCredential": {}})
    # The files of a ready line lie in one folder.
    secret = Path(ready["client_secret_file"]).with_name(f"registrar-{secrets.token_hex(4)}")
    secret.touch(mode=0o600)
    secret.write_text(added["secretText"])
    file = folder / "registrar.json"
    file.write_text(json.dumps({**ready, "client_id": made["appId"], "client_secret_file": str(secret)}))
    return file


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A served sandbox of this module's own, and a home in which no secret of anybody else lies."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, running(home / "sandbox.db") as ready:
        for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            patch.setenv(name, str(home))
        file = home / "ready.json"
        file.write_text(json.dumps(ready))
        yield {**ready, "file": str(file)}


@pytest.fixture
def journey(sandbox: dict[str, Any], tmp_path: Path) -> Callable[..., Journey]:
    """Begin a journey whose application, profile and account nobody else uses."""

    def begin(**values: Any) -> Journey:
        own = secrets.token_hex(4)
        defaults = {
            "sandbox_file": sandbox["file"],
            "application_name": f"Connector {own}",
            "unique_name": f"connector-{own}",
            "connector_profile_name": f"Entra {own}",
            "account_owner_id": f"owner-{own}",
            "secret_store": "file",
            "actions": list(READS),
            "permission_types": list(BOTH),
        }
        return Journey(tmp_path, {**defaults, **values})

    return begin


@pytest.fixture
def ill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A journey on a sandbox of its own that plays the given illnesses from the first request on."""

    @contextmanager
    def begin(*illnesses: dict[str, Any], **values: Any) -> Iterator[Journey]:
        for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            monkeypatch.setenv(name, str(tmp_path))
        faults = tmp_path / "faults.json"
        faults.write_text(json.dumps({"seed": 5, "illnesses": illnesses}))
        with running(tmp_path / "sandbox.db", faults=faults) as ready:
            file = tmp_path / "ready.json"
            file.write_text(json.dumps(ready))
            defaults = {"sandbox_file": str(file), "secret_store": "file", "actions": ["list_users"]}
            defaults["permission_types"] = list(BOTH)
            yield Journey(tmp_path / "records", {**defaults, **values})

    return begin
