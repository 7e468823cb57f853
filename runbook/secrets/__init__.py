"""Secret values and the stores that keep them; everything else holds a reference only."""

from runbook.secrets.secret import Secret

__all__ = ["Secret"]
