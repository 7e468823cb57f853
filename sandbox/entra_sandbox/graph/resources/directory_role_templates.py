"""``/directoryRoleTemplates``: learn.microsoft.com/graph/api/resources/directoryroletemplate"""

from __future__ import annotations

from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Resource

register(Resource(path="directoryRoleTemplates", entity="directoryRoleTemplate", operations=("list", "get"), page=0))
