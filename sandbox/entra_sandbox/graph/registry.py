"""The resources of the service: each module of ``resources`` enters its own, the shared handlers find them by type."""

from __future__ import annotations

from entra_sandbox.graph import schema
from entra_sandbox.graph.resource import Resource

_RESOURCES: list[Resource] = []
_BY_TYPE: dict[str, Resource] = {}


def register(*declared: Resource) -> None:
    """Enter resources; ValueError if another one already answers for the objects of the same type."""
    for resource in declared:
        if resource.operations and _BY_TYPE.setdefault(resource.entity, resource) is not resource:
            raise ValueError(f"two resources of the type {resource.entity}: {resource.path}")
        _RESOURCES.append(resource)
        if resource.properties:
            schema.declare(resource.entity, resource.properties)


def registered() -> tuple[Resource, ...]:
    """All that were entered so far."""
    return tuple(_RESOURCES)


def resource_of(entity: str) -> Resource | None:
    """The resource whose objects are of this type."""
    return _BY_TYPE.get(entity)
