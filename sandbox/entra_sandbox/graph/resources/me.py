"""``/me``: the signed-in user."""

from __future__ import annotations

from entra_sandbox.graph import access, entities, errors, links, objects
from entra_sandbox.graph.call import Answer, Call, Key
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.query import Query
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Resource, Route
from entra_sandbox.graph.resources.app_role_assignments import ASSIGNMENTS
from entra_sandbox.graph.resources.oauth2_permission_grants import GRANTS
from entra_sandbox.graph.resources.users import USERS

_OWN = frozenset(
    {
        "aboutMe",
        "birthday",
        "businessPhones",
        "interests",
        "mobilePhone",
        "mySite",
        "officeLocation",
        "pastProjects",
        "preferredLanguage",
        "preferredName",
        "responsibilities",
        "schools",
        "skills",
    }
)


def read(call: Call, _resource: Resource) -> Answer:
    """The caller's own user."""
    doc = _self(call)
    shown = objects.show(call, USERS, doc)
    links.expand(call, USERS, [shown], [doc])
    return Answer(200, {"@odata.context": context(call.base, "users", call.options.select, single=True), **shown})


def change(call: Call, _resource: Resource) -> Answer:
    """Properties that people may change of themselves; the others need what ``PATCH /users/{id}`` needs."""
    if {name for name in call.json() if "@" not in name} - _OWN:
        access.authorize(call, access.operations()["PATCH /users/{}"])
    call.keys = [Key(call.caller.object_id)]
    return entities.update(call, USERS)


def _related(target: Resource, name: str) -> Route:
    kind = target.entity

    def handle(call: Call, _resource: Resource) -> Answer:
        query = Query.of(call, kind, page=100, page_max=999, advanced=True)
        query.restrict("(o.doc ->> '$.principalId') = ?", call.caller.object_id)
        shown = [objects.show(call, target, row.doc) for row in query.rows(call, kind)]
        return Answer(200, query.page(call, f"users('{call.caller.object_id}')/{name}", shown, kind))

    return Route("GET", name, handle)


def member_of(call: Call, _resource: Resource) -> Answer:
    """Groups and roles of the caller."""
    call.keys = [Key(call.caller.object_id)]
    return links.list_link(call, USERS, "memberOf")


def _self(call: Call) -> Document:
    doc = call.store.get("user", call.caller.object_id, call.tenant)
    if doc is None:
        raise errors.not_found(call.caller.object_id)
    return doc


register(
    Resource(
        path="me",
        entity="user",
        operations=(),
        routes=(
            Route("GET", "", read),
            Route("PATCH", "", change),
            Route("GET", "memberOf", member_of),
            _related(ASSIGNMENTS, "appRoleAssignments"),
            _related(GRANTS, "oauth2PermissionGrants"),
        ),
    ),
)
