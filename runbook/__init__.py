"""Connect Microsoft Entra ID to StackOne, section by section, through their APIs.

Importing this package touches no network and none of the heavy libraries; they are imported where they are used.
"""

__all__ = ["__version__"]

from runbook.version import VERSION as __version__
