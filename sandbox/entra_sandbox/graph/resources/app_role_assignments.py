"""``…/appRoleAssignments`` and ``…/appRoleAssignedTo``: learn.microsoft.com/graph/api/resources/approleassignment

One row per principal, resource and role; it is seen from the principal and from the resource.
"""

from __future__ import annotations

from entra_sandbox.graph import access, errors, objects, schema
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.query import Query
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Resource, Route
from entra_sandbox.graph.resources.groups import GROUPS
from entra_sandbox.graph.resources.service_principals import SERVICE_PRINCIPALS
from entra_sandbox.graph.resources.users import USERS
from entra_sandbox.graph.roles import role_id
from entra_sandbox.store import Row

__all__ = ["ASSIGNMENTS", "routes_of"]

_ENTITY = "appRoleAssignment"
_DEFAULT_ROLE = "00000000-0000-0000-0000-000000000000"
_MICROSOFT_GRAPHS = frozenset({"00000003-0000-0000-c000-000000000000", "00000002-0000-0000-c000-000000000000"})
_TYPES = {"user": "User", "group": "Group", "servicePrincipal": "ServicePrincipal"}


def routes_of(source: Resource, name: str, end: str) -> tuple[Route, ...]:
    """The routes of ``{}/name`` below ``source``, whose id is the assignment's ``end`` (principalId or resourceId)."""

    def list_(call: Call, _resource: Resource) -> Answer:
        found = objects.find(call, source, call.keys[0])
        query = Query.of(call, _ENTITY, page=100, page_max=999, advanced=True)
        ids = [found.id]
        if found.kind == "user":
            ids += call.store.links_to("group.members", found.id, at=call.at)
        marks = ", ".join("?" * len(ids))
        query.restrict(f"(o.doc ->> '$.\"{end}\"') COLLATE NOCASE IN ({marks})", *ids)
        shown = [objects.show(call, ASSIGNMENTS, row.doc) for row in query.rows(call, _ENTITY)]
        return Answer(200, query.page(call, _place(source, found, name), shown, _ENTITY))

    def get(call: Call, _resource: Resource) -> Answer:
        found, assignment = _both(call, source, end)
        place = context(call.base, _place(source, found, name), call.options.select, single=True)
        return Answer(200, {"@odata.context": place, **objects.show(call, ASSIGNMENTS, assignment)})

    def create(call: Call, _resource: Resource) -> Answer:
        with call.store.transaction():
            found = objects.find(call, source, call.keys[0])
            doc = _new(call, found, end)
            call.store.put(_ENTITY, doc, call.tenant, read_from=call.steady + call.delays.get("read", 0.0))
        place = context(call.base, _place(source, found, name), (), single=True)
        return Answer(201, {"@odata.context": place, **objects.show(call, ASSIGNMENTS, doc)})

    def delete(call: Call, _resource: Resource) -> Answer:
        with call.store.transaction():
            _, assignment = _both(call, source, end)
            resource = call.store.get("servicePrincipal", assignment["resourceId"], call.tenant)
            _check_caller(call, resource or {}, str(assignment["resourceId"]))
            call.store.delete(_ENTITY, assignment["id"], call.tenant)
        return Answer(204)

    base = f"{{}}/{name}"
    return (
        Route("GET", base, list_),
        Route("POST", base, create),
        Route("GET", f"{base}/{{}}", get),
        Route("DELETE", f"{base}/{{}}", delete),
    )


