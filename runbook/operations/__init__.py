"""What one does beside the eight sections of the guide, in the same shape: read, plan, apply, verify."""

from importlib import import_module
from typing import TYPE_CHECKING

from runbook import sections

if TYPE_CHECKING:
    from runbook.tenant.base import Section

NAMES = ("rotate_secret", "teardown")
"""The operations that are modules; each has a notebook and a command."""


def section(name: str) -> "Section":
    """The section of the guide, or the operation, called ``name``; KeyError if there is none."""
    if name not in NAMES:
        return sections.section(name)
    module: Section = import_module(f"runbook.operations.{name}")
    return module
