"""Computers and phones."""

from __future__ import annotations

from typing import Any

from entra_sandbox.seed.tenant import Tenant, data
from entra_sandbox.store import Document

__all__ = ["add_devices"]


def add_devices(tenant: Tenant, count: int) -> None:
    """Computers and phones, most of them somebody's."""
    systems = [one for one in data()["systems"] for _ in range(one["weight"])]
    made = [_device(tenant, number, tenant.random.choice(systems)) for number in range(count)]
    tenant.put("device", made)
    people = [user["id"] for user in tenant.users]
    owned = [(device["id"], tenant.random.choice(people)) for device in made if tenant.random.random() < 0.9]
    tenant.store.link_many("device.registeredOwners", owned)
    tenant.store.link_many("device.registeredUsers", owned)
    computers = tenant.id("group", "Managed Computers")
    managed = ((computers, device["id"]) for device in made if device["isManaged"])
    tenant.store.link_many("group.members", managed)


def _device(tenant: Tenant, number: int, system: dict[str, Any]) -> Document:
    name = f"{system['prefix']}-{tenant.random.randrange(16**6):06X}"
    managed = tenant.random.random() < 0.7
    device_id = tenant.id("deviceId", f"{number}")
    return {
        "id": tenant.id("device", f"{number}"),
        "accountEnabled": tenant.random.random() < 0.95,
        "alternativeSecurityIds": [{"type": 2, "identityProvider": None, "key": "WAA1ADAAOQA6AA=="}],
        "approximateLastSignInDateTime": tenant.date(),
        "deviceId": device_id,
        "deviceOwnership": "Company" if managed else "Personal",
        "deviceVersion": 2,
        "displayName": name,
        "isCompliant": managed and tenant.random.random() < 0.9,
        "isManaged": managed,
        "managementType": "MDM" if managed else None,
        "manufacturer": system["maker"],
        "model": system["model"],
        "operatingSystem": system["system"],
        "operatingSystemVersion": tenant.random.choice(system["versions"]),
        "physicalIds": [f"[HWID]:h:{tenant.random.randrange(10**15)}"],
        "profileType": system["profile"],
        "registrationDateTime": tenant.date(),
        "systemLabels": [],
        "trustType": system["trust"],
    }
