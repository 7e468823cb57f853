"""What the notebooks call: ``step = notebook.open("redirect_uri", globals())``, then one method a cell."""

from runbook.notebook.action_step import open as open_action
from runbook.notebook.step import open, start

__all__ = ["open", "open_action", "start"]
