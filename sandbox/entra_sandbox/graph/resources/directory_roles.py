"""``/directoryRoles``, the activated roles: learn.microsoft.com/graph/api/resources/directoryrole"""

from __future__ import annotations

from entra_sandbox.graph import errors, roles
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Link, Resource

__all__ = ["DIRECTORY_ROLES"]


def create(call: Call, doc: Document) -> Document:
    """Activate a role from its template."""
    wanted = str(doc["roleTemplateId"]).lower()
    template = next((one for one in roles.templates() if one["id"] == wanted), None)
    if template is None or template["displayName"] in roles.ROLE_NAMES_NOT_ASSIGNABLE:
        raise errors.not_found(wanted)
    if call.store.first("directoryRole", call.tenant, roleTemplateId=wanted):
        raise errors.bad_request(
            "A conflicting object with one or more of the specified property values is present in the directory."
        )
    return {
        "id": doc["id"],
        "displayName": template["displayName"],
        "description": template["description"],
        "roleTemplateId": wanted,
    }


def check_member(_call: Call, _role: Document, member: Document) -> None:
    """A group holds a role only if it was made for that: learn.microsoft.com/graph/api/resources/group"""
    if "groupTypes" in member and not member.get("isAssignableToRole"):
        raise errors.bad_request("A group can be assigned to a role only if its 'isAssignableToRole' is true.")


def check_removal(call: Call, role: Document, member: Document) -> None:
    """The last Global Administrator stays."""
    if role["roleTemplateId"] != roles.GLOBAL_ADMINISTRATOR:
        return
    if call.store.links("directoryRole.members", role["id"]) == [member["id"]]:
        raise errors.bad_request("The last Global Administrator of the tenant cannot be removed.")


DIRECTORY_ROLES = Resource(
    path="directoryRoles",
    entity="directoryRole",
    alternate_keys=("roleTemplateId",),
    operations=("list", "get", "create"),
    required=("roleTemplateId",),
    page=0,
    quota=False,
    create=create,
    links=(
        Link(
            "members",
            "directoryRole.members",
            ("user", "servicePrincipal", "group"),
            writable=True,
            pages=False,
            deletes_target=True,
            add=check_member,
            remove=check_removal,
        ),
    ),
)

register(DIRECTORY_ROLES)
