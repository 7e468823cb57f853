"""Who changed what: a ``directoryAudit`` for each write that ``audits.json`` names.

learn.microsoft.com/graph/api/resources/directoryaudit. Values of secrets are in none of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from entra_sandbox import trail
from entra_sandbox.graph import errors, objects
from entra_sandbox.graph.call import Answer, Call, Key
from entra_sandbox.graph.resource import Document, Resource
from entra_sandbox.graph.roles import templates
from entra_sandbox.store import Row

__all__ = ["activities", "before", "note"]

_TYPES = {
    **dict.fromkeys(("conditionalAccessPolicy", "namedLocation"), "Policy"),
    **dict.fromkeys(("directoryRole", "unifiedRoleAssignment"), "Role"),
}
_SPACED = {"servicePrincipal": "service principal"}
_SECRET = frozenset({"passwordProfile", "passwordCredentials", "keyCredentials"})
_OPERATIONS = {"POST": "Add", "PATCH": "Update", "PUT": "Assign", "DELETE": "Delete"}


class Activity(NamedTuple):
    """What the service calls an operation."""

    name: str
    category: str
    service: str = "Core Directory"


@cache
def activities() -> Mapping[str, Activity]:
    """The activities by ``METHOD /path/{}``."""
    text = files("entra_sandbox.graph").joinpath("audits.json").read_text(encoding="utf-8")
    return {operation: Activity(*words) for operation, words in json.loads(text)["activities"].items()}


def before(call: Call, resource: Resource, operation: str) -> Row | None:
    """The object that an audited operation is about, as it is before; None if it makes one."""
    if operation not in activities() or operation == f"POST /{resource.path}":
        return None
    key = call.keys[0] if call.keys else Key(call.caller.object_id if resource.path == "me" else "")
    if resource.path == "directory/deletedItems":
        return call.store.resolve([key.value], deleted=True).get(key.value.lower())
    if not call.keys and resource.path != "me":  # a policy of which a tenant has one
        return next(iter(call.store.rows(resource.entity, call.tenant, limit=1)), None)
    try:
        return objects.find(call, resource, key)
    except errors.GraphFault:
        return None


def note(call: Call, operation: str, resource: Resource, old: Row | None, answer: Answer) -> None:
    """Write down that the operation was done."""
    activity = activities().get(operation)
    if activity is None or answer.status >= 300:
        return
    body = _body(call)
    kind = old.kind if old else resource.entity
    made = answer.body if isinstance(answer.body, dict) else {}
    trail.keep(
        call.store,
        call.tenant,
        activity=activity.name.format(kind=_SPACED.get(kind, kind)),
        category=activity.category,
        operation=_OPERATIONS[call.method],
        correlation_id=call.headers.get("client-request-id") or call.request_id,
        initiated_by=_initiator(call),
        targets=[_target(one, doc) for one, doc in call.about]
        or [*_linked(call, operation, body, old), _target(kind, old.doc if old else made, _modified(body, old))],
        service=activity.service,
    )


def _body(call: Call) -> Document:
    try:
        return call.json() if call.method != "DELETE" else {}
    except errors.GraphFault:
        return {}  # an operation that takes none


def _initiator(call: Call) -> Document:
    kind = "servicePrincipal" if call.caller.app_only else "user"
    who = call.store.get(kind, call.caller.object_id, call.tenant, deleted=None) or {}
    if not call.caller.app_only:
        return trail.by_user(who)
    names = {"displayName": who.get("displayName"), "servicePrincipalId": call.caller.object_id}
    return {"app": {"appId": call.caller.app_id, "servicePrincipalName": None, **names}, "user": None}


def _linked(call: Call, operation: str, body: Document, old: Row | None) -> list[Document]:
    """The other end of an operation on a relationship."""
    key = str(body.get("@odata.id") or body.get("principalId") or call.options.given.get("@id") or "")
    key = key.rstrip("/").split("/")[-1] or (call.keys[1].value if len(call.keys) > 1 else "")
    row = call.store.resolve([key], deleted=None).get(key.lower()) if key else None
    if ("/$ref" not in operation and "principalId" not in body) or row is None or (old and row.id == old.id):
        return []
    return [_target(row.kind, row.doc)]


def _target(kind: str, doc: Document, modified: Sequence[Document] = ()) -> Document:
    role = next((one for one in templates() if one["id"] == doc.get("roleDefinitionId")), {})
    named = {**doc, "displayName": doc.get("displayName") or role.get("displayName")}
    return trail.target(_TYPES.get(kind) or kind[0].upper() + kind[1:], named, modified)


def _modified(body: Document, old: Row | None) -> list[Document]:
    found = []
    before = old.doc if old else {}
    for name, value in body.items():
        if "@" in name:
            continue
        shown = name not in _SECRET and "password" not in name.lower() and name != "proof"
        new, past = (json.dumps(one, ensure_ascii=False) if shown else None for one in (value, before.get(name)))
        found.append({"displayName": name, "newValue": new, "oldValue": past if name in before else None})
    return found
