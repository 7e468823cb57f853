"""Microsoft's own APIs and public clients, without which its tools do not sign in."""

from __future__ import annotations

import uuid

from entra_sandbox.entra.principals import from_application
from entra_sandbox.graph.resources.applications import defaults as application_defaults
from entra_sandbox.seed.applications import MICROSOFT_TENANT, scope
from entra_sandbox.seed.tenant import NAMESPACE, Tenant, data
from entra_sandbox.store import Document

__all__ = ["add_microsoft_apis", "add_microsoft_clients"]


def add_microsoft_apis(tenant: Tenant) -> None:
    """Service principals of other APIs of Microsoft's, for which its tools ask tokens before anything else."""
    for described in data()["microsoft_apis"]:
        document = {
            **from_application({"appId": described["appId"], "displayName": described["name"]}, MICROSOFT_TENANT),
            "id": tenant.id("servicePrincipal", described["name"]),
            "oauth2PermissionScopes": [scope(id, name, "User") for name, id in described["scopes"].items()],
            "servicePrincipalNames": [described["appId"], *described["uris"]],
            "signInAudience": "AzureADMultipleOrgs",
        }
        tenant.put("servicePrincipal", [document])


def add_microsoft_clients(tenant: Tenant) -> None:
    """Microsoft's own public clients: their home is no tenant of the sandbox, and they need nobody's consent."""
    for described in data()["microsoft_clients"]:
        document: Document = application_defaults()
        document.update(
            id=str(uuid.uuid5(NAMESPACE, described["appId"])),
            appId=described["appId"],
            displayName=described["name"],
            isFallbackPublicClient=True,
            publicClient={"redirectUris": described["redirect"]},
            signInAudience="AzureADMultipleOrgs",
        )
        tenant.store.put("application", document, MICROSOFT_TENANT)
        principal = {
            **from_application(document, MICROSOFT_TENANT),
            "id": tenant.id("servicePrincipal", described["name"]),
        }
        tenant.put("servicePrincipal", [principal])
        for api, names in described["delegated"].items():
            key = f"{principal['id']}/{tenant.id('servicePrincipal', api)}"
            tenant.store.put("entra.preAuthorized", {"id": key, "scopes": names}, tenant.tenant_id)
