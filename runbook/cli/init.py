"""``runbook init``: a commented parameters file by asking; each answer is checked before the next question."""

from pathlib import Path
from typing import Any

import typer
import yaml

from runbook import catalog, data, whole
from runbook.errors import InputError, Problem, pasted
from runbook.parameters import parse, typed


def write(file: Path) -> None:
    """Ask, and write ``file``. Raises :class:`InputError` if it is there already."""
    if file.exists():
        raise InputError(Problem(str(file), "is there already.", "Edit it, or name another file."))
    values: dict[str, Any] = {}
    text = "# Parameters of the Entra ID runbook; the book lists all of them. No secret belongs in here.\n"
    for question in data.table("cli/init.json"):
        if not question.get("real") or values["target"] == "entra":
            name = question["name"]
            values[name] = _answer(values, name, f"\n{question['about']}\n{name}", question.get("default"))
            text += f"\n# {question['about']}\n{yaml.safe_dump({name: values[name]}, allow_unicode=True)}"
    whole.write(file, text)
    typer.echo(f"\nWritten: {file}\nNext:    runbook doctor --parameters {pasted(file)}", err=True)


def _answer(values: dict[str, Any], name: str, asked: str, default: str | None) -> Any:
    while True:
        said = typer.prompt(asked, default, err=True).strip()
        preset = catalog.presets().get(said) if name == "actions" else None
        value = list(preset.actions) if preset else typed(name, said)
        try:
            parse({**values, name: value})
        except InputError as error:
            # What is amiss besides comes with a later question.
            if wrong := [problem for problem in error.problems if problem.where == name]:
                typer.echo("\n".join(map(str, wrong)), err=True)
                continue
        return value
