"""One entry of the directory's audit log, as every service writes it.

learn.microsoft.com/graph/api/resources/directoryaudit
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from entra_sandbox.store import Document, Store

__all__ = ["KIND", "by_user", "keep", "target"]

KIND = "directoryAudit"


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


def target(kind: str, doc: Document, modified: Sequence[Document] = ()) -> Document:
    """An object that a change was about: ``kind`` as the log calls it."""
    group = None if kind != "Group" else "unifiedGroups" if "Unified" in (doc.get("groupTypes") or []) else "azureAD"
    return {
        "displayName": doc.get("displayName"),
        "groupType": group,
        "id": doc.get("id"),
        "modifiedProperties": list(modified),
        "type": kind,
        "userPrincipalName": doc.get("userPrincipalName"),
    }


def by_user(document: Document) -> Document:
    """``initiatedBy`` of a person."""
    names = {name: document.get(name) for name in ("displayName", "id", "userPrincipalName")}
    return {"app": None, "user": {"ipAddress": None, **names}}
