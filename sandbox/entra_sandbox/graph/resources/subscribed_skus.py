"""``/subscribedSkus``: learn.microsoft.com/graph/api/resources/subscribedsku"""

from __future__ import annotations

from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Resource

_PROPERTIES = {
    "accountId": "String?",
    "accountName": "String?",
    "appliesTo": "String?",
    "capabilityStatus": "String?",
    "consumedUnits": "Int32?",
    "prepaidUnits": "licenseUnitsDetail?",
    "servicePlans": "servicePlanInfo[]",
    "skuId": "Guid?",
    "skuPartNumber": "String?",
    "subscriptionIds": "String?[]",
}
register(
    Resource(
        path="subscribedSkus",
        entity="subscribedSku",
        properties=_PROPERTIES,
        operations=("list", "get"),
        page=0,
        advanced=False,
    )
)
