"""``/subscribedSkus``: learn.microsoft.com/graph/api/resources/subscribedsku"""

from __future__ import annotations

from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Resource

register(Resource(path="subscribedSkus", entity="subscribedSku", operations=("list", "get"), page=0, advanced=False))
