"""The benchmarks' one command: what it runs, what it prints, and what it writes into their README."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.__main__ import names
from benchmarks.harness import Claim, Table

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.mark.parametrize("name", names())
def test_every_benchmark_has_a_title_and_measures_so_many_rounds_of_a_size(name: str) -> None:
    module = import_module(f"benchmarks.{name}")
    assert module.__doc__.splitlines()[0].endswith(".")
    assert list(inspect.signature(module.measure).parameters) == ["rounds", "small"]


def test_what_was_measured_is_written_at_its_place_and_a_missed_claim_fails_the_command(tmp_path: Path) -> None:
    own = tmp_path / "benchmarks"
    own.mkdir()
    for name in ("__main__.py", "harness.py", "README.md"):
        shutil.copy(FOLDER / name, own)
    bound = "from benchmarks.harness import *\ndef measure(rounds, small):\n"
    bound += "    return Table(('what', 's'), [('<one>', 2.0), ('two', {})], 's', (Claim('two', {}, at_most=3),))\n"
    for value, code in ((1.5, 0), (4.5, 1)):
        (own / "some.py").write_text('"""Some numbers."""\n' + bound.format(value, value))
        command = [sys.executable, "-B", "-m", "benchmarks", "some", "--rounds", "1", "--write"]
        done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        text = (own / "README.md").read_text()
        assert f"| two | {value} |" in text
        assert text.count("### Some numbers") == 1
        assert "&lt;one&gt;" in (own / "some.svg").read_text()
    assert "MISSED" in done.stdout


def test_a_claim_holds_between_its_bounds() -> None:
    assert Claim("x", 0.44, at_most=0.45).kept
    assert not Claim("x", 0.46, at_most=0.45).kept
    assert not Claim("x", 4.9, at_least=5).kept
    assert "kept" in Table(("a", "b"), [("x", 1.0)], "b", (Claim("x", 5, at_least=5),)).markdown()
