"""What every tenant has."""

from __future__ import annotations

from entra_sandbox.seed.applications import add_microsoft_graph
from entra_sandbox.seed.devices import add_devices
from entra_sandbox.seed.groups import add_groups
from entra_sandbox.seed.microsoft import add_microsoft_apis, add_microsoft_clients
from entra_sandbox.seed.organization import add_organization
from entra_sandbox.seed.people import add_directory_roles, add_people
from entra_sandbox.seed.policies import add_policies
from entra_sandbox.seed.tenant import Tenant
from entra_sandbox.store import Document

__all__ = ["fill"]

_DEVICES = 80


def fill(tenant: Tenant, users: int) -> Document:
    """In the order in which it refers to each other, with this many people; gives Microsoft Graph."""
    add_organization(tenant)
    add_people(tenant, users)
    add_groups(tenant)
    add_devices(tenant, min(_DEVICES, users // 3))
    add_directory_roles(tenant)
    add_policies(tenant)
    graph = add_microsoft_graph(tenant)
    add_microsoft_apis(tenant)
    add_microsoft_clients(tenant)
    return graph
