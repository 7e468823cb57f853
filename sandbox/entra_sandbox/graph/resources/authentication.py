"""How people sign in: everybody by password alone, and nobody has registered anything else.

learn.microsoft.com/graph/api/authentication-list-methods, resources/userregistrationdetails
"""

from __future__ import annotations

from entra_sandbox.graph import objects, schema
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.computed import page
from entra_sandbox.graph.odata.answer import context, shape
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Resource, Route
from entra_sandbox.graph.resources.users import USERS

_PASSWORD = "28c10230-6103-485e-b985-444c60001490"  # the id of everybody's password, which is no secret
_NOT = (
    "isMfaCapable",
    "isMfaRegistered",
    "isPasswordlessCapable",
    "isSsprCapable",
    "isSsprEnabled",
    "isSsprRegistered",
)


def methods(call: Call, _resource: Resource) -> Answer:
    """The password, without its value."""
    user = objects.find(call, USERS, call.keys[0])
    made = user.doc.get("lastPasswordChangeDateTime") or user.doc.get("createdDateTime")
    kind = "#microsoft.graph.passwordAuthenticationMethod"
    password = {"@odata.type": kind, "id": _PASSWORD, "createdDateTime": made, "password": None}
    place = context(call.base, f"users('{user.id}')/authentication/methods", ())
    return Answer(200, {"@odata.context": place, "value": [password]})


def registrations(call: Call, resource: Resource) -> Answer:
    """One for each user."""
    found = [_registration(call, row.doc) for row in call.store.rows("user", call.tenant, at=call.at)]
    return page(call, resource, found, shape(resource.entity, call.options.select, ()))


def registration(call: Call, resource: Resource) -> Answer:
    """That of one user, under the user's id."""
    shown = shape(resource.entity, call.options.select, ())(
        _registration(call, objects.find(call, USERS, call.keys[0]).doc)
    )
    return Answer(200, {"@odata.context": context(call.base, resource.path, call.options.select, single=True), **shown})


def _registration(call: Call, user: Document) -> Document:
    return {
        **dict.fromkeys(_NOT, False),
        "id": user["id"],
        "isAdmin": bool(call.store.links_to("directoryRole.members", user["id"])),
        "isSystemPreferredAuthenticationMethodEnabled": False,
        "lastUpdatedDateTime": schema.timestamp(call.now),
        "methodsRegistered": [],
        "systemPreferredAuthenticationMethods": [],
        "userDisplayName": user.get("displayName"),
        "userPreferredMethodForSecondaryAuthentication": "none",
        "userPrincipalName": user.get("userPrincipalName"),
        "userType": "guest" if user.get("userType") == "Guest" else "member",
    }


register(
    Resource(path="users", entity="user", operations=(), routes=(Route("GET", "{}/authentication/methods", methods),)),
    Resource(
        path="reports/authenticationMethods/userRegistrationDetails",
        entity="userRegistrationDetails",
        operations=(),
        routes=(Route("GET", "", registrations), Route("GET", "{}", registration)),
    ),
)
