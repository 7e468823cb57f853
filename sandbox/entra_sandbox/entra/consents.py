"""What has been consented to, and giving consent: the rows that Microsoft Graph shows as grants and assignments.

Delegated: one ``oAuth2PermissionGrant`` for the whole tenant (AllPrincipals) or for one person. Application: one
``appRoleAssignment`` per role. Who may consent: learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from entra_sandbox.entra.directory import Client, Tenant, User
from entra_sandbox.entra.scopes import Resource
from entra_sandbox.store import Document, Store

__all__ = [
    "any_grant",
    "application_roles",
    "assign_roles",
    "delegated_scopes",
    "grant",
    "may_consent_for_all",
    "requested",
]

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
PRIVILEGED_ROLE_ADMINISTRATOR = "e8611ab8-c189-46e8-94e1-60213ab1f814"
APPLICATION_ADMINISTRATOR = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
CLOUD_APPLICATION_ADMINISTRATOR = "158c047a-c907-4556-b7ef-446551a6b5f7"
MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
"""The tenant in which Microsoft's own applications are registered."""

_ANYTHING = frozenset({GLOBAL_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR})
_DELEGATED = frozenset({APPLICATION_ADMINISTRATOR, CLOUD_APPLICATION_ADMINISTRATOR})


def may_consent_for_all(user: User, *, graph_roles: bool = False) -> bool:
    """Whether the user may consent for the organization; ``graph_roles``: to app roles of Microsoft Graph too."""
    return bool(user.roles & _ANYTHING) or (bool(user.roles & _DELEGATED) and not graph_roles)


def delegated_scopes(store: Store, client: Document, resource: Resource, user_id: str) -> set[str]:
    """Delegated permissions of the service principal ``client`` that hold for the user, by name as granted."""
    names = _preauthorized(store, client, resource)
    for row in _grants(store, client, resource):
        if row["consentType"] == "AllPrincipals" or row.get("principalId") == user_id:
            names.update(str(row.get("scope") or "").split())
    return names


def any_grant(store: Store, client: Document, user_id: str) -> bool:
    """Whether anything at all was consented to for the user; the OpenID Connect words then need no more consent."""
    if client.get("appOwnerOrganizationId") == MICROSOFT:
        return True
    rows = store.find("oAuth2PermissionGrant", clientId=client["id"])
    return any(row["consentType"] == "AllPrincipals" or row.get("principalId") == user_id for row in rows)


def application_roles(store: Store, principal_id: str, resource: Resource) -> list[str]:
    """Values of the resource's app roles that the principal was assigned."""
    rows = store.find("appRoleAssignment", principalId=principal_id)
    ids = {str(row["appRoleId"]).lower() for row in rows if row["resourceId"] == resource.id}
    return sorted(str(role["value"]) for key, role in resource.app_roles.items() if key in ids)


def requested(client: Client, resource: Resource, kind: str) -> list[str]:
    """Names in the registration's ``requiredResourceAccess`` for the resource; ``kind`` is ``Scope`` or ``Role``."""
    listed = client.document.get("requiredResourceAccess") or []
    ids = {
        str(access["id"]).lower()
        for entry in listed
        if str(entry.get("resourceAppId")).lower() == resource.app_id.lower()
        for access in entry.get("resourceAccess") or ()
        if access.get("type") == kind
    }
    published = resource.scopes.values() if kind == "Scope" else resource.app_roles.values()
    return sorted(str(one["value"]) for one in published if str(one["id"]).lower() in ids)


def grant(
    store: Store,
    tenant: Tenant,
    client: Document,
    resource: Resource,
    names: Iterable[str],
    *,
    user_id: str | None = None,
    replace: bool = False,
) -> tuple[Document | None, Document | None]:
    """Record delegated consent: of one user, or with ``user_id`` None of the organization; the grant before and after.

    ``replace`` takes away what the organization had consented to and is not named now, as the portal's button may.
    """
    kind = "Principal" if user_id else "AllPrincipals"
    with store.transaction():
        rows = [row for row in _grants(store, client, resource) if row["consentType"] == kind]
        row = next((row for row in rows if row.get("principalId") == user_id), None)
        before = [] if row is None or replace else str(row.get("scope") or "").split()
        scope = " ".join(dict.fromkeys([*before, *names]))
        if row is not None:
            return row, store.update("oAuth2PermissionGrant", row["id"], {"scope": scope}, tenant.id)
        if scope:
            document = {
                "id": secrets.token_urlsafe(32),
                "clientId": client["id"],
                "consentType": kind,
                "principalId": user_id,
                "resourceId": resource.id,
                "scope": scope,
            }
            return None, store.put("oAuth2PermissionGrant", document, tenant.id)
    return None, None


def assign_roles(
    store: Store, tenant: Tenant, client: Document, resource: Resource, names: Iterable[str]
) -> list[Document]:
    """Assign app roles of the resource to the service principal ``client``; those it has stay. The new assignments."""
    wanted = set(names)
    made = []
    with store.transaction():
        have = set(application_roles(store, client["id"], resource))
        for role in resource.app_roles.values():
            if role["value"] in wanted - have:
                document = {
                    "id": secrets.token_urlsafe(32),
                    "deletedDateTime": None,
                    "appRoleId": role["id"],
                    "createdDateTime": datetime.fromtimestamp(store.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "principalDisplayName": client.get("displayName"),
                    "principalId": client["id"],
                    "principalType": "ServicePrincipal",
                    "resourceDisplayName": resource.name,
                    "resourceId": resource.id,
                }
                made.append(store.put("appRoleAssignment", document, tenant.id))
    return made


def _preauthorized(store: Store, client: Document, resource: Resource) -> set[str]:
    """What Microsoft's own clients may do without anybody's consent; no grant shows it."""
    document = store.get("entra.preAuthorized", f"{client['id']}/{resource.id}")
    return set(document["scopes"]) if document else set()


def _grants(store: Store, client: Document, resource: Resource) -> list[Document]:
    rows = store.find("oAuth2PermissionGrant", clientId=client["id"])
    return [row for row in rows if row["resourceId"] == resource.id]
