"""What the notebooks call: ``step = notebook.open("redirect_uri", globals())``, then one method a cell."""

from runbook.notebook.opening import start
from runbook.notebook.step import open

__all__ = ["open", "start"]
