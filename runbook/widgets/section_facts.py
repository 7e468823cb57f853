"""The panels that some sections show besides their rows of evidence, made from their facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook.widgets.matrix import ActionMatrix, PermissionMatrix
from runbook.widgets.panel import Panel

__all__ = ["panels"]


def panels(section: str, facts: Mapping[str, Any]) -> list[Panel]:
    """What the facts of ``section`` look like: the permission table of section 4, the matrix of section 8."""
    shown: list[Panel] = []
    if section == "verify_actions" and facts.get("actions"):
        shown.append(ActionMatrix(facts["actions"]))
    if section in ("api_permissions", "verify_actions") and facts.get("permissions"):
        shown.append(PermissionMatrix(facts["permissions"]))
    return shown
