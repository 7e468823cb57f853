"""Relationships: list, count, ``$ref`` links, ``$expand`` and ``@odata.bind``, the same for every declared link."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from entra_sandbox.graph import access, errors, objects, schema
from entra_sandbox.graph.call import Answer, Call, Key
from entra_sandbox.graph.odata.answer import context, shape
from entra_sandbox.graph.odata.options import Expand
from entra_sandbox.graph.query import Query
from entra_sandbox.graph.registry import resource_of
from entra_sandbox.graph.resource import Document, Link, Resource, Route
from entra_sandbox.store import Row, value_of

EXPANDED = 20
BOUND = 20
_KINDS = schema.subtypes("directoryObject") | {"appManagementPolicy"}
_REFERENCE = re.compile(r"(?:.*/)?(?:([A-Za-z]+)/)?([^/()]+|\w+\([^()]*\))/?\Z")


def routes(resource: Resource, link: Link) -> Iterator[Route]:
    """The routes of one declared link."""
    base = f"{{}}/{link.name}"
    read = f"GET /{resource.path}/{base}"
    if link.single:
        yield Route("GET", base, _with(link, _single))
        if link.writable:
            yield Route("PUT", f"{base}/$ref", _with(link, _set))
            yield Route("DELETE", f"{base}/$ref", _with(link, _clear), f"PUT /{resource.path}/{base}/$ref")
        return
    yield Route("GET", base, _with(link, _list))
    yield Route("GET", f"{base}/$count", _with(link, _count), read)
    yield Route("GET", f"{base}/$ref", _with(link, _list_references), read)
    if link.writable:
        removal = f"DELETE /{resource.path}/{base}/{{}}/$ref"
        yield Route("POST", f"{base}/$ref", _with(link, _add))
        yield Route("DELETE", f"{base}/{{}}/$ref", _with(link, _remove))
        yield Route("DELETE", f"{base}/$ref", _with(link, _remove), removal)
    if link.deletes_target:
        yield Route("DELETE", f"{base}/{{}}", _with(link, _delete_target), read)


def target_of(call: Call, reference: Any) -> Row:
    """The object that an ``@odata.id`` names; :class:`GraphFault` 400 if it is not there or not yet visible."""
    if not isinstance(reference, str) or not (match := _REFERENCE.match(reference.strip())):
        raise errors.bad_request("Invalid URI format specified for the request: an '@odata.id' was expected.")
    key = unquote(match.group(2))
    if inside := re.search(r"\(\s*(?:\w+\s*=\s*)?'?([^')]*)'?\s*\)", key):
        key = inside.group(1)
    rows = call.store.rows(None, call.tenant, where="o.id = ?", args=(key,), limit=2)
    rows = [row for row in rows if row.kind in _KINDS]
    if not rows and "@" in key and (user := call.store.first("user", call.tenant, userPrincipalName=key)):
        rows = call.store.rows("user", call.tenant, where="o.id = ?", args=(user["id"],), limit=1)
    if not rows:
        raise errors.not_found(key) if "@" in key or schema.is_guid(key) else errors.invalid_identifier(key)
    if rows[0].link_from > call.at:
        raise errors.missing_reference()
    return rows[0]


def bind(call: Call, resource: Resource, doc: Document, bound: Document) -> None:
    """Draw the links that ``name@odata.bind`` names in a create or an update."""
    for name, references in bound.items():
        link = next((one for one in resource.links if one.name == name and one.writable), None)
        if link is None:
            raise errors.unknown_property(f"{name}@odata.bind")
        values = references if isinstance(references, list) else [references]
        if len(values) > BOUND:
            raise errors.bad_request(f"The limit of {BOUND} bound references in one request has been exceeded.")
        for reference in values:
            _draw(call, link, doc, target_of(call, reference))


def expand(call: Call, resource: Resource, shown: list[Document], docs: list[Document]) -> None:
    """Add what ``$expand`` asks for, at most 20 related objects each."""
    for wanted in call.options.expand:
        if _expand_rows(call, resource, wanted, shown, docs):
            continue
        link = next((one for one in resource.links if one.name.lower() == wanted.link.lower()), None)
        if link is None:
            raise errors.bad_gateway_request(
                f"Parsing OData Select and Expand failed: Could not find a property named '{wanted.link}' on type "
                f"'microsoft.graph.{resource.entity}', or it cannot be expanded."
            )
        if wanted.levels and not (link.single and call.eventual):
            raise errors.unsupported_query("$levels is for 'manager', with the header ConsistencyLevel: eventual.")
        for target, doc in zip(shown, docs, strict=True):
            _expand_link(call, link, wanted, target, doc)


def _expand_link(call: Call, link: Link, wanted: Expand, shown: Document, doc: Document) -> None:
    """Add the related objects of one object; with ``$levels`` also theirs, as far as the chain goes."""
    seen = {doc["id"]}
    for level in range(max(wanted.levels, 1)):
        rows = _query(call, link, doc["id"]).rows(call, None)[:EXPANDED] if _readable(call, link, doc) else []
        found = [show(call, row, wanted.select) for row in rows]
        if level and (not rows or rows[0].id in seen):
            return
        shown[link.name] = (found[0] if found else None) if link.single else found
        if not wanted.levels or not rows:
            return
        shown, doc = found[0], rows[0].doc
        seen.add(rows[0].id)


def _readable(call: Call, link: Link, doc: Document) -> bool:
    try:
        if link.read:
            link.read(call, doc)
    except errors.GraphFault:
        return False
    return True


def _expand_rows(call: Call, resource: Resource, wanted: Expand, shown: list[Document], docs: list[Document]) -> bool:
    """Expand what is kept as objects of their own; False if ``wanted`` is none of these."""
    name, kind, end = next((one for one in resource.rows if one[0].lower() == wanted.link.lower()), ("", "", ""))
    if not name:
        return False
    where = f"{value_of(end)} COLLATE NOCASE IS ?"
    for target, doc in zip(shown, docs, strict=True):
        rows = call.store.rows(kind, call.tenant, where=where, args=(doc["id"],), limit=EXPANDED, at=call.at)
        target[name] = [shape(kind, wanted.select, ())(row.doc) for row in rows]
    return True


def list_link(call: Call, resource: Resource, name: str) -> Answer:
    """The list of one declared link of the object that the call's first key names."""
    return _list(call, resource, next(link for link in resource.links if link.name == name))


