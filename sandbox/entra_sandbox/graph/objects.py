"""One object of a resource: found by a key, shown as an answer, changed, removed."""

from __future__ import annotations

import secrets

from entra_sandbox.graph import access, errors, schema
from entra_sandbox.graph.call import Call, Key
from entra_sandbox.graph.odata.answer import shape
from entra_sandbox.graph.resource import Document, Resource
from entra_sandbox.store import Row, value_of

_GUID_KEYED = frozenset({"application", "servicePrincipal", "group", "device", "directoryRole"})


def find(call: Call, resource: Resource, key: Key) -> Row:
    """The object that a key of the address names; :class:`GraphFault` 404, or 400 for a key that cannot be."""
    value = key.value
    if key.name:
        name = next((one for one in resource.alternate_keys if one.lower() == key.name.lower()), None)
        if name is None and key.name.lower() != "id":
            raise errors.bad_gateway_request(
                "The number of keys specified in the URI does not match number of key properties for the resource "
                f"'microsoft.graph.{resource.entity}'."
            )
        names: tuple[str, ...] = (name or "id",)
    else:
        names = resource.keys
    if names == ("id",) and resource.entity in _GUID_KEYED and not schema.is_guid(value):
        raise errors.invalid_identifier(value)
    at = call.at if call.method == "GET" else None  # writes go to where the newest is, once it is visible
    for name in names:
        where = "o.id = ?" if name == "id" else f"{value_of(name)} COLLATE NOCASE IS ?"
        rows = call.store.rows(resource.entity, call.tenant, where=where, args=(value,), limit=1, at=at)
        if rows and rows[0].read_from <= call.at:
            return rows[0]
    shown = value if names == ("id",) or not key.name else f"{names[0]}={value}"
    raise errors.not_found(shown)


def show(call: Call, resource: Resource, doc: Document) -> Document:
    """The document as the answer shows it; :class:`GraphFault` for a property that the caller may not read."""
    ask(call, resource, selected(call))
    if resource.present:
        doc = resource.present(call, doc)
    entity = resource.entity
    if kind := doc.get("@odata.type"):
        entity = kind.removeprefix("#microsoft.graph.")
    lenient = entity != resource.entity
    return shape(entity, call.options.select, resource.select, lenient)(doc)


def ask(call: Call, resource: Resource, names: frozenset[str]) -> None:
    """:class:`GraphFault` if a property takes more than the call has."""
    for name in names & resource.asks.keys():
        resource.asks[name](call)


def selected(call: Call) -> frozenset[str]:
    """The properties that ``$select`` names."""
    return frozenset(name.split("/")[0] for name in call.options.select)


def merged(old: Document, changes: Document) -> Document:
    """A PATCH replaces values and collections and merges complex values (OData 4.01 part 1, section 11.4.3)."""
    new = dict(old)
    for name, value in changes.items():
        before = new.get(name)
        new[name] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return new


def remove(call: Call, resource: Resource, doc: Document) -> None:
    """Delete the document as the resource does it. Call inside a transaction."""
    access.require_owner(call, resource.entity, doc["id"])
    if resource.delete:
        resource.delete(call, doc)
    if resource.goes_to_bin(doc):
        call.store.bury(resource.entity, doc["id"], {"deletedDateTime": schema.timestamp(call.now)}, call.tenant)
    else:
        call.store.delete(resource.entity, doc["id"], call.tenant)


def opaque_id() -> str:
    """An id as grants and assignments have it: opaque base64url."""
    return secrets.token_urlsafe(32)
