"""What lies in the folder one stands in is not executed, by no process that the runbook starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Runner, environment

MODULES = ("uvicorn", "msal", "secrets", "httpx", "ipykernel", "runpy", "entra_sandbox", "yaml", "pathlib", "json")
TRAP = 'import pathlib\npathlib.Path(__file__).with_name("sprung").write_text(__name__)\nraise SystemExit(99)\n'


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A folder full of modules with names that the runbook and its children import, and of Jupyter's configuration."""
    for name in MODULES:
        (tmp_path / f"{name}.py").write_text(TRAP)
    for name in ("jupyter_config.py", "jupyter_server_config.py", "jupyter_lab_config.py", "ipython_config.py"):
        (tmp_path / name).write_text(TRAP)
        (tmp_path / ".jupyter").mkdir(exist_ok=True)
        (tmp_path / ".jupyter" / name).write_text(TRAP)
    return tmp_path


def sprung(folder: Path) -> list[Path]:
    return list(folder.rglob("sprung"))


def test_a_plan_and_a_run_with_their_kernels_and_sandbox_take_no_module_from_it(trapped: Path, command: Runner) -> None:
    for arguments in (("plan", "--sections", "1..2"), ("run", "--sections", "1..2")):
        done = command(*arguments)
        assert done.returncode == 0, done.stderr
        assert not sprung(trapped)


def test_neither_does_the_installed_command(trapped: Path, clean_home: Path, tmp_path: Path) -> None:
    (trapped / "runbook.py").write_text(TRAP)
    script = tmp_path / "bin" / "runbook"  # as pip writes it
    script.parent.mkdir()
    script.write_text("from runbook.cli.app import main\nmain()\n")
    command = [sys.executable, str(script), "plan", "--sections", "1..2"]
    done = subprocess.run(command, cwd=trapped, env=environment(clean_home), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not sprung(trapped)


def test_jupyterlab_takes_neither_configuration_nor_module_from_it(trapped: Path, command: Runner) -> None:
    done = command("lab", ".", "--", "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()[0].isdigit()
    shown = command("lab", "--", "--show-config")
    assert shown.returncode == 0, shown.stderr
    assert "runbook-notebooks" in shown.stdout
    assert not sprung(trapped)