def list_ids(call: Call, ids: list[str], *, counting: bool = False) -> Answer:
    """Objects of several kinds that were found elsewhere, as a list of a relationship; or how many they are."""
    entity = call.cast or "directoryObject"
    query = Query.of(call, entity, page=0 if counting else 100, page_max=999, advanced=True, counting=counting)
    query.restrict("o.id IN (SELECT value FROM json_each(?)) AND instr(o.kind, '.') = 0", json.dumps(ids))
    if counting:
        return Answer(200, str(query.total(call, call.cast or None)).encode(), {"Content-Type": "text/plain"})
    shown = [show(call, row, call.options.select) for row in query.rows(call, call.cast or None)]
    return Answer(200, query.page(call, "directoryObjects", shown, call.cast or None))


def _with(link: Link, handler: Any) -> Any:
    def handle(call: Call, resource: Resource) -> Answer:
        answer: Answer = handler(call, resource, link)
        return answer

    return handle


def _list(call: Call, resource: Resource, link: Link) -> Answer:
    source = _source(call, resource, link)
    query = _filtered(call, link, source.id)
    rows = query.rows(call, call.cast or None)
    shown = [show(call, row, call.options.select) for row in rows]
    collection = f"{resource.path}('{source.id}')/{link.name}" if call.cast else "directoryObjects"
    return Answer(200, query.page(call, collection, shown, call.cast or None))


def _single(call: Call, resource: Resource, link: Link) -> Answer:
    source = objects.find(call, resource, call.keys[0])
    rows = _query(call, link, source.id).rows(call, None)
    if not rows:
        raise errors.not_found(link.name)
    shown = show(call, rows[0], call.options.select)
    return Answer(200, {"@odata.context": context(call.base, "directoryObjects", (), single=True), **shown})


def _count(call: Call, resource: Resource, link: Link) -> Answer:
    source = _source(call, resource, link)
    query = _filtered(call, link, source.id, counting=True)
    return Answer(200, str(query.total(call, call.cast or None)).encode(), {"Content-Type": "text/plain"})


def _list_references(call: Call, resource: Resource, link: Link) -> Answer:
    source = _source(call, resource, link)
    query = _filtered(call, link, source.id)
    shown = [f"{call.base}/directoryObjects/{row.id}" for row in query.rows(call, None)]
    return Answer(200, query.page(call, "Collection($ref)", shown, None))


def _source(call: Call, resource: Resource, link: Link) -> Row:
    source = objects.find(call, resource, call.keys[0])
    if link.read:
        link.read(call, source.doc)
    return source


def _set(call: Call, resource: Resource, link: Link) -> Answer:
    with call.store.transaction():
        source = objects.find(call, resource, call.keys[0])
        target = target_of(call, call.json().get("@odata.id"))
        for before in call.store.links(link.arrow, source.id):
            call.store.unlink(link.arrow, source.id, before)
        _draw(call, link, source.doc, target)
    return Answer(204)


def _clear(call: Call, resource: Resource, link: Link) -> Answer:
    with call.store.transaction():
        source = objects.find(call, resource, call.keys[0])
        for before in call.store.links(link.arrow, source.id):
            call.store.unlink(link.arrow, source.id, before)
    return Answer(204)


