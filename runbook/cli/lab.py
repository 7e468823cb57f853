"""``runbook lab``: JupyterLab on a working copy of the notebooks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["copy_notebooks", "lab"]

# JupyterLab asks the internet for news unless told otherwise.
SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


def lab(folder: Path = Path("runbook-notebooks"), *, browser: bool = True) -> int:
    """Copy the notebooks to ``folder`` and open JupyterLab on it; returns JupyterLab's exit code.

    Notebooks that are there already are kept as they are: they may have been edited.
    """
    copied = copy_notebooks(folder)
    print(f"{folder}: {copied} notebooks copied" if copied else f"{folder}: your notebooks are kept", file=sys.stderr)
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"]
    command += ["--LabApp.default_url=/lab/tree/00_start.ipynb"]
    command += [] if browser else ["--no-browser"]
    if sys.platform != "win32":
        # JupyterLab takes this process over, so signals and the exit code are its own.
        os.execve(sys.executable, command, _environment(folder))
    return subprocess.run(command, env=_environment(folder), check=False).returncode


def copy_notebooks(folder: Path) -> int:
    """Copy the notebooks that are not in ``folder`` yet; returns how many."""
    from runbook.runs.sources import folder as sources

    count = 0
    for source in sorted(sources().rglob("*.ipynb")):
        target = folder / source.relative_to(sources())
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            count += 1
    return count


def _environment(folder: Path) -> dict[str, str]:
    """The environment of JupyterLab: news off by a configuration of its own, which the user's may still override."""
    from runbook import whole

    configuration = folder / ".jupyter" / "labconfig"
    configuration.mkdir(parents=True, exist_ok=True)
    whole.write(configuration / "default_setting_overrides.json", json.dumps(SETTINGS, indent=2) + "\n")
    path = os.pathsep.join(
        filter(None, [str(configuration.parent.resolve()), os.environ.get("JUPYTER_CONFIG_PATH", "")])
    )
    return {**os.environ, "JUPYTER_CONFIG_PATH": path}
