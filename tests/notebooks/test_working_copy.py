"""``runbook lab`` works on a copy: what somebody edited there is kept."""

from __future__ import annotations

from pathlib import Path

from runbook.cli.lab import _copy_notebooks
from runbook.runs.provenance import folder


def test_every_notebook_is_copied_once_and_an_edited_one_is_kept(tmp_path: Path) -> None:
    copy = tmp_path / "mine"
    assert _copy_notebooks(copy) == len(list(folder().rglob("*.ipynb")))
    (copy / "00_start.ipynb").write_text("edited")
    (copy / "01_select_actions.ipynb").unlink()
    assert _copy_notebooks(copy) == 1
    assert (copy / "00_start.ipynb").read_text() == "edited"
