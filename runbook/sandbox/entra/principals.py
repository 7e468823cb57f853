"""The service principal of an application in a tenant where it is used for the first time."""

from __future__ import annotations

import uuid

from runbook.sandbox.entra.directory import Client, Tenant, service_principal
from runbook.sandbox.store import Document, Store

__all__ = ["ensure_principal"]

_COPIED = ("displayName", "signInAudience", "servicePrincipalNames", "appRoles", "info", "tags")


def ensure_principal(store: Store, tenant: Tenant, client: Client) -> Document:
    """The application's service principal in the tenant; made from its registration at the first consent."""
    found = service_principal(store, tenant, client.app_id)
    if found is not None:
        return found
    registered = client.document
    document: Document = {
        "id": str(uuid.uuid4()),
        "deletedDateTime": None,
        "accountEnabled": True,
        "appDisplayName": client.name,
        "appId": client.app_id,
        "appOwnerOrganizationId": client.home,
        "appRoleAssignmentRequired": False,
        "oauth2PermissionScopes": (registered.get("api") or {}).get("oauth2PermissionScopes") or [],
        "replyUrls": (registered.get("web") or {}).get("redirectUris") or [],
        "servicePrincipalNames": [*(registered.get("identifierUris") or ()), client.app_id],
        "servicePrincipalType": "Application",
    }
    document |= {name: registered[name] for name in _COPIED if registered.get(name)}
    return store.put("servicePrincipal", document, tenant.id)
