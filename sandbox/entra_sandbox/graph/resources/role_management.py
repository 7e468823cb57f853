"""``/roleManagement/directory``: learn.microsoft.com/graph/api/resources/unifiedroleassignment

Assignments at the root scope and memberships of activated roles are the same thing seen twice, so they are kept once,
as memberships; an assignment's id says which.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable

from entra_sandbox.graph import errors, roles, schema
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.computed import page
from entra_sandbox.graph.links import show as show_linked
from entra_sandbox.graph.links import target_of
from entra_sandbox.graph.odata.answer import context, shape
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Resource, Route
from entra_sandbox.graph.resources.directory_roles import check_member, check_removal

_PATH = "roleManagement/directory"
_PRINCIPALS = ("user", "group", "servicePrincipal")


def list_assignments(call: Call, resource: Resource) -> Answer:
    """Those assignments that ``$filter`` names, by pages."""
    return page(call, resource, _assignments(call), lambda one: _expanded(call, resource, one))


def get_assignment(call: Call, resource: Resource) -> Answer:
    """One assignment."""
    role, principal = _parse(call, call.keys[0].value)
    shown = _expanded(call, resource, _assignment(role, principal))
    return Answer(200, {"@odata.context": context(call.base, resource.path, (), single=True), **shown})


def create_assignment(call: Call, resource: Resource) -> Answer:
    """Make a principal a member of a role, activating the role if needed."""
    body = schema.check_body(resource.entity, call.json(), resource.title)
    for name in ("principalId", "roleDefinitionId", "directoryScopeId"):
        if not body.get(name) and not (name == "directoryScopeId" and body.get("appScopeId")):
            raise errors.missing_value(name, resource.title)
    if body.get("directoryScopeId") != "/":  # an administrative unit, an application, or a scope of the service's own
        raise errors.not_emulated("/roleManagement/directory/roleAssignments below a scope other than '/'")
    template = str(body["roleDefinitionId"]).lower()
    known = next((one for one in roles.templates() if one["id"] == template), None)
    if known is None:
        raise errors.not_found(template)
    with call.store.transaction():
        target = target_of(call, body["principalId"])
        if target.kind not in _PRINCIPALS:
            raise errors.not_found(target.id)
        role = call.store.first("directoryRole", call.tenant, roleTemplateId=template)
        if role is None:
            role = {**known, "id": _role_object_id(call, template), "roleTemplateId": template}
            call.store.put("directoryRole", role, call.tenant)
        check_member(call, role, target.doc)
        if not call.store.link("directoryRole.members", role["id"], target.id):
            raise errors.bad_request(
                "A conflicting object with one or more of the specified property values is present in the directory."
            )
    call.about += [(target.kind, target.doc), ("directoryRole", role)]
    made = _assignment(role, target.id)
    return Answer(201, {"@odata.context": context(call.base, resource.path, (), single=True), **made})


def delete_assignment(call: Call, _resource: Resource) -> Answer:
    """Take the role away."""
    with call.store.transaction():
        role, principal = _parse(call, call.keys[0].value)
        check_removal(call, role, {"id": principal})
        row = call.store.resolve([principal], deleted=None).get(principal.lower())
        end = (row.kind, row.doc) if row else ("directoryObject", {"id": principal})
        call.about += [end, ("directoryRole", role)]
        call.store.unlink("directoryRole.members", role["id"], principal)
    return Answer(204)


def list_definitions(call: Call, resource: Resource) -> Answer:
    """The built-in roles."""
    found = [_definition(one) for one in roles.templates()]
    return page(call, resource, found, lambda one: _expanded(call, resource, one))


def get_definition(call: Call, resource: Resource) -> Answer:
    """One built-in role by its id, which is the template's."""
    key = call.keys[0].value.lower()
    known = next((one for one in roles.templates() if one["id"] == key), None)
    if known is None:
        raise errors.not_found(key)
    shown = _expanded(call, resource, _definition(known))
    return Answer(200, {"@odata.context": context(call.base, resource.path, (), single=True), **shown})