def _add(call: Call, resource: Resource, link: Link) -> Answer:
    body = call.json()
    if set(body) - {"@odata.id", "@odata.type", "@odata.context"}:
        raise errors.unknown_property(next(iter(set(body) - {"@odata.id"})))
    with call.store.transaction():
        source = objects.find(call, resource, call.keys[0])
        access.require_owner(call, resource.entity, source.id)
        target = target_of(call, body.get("@odata.id"))
        if source.link_from > call.at:
            raise errors.missing_reference()
        _draw(call, link, source.doc, target)
    return Answer(204)


def _draw(call: Call, link: Link, doc: Document, target: Row) -> None:
    if target.kind not in link.kinds:
        raise errors.bad_request(
            f"An invalid operation was included in the following modified references: '{link.name}'."
        )
    if link.add:
        link.add(call, doc, target.doc)
    held = call.store.links(link.arrow, doc["id"]) if link.most else []
    if link.most and target.id not in held and len(held) >= link.most:
        raise errors.bad_request(f"'{link.name}' holds {link.most} at most.")
    if not call.store.link(link.arrow, doc["id"], target.id, read_from=call.steady + call.delays.get("link", 0.0)):
        raise errors.existing_reference(link.name)


def _remove(call: Call, resource: Resource, link: Link) -> Answer:
    key = call.keys[1] if len(call.keys) > 1 else Key(_identified(call))
    with call.store.transaction():
        source = objects.find(call, resource, call.keys[0])
        access.require_owner(call, resource.entity, source.id)
        if not call.store.linked(link.arrow, source.id, key.value):
            raise errors.not_found(key.value)
        row = call.store.resolve([key.value], deleted=None).get(key.value.lower())
        if link.remove:
            link.remove(call, source.doc, row.doc if row else {"id": key.value})
        call.store.unlink(link.arrow, source.id, key.value)
    return Answer(204)


def _identified(call: Call) -> str:
    reference = next((value for name, value in call.options.given.items() if name.lower() == "@id"), "")
    match = _REFERENCE.match(reference)
    if match is None:
        raise errors.bad_request("The query option '@id' must name the object to remove.")
    return match.group(2)


def _delete_target(call: Call, resource: Resource, link: Link) -> Answer:
    """``DELETE …/members/{id}`` without ``/$ref`` deletes the member itself, as in reality."""
    source = objects.find(call, resource, call.keys[0])
    key = call.keys[1].value
    row = call.store.resolve([key]).get(key.lower())
    if row is None or not call.store.linked(link.arrow, source.id, key):
        raise errors.not_found(key)
    target = resource_of(row.kind)
    if target is None or "delete" not in target.operations:
        raise errors.method_not_allowed()
    access.authorize(call, access.operations()[f"DELETE /{target.path}/{{}}"])
    with call.store.transaction():
        objects.remove(call, target, row.doc)
    return Answer(204)


def _filtered(call: Call, link: Link, source: str, *, counting: bool = False) -> Query:
    entity = call.cast or (link.kinds[0] if len(link.kinds) == 1 else "directoryObject")
    page = 100 if link.pages else 0
    query = Query.of(call, entity, page=0 if counting else page, page_max=999, advanced=True, counting=counting)
    return _restricted(query, call, link, source)


def _query(call: Call, link: Link, source: str) -> Query:
    return _restricted(Query(size=EXPANDED, tenant=call.tenant), call, link, source, hide=False)


def _restricted(query: Query, call: Call, link: Link, source: str, *, hide: bool = True) -> Query:
    given, wanted = ("target", "source") if link.reverse else ("source", "target")
    arrows = link.arrow.split()
    marks = ", ".join("?" * len(arrows))
    if hide and link.hidden:
        query.restrict(f"o.kind NOT IN ({', '.join('?' * len(link.hidden))})", *link.hidden)
    if link.visible:
        condition, args = link.visible(call)
        query.restrict(condition, *args)
    table, seen = call.store.seen_links(call.at)
    query.restrict(
        f"o.id IN (SELECT {wanted} FROM {table} WHERE name IN ({marks}) AND {given} = ?) AND instr(o.kind, '.') = 0",
        *seen,
        *arrows,
        source,
    )
    return query


def show(call: Call, row: Row, select: tuple[str, ...]) -> Document:
    """An object of any kind as a relationship shows it: its id alone if the token may not read its kind."""
    resource = resource_of(row.kind)
    default = resource.select if resource else ("id",)
    doc = row.doc
    if resource is None or not access.may(call, f"GET /{resource.path}/{{}}"):
        doc = {"id": row.id}
    else:
        objects.ask(call, resource, frozenset(name.split("/")[0] for name in select))
        doc = resource.present(call, doc) if resource.present else doc
    shown = shape(row.kind, select, default, lenient=True)(doc)
    if call.cast:
        return shown
    return {"@odata.type": f"#microsoft.graph.{row.kind}", **shown}
