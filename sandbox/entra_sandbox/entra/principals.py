"""The service principal of an application in a tenant where it is used for the first time."""

from __future__ import annotations

import uuid

from entra_sandbox.entra.directory import Client, Tenant, service_principal
from entra_sandbox.store import Document, Store

__all__ = ["ensure_principal"]


def ensure_principal(store: Store, tenant: Tenant, client: Client) -> Document:
    """The application's service principal in the tenant; made from its registration at the first consent."""
    # Late: the resources of Graph use this package's credentials.
    from entra_sandbox.graph.resources.service_principals import from_application

    found = service_principal(store, tenant, client.app_id)
    if found is not None:
        return found
    document = {**from_application(client.document, client.home), "id": str(uuid.uuid4()), "deletedDateTime": None}
    return store.put("servicePrincipal", document, tenant.id)
