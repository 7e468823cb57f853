"""``/policies/appManagementPolicies``: learn.microsoft.com/graph/api/resources/appmanagementpolicy

They are assigned at the application or service principal, one each, and listed there and as ``appliesTo``.
"""

from __future__ import annotations

from entra_sandbox.graph import app_management, errors
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Link, Resource


def create(_call: Call, doc: Document) -> Document:
    """A policy that binds nothing until it is assigned."""
    _check(doc)
    return {"isEnabled": False, "description": None, **doc}


def update(_call: Call, old: Document, changes: Document) -> Document:
    """Every part that is named is replaced."""
    _check({**old, **changes})
    return changes


def _check(doc: Document) -> None:
    for kind in ("passwordCredentials", "keyCredentials"):
        rules = (doc.get("restrictions") or {}).get(kind) or []
        types = [rule.get("restrictionType") for rule in rules]
        if len(set(types)) < len(types):
            raise errors.invalid_value(kind, "AppManagementPolicy")
        if any(str(rule.get("restrictionType")).endswith("Lifetime") and not rule.get("maxLifetime") for rule in rules):
            raise errors.missing_value("maxLifetime", "AppManagementPolicy")


register(
    Resource(
        path="policies/appManagementPolicies",
        entity="appManagementPolicy",
        operations=("list", "get", "create", "update", "delete"),
        required=("displayName", "restrictions"),
        advanced=False,
        quota=False,
        create=create,
        update=update,
        present=app_management.shown,
        links=(
            Link(
                "appliesTo",
                "application.appManagementPolicies servicePrincipal.appManagementPolicies",
                ("application", "servicePrincipal"),
                reverse=True,
            ),
        ),
    )
)
