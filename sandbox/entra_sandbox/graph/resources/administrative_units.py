"""``/directory/administrativeUnits``, to be read: learn.microsoft.com/graph/api/resources/administrativeunit"""

from __future__ import annotations

from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Link, Resource

__all__ = ["UNITS"]

UNITS = Resource(
    path="directory/administrativeUnits",
    entity="administrativeUnit",
    operations=("list", "count", "get"),
    links=(Link("members", "administrativeUnit.members", ("user", "group", "device")),),
)

register(UNITS)
