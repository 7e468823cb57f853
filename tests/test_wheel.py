"""Installed from its wheel, outside the clone, everything is there and works the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import environment

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the clone and installed into a folder of its own, without its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True)
    return folder / "site"


def test_the_wheel_carries_the_notebooks_and_every_data_file(site: Path) -> None:
    (wheel,) = site.parent.glob("*.whl")
    carried = set(zipfile.ZipFile(wheel).namelist())
    notebooks = {f"runbook/_notebooks/{p.relative_to(ROOT / 'notebooks')}" for p in ROOT.glob("notebooks/**/*.ipynb")}
    data = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "runbook").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    assert len(notebooks) >= 9
    assert notebooks | data <= carried


def test_a_run_from_the_wheel_passes_and_uses_the_wheels_own_code(site: Path, clean_home: Path, tmp_path: Path) -> None:
    run = [
        sys.executable,
        "-m",
        "runbook",
        "run",
        "--json",
        "--sections",
        "1..3",
        "--set",
        "unique_name=from-the-wheel",
    ]
    child = environment(clean_home, PYTHONPATH=str(site) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    where = [sys.executable, "-c", "import runbook; print(runbook.__file__)"]
    assert (
        str(site) in subprocess.run(where, cwd=tmp_path, env=child, capture_output=True, text=True, check=True).stdout
    )
    done = subprocess.run(run, cwd=tmp_path, env=child, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verdict"] == "passed"
