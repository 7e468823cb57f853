"""``/me``: the signed-in user, with everything that is read below ``/users/{id}``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from entra_sandbox.graph import access, entities
from entra_sandbox.graph.call import Answer, Call, Key
from entra_sandbox.graph.resource import Resource, Route
from entra_sandbox.graph.resources.users import USERS

__all__ = ["mirror"]

# Besides these a person is changed as every user is, with its permissions: learn.microsoft.com/graph/api/user-update
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
_READING = frozenset({"getMemberGroups", "checkMemberGroups", "getMemberObjects", "checkMemberObjects"})

Handler = Callable[[Call, Resource], Answer]


def mirror(resources: Iterable[Resource]) -> Resource:
    """``/me`` with the reads of every resource at ``/users``; ``operations.json`` says what each of them takes."""
    return Resource(path="me", entity="user", operations=(), routes=tuple(_routes(resources)))


def _routes(resources: Iterable[Resource]) -> Iterator[Route]:
    yield Route("GET", "", _of_caller(entities.get, USERS), single=True)
    yield Route("PATCH", "", _change)
    for resource in resources:
        for route in entities.every_route(resource) if resource.path == USERS.path else ():
            name = route.path.removeprefix("{}/")
            if name != route.path and (route.method == "GET" or name in _READING):
                read = (route.access or "").replace("/users/{}", "/me")
                yield replace(route, path=name, handler=_of_caller(route.handler, resource), access=read)


def _of_caller(handler: Handler, users: Resource) -> Handler:
    def handle(call: Call, _resource: Resource) -> Answer:
        call.keys = [Key(call.caller.object_id), *call.keys]
        return handler(call, users)

    return handle


def _change(call: Call, resource: Resource) -> Answer:
    if {name for name in call.json() if "@" not in name} - _OWN:
        access.authorize(call, access.operations()["PATCH /users/{}"])
    return _of_caller(entities.update, USERS)(call, resource)
