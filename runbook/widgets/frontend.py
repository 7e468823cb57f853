"""The running notebook: showing something in the current cell, and changing it later."""

from __future__ import annotations

from typing import Any

__all__ = ["replace", "show"]


def show(shown: Any, display_id: str | None = None) -> None:
    """Show an object in the cell that runs; with ``display_id`` it can be replaced later."""
    from IPython.display import display

    display(shown, display_id=display_id)  # type: ignore[no-untyped-call]


def replace(shown: Any, display_id: str) -> None:
    """Show an object wherever ``display_id`` was shown before."""
    from IPython.display import update_display

    update_display(shown, display_id=display_id)  # type: ignore[no-untyped-call]
