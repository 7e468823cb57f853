"""The actions of the guide, the permissions that they take, and the smallest set for a choice of them."""

from runbook.catalog.guide import select
from runbook.catalog.loader import actions, base_permissions, default_actions, permissions, power_words, presets
from runbook.catalog.model import Access, Action, Permission, PermissionType, Preset
from runbook.catalog.names import action, parse_list, resolve
from runbook.catalog.scopes import PermissionSet, Scopes, compute

__all__ = [
    "Access",
    "Action",
    "Permission",
    "PermissionSet",
    "PermissionType",
    "Preset",
    "Scopes",
    "action",
    "actions",
    "base_permissions",
    "compute",
    "default_actions",
    "parse_list",
    "permissions",
    "power_words",
    "presets",
    "resolve",
    "select",
]
