"""What is made of a finished journal: summary, report and manifest, in this order, each whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["publish"]


def publish(folder: Path) -> dict[str, Any]:
    """Write summary, report and manifest of the record in ``folder``; the summary is returned.

    Raises :class:`RecordError` or ``OSError`` when something cannot be written.
    """
    from runbook.records import summary
    from runbook.records.journal import read

    folded = summary.fold(read(folder))
    summary.write(folder, folded)
    return folded