def _expanded(call: Call, resource: Resource, doc: Document) -> Document:
    shown = shape(resource.entity, call.options.select, resource.select)(doc)
    for wanted in call.options.expand:
        link = schema.entity(resource.entity).find_link(wanted.link)
        if link == "principal":
            row = call.store.resolve([doc["principalId"]]).get(doc["principalId"].lower())
            shown[link] = show_linked(call, row, wanted.select) if row else None
        elif link == "roleDefinition":
            template = next(one for one in roles.templates() if one["id"] == doc["roleDefinitionId"])
            shown[link] = shape("unifiedRoleDefinition", wanted.select, ())(_definition(template))
        else:
            raise errors.bad_gateway_request(
                f"Parsing OData Select and Expand failed: Could not find a property named '{wanted.link}' on type "
                f"'microsoft.graph.{resource.entity}', or it cannot be expanded."
            )
    return shown


def _role_object_id(call: Call, template: str) -> str:
    """A stable object id for the role of this tenant."""
    return str(uuid.uuid5(uuid.UUID(call.tenant), template))


def _assignments(call: Call) -> list[Document]:
    found = []
    for row in call.store.rows("directoryRole", call.tenant, at=call.at):
        role = row.doc
        found += [_assignment(role, one) for one in call.store.links("directoryRole.members", row.id, at=call.at)]
    return found


def _assignment(role: Document, principal: str) -> Document:
    raw = f"{role['id']} {principal}".encode()
    return {
        "id": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "principalId": principal,
        "directoryScopeId": "/",
        "roleDefinitionId": role["roleTemplateId"],
    }


def _parse(call: Call, key: str) -> tuple[Document, str]:
    try:
        role_id, principal = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)).decode().split(" ")
    except (binascii.Error, ValueError):
        raise errors.not_found(key) from None
    role = call.store.get("directoryRole", role_id, call.tenant)
    if role is None or not call.store.linked("directoryRole.members", role_id, principal):
        raise errors.not_found(key)
    return role, principal


def _definition(template: dict[str, str]) -> Document:
    return {
        **template,
        "isBuiltIn": True,
        "isEnabled": True,
        "resourceScopes": ["/"],
        "rolePermissions": [],
        "templateId": template["id"],
        "version": "1",
    }


def _schedules(held: bool) -> Callable[[Call, Resource], Answer]:
    """Schedules of roles that are held, or that somebody may activate, which nobody may here."""

    def list_schedules(call: Call, resource: Resource) -> Answer:
        found = [_schedule(one, resource) for one in _assignments(call)] if held else []
        return page(call, resource, found, lambda one: _expanded(call, resource, one))

    return list_schedules


def _schedule(assignment: Document, resource: Resource) -> Document:
    """An assignment without end, as its schedule or as the instance of that."""
    same = {**assignment, "appScopeId": None, "assignmentType": "Assigned", "memberType": "Direct"}
    if resource.entity == "unifiedRoleAssignmentScheduleInstance":
        origin = {"roleAssignmentOriginId": assignment["id"], "roleAssignmentScheduleId": assignment["id"]}
        return {**same, **origin, "startDateTime": None, "endDateTime": None}
    expiration = {"type": "noExpiration", "duration": None, "endDateTime": None}
    schedule = {"startDateTime": None, "recurrence": None, "expiration": expiration}
    return {**same, "createdUsing": None, "scheduleInfo": schedule, "status": "Provisioned"}


ASSIGNMENTS = Resource(
    path=f"{_PATH}/roleAssignments",
    entity="unifiedRoleAssignment",
    operations=(),
    select=("id", "principalId", "directoryScopeId", "roleDefinitionId"),
    routes=(
        Route("GET", "", list_assignments),
        Route("GET", "{}", get_assignment),
        Route("POST", "", create_assignment),
        Route("DELETE", "{}", delete_assignment),
    ),
)

DEFINITIONS = Resource(
    path=f"{_PATH}/roleDefinitions",
    entity="unifiedRoleDefinition",
    operations=(),
    routes=(Route("GET", "", list_definitions), Route("GET", "{}", get_definition)),
)

SCHEDULES = tuple(
    Resource(
        path=f"{_PATH}/{path}",
        entity=entity,
        operations=(),
        routes=(Route("GET", "", _schedules(held="Assignment" in entity)),),
    )
    for path, entity in (
        ("roleAssignmentSchedules", "unifiedRoleAssignmentSchedule"),
        ("roleAssignmentScheduleInstances", "unifiedRoleAssignmentScheduleInstance"),
        ("roleEligibilitySchedules", "unifiedRoleEligibilitySchedule"),
        ("roleEligibilityScheduleInstances", "unifiedRoleEligibilityScheduleInstance"),
    )
)

register(ASSIGNMENTS, DEFINITIONS, *SCHEDULES)
