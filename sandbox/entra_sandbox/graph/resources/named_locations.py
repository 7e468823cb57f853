"""``/identity/conditionalAccess/namedLocations``: learn.microsoft.com/graph/api/resources/namedlocation"""

from __future__ import annotations

import ipaddress
import re

from entra_sandbox.graph import schema
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Resource
from entra_sandbox.graph.resources.conditional_access_policies import bad

__all__ = ["LOCATIONS"]

# learn.microsoft.com/entra/identity/conditional-access/concept-assignment-network, IP address ranges
_MOST_RANGES, _MOST_LOCATIONS, _WIDEST_MASK = 2000, 195, 8


def create(call: Call, doc: Document) -> Document:
    """An IP range or a list of countries, as its ``@odata.type`` says."""
    kind = str(doc.get("@odata.type") or "")
    if kind == "#microsoft.graph.ipNamedLocation":
        doc = {"isTrusted": False, **doc}
    elif kind == "#microsoft.graph.countryNamedLocation":
        doc = {"includeUnknownCountriesAndRegions": False, "countryLookupMethod": "clientIpAddress", **doc}
    else:
        raise bad(1076, "The kind of the named location is missing: give '@odata.type'.")
    _check(doc)
    if call.store.count("namedLocation", call.tenant) >= _MOST_LOCATIONS:
        raise bad(1082, f"A tenant holds {_MOST_LOCATIONS} named locations at most.")
    stamp = schema.timestamp(call.now)
    return {**doc, "createdDateTime": stamp, "modifiedDateTime": stamp, "deletedDateTime": None}


def update(call: Call, old: Document, changes: Document) -> Document:
    """The kind stays."""
    if changes.get("@odata.type", old["@odata.type"]) != old["@odata.type"]:
        raise bad(1077, "The kind of a named location cannot be changed.")
    _check({**old, **changes})
    return {**changes, "modifiedDateTime": schema.timestamp(call.now)}


def delete(call: Call, doc: Document) -> None:
    """Not while it is trusted, and not while a policy uses it."""
    if doc.get("isTrusted"):
        raise bad(1080, "A trusted named location cannot be deleted: set isTrusted to false first.")
    for row in call.store.rows("conditionalAccessPolicy", call.tenant):
        used = (row.doc.get("conditions") or {}).get("locations") or {}
        if doc["id"] in [*(used.get("includeLocations") or []), *(used.get("excludeLocations") or [])]:
            raise bad(1081, "The named location is used by a conditional access policy.")


def _check(doc: Document) -> None:
    if not doc.get("displayName"):
        raise bad(1039, "The display name of the named location is missing.")
    if doc["@odata.type"] == "#microsoft.graph.ipNamedLocation":
        ranges = doc.get("ipRanges") or []
        if not 1 <= len(ranges) <= _MOST_RANGES:
            raise bad(1078, f"'ipRanges' must hold 1 to {_MOST_RANGES} ranges.")
        for one in ranges:
            _check_range(one)
        return
    countries = doc.get("countriesAndRegions") or []
    if not countries or not all(re.fullmatch(r"[A-Z]{2}", one or "") for one in countries):
        raise bad(1079, "'countriesAndRegions' must hold two-letter country codes.")


def _check_range(one: Document) -> None:
    address = one.get("cidrAddress")
    four = one.get("@odata.type") in ("#microsoft.graph.iPv4CidrRange", "#microsoft.graph.iPv4Range")
    try:
        if address is None:
            ipaddress.ip_address(one.get("lowerAddress") or "")
            return
        if "/" not in address:
            raise ValueError
        network = ipaddress.ip_network(address, strict=False)
    except ValueError:
        raise bad(1075, f"Invalid IP range: {address}.") from None
    if network.prefixlen <= _WIDEST_MASK:
        raise bad(1075, f"Invalid IP range: {address} is wider than a mask greater than /{_WIDEST_MASK} allows.")
    if (network.version == 4) != four:
        raise bad(1075, f"Invalid IP range: {address} does not fit its '@odata.type'.")


LOCATIONS = Resource(
    path="identity/conditionalAccess/namedLocations",
    entity="namedLocation",
    operations=("list", "get", "create", "update", "delete"),
    required=("displayName",),
    read_only=("createdDateTime", "modifiedDateTime"),
    advanced=False,
    quota=False,
    soft_delete=True,
    create=create,
    update=update,
    delete=delete,
)

register(LOCATIONS)
