"""``/devices``: learn.microsoft.com/graph/api/resources/device"""

from __future__ import annotations

from entra_sandbox.graph import errors, hidden
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Link, Resource

__all__ = ["DEVICES"]

_BY_MDM = frozenset({"isCompliant", "isManaged"})


def create(call: Call, doc: Document) -> Document:
    """A device is known by its ``deviceId``, which is not its object id."""
    if doc.get("accountEnabled") is None:
        raise errors.missing_value("accountEnabled", "Device")
    if call.store.first("device", call.tenant, deviceId=doc["deviceId"]):
        raise errors.conflict("deviceId")
    return doc


def update(call: Call, old: Document, changes: Document) -> Document:
    """Compliance is the MDM's to say; an app changes only Windows devices, but for the extension attributes."""
    if _BY_MDM & set(changes):
        raise errors.denied()
    windows = str(old.get("operatingSystem") or "").lower().startswith("windows")
    if call.caller.app_only and not windows and set(changes) - {"extensionAttributes"}:
        raise errors.bad_request(
            "Properties other than extensionAttributes cannot be updated on a device of this operating system."
        )
    return changes


_KINDS = ("user", "servicePrincipal")

DEVICES = Resource(
    path="devices",
    entity="device",
    alternate_keys=("deviceId",),
    required=("alternativeSecurityIds", "deviceId", "displayName", "operatingSystem", "operatingSystemVersion"),
    read_only=(
        "approximateLastSignInDateTime",
        "complianceExpirationDateTime",
        "deviceCategory",
        "enrollmentProfileName",
        "isManagementRestricted",
        "managementType",
        "manufacturer",
        "model",
        "onPremisesLastSyncDateTime",
        "onPremisesSecurityIdentifier",
        "onPremisesSyncEnabled",
        "registrationDateTime",
        "trustType",
    ),
    create_only=("alternativeSecurityIds", "deviceId"),
    create=create,
    update=update,
    links=(
        Link("memberOf", "group.members", ("group",), reverse=True, visible=hidden.visible),
        Link("registeredOwners", "device.registeredOwners", _KINDS, writable=True, most=1),
        Link("registeredUsers", "device.registeredUsers", _KINDS, writable=True),
    ),
)

register(DEVICES)
