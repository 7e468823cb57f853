"""Where the notebooks lie: in a clone at the top level, in an installed wheel inside the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from runbook.errors import RunbookError
from runbook.sections import NAMES


def folder() -> Path:
    """The folder with the notebooks as they were written, without outputs."""
    package = Path(str(files("runbook")))
    for candidate in (package / "_notebooks", package.parent / "notebooks"):
        if (candidate / "00_start.ipynb").is_file():
            return candidate
    raise RunbookError(
        "the notebooks are not there",
        meaning="the installation is incomplete.",
        next_step="install the package again.",
    )


def notebook_name(section: str) -> str:
    """The file name of the notebook of a section, such as ``03_redirect_uri.ipynb``."""
    return f"{NAMES.index(section) + 1:02d}_{section}.ipynb"


def notebook(section: str) -> Path:
    """The notebook of a section."""
    return folder() / notebook_name(section)
