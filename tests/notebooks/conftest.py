"""A served sandbox, and a folder with a parameters file in which notebooks are executed as a user would."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
import yaml

from entra_sandbox.server import running
from tests.conftest import environment


@dataclass(frozen=True)
class Desk:
    """A folder, a HOME, a sandbox and the parameters file that names it."""

    folder: Path
    home: Path
    parameters: Path
    secrets: tuple[str, ...]

    def call(self, *command: str, timeout: float = 240, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a Python module's command line in the folder."""
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env=environment(self.home, **extra),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def papermill(self, notebook: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], Path]:
        """Papermill's own command; returns what it said and the executed notebook."""
        out = self.folder / notebook.name
        return self.call("papermill", str(notebook), str(out), "--no-progress-bar", *arguments), out


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder, home = tmp_path_factory.mktemp("desk"), tmp_path_factory.mktemp("home")
    with running(home / "sandbox" / "state.sqlite3") as ready:
        (folder / "ready.json").write_text(json.dumps(ready))
        parameters = folder / "params.yaml"
        chosen = {"sandbox_file": str(folder / "ready.json"), "actions": ["List Users", "Create Group"]}
        parameters.write_text(yaml.safe_dump(chosen))
        known = tuple(Path(ready[name]).read_text().strip() for name in ("client_secret_file", "stackone_api_key_file"))
        passwords = tuple(str(user["password"]) for user in ready["users"].values())
        yield Desk(folder, home, parameters, known + passwords)


def shown(path: Path) -> str:
    """Everything that an executed notebook shows as text."""
    book = nbformat.read(path, as_version=4)
    parts = []
    for cell in book.cells:
        for output in cell.get("outputs", []):
            parts += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
            parts += output.get("traceback", [])
    return "\n".join(parts)
