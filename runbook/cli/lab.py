"""``runbook lab``: JupyterLab on a working copy of the notebooks."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runbook import whole
from runbook.runs.engine import SAFE_PATH
from runbook.runs.provenance import folder as sources

FOLDER = Path("runbook-notebooks")
# JupyterLab asks the internet for news unless told otherwise.
_SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


def lab(folder: Path = FOLDER, options: Sequence[str] = ()) -> int:
    """Copy the notebooks to ``folder`` and open JupyterLab on it, with further ``options`` of its own; its exit code.

    Notebooks that are there already are kept as they are: they may have been edited. What else lies in ``folder`` or
    in the folder one stands in is no configuration of JupyterLab.
    """
    copied = _copy_notebooks(folder)
    print(f"{folder}: {copied} notebooks copied" if copied else f"{folder}: your notebooks are kept", file=sys.stderr)
    command = [sys.executable, "-P", "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"]
    command += ["--LabApp.default_url=/lab/tree/00_start.ipynb", f"--ContentsManager.pre_save_hook={__name__}.plain"]
    command += options
    home = _home()
    environment = {**_environment(home), **SAFE_PATH}
    if sys.platform != "win32":
        # Jupyter reads configuration from the folder that it is started in.
        os.chdir(home)
        # JupyterLab takes this process over, so signals and the exit code are its own.
        os.execve(sys.executable, command, environment)
    return subprocess.run(command, cwd=home, env=environment, check=False).returncode


def plain(model: dict[str, Any], **_: object) -> None:
    """Jupyter's ``pre_save_hook``: a saved notebook shows the plain twins, and not widgets that end with the kernel."""
    for cell in (model.get("content") or {}).get("cells", ()) if model["type"] == "notebook" else ():
        if "outputs" in cell:
            marks = [output.get("metadata", {}).get("runbook", {}) for output in cell["outputs"]]
            cell["outputs"] = [o for o, mark in zip(cell["outputs"], marks, strict=True) if not mark.get("live")]


def _copy_notebooks(folder: Path) -> int:
    """Copy the notebooks that are not in ``folder`` yet; returns how many."""

    count = 0
    for source in sorted(sources().rglob("*.ipynb")):
        target = folder / source.relative_to(sources())
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            count += 1
    return count


def _home() -> Path:
    """A private folder for what JupyterLab is told: the user's own where it can be written."""
    import platformdirs

    own = platformdirs.user_cache_path("entra-id-runbook", appauthor=False) / "lab"
    try:
        own.mkdir(parents=True, exist_ok=True, mode=0o700)
        own.chmod(0o700)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="entra-id-runbook-"))
    return own


def _environment(home: Path) -> dict[str, str]:
    """The environment of JupyterLab: news off by a configuration of its own, which the user's may still override."""

    configuration = home / "config" / "labconfig"
    configuration.mkdir(parents=True, exist_ok=True)
    whole.write(configuration / "default_setting_overrides.json", json.dumps(_SETTINGS, indent=2) + "\n")
    path = os.pathsep.join(filter(None, [str(configuration.parent), os.environ.get("JUPYTER_CONFIG_PATH", "")]))
    return {**os.environ, "JUPYTER_CONFIG_PATH": path}
