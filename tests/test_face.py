"""The package's face: exactly what is documented, fetched when it is used, and it works."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import runbook
from runbook import errors
from tests.conftest import environment

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "in-a-script.md").read_text(encoding="utf-8")
ERRORS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.RunbookError)
}
VERBS = {
    *("call", "choose", "connect", "load", "plan", "read_record", "run", "save", "scopes", "summarise"),
    "verify_record",
}


def test_the_face_is_exactly_this() -> None:
    assert set(runbook.__all__) == {"__version__", *VERBS, *ERRORS}
    assert set(dir(runbook)) == set(runbook.__all__)
    for name in runbook.__all__:
        assert getattr(runbook, name) is not None


def test_a_type_checker_sees_the_same_face() -> None:
    tree = ast.parse((ROOT / "runbook" / "__init__.py").read_text(encoding="utf-8"))
    told = {
        alias.asname: (node.module, alias.name)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    fetched = {name: ("errors", name) for name in ERRORS} | runbook._FACE
    assert told == {name: (f"runbook.{module}", attribute) for name, (module, attribute) in fetched.items()}


def test_what_is_not_in_the_face_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Context"):
        runbook.Context  # noqa: B018


def test_every_name_of_the_face_is_documented() -> None:
    assert not [name for name in (*VERBS, *ERRORS) if not re.search(rf"`{name}[`(]", PAGE)]


def test_the_documented_script_runs(tmp_path: Path, clean_home: Path) -> None:
    example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert example
    command = [sys.executable, "-c", example[1]]
    env = environment(clean_home)
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "passed True" in done.stdout
    assert "userPrincipalName" in done.stdout
