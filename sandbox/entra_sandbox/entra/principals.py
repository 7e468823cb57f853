"""The service principal that an application has in a tenant where it is used."""

from __future__ import annotations

import uuid

from entra_sandbox.entra.directory import Client, Tenant, service_principal
from entra_sandbox.store import Document, Store


def ensure_principal(store: Store, tenant: Tenant, client: Client) -> Document:
    """The application's service principal in the tenant; made from its registration at the first consent."""
    found = service_principal(store, tenant, client.app_id)
    if found is not None:
        return found
    document = {**from_application(client.document, client.home), "id": str(uuid.uuid4()), "deletedDateTime": None}
    return store.put("servicePrincipal", document, tenant.id)


def from_application(application: Document, home: str) -> Document:
    """The properties that a service principal takes from its application."""
    platforms = [(application.get(name) or {}).get("redirectUris") or [] for name in ("web", "spa", "publicClient")]
    return {
        "accountEnabled": True,
        "alternativeNames": [],
        "appDisplayName": application.get("displayName"),
        "appDescription": application.get("description"),
        "appId": application["appId"],
        "appOwnerOrganizationId": home,
        "appRoleAssignmentRequired": False,
        "appRoles": application.get("appRoles") or [],
        "displayName": application.get("displayName"),
        "homepage": (application.get("web") or {}).get("homePageUrl"),
        "info": application.get("info"),
        "keyCredentials": [],
        "notificationEmailAddresses": [],
        "oauth2PermissionScopes": (application.get("api") or {}).get("oauth2PermissionScopes") or [],
        "passwordCredentials": [],
        "replyUrls": [uri for uris in platforms for uri in uris],
        "servicePrincipalNames": [application["appId"], *(application.get("identifierUris") or [])],
        "servicePrincipalType": "Application",
        "signInAudience": application.get("signInAudience"),
        "tags": [],
        "verifiedPublisher": application.get("verifiedPublisher"),
    }
