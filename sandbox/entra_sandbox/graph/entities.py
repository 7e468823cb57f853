"""List, count, get, create, update, upsert and delete: the same for every resource that declares them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from entra_sandbox.graph import access, errors, limits, links, objects, schema
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.query import Query
from entra_sandbox.graph.resource import Document, Resource, Route

QUOTA = 250


def routes(resource: Resource) -> Iterator[Route]:
    """The routes of the operations that the resource declares."""
    handlers = {
        "list": ("GET", "", list_, ""),
        "count": ("GET", "$count", count, f"GET /{resource.path}"),
        "get": ("GET", "{}", get, ""),
        "create": ("POST", "", create, ""),
        "update": ("PATCH", "{}", update, ""),
        "delete": ("DELETE", "{}", delete, ""),
    }
    for name in resource.operations:
        method, path, handler, operation = handlers[name]
        yield Route(method, path, handler, operation, single=name == "get")


def every_route(resource: Resource) -> Iterator[Route]:
    """All routes of a resource: its operations, its relationships, and what is special."""
    yield from routes(resource)
    for link in resource.links:
        yield from links.routes(resource, link)
    yield from resource.routes


def list_(call: Call, resource: Resource) -> Answer:
    """One page of the collection."""
    query = Query.of(call, resource.entity, page=resource.page, page_max=resource.page_max, advanced=resource.advanced)
    used = query.names | objects.selected(call)
    if used & resource.single:
        raise errors.not_implemented()
    query.size = min([query.size, *(most for name, most in resource.costly.items() if name in used)])
    objects.ask(call, resource, query.names)
    query.order = query.order or resource.order
    rows = query.rows(call, resource.entity)
    shown = [objects.show(call, resource, row.doc) for row in rows]
    links.expand(call, resource, shown, [row.doc for row in rows])
    return Answer(200, query.page(call, resource.path, shown, resource.entity))


def count(call: Call, resource: Resource) -> Answer:
    """``/$count``: a number as text."""
    query = Query.of(call, resource.entity, page=0, page_max=0, advanced=resource.advanced, counting=True)
    objects.ask(call, resource, query.names)
    return Answer(200, str(query.total(call, resource.entity)).encode(), {"Content-Type": "text/plain"})


def get(call: Call, resource: Resource) -> Answer:
    """One object."""
    doc = objects.find(call, resource, call.keys[0]).doc
    shown = objects.show(call, resource, doc)
    links.expand(call, resource, [shown], [doc])
    return Answer(200, {"@odata.context": context(call.base, resource.path, call.options.select, single=True), **shown})


def create(call: Call, resource: Resource) -> Answer:
    """A new object; 201 with it."""
    return _create(call, resource, call.json())


def update(call: Call, resource: Resource) -> Answer:
    """Changes; 204, or what another service answers for its own.

    With ``Prefer: create-if-missing`` on the alternate key of upserts: 201 if it was not there.
    """
    body = call.json()
    key = call.keys[0]
    with call.store.transaction():
        try:
            row = objects.find(call, resource, key)
        except errors.GraphFault as fault:
            if fault.status != 404 or not key.name or not call.prefers("create-if-missing"):
                raise
            if key.name.lower() != resource.upsert.lower():
                raise
            access.authorize(call, access.operations()[f"POST /{resource.path}"])
            return _create(call, resource, {**body, resource.upsert: key.value})
        access.require_owner(call, resource.entity, row.id)
        old = row.doc
        changes = _check(call, resource, body, old)
        bound = _bound(changes)
        for name in resource.create_only:
            if name in changes and changes[name] != old.get(name):
                raise errors.read_only(name)
        if resource.update:
            changes = resource.update(call, old, changes)
        links.bind(call, resource, old, bound)
        new = call.store.put(resource.entity, objects.merged(old, changes), call.tenant)
    known = limits.limits().get(resource.entity)
    if known is None or not changes.keys() & known.apart or known.apart_status == 204:
        return Answer(204)
    place = context(call.base, resource.path, (), single=True)
    return Answer(known.apart_status, {"@odata.context": place, **objects.show(call, resource, new)})


def delete(call: Call, resource: Resource) -> Answer:
    """Gone, or in the bin; 204."""
    with call.store.transaction():
        doc = objects.find(call, resource, call.keys[0]).doc
        objects.remove(call, resource, doc)
    return Answer(204)


def _create(call: Call, resource: Resource, body: Document) -> Answer:
    doc = _check(call, resource, body, None)
    bound = _bound(doc)
    for name in resource.required:
        if doc.get(name) in (None, "", []):
            raise errors.missing_value(name, resource.title)
    doc = objects.merged(resource.defaults(), doc) if resource.defaults else doc
    with call.store.transaction():
        if resource.quota:
            _check_quota(call)
        doc.setdefault("id", str(uuid.uuid4()))
        if resource.create:
            doc = resource.create(call, doc)
        _stamp(resource, call, doc)
        read_from, link_from = (call.steady + call.delays.get(kind, 0.0) for kind in ("read", "link"))
        call.store.put(resource.entity, doc, call.tenant, read_from=read_from, link_from=link_from)
        links.bind(call, resource, doc, bound)
        answer = resource.created(call, doc) if resource.created else doc
        _count_quota(call, doc)
    shown = objects.show(call, resource, answer)
    address = f"{call.base}/{resource.path}/{doc['id']}"
    body_out = {"@odata.context": context(call.base, resource.path, call.options.select, single=True), **shown}
    return Answer(201, body_out, {"Location": address})


def _check(call: Call, resource: Resource, body: Document, old: Document | None) -> Document:
    """The body in Graph's spelling. A read-only property may be repeated with the value that it has."""
    clean = schema.check_body(resource.entity, body, resource.title)
    for name in schema.entity(resource.entity).links:
        if clean.pop(name, None):  # what a client read with $expand comes back empty at most
            raise errors.bad_request(
                f"'{name}' is a relationship: use '{name}@odata.bind' or '{name}/$ref'.", target=name
            )
    for name in ("id", "deletedDateTime", *resource.read_only):
        if name in clean and (name not in resource.required or old is not None):
            if clean[name] not in (None, [], (old or {}).get(name)):
                raise errors.read_only(name)
            del clean[name]
    limits.check(resource.entity, clean)
    limits.check_manner(resource.entity, clean.keys(), creating=old is None, app_only=call.caller.app_only)
    return clean


