"""A connector application that is set up on a served sandbox, and the notebook executed for it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from runbook.parameters import Parameters, parse
from runbook.records.journal import Journal, read
from runbook.runs.engine import Execution, execute
from runbook.runs.provenance import folder
from runbook.sections import NAMES, section
from runbook.tenant.base import open_context, run_section
from tests.sections.conftest import sandbox

__all__ = ["Executed", "Run", "sandbox"]

ACTIONS = ("list_users", "get_user", "create_user", "list_groups", "create_group", "update_group", "delete_group")


@dataclass(frozen=True)
class Executed:
    """How the notebook ended, what it left on disk, and what is in its record (if it made one)."""

    execution: Execution
    text: str
    record: Path | None
    files: tuple[Path, ...]

    @property
    def events(self) -> list[dict[str, Any]]:
        assert self.record is not None
        return read(self.record)

    def calls(self, method: str) -> list[dict[str, Any]]:
        """Calls to Graph with this method, reads and writes."""
        kinds = ("http.call", "http.outcome")
        return [e for e in self.events if e["event"] in kinds and e["service"] == "graph" and e["method"] == method]


Run = Callable[..., Executed]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of notebooks that run in this process lie in the folder of the test."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def connected(sandbox: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Parameters:
    """The parameters of a connector application that all eight sections have been through but the proof."""
    own = secrets.token_hex(4)
    params = parse(
        {
            "sandbox_file": sandbox["file"],
            "unique_name": f"connector-{own}",
            "application_name": f"Connector {own}",
            "connector_profile_name": f"Entra {own}",
            "account_owner_id": f"owner-{own}",
            "secret_store": "file",
            "actions": list(ACTIONS),
            "permission_types": ["delegated", "application"],
        }
    )
    journal = Journal.create(tmp_path_factory.mktemp("records"), own)
    with open_context(params, journal) as ctx:
        for name in NAMES[:-1]:
            result = run_section(ctx, section(name), apply=True)
            assert result.verdict == "passed", (name, result.error)
    return params


@pytest.fixture
def run(connected: Parameters, tmp_path: Path) -> Run:
    """Execute ``operations/run_action`` with nobody there."""

    def go(**values: Any) -> Executed:
        records = tmp_path / "records"
        before = set(records.glob("*"))
        choice = {**connected.model_dump(mode="json"), "records": str(records), "apply": None}
        file = tmp_path / "choice.json"
        file.write_text(json.dumps(choice))
        output = tmp_path / f"{secrets.token_hex(4)}.ipynb"
        source = folder() / "operations" / "run_action.ipynb"
        execution = execute(source, output, {"parameters_file": str(file), "as_": "application", **values})
        made = set(records.glob("*")) - before
        assert len(made) <= 1
        record = made.pop() if made else None
        files = (output, *(path for path in records.rglob("*") if path.is_file()))
        return Executed(execution, _outputs(output), record, files)

    return go


def _outputs(path: Path) -> str:
    """Everything that the executed notebook shows, as text."""
    book = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    shown = [output for cell in book.cells for output in cell.get("outputs", ())]
    return "\n".join(str(o.get("data", {}).get("text/plain") or o.get("text") or o.get("evalue") or "") for o in shown)
