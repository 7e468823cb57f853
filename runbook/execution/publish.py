"""What is made of a journal that ends: summary, report and manifest, in this order, each whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["publish"]


def publish(folder: Path) -> dict[str, Any]:
    """Write summary, report and manifest of the record in ``folder``; the summary is returned.

    Raises :class:`RecordError` or ``OSError`` when something cannot be written.
    """
    from runbook.records import manifest, report, summary
    from runbook.records.journal import read

    folded = summary.fold(read(folder))
    summary.write(folder, folded)
    report.write(folder)
    manifest.seal(folder)
    return folded
