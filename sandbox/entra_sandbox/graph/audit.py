"""Who changed what: a ``directoryAudit`` for each write that ``audits.json`` names.

learn.microsoft.com/graph/api/resources/directoryaudit. Values of secrets are in none of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from entra_sandbox import trail
from entra_sandbox.graph import errors, objects
from entra_sandbox.graph.call import Answer, Call, Key
from entra_sandbox.graph.resource import Document, Resource
from entra_sandbox.store import Row

__all__ = ["activities", "before", "note"]

_SPACED = {"servicePrincipal": "service principal"}
_SECRET = frozenset({"passwordProfile", "passwordCredentials", "keyCredentials", "proof"})
_ASSIGNS = "/appRoleAssign"
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
    if _ASSIGNS in operation:
        return call.store.row("appRoleAssignment", call.keys[1].value, call.tenant) if len(call.keys) > 1 else None
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
    made = answer.body if isinstance(answer.body, dict) else {}
    kind = old.kind if old else "appRoleAssignment" if _ASSIGNS in operation else resource.entity
    trail.keep(
        call.store,
        call.tenant,
        activity=activity.name.format(kind=_SPACED.get(kind, kind)),
        category=activity.category,
        operation=_OPERATIONS[call.method],
        correlation_id=call.headers.get("client-request-id") or call.request_id,
        initiated_by=_initiator(call),
        targets=_targets(call, operation, kind, old.doc if old else None, made),
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


def _targets(call: Call, operation: str, kind: str, old: Document | None, made: Document) -> list[Document]:
    """What the operation was about; of a relationship and of what was granted, both ends."""
    removed = call.method == "DELETE"
    if kind == "appRoleAssignment":
        return trail.of_assignment(call.store, call.tenant, old or made, removed=removed)
    if kind == "oAuth2PermissionGrant":
        after = None if removed else call.store.get(kind, (old or made)["id"], call.tenant)
        return trail.of_grant(call.store, call.tenant, old, after)
    if len(call.about) == 2:
        return trail.linked(*call.about, removed=removed)
    body = _body(call)
    if "/$ref" in operation and old is not None and (end := _end(call, body)) is not None:
        return trail.linked((end.kind, end.doc), (kind, old), removed=removed)
    return [trail.target(kind, old or made, _modified(body, old or {}))]


def _end(call: Call, body: Document) -> Row | None:
    """The other end of an operation on a relationship."""
    key = str(body.get("@odata.id") or call.options.given.get("@id") or "").rstrip("/").split("/")[-1]
    key = key or (call.keys[1].value if len(call.keys) > 1 else "")
    return call.store.resolve([key], deleted=None).get(key.lower())


def _modified(body: Document, old: Document) -> list[Document]:
    names = [name for name in body if "@" not in name]
    past = {name: old[name] for name in names if name in old}
    return [
        one if _open(one["displayName"]) else {**one, "newValue": None, "oldValue": None}
        for one in trail.modified({name: body[name] for name in names}, past)
    ]


def _open(name: str) -> bool:
    return name not in _SECRET and "password" not in name.lower()
