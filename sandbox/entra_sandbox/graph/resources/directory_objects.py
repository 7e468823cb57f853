"""``/directoryObjects``: an object of any kind by its id."""

from __future__ import annotations

from entra_sandbox.graph import errors, objects, schema
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.registry import register, resource_of
from entra_sandbox.graph.resource import Document, Resource, Route
from entra_sandbox.store import Row

__all__ = ["found"]

MOST = 1000
_KINDS = schema.subtypes("directoryObject")


def read(call: Call, _resource: Resource) -> Answer:
    """The object with its type."""
    row = found(call)
    place = context(call.base, "directoryObjects", call.options.select, single=True)
    return Answer(200, {"@odata.context": place, **_show(call, row)})


def found(call: Call) -> Row:
    """The object of any kind that the first key names; :class:`GraphFault` 404 if there is none."""
    key = call.keys[0].value
    row = call.store.resolve([key]).get(key.lower())
    if row is None or row.tenant != call.tenant or row.kind not in _KINDS or row.read_from > call.at:
        raise errors.not_found(key)
    return row


def get_by_ids(call: Call, _resource: Resource) -> Answer:
    """``{"ids": [...], "types": [...]}`` -> those that are there."""
    body = {key.lower(): value for key, value in call.json().items()}
    ids, types = body.get("ids"), body.get("types") or []
    if not isinstance(ids, list) or not isinstance(types, list) or not all(isinstance(one, str) for one in ids + types):
        raise errors.bad_request("Invalid value specified for property 'ids' of resource 'DirectoryObject'.")
    if not 1 <= len(ids) <= MOST:
        raise errors.bad_request(f"Between 1 and {MOST} ids may be given.")
    wanted = {one.lower() for one in types} - {"directoryobject"}
    rows = [row for row in call.store.resolve(ids).values() if row.tenant == call.tenant and row.kind in _KINDS]
    shown = [_show(call, row) for row in rows if not wanted or row.kind.lower() in wanted]
    return Answer(200, {"@odata.context": context(call.base, "directoryObjects", ()), "value": shown})


def _show(call: Call, row: Row) -> Document:
    resource = resource_of(row.kind)
    shown = objects.show(call, resource, row.doc) if resource else {"id": row.id}
    return {"@odata.type": f"#microsoft.graph.{row.kind}", **shown}


register(
    Resource(
        path="directoryObjects",
        entity="directoryObject",
        operations=(),
        routes=(Route("GET", "{}", read), Route("POST", "getByIds", get_by_ids)),
    )
)