def _new(call: Call, found: Row, end: str) -> Document:
    body = schema.check_body(_ENTITY, call.json(), "AppRoleAssignment")
    for name in ("principalId", "resourceId", "appRoleId"):
        if not body.get(name):
            raise errors.missing_value(name, "AppRoleAssignment")
    if set(body) - {"principalId", "resourceId", "appRoleId", "principalType"}:
        raise errors.read_only(sorted(set(body) - {"principalId", "resourceId", "appRoleId", "principalType"})[0])
    if body[end].lower() != found.id.lower():
        raise errors.bad_request(f"The value of '{end}' does not match the object in the address.")
    resource = call.store.row("servicePrincipal", body["resourceId"], call.tenant)
    principal = call.store.resolve([body["principalId"]]).get(body["principalId"].lower())
    if resource is None or principal is None or principal.tenant != call.tenant or principal.kind not in _TYPES:
        raise _bad_reference()
    if max(resource.link_from, principal.link_from) > call.at:
        raise _bad_reference()
    document = resource.doc
    _check_role(document, body["appRoleId"], principal.kind)
    _check_caller(call, document, resource.id)
    same = {"principalId": principal.id, "resourceId": resource.id, "appRoleId": body["appRoleId"]}
    if call.store.first(_ENTITY, call.tenant, **same):
        raise errors.bad_request(
            "Permission being assigned already exists on the object",
            details=[
                {
                    "code": "InvalidUpdate",
                    "message": "Permission being assigned already exists on the object",
                    "target": "EntitlementGrant",
                }
            ],
        )
    return {
        "id": objects.opaque_id(),
        "deletedDateTime": None,
        "appRoleId": body["appRoleId"].lower(),
        "createdDateTime": schema.timestamp(call.now),
        "principalDisplayName": principal.doc.get("displayName"),
        "principalId": principal.id,
        "principalType": _TYPES[principal.kind],
        "resourceDisplayName": document.get("displayName"),
        "resourceId": resource.id,
    }


def _check_role(resource: Document, wanted: str, kind: str) -> None:
    roles = resource.get("appRoles") or []
    member = "Application" if kind == "servicePrincipal" else "User"
    if wanted == _DEFAULT_ROLE and not any(member in role.get("allowedMemberTypes", []) for role in roles):
        return
    role = next((one for one in roles if str(one["id"]).lower() == wanted.lower()), None)
    if role is None or not role.get("isEnabled", True):
        raise errors.bad_request("Permission being assigned was not found on application")
    if member not in (role.get("allowedMemberTypes") or []):
        raise errors.bad_request("Permission being assigned is not allowed for this kind of principal.")


def _check_caller(call: Call, resource: Document, resource_id: str) -> None:
    """App roles of Microsoft Graph are given by Privileged Role Administrators; owners give their own API's."""
    if call.caller.app_only:
        return
    if resource.get("appId") in _MICROSOFT_GRAPHS:
        if not access.holds_role(call, frozenset({role_id("Privileged Role Administrator")})):
            raise errors.denied()
    elif call.must_own and not access.owns(call, "servicePrincipal", resource_id):
        raise errors.denied()


def _both(call: Call, source: Resource, end: str) -> tuple[Row, Document]:
    found = objects.find(call, source, call.keys[0])
    key = call.keys[1].value
    row = call.store.row(_ENTITY, key, call.tenant)
    if row is None or str(row.doc[end]).lower() != found.id.lower() or row.read_from > call.at:
        raise errors.not_found(key)
    return found, row.doc


def _place(source: Resource, found: Row, name: str) -> str:
    return f"{source.path}('{found.id}')/{name}"


def _bad_reference() -> errors.GraphFault:
    return errors.bad_request(
        "Not a valid reference update.",
        details=[
            {"code": "InvalidReference", "message": "Not a valid reference update.", "target": "EntitlementGrant"}
        ],
    )


ASSIGNMENTS = Resource(path="appRoleAssignments", entity=_ENTITY, operations=())


register(
    ASSIGNMENTS,
    Resource(path="users", entity="user", operations=(), routes=routes_of(USERS, "appRoleAssignments", "principalId")),
    Resource(
        path="groups", entity="group", operations=(), routes=routes_of(GROUPS, "appRoleAssignments", "principalId")
    ),
    Resource(
        path="servicePrincipals",
        entity="servicePrincipal",
        operations=(),
        routes=(
            *routes_of(SERVICE_PRINCIPALS, "appRoleAssignments", "principalId"),
            *routes_of(SERVICE_PRINCIPALS, "appRoleAssignedTo", "resourceId"),
        ),
    ),
)
