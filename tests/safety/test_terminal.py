"""What a tenant says is shown on the terminal and never obeyed, in text and in JSON."""

from __future__ import annotations

import json
from pathlib import Path

from entra_sandbox.server import running

from runbook.parameters import parse
from runbook.tenant.base import open_context
from tests.conftest import runner

HOSTILE = "Contoso \x1b[2J\x1b]0;owned\x07 \u202egnp.exe [red]alarm[/red]"


def test_a_hostile_name_reaches_the_terminal_as_text(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with running(tmp_path / "state.sqlite3") as line:
        (tmp_path / "ready.json").write_text(json.dumps(line))
        choice = {"sandbox_file": str(tmp_path / "ready.json"), "secret_store": "file"}
        with open_context(parse(choice)) as ctx:
            body = {"displayName": HOSTILE, "uniqueName": "stackone-entra-id-connector"}
            ours = ["entra-id-runbook", "entra-id-runbook:application:registered"]  # renamed since the runbook made it
            ctx.graph.post("/applications", body | {"tags": ours})
        command = runner(home, tmp_path)
        for more in ((), ("--json",)):
            done = command("plan", "--sandbox", "ready.json", "--sections", "2", *more)
            assert done.returncode == 0, done.stderr
            said = done.stdout + done.stderr
            assert all(mark.isprintable() or mark == "\n" for mark in said)
            assert "\\u202egnp.exe [red]alarm[/red]" in said
            assert not more or HOSTILE in json.dumps(json.loads(done.stdout), ensure_ascii=False).replace(
                "\\u001b", "\x1b"
            ).replace("\\u0007", "\x07")
