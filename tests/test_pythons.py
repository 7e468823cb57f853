"""The package on every other Python that is here, which has none of the dependencies: it compiles, and begins."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ABOUT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOLDERS = [Path(each) for each in os.environ.get("PATH", "").split(os.pathsep) if each]
PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def _told(python: Path, *arguments: str) -> str:
    done = subprocess.run([python, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def others() -> dict[str, Path]:
    """By version, one interpreter of each that the package is for, but for the one that runs now."""
    found: dict[str, Path] = {}
    places = [*(folder / "python3" for folder in FOLDERS), *PYENV.glob("3.*/bin/python3")]
    places += [path for folder in FOLDERS for path in folder.glob("python3.[0-9]*") if path.name[-1].isdigit()]
    for path in places:
        if path.is_file() and os.access(path, os.X_OK) and "shims" not in path.parts:
            version = _told(path, "-c", VERSION)
            if re.fullmatch(r"3\.\d+", version) and int(version[2:]) >= 11:
                found.setdefault(version, path)
    found.pop(f"3.{sys.version_info.minor}", None)
    return found


def test_what_is_said_of_versions_is_what_was_tried() -> None:
    named = {text.rpartition(" ")[2] for text in ABOUT["classifiers"] if re.search(r":: 3\.\d+$", text)}
    assert named == {"3.11", "3.12", "3.13"}
    assert ABOUT["requires-python"] == ">=3.11"
    falls_short = (ROOT / "docs" / "falls-short.md").read_text(encoding="utf-8")
    assert "3.14" in falls_short


def test_every_module_compiles_on_every_other_python_that_is_here() -> None:
    code = (
        "import pathlib, sys, warnings; warnings.simplefilter('error'); sys.path.insert(0, sys.argv.pop(1));"
        "import runbook, runbook.errors, runbook.words, runbook.redirect_rules, runbook.whole;"
        "[compile(p.read_text(encoding='utf-8'), str(p), 'exec')"
        " for root in sys.argv[1:] for p in pathlib.Path(root).rglob('*.py')]; print('compiled')"
    )
    trees = [str(ROOT / name) for name in ("runbook", "sandbox/entra_sandbox", "tests", "docs")]
    assert {
        version: _told(path, "-P", "-c", code, str(ROOT), *trees) for version, path in others().items()
    } == dict.fromkeys(others(), "compiled")
