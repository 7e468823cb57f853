"""A wait is shown where it happens and told to the one who executes the notebook; its last state stays."""

from __future__ import annotations

import json
from pathlib import Path

from entra_sandbox.server import running
from runbook.runs.engine import execute
from runbook.runs.provenance import notebook
from tests.notebooks.conftest import shown


def test_a_section_that_waits_for_a_replica_says_what_for_and_keeps_the_last_word(tmp_path: Path) -> None:
    faults, ready_file, out = tmp_path / "faults.json", tmp_path / "ready.json", tmp_path / "out.ipynb"
    faults.write_text(json.dumps({"seed": 1, "illnesses": [{"kind": "lag", "read": [3, 4], "link": [0, 0]}]}))
    told: list[str] = []
    with running(tmp_path / "state.sqlite3", faults=faults) as ready:
        ready_file.write_text(json.dumps(ready))
        chosen = tmp_path / "choice.json"
        chosen.write_text(json.dumps({"sandbox_file": str(ready_file), "records": str(tmp_path / "records")}))
        assert execute(notebook("register_application"), out, {"parameters_file": str(chosen)}, told.append).ok
    assert len(told) > 1
    assert all(line.startswith("waiting until ") and ": seen " in line for line in told)
    assert [line for line in shown(out).splitlines() if line.startswith("Waited: ")] == [f"Waited: {told[-1]}"]
