"""What notebooks show: one thing a file, each with ``value``, ``layout``, ``display`` and a plain-table twin."""

from runbook.widgets.panel import Area, Panel
from runbook.widgets.table import Table

__all__ = ["Area", "Panel", "Table"]
