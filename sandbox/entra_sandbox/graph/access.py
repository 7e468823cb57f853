"""Who may do what: permission sets per operation, and for delegated calls the directory roles and ownership behind.

``facts/actions.json`` holds the operations behind the connector's actions, ``operations.json`` the others and the
groups of people that both name: who may do it when somebody is signed in. Below the collections of "as the user"
``Directory.AccessAsUser.All`` does whatever the person may do (learn.microsoft.com/graph/permissions-reference).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from entra_sandbox import facts
from entra_sandbox.graph import errors
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.roles import GLOBAL_ADMINISTRATOR, role_id

__all__ = [
    "AS_USER",
    "Operation",
    "authorize",
    "has_premium",
    "holds_role",
    "may",
    "operations",
    "owns",
    "require_owner",
    "taken",
]

AS_USER = "Directory.AccessAsUser.All"
Sets = tuple[frozenset[str], ...]

_AS_USER = frozenset({AS_USER})
_OWNER_LINKS = {
    "application": "application.owners",
    "servicePrincipal": "servicePrincipal.owners",
    "group": "group.owners",
}


@dataclass(frozen=True)
class Operation:
    """The complete permission sets of one operation, and the directory roles (template ids) that may use it.

    ``cost`` is in resource units; ``premium``: the tenant needs Entra ID P1.
    """

    name: str
    delegated: Sets
    application: Sets
    roles: frozenset[str]
    also: frozenset[str]
    conditional_access: bool
    cost: int = 1
    premium: bool = False
    as_user: bool = False

    def sets(self, kind: facts.Kind) -> Sets:
        """Every set of permissions that suffices."""
        if kind == "application":
            return self.application
        return (*self.delegated, _AS_USER) if self.as_user else self.delegated


@cache
def operations() -> Mapping[str, Operation]:
    """Every operation by ``METHOD /path/{}``; KeyError or TypeError if the data does not fit together."""
    text = files("entra_sandbox.graph").joinpath("operations.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    people: dict[str, Any] = data["who"]
    found = {name: _operation(name, people, **described) for name, described in data["operations"].items()}
    for one in facts.actions().values():
        found[one.operation] = _operation(one.operation, people, one.who, one.delegated, one.application, one.cost)
    directory = frozenset(data["as the user"])
    return {name: replace(one, as_user=name.split("/")[1] in directory) for name, one in found.items()}


def taken(kind: facts.Kind) -> frozenset[str]:
    """Every permission that some operation takes."""
    return frozenset(name for one in operations().values() for names in one.sets(kind) for name in names)


def _operation(
    name: str,
    people: Mapping[str, Any],
    who: str,
    delegated: Any,
    application: Any,
    cost: int = 1,
    *,
    premium: bool = False,
) -> Operation:
    roles = frozenset(role_id(role) for role in people[who].get("roles", ()))
    also = frozenset(people[who].get("also", ()))
    conditional = "/identity/conditionalAccess/" in name
    delegated, application = _sets(delegated), _sets(application)
    return Operation(name, delegated, application, roles, also, conditional, cost, premium or conditional)


def authorize(call: Call, operation: Operation) -> None:
    """Let the call pass or raise 403. Leaves in the call which sets suffice and whether it reaches only own objects."""
    if call.caller.app_only and operation.name.split()[1].startswith("/me"):
        raise errors.bad_gateway_request("/me request is only valid with delegated authentication flow.")
    call.sets = tuple(one for one in operation.sets(_kind(call)) if one <= call.caller.granted)
    refused = errors.scopes_missing() if operation.conditional_access else errors.denied()
    if not call.sets and not _partly(call, operation):
        raise refused
    if operation.premium and not has_premium(call):
        raise errors.not_licensed() if operation.conditional_access else errors.no_premium()
    reads = operation.name.startswith("GET ")
    owned = bool(call.sets) and all(any(name.endswith(".OwnedBy") for name in one) for one in call.sets)
    call.must_own = owned and not reads
    if call.caller.app_only:
        return
    if holds_role(call, operation.roles):
        return
    if operation.also & {"everybody", *_kinds_of(call)}:
        return
    if "owners" in operation.also:
        call.must_own = True
        return
    raise refused


def _partly(call: Call, operation: Operation) -> bool:
    # Some properties of a user have permissions of their own; the users module looks at what is changed.
    return operation.name == "PATCH /users/{}" and any(
        name.startswith("User-") or name in ("User.EnableDisableAccount.All", "User.ManageIdentities.All")
        for name in call.caller.granted
    )


def has_premium(call: Call) -> bool:
    """Whether the tenant has Entra ID P1 or P2, which conditional access and the sign-ins of people need."""
    for row in call.store.rows("subscribedSku", call.tenant):
        doc = row.doc
        plans = {plan["servicePlanName"] for plan in doc.get("servicePlans", [])}
        if doc.get("capabilityStatus") == "Enabled" and plans & {"AAD_PREMIUM", "AAD_PREMIUM_P2"}:
            return True
    return False


def may(call: Call, name: str) -> bool:
    """Whether the token's permissions alone would allow another operation."""
    return any(one <= call.caller.granted for one in operations()[name].sets(_kind(call)))


def _kind(call: Call) -> facts.Kind:
    return "application" if call.caller.app_only else "delegated"


def holds_role(call: Call, roles: frozenset[str]) -> bool:
    """Whether the caller holds one of the directory roles, or is Global Administrator."""
    return bool(call.caller.directory_roles & (roles | {GLOBAL_ADMINISTRATOR}))


def owns(call: Call, kind: str, object_id: str) -> bool:
    """Whether the caller is an owner of the object (of a service principal: or of its application)."""
    link = _OWNER_LINKS.get(kind)
    if link is None:
        return False
    if call.store.linked(link, object_id, call.caller.object_id):
        return True
    if kind != "servicePrincipal":
        return False
    principal = call.store.get("servicePrincipal", object_id, call.tenant, deleted=None)
    application = call.store.first("application", call.tenant, appId=principal["appId"]) if principal else None
    return application is not None and call.store.linked(
        _OWNER_LINKS["application"], application["id"], call.caller.object_id
    )


def require_owner(call: Call, kind: str, object_id: str) -> None:
    """403 if the call reaches only own objects and this is none."""
    if call.must_own and not owns(call, kind, object_id):
        raise errors.denied()


def _kinds_of(call: Call) -> frozenset[str]:
    user = call.store.get("user", call.caller.object_id, call.tenant)
    kinds = {"role holders"} if call.caller.directory_roles - _PLAIN else set()
    if user is not None and user.get("userType") != "Guest":
        kinds.add("members")
        allowed = _user_permissions(call)
        if allowed.get("allowedToCreateApps", True):
            kinds.add("members who may create applications")
        if allowed.get("allowedToCreateSecurityGroups", True):
            kinds.add("members who may create groups")
    return frozenset(kinds)


def _user_permissions(call: Call) -> Mapping[str, Any]:
    policy = call.store.first("authorizationPolicy", call.tenant) or {}
    return policy.get("defaultUserRolePermissions") or {}


# Every member's token names this one ("User"); guests have one of the others.
_PLAIN = frozenset(
    {
        "b79fbf4d-3ef9-4689-8143-76b194e85509",
        "a0b1b346-4d3e-4e8b-98f8-753987be4970",
        "10dae51f-b6af-4016-8d66-8c2a99b929b3",
        "2af84b1e-32c8-42b7-82bc-daa82404023b",
    }
)


def _sets(alternatives: Any) -> Sets:
    return tuple(frozenset(one) for one in alternatives)
