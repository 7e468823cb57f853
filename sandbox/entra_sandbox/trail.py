"""One entry of the directory's audit log, as every service writes it.

learn.microsoft.com/graph/api/resources/directoryaudit
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from entra_sandbox.store import Document, Store

__all__ = ["KIND", "by_user", "keep", "linked", "modified", "of_assignment", "of_grant", "target"]

KIND = "directoryAudit"

_NAMES = {
    **dict.fromkeys(("conditionalAccessPolicy", "namedLocation"), "Policy"),
    **dict.fromkeys(("directoryRole", "unifiedRoleAssignment"), "Role"),
}
# What is said of the other end of a relationship: name in the log -> property.
_DESCRIBED = {
    "Application": {"ObjectID": "id", "DisplayName": "displayName", "AppId": "appId"},
    "Role": {"ObjectID": "id", "DisplayName": "displayName", "TemplateId": "roleTemplateId"},
    "ServicePrincipal": {"ObjectID": "id", "DisplayName": "displayName", "AppId": "appId", "Name": "appId"},
    "User": {"ObjectID": "id", "UPN": "userPrincipalName"},
}
_DESCRIBED_ELSE = {"ObjectID": "id", "DisplayName": "displayName"}


def keep(
    store: Store,
    tenant: str,
    *,
    activity: str,
    category: str,
    operation: str,
    correlation_id: str,
    initiated_by: Document,
    targets: Sequence[Document],
    service: str = "Core Directory",
) -> None:
    """Write down a change that was made."""
    document = {
        "id": f"Directory_{uuid.uuid4()}",
        "activityDateTime": datetime.fromtimestamp(store.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "activityDisplayName": activity,
        "additionalDetails": [],
        "category": category,
        "correlationId": correlation_id,
        "initiatedBy": initiated_by,
        "loggedByService": service,
        "operationType": operation,
        "result": "success",
        "resultReason": "",
        "targetResources": list(targets),
    }
    store.put(KIND, document, tenant)


def target(kind: str, doc: Mapping[str, Any], properties: Sequence[Document] = ()) -> Document:
    """An object that a change was about, with what changed of it."""
    unified = "Unified" in (doc.get("groupTypes") or [])
    return {
        "displayName": doc.get("displayName"),
        "groupType": None if kind != "group" else "unifiedGroups" if unified else "azureAD",
        "id": doc.get("id"),
        "modifiedProperties": list(properties),
        "type": _name(kind),
        "userPrincipalName": doc.get("userPrincipalName"),
    }


def modified(after: Mapping[str, Any], before: Mapping[str, Any]) -> list[Document]:
    """``modifiedProperties``: values as JSON, null where there is or was none."""
    return [
        {"displayName": name, "newValue": _shown(after, name), "oldValue": _shown(before, name)}
        for name in dict.fromkeys((*after, *before))
    ]


def linked(end: tuple[str, Document], source: tuple[str, Document], *, removed: bool) -> list[Document]:
    """The two ends of a relationship (kind, document): what came or went says to, or from, what."""
    return [target(*end, _came(_described(*source), removed)), target(*source)]


def of_assignment(store: Store, tenant: str, assignment: Document, *, removed: bool = False) -> list[Document]:
    """The API whose app role was assigned or taken away, with the role and to whom; then the principal."""
    api = store.get("servicePrincipal", assignment["resourceId"], tenant, deleted=None) or {}
    role_id = assignment["appRoleId"]
    role: Document = next((one for one in api.get("appRoles") or [] if one["id"] == role_id), {})
    kind = assignment["principalType"][0].lower() + assignment["principalType"][1:]
    principal = store.get(kind, assignment["principalId"], tenant, deleted=None) or {}
    said = {"AppRole.Id": role_id, "AppRole.Value": role.get("value"), "AppRole.DisplayName": role.get("displayName")}
    said |= {"AppRoleAssignment.CreatedDateTime": assignment["createdDateTime"], **_described(kind, principal)}
    return [target("servicePrincipal", api, _came(said, removed)), target(kind, principal)]


def of_grant(store: Store, tenant: str, before: Document | None, after: Document | None) -> list[Document]:
    """The API for which a delegated permission was granted or taken away, with what, for whom and to which client; then
    the client."""
    grant = after or before or {}
    api, client = (
        store.get("servicePrincipal", grant[name], tenant, deleted=None) or {} for name in ("resourceId", "clientId")
    )
    said = [_of_grant(store, tenant, one, client) if one else {} for one in (after, before)]
    return [target("servicePrincipal", api, modified(*said)), target("servicePrincipal", client)]


def _of_grant(store: Store, tenant: str, grant: Document, client: Document) -> Document:
    said = {
        "DelegatedPermissionGrant.Scope": grant.get("scope"),
        "DelegatedPermissionGrant.ConsentType": grant.get("consentType"),
        **_described("servicePrincipal", client),
    }
    if grant.get("principalId"):
        said |= _described("user", store.get("user", grant["principalId"], tenant, deleted=None) or {})
    return said


def _described(kind: str, doc: Mapping[str, Any]) -> Document:
    name = _name(kind)
    return {f"{name}.{part}": doc.get(property) for part, property in _DESCRIBED.get(name, _DESCRIBED_ELSE).items()}


def _came(said: Mapping[str, Any], removed: bool) -> list[Document]:
    return modified({}, said) if removed else modified(said, {})


def _name(kind: str) -> str:
    return _NAMES.get(kind) or kind[0].upper() + kind[1:]


def _shown(values: Mapping[str, Any], name: str) -> str | None:
    return json.dumps(values[name], ensure_ascii=False) if name in values else None


def by_user(document: Document) -> Document:
    """``initiatedBy`` of a person."""
    names = {name: document.get(name) for name in ("displayName", "id", "userPrincipalName")}
    return {"app": None, "user": {"ipAddress": None, **names}}
