"""The bins: ``/directory/deletedItems`` and ``/identity/conditionalAccess/deletedItems``, for 30 days."""

from __future__ import annotations

from entra_sandbox.graph import access, errors, objects, schema
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.query import Query
from entra_sandbox.graph.registry import register, resource_of
from entra_sandbox.graph.resource import Document, Resource, Route
from entra_sandbox.graph.resources.conditional_access_policies import POLICIES
from entra_sandbox.graph.resources.named_locations import LOCATIONS
from entra_sandbox.graph.resources.users import check_administrator
from entra_sandbox.store import Row

__all__ = ["DAYS"]

DAYS = 30
_KINDS = ("application", "servicePrincipal", "user", "group")


def list_(call: Call, _: Resource) -> Answer:
    """``/directory/deletedItems/microsoft.graph.{type}``; without a type: everything."""
    if not call.cast:
        raise errors.bad_request("The type of the deleted items must be given in the address.")
    if call.cast not in _KINDS:
        raise errors.bad_request(f"'{call.cast}' objects are not kept when they are deleted.")
    _authorize(call, "GET", call.cast)
    target = _resource(call.cast)
    query = Query.of(call, call.cast, page=100, page_max=999, advanced=True)
    _expire(call)
    shown = [objects.show(call, target, row.doc) for row in query.rows(call, call.cast, deleted=True)]
    return Answer(200, query.page(call, "directoryObjects", shown, call.cast, deleted=True))


def get(call: Call, _: Resource) -> Answer:
    """One of them, with its type."""
    row = _find(call)
    _authorize(call, "GET", row.kind)
    place = context(call.base, "directoryObjects", (), single=True)
    shown = objects.show(call, _resource(row.kind), row.doc)
    return Answer(200, {"@odata.context": place, "@odata.type": f"#microsoft.graph.{row.kind}", **shown})


def restore(call: Call, _: Resource) -> Answer:
    """Back with the same ids; 200 with the object."""
    with call.store.transaction():
        row = _find(call)
        _authorize(call, "POST", row.kind, "/restore")
        access.require_owner(call, row.kind, row.id)
        if row.kind == "user":
            check_administrator(call, row.doc)
        _check_free(call, row)
        doc = call.store.exhume(row.kind, row.id, {"deletedDateTime": None}, call.tenant)
    place = context(call.base, "directoryObjects", (), single=True)
    shown = objects.show(call, _resource(row.kind), doc)
    return Answer(200, {"@odata.context": place, "@odata.type": f"#microsoft.graph.{row.kind}", **shown})


def purge(call: Call, _: Resource) -> Answer:
    """Gone for good; its names are free again."""
    with call.store.transaction():
        row = _find(call)
        _authorize(call, "DELETE", row.kind)
        access.require_owner(call, row.kind, row.id)
        call.store.delete(row.kind, row.id, call.tenant)
    return Answer(204)


def _find(call: Call) -> Row:
    _expire(call)
    key = call.keys[0].value
    row = call.store.resolve([key], deleted=True).get(key.lower())
    if row is None or row.tenant != call.tenant or row.kind not in _KINDS:
        raise errors.not_found(key)
    return row


def _authorize(call: Call, method: str, kind: str, ending: str = "") -> None:
    access.authorize(call, access.operations()[f"{method} /directory/deletedItems/{kind}{ending}"])


def _resource(kind: str) -> Resource:
    found = resource_of(kind)
    assert found is not None
    return found


def _check_free(call: Call, row: Row) -> None:
    """Somebody may have taken the name meanwhile."""
    if row.kind == "user":
        name = row.doc["userPrincipalName"]
        if call.store.first("user", call.tenant, userPrincipalName=name):
            raise errors.conflict("userPrincipalName")
    if row.kind == "servicePrincipal" and not call.store.first("application", deleted=False, appId=row.doc["appId"]):
        raise errors.bad_request("The application of the service principal must be restored first.")


def _expire(call: Call) -> None:
    oldest = schema.timestamp(call.now - DAYS * 86400)
    for kind in (*_KINDS, POLICIES.entity, LOCATIONS.entity):
        where = "(o.doc ->> '$.deletedDateTime') < ?"
        for row in call.store.rows(kind, call.tenant, where=where, args=(oldest,), deleted=True):
            call.store.delete(kind, row.id, call.tenant)


def _bin_of(name: str, target: Resource) -> Resource:
    """A bin of the conditional access service."""

    def find(call: Call) -> Document:
        _expire(call)
        doc = call.store.get(target.entity, call.keys[0].value, call.tenant, deleted=True)
        if doc is None:
            raise errors.GraphFault(404, "NotFound", f"{call.keys[0].value} cannot be found.")
        return doc

    def list_all(call: Call, resource: Resource) -> Answer:
        _expire(call)
        query = Query.of(call, target.entity, page=100, page_max=999, advanced=False)
        shown = [objects.show(call, target, row.doc) for row in query.rows(call, target.entity, deleted=True)]
        return Answer(200, query.page(call, resource.path, shown, target.entity, deleted=True))

    def show(call: Call, resource: Resource) -> Answer:
        place = context(call.base, resource.path, (), single=True)
        return Answer(200, {"@odata.context": place, **objects.show(call, target, find(call))})

    def bring_back(call: Call, resource: Resource) -> Answer:
        doc = call.store.exhume(target.entity, find(call)["id"], {"deletedDateTime": None}, call.tenant)
        return Answer(
            200,
            {"@odata.context": context(call.base, resource.path, (), single=True), **objects.show(call, target, doc)},
        )

    def remove(call: Call, _: Resource) -> Answer:
        call.store.delete(target.entity, find(call)["id"], call.tenant)
        return Answer(204)

    return Resource(
        path=f"identity/conditionalAccess/deletedItems/{name}",
        entity=target.entity,
        operations=(),
        routes=(
            Route("GET", "", list_all),
            Route("GET", "{}", show),
            Route("POST", "{}/restore", bring_back),
            Route("DELETE", "{}", remove),
        ),
    )


register(
    Resource(
        path="directory/deletedItems",
        entity="directoryObject",
        operations=(),
        routes=(
            Route("GET", "", list_, None),
            Route("GET", "{}", get, None),
            Route("DELETE", "{}", purge, None),
            Route("POST", "{}/restore", restore, None),
        ),
    ),
    _bin_of("policies", POLICIES),
    _bin_of("namedLocations", LOCATIONS),
)
