"""The size of the house and what lies about in it: lines of code, long functions, dead code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.lines_of_code import by_room, functions

ROOT = Path(__file__).resolve().parent.parent
# 11,500 for the eight sections and one action; the rest for what comes after the first day.
MOST = 15_225


def test_the_package_grows_no_further() -> None:
    assert by_room(ROOT / "runbook").total() <= MOST


def test_no_file_and_no_function_is_long() -> None:
    files = sorted((ROOT / "runbook").rglob("*.py"))
    assert not [path for path in files if len(path.read_text(encoding="utf-8").splitlines()) >= 400]
    assert not {name: length for path in files for name, length in functions(path).items() if length > 60}


def test_no_code_is_dead_but_what_is_reviewed() -> None:
    allowed = str(ROOT / "tests" / "vulture_allowed.py")
    command = [sys.executable, "-m", "vulture", "runbook", allowed, "--min-confidence", "60"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
