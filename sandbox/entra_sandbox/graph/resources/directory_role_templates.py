"""``/directoryRoleTemplates``: learn.microsoft.com/graph/api/resources/directoryroletemplate"""

from __future__ import annotations

from entra_sandbox.graph.resource import Resource

__all__ = ["RESOURCES"]

RESOURCES = (
    Resource(path="directoryRoleTemplates", entity="directoryRoleTemplate", operations=("list", "get"), page=0),
)
