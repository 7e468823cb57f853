"""The panels that some sections show besides their rows of evidence, made from their facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook import catalog
from runbook.widgets.key_value import KeyValue
from runbook.widgets.matrix import ActionMatrix, PermissionMatrix
from runbook.widgets.panel import Panel
from runbook.widgets.secret_ages import SecretAges

if TYPE_CHECKING:
    from runbook.catalog.scopes import Scopes


def panels(section: str, facts: Mapping[str, Any], scopes: Scopes | None = None) -> list[Panel]:
    """What the facts of ``section`` look like: the client id, the ages of secrets, permissions, the matrix of actions.

    ``scopes`` says why a permission is wanted.
    """
    shown: list[Panel] = []
    if section == "register_application" and facts.get("application"):
        shown.append(KeyValue("Application (client) id", str(facts["application"]["app_id"])))
    if section == "client_secret" and facts.get("secrets"):
        shown.append(SecretAges(facts["secrets"]))
    if section == "verify_actions" and facts.get("actions"):
        shown.append(ActionMatrix(facts["actions"]))
    if section in ("api_permissions", "verify_actions") and facts.get("permissions"):
        shown.append(PermissionMatrix(facts["permissions"], _reasons(scopes)))
    return shown


def _reasons(scopes: Scopes | None) -> dict[str, dict[str, str]]:
    """By type and permission, the actions that need it."""
    if scopes is None:
        return {}
    base = dict.fromkeys(scopes.base, "sign-in")
    kinds: tuple[catalog.PermissionType, ...] = ("delegated", "application")
    return {
        kind: (base if kind == "delegated" else {})
        | {name: ", ".join(catalog.action(slug).name for slug in slugs) for name, slugs in scopes.of(kind).why.items()}
        for kind in kinds
    }
