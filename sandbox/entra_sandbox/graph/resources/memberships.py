"""Memberships through groups: getMemberGroups, getMemberObjects, their checks, transitiveMemberOf, transitiveMembers.

learn.microsoft.com/graph/api/directoryobject-getmembergroups, directoryobject-getmemberobjects
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from entra_sandbox.graph import errors, hidden, links, objects
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Resource, Route
from entra_sandbox.graph.resources import directory_objects
from entra_sandbox.graph.resources.devices import DEVICES
from entra_sandbox.graph.resources.groups import GROUPS
from entra_sandbox.graph.resources.service_principals import SERVICE_PRINCIPALS
from entra_sandbox.graph.resources.users import USERS
from entra_sandbox.store import Row

MOST_CHECKED = 20


def _reached(first: str, follow: Callable[[str], list[str]]) -> list[str]:
    """Ids that can be reached, nearest first, each once; circles end."""
    seen: dict[str, None] = {}
    pending = [first]
    while pending:
        for one in follow(pending.pop(0)):
            if one not in seen:
                seen[one] = None
                pending.append(one)
    return list(seen)


def _groups(call: Call, object_id: str) -> list[Row]:
    """The groups that hold the object, directly or through others, without those of which the caller may not know."""
    ids = _reached(object_id, lambda one: call.store.links_to("group.members", one, at=call.at))
    return [row for row in call.store.resolve(ids).values() if hidden.may_see(call, row.doc)]


def _objects(call: Call, object_id: str) -> list[Row]:
    """The same with the directory roles of the object and of its groups."""
    groups = _groups(call, object_id)
    held = [one for held in (object_id, *(row.id for row in groups)) for one in _roles(call, held)]
    return [*groups, *call.store.resolve(list(dict.fromkeys(held))).values()]


def _roles(call: Call, object_id: str) -> list[str]:
    return call.store.links_to("directoryRole.members", object_id, at=call.at)


def _checked(call: Call, name: str, found: list[Row]) -> Answer:
    wanted = _parameter(call, name, list)
    if not 1 <= len(wanted) <= MOST_CHECKED or not all(isinstance(one, str) for one in wanted):
        raise errors.bad_request(f"Between 1 and {MOST_CHECKED} ids may be checked.", target=name)
    ids = {row.id.lower() for row in found}
    return _ids(call, [one for one in wanted if one.lower() in ids])


def _asked(call: Call, find: Callable[[Call], Row]) -> tuple[Row, bool]:
    """Whose groups are asked for, and whether it is for security groups alone, which can be for a user alone."""
    only_security, row = _parameter(call, "securityEnabledOnly", bool), find(call)
    if only_security and row.kind != "user":
        raise errors.bad_request("securityEnabledOnly can be true for a user alone.", target="securityEnabledOnly")
    return row, bool(only_security)


def _routes(read: str, find: Callable[[Call], Row]) -> tuple[Route, ...]:
    def get_groups(call: Call, _: Resource) -> Answer:
        row, only_security = _asked(call, find)
        rows = _groups(call, row.id)
        return _ids(call, [one.id for one in rows if one.doc.get("securityEnabled") or not only_security])

    def check_groups(call: Call, _: Resource) -> Answer:
        return _checked(call, "groupIds", _groups(call, find(call).id))

    def get_objects(call: Call, _: Resource) -> Answer:
        row, only_security = _asked(call, find)
        found = _objects(call, row.id)
        return _ids(call, [one.id for one in found if one.doc.get("securityEnabled") or not only_security])

    def check_objects(call: Call, _: Resource) -> Answer:
        return _checked(call, "ids", _objects(call, find(call).id))

    def transitive_member_of(call: Call, _: Resource) -> Answer:
        return links.list_ids(call, [row.id for row in _groups(call, find(call).id)])

    def count_member_of(call: Call, _: Resource) -> Answer:
        return links.list_ids(call, [row.id for row in _groups(call, find(call).id)], counting=True)

    return (
        Route("POST", "{}/getMemberGroups", get_groups, read),
        Route("POST", "{}/checkMemberGroups", check_groups, read),
        Route("POST", "{}/getMemberObjects", get_objects, read),
        Route("POST", "{}/checkMemberObjects", check_objects, read),
        Route("GET", "{}/transitiveMemberOf", transitive_member_of, read),
        Route("GET", "{}/transitiveMemberOf/$count", count_member_of, read),
    )


def transitive_members(call: Call, _: Resource) -> Answer:
    """Members of a group and of the groups in it."""
    return links.list_ids(call, _members(call))


def count_members(call: Call, _: Resource) -> Answer:
    """How many they are."""
    return links.list_ids(call, _members(call), counting=True)


def _members(call: Call) -> list[str]:
    group = objects.find(call, GROUPS, call.keys[0])
    hidden.check_read(call, group.doc)

    def inside(one: str) -> list[str]:
        nested = call.store.get("group", one, call.tenant)
        shown = nested is None or hidden.may_see(call, nested)
        return call.store.links("group.members", one, at=call.at) if shown else []

    return _reached(group.id, inside)


def _parameter(call: Call, name: str, kind: type) -> Any:
    value = {key.lower(): item for key, item in call.json().items()}.get(name.lower())
    if not isinstance(value, kind):
        raise errors.bad_request(f"The parameter '{name}' is missing or of the wrong type.", target=name)
    return value


def _ids(call: Call, ids: list[str]) -> Answer:
    return Answer(200, {"@odata.context": context(call.base, "Collection(Edm.String)", ()), "value": ids})


def _part(source: Resource, *routes: Route) -> Resource:
    of_source = _routes(f"GET /{source.path}/{{}}/memberOf", lambda call: objects.find(call, source, call.keys[0]))
    return Resource(path=source.path, entity=source.entity, operations=(), routes=(*of_source, *routes))


# /directoryObjects offers the actions, not the list.
_ANY = Resource(
    path="directoryObjects",
    entity="directoryObject",
    operations=(),
    routes=_routes("GET /directoryObjects/{}", directory_objects.found)[:4],
)


register(
    _ANY,
    _part(USERS),
    _part(SERVICE_PRINCIPALS),
    _part(DEVICES),
    _part(
        GROUPS,
        Route("GET", "{}/transitiveMembers", transitive_members, "GET /groups/{}/members"),
        Route("GET", "{}/transitiveMembers/$count", count_members, "GET /groups/{}/members"),
    ),
)