def _bound(doc: Document) -> Document:
    described = [name for name in doc if name.endswith("@odata.bind")]
    return {name.removesuffix("@odata.bind"): doc.pop(name) for name in described}


def _stamp(resource: Resource, call: Call, doc: Document) -> None:
    properties = schema.entity(resource.entity).properties
    if "createdDateTime" in properties and not doc.get("createdDateTime"):
        doc["createdDateTime"] = schema.timestamp(call.now)


def _check_quota(call: Call) -> None:
    if _limited(call) and call.store.count("graph.created", call.tenant, **_mine(call)) >= QUOTA:
        raise errors.quota_exceeded()


def _count_quota(call: Call, doc: Document) -> None:
    if _limited(call):
        made = {"id": doc["id"], "creator": call.caller.object_id}
        call.store.put("graph.created", made, call.tenant)


def _limited(call: Call) -> bool:
    # Administrators and applications with a directory-wide permission have the tenant's quota instead.
    return not call.caller.app_only and not (call.caller.directory_roles - access._PLAIN)


def _mine(call: Call) -> dict[str, Any]:
    return {
        "where": "(o.doc ->> '$.creator') = ? AND EXISTS (SELECT 1 FROM object p WHERE p.id = o.id AND p.kind <> ?)",
        "args": (call.caller.object_id, "graph.created"),
    }
