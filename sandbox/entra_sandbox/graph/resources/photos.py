"""``…/photo`` of people and groups, of whom none has one: learn.microsoft.com/graph/api/profilephoto-get"""

from __future__ import annotations

from typing import NoReturn

from entra_sandbox.graph import errors, objects
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Resource, Route
from entra_sandbox.graph.resources.groups import GROUPS
from entra_sandbox.graph.resources.users import USERS


def _photo(source: Resource) -> Resource:
    def absent(call: Call, _resource: Resource) -> NoReturn:
        objects.find(call, source, call.keys[0])
        raise errors.GraphFault(404, "ImageNotFound", "The photo wasn't found.")

    read = f"GET /{source.path}/{{}}/photo"
    routes = (Route("GET", "{}/photo", absent), Route("GET", "{}/photo/$value", absent, read))
    return Resource(path=source.path, entity=source.entity, operations=(), routes=routes)


register(_photo(USERS), _photo(GROUPS))
