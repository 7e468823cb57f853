"""What a person is told to run exists: every command in the package's texts is understood by the real command line."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from entra_sandbox.server import running

from runbook import rehearsal
from runbook.cli.app import app
from runbook.errors import RunbookError
from tests.conftest import runner

ROOT = Path(__file__).resolve().parent.parent / "runbook"
COMMAND = re.compile(r"`(runbook [^`]+)`|(?:: +|^)(runbook (?!probe)[^`]+)$")
"""Between backticks, at the end of a line, or a whole one."""
NAMED = re.compile(
    r"runbook (?:actions|doctor|fleet|init|lab|plan|records|rotate|run|sandbox|scopes|secrets|sign-in|sign-out|status"
    r"|teardown|verify)\b"
)


def texts() -> Iterator[tuple[str, str]]:
    """Where, and what: the strings of code and tables that are shown; placeholders read ``x``."""
    for path in sorted(ROOT.rglob("*.json")):
        if path.name not in ("actions.json", "permissions.json"):
            yield from (
                (path.name, re.sub(r"\{[^{}]*\}", "x", text)) for text in _strings(json.loads(path.read_text()))
            )
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [str(each.value) if isinstance(each, ast.Constant) else "x" for each in node.values]
                yield path.name, "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (docs | inside):
                yield path.name, node.value


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


def understood(line: str) -> None:
    """Raise what the command line raises; an argument that is left for the reader to name may be missing."""
    whole = typer.Typer()
    whole.registered_callback, whole.registered_commands = app.registered_callback, app.registered_commands
    whole.registered_groups = [*app.registered_groups]
    whole.add_typer(rehearsal.commands(), name="sandbox")
    name, *words = shlex.split(re.sub(r"\bN\b", "2", line))
    command: Any = typer.main.get_command(whole)
    context = command.make_context(name, words, allow_extra_args=True, ignore_unknown_options=False)
    while hasattr(command, "commands"):
        word, command, words = command.resolve_command(context, context._protected_args + context.args)
        try:
            context = command.make_context(word, words, parent=context)
        except Exception as error:
            if type(error).__name__ not in ("MissingParameter", "NoArgsIsHelpError"):
                raise
            return


def test_every_command_in_a_text_stands_where_it_can_be_copied_and_is_one() -> None:
    found = {}
    for where, text in texts():
        lines = [first or second for line in text.split("\n") for first, second in COMMAND.findall(line)]
        assert len(lines) >= len(NAMED.findall(text)), (where, text)
        found |= dict.fromkeys(lines, where)
    assert len(found) > 15
    for line in found:
        understood(line)


def test_a_command_that_does_not_exist_is_found() -> None:
    for line in ("runbook mend", "runbook run --nope", "runbook records check x"):
        with pytest.raises(Exception, match=r"(?i)no such"):
            understood(line)


def test_a_path_in_a_command_of_an_error_is_read_whole_by_a_shell() -> None:
    error = RunbookError.named("readable_by_others", path="/my 'own/secrets", mode=0o644)
    (line,) = re.findall("`([^`]+)`", error.next_step)
    assert shlex.split(line) == ["chmod", "600", "/my 'own/secrets"]
    assert error.what.startswith("/my 'own/secrets can be read")


def test_the_last_lines_of_a_run_can_be_pasted(tmp_path: Path) -> None:
    """The folder of the records has a name that a shell would take apart."""
    folder = tmp_path / 'it\'s "my" $HOME'
    folder.mkdir()
    with running(tmp_path / "state.sqlite3") as ready:
        (folder / "ready.json").write_text(json.dumps(ready))
        records = str(folder / "re cords")
        done = runner(tmp_path, folder)("run", "--sandbox", "ready.json", "--sections", "1", "--records", records)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.split("\n") if line.startswith("Next:")).partition("with: ")[2]
    said = subprocess.run(
        ["bash", "-c", f'runbook() {{ printf "%s\\n" "$@"; }}; {line}'], capture_output=True, text=True, check=True
    )
    assert said.stdout.split("\n")[:3] == ["records", "verify", str(next(Path(records).iterdir()))]
