"""Microsoft Graph, applications with their service principals, secrets and consents, and the administrator's app."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any

from entra_sandbox import facts
from entra_sandbox.entra import credentials
from entra_sandbox.entra.principals import from_application
from entra_sandbox.entra.wording import in_words
from entra_sandbox.graph import access
from entra_sandbox.graph.resources.applications import defaults as application_defaults
from entra_sandbox.seed.tenant import Tenant, data, moment
from entra_sandbox.store import Document

__all__ = [
    "GRAPH_APP_ID",
    "MICROSOFT_TENANT",
    "add_administrator",
    "add_application",
    "add_foreign_principal",
    "add_microsoft_graph",
    "add_provider",
    "add_provider_principal",
    "scope",
]

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
MICROSOFT_TENANT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
OUR_WORDS = "(Words of the sandbox, not of Microsoft.)"


def add_microsoft_graph(tenant: Tenant) -> Document:
    """The service principal of Microsoft Graph with the published permissions, in words of the sandbox's own."""
    scopes, app_roles = [], []
    for one in facts.permissions().values():
        title = in_words(one.name)
        if one.delegated:
            text = f"{title}, as the signed-in user. {OUR_WORDS}"
            scopes.append(scope(one.delegated, one.name, "Admin" if one.admin else "User", title, text))
        if one.application:
            text = f"{title}, without a signed-in user. {OUR_WORDS}"
            app_roles.append(_app_role(one.application, one.name, "Application", title, text))
    document = {
        **from_application({"appId": GRAPH_APP_ID, "displayName": "Microsoft Graph"}, MICROSOFT_TENANT),
        "id": tenant.id("servicePrincipal", "Microsoft Graph"),
        "appRoles": app_roles,
        "oauth2PermissionScopes": scopes,
        "servicePrincipalNames": [GRAPH_APP_ID, "https://graph.microsoft.com", "https://graph.microsoft.us"],
        "signInAudience": "AzureADMultipleOrgs",
    }
    tenant.put("servicePrincipal", [document])
    return document


def add_application(tenant: Tenant, described: dict[str, Any], graph: Document | None) -> tuple[Document, Document]:
    """An application with its service principal, owner, credentials and consents."""
    name = described["name"]
    platform = "publicClient" if described.get("public") else "web"
    document = application_defaults()
    document.update(
        id=tenant.id("application", name),
        appId=tenant.id("appId", name),
        createdDateTime=tenant.date(),
        displayName=name,
        isFallbackPublicClient=bool(described.get("public")) or None,
        keyCredentials=[],
        passwordCredentials=[],
        publisherDomain=tenant.domain,
        requiredResourceAccess=_required(graph, described) if graph else [],
        signInAudience=described["audience"],
    )
    document[platform]["redirectUris"] = list(described["redirect"])
    if described.get("scopes"):
        document["identifierUris"] = [f"api://{document['appId']}"]
        document["api"]["oauth2PermissionScopes"] = [
            scope(tenant.id("scope", one), one, "User") for one in described["scopes"]
        ]
        document["appRoles"] = [_app_role(tenant.id("role", one), one, "User") for one in described["roles"]]
    if described.get("secret"):
        document["passwordCredentials"] = [_secret(tenant, name)[0]]
    principal = {
        **from_application(document, tenant.tenant_id),
        "id": tenant.id("servicePrincipal", name),
        "tags": ["WindowsAzureActiveDirectoryIntegratedApp"],
    }
    tenant.put("application", [document])
    tenant.put("servicePrincipal", [principal])
    if "owner" in described:
        owner = tenant.users[described["owner"]]["id"]
        tenant.store.link("application.owners", document["id"], owner)
        tenant.store.link("servicePrincipal.owners", principal["id"], owner)
    if graph:
        _consent(tenant, principal, graph, described.get("delegated", []), described.get("application", []))
    return document, principal


def add_administrator(tenant: Tenant, graph: Document) -> tuple[str, str]:
    """The administrator's app: every application permission that an operation of this sandbox takes."""
    document, text = _automation(tenant, graph, data()["administrator"]["name"], "AzureADMyOrg")
    return str(document["appId"]), text


def add_provider(tenant: Tenant, graph: Document) -> tuple[Document, str]:
    """The multi-tenant app by which a service provider administers its customers, and the plaintext of its secret."""
    return _automation(tenant, graph, data()["provider"], "AzureADMultipleOrgs")


def add_provider_principal(tenant: Tenant, graph: Document, provider: Document, home: str) -> None:
    """The provider's app in a customer's tenant, consented to as at home."""
    principal = {
        **from_application(provider, home),
        "id": tenant.id("servicePrincipal", provider["displayName"]),
        "tags": ["WindowsAzureActiveDirectoryIntegratedApp"],
    }
    tenant.put("servicePrincipal", [principal])
    _consent(tenant, principal, graph, [], _administration(graph))


def _automation(tenant: Tenant, graph: Document, name: str, audience: str) -> tuple[Document, str]:
    wanted = {"name": name, "audience": audience, "redirect": [], "owner": 0, "application": _administration(graph)}
    document, _ = add_application(tenant, wanted, graph)
    credential, text = _secret(tenant, name)
    tenant.store.update("application", document["id"], {"passwordCredentials": [credential]}, tenant.tenant_id)
    return document, text


def _administration(graph: Document) -> list[str]:
    described = data()["administrator"]
    used = {*access.taken("application"), *described["with"]} - {*described["without"]}
    return [role["value"] for role in graph["appRoles"] if role["value"] in used]


def add_foreign_principal(tenant: Tenant, home: Tenant) -> None:
    """The copy of another tenant's multi-tenant application."""
    name = data()["foreign_application"]["name"]
    row = tenant.store.get("application", home.id("application", name), home.tenant_id)
    assert row is not None
    principal = {**from_application(row, home.tenant_id), "id": tenant.id("servicePrincipal", name)}
    tenant.put("servicePrincipal", [principal])


def _secret(tenant: Tenant, name: str) -> tuple[Document, str]:
    """A password credential and its plaintext."""
    text = f"{secrets.token_urlsafe(2)[:3].replace('-', 'a').replace('_', 'b')}8Q~{secrets.token_urlsafe(26)[:34]}"
    key_id = tenant.id("secret", name)
    credentials.keep_secret(tenant.store, key_id, text)
    now = tenant.store.now()
    return {
        "customKeyIdentifier": None,
        "displayName": "automation",
        "endDateTime": moment(now + 700 * 86400),
        "hint": text[:3],
        "keyId": key_id,
        "secretText": None,
        "startDateTime": moment(now - 86400),
    }, text


def _consent(
    tenant: Tenant, principal: Document, graph: Document, delegated: list[str], application: list[str]
) -> None:
    """Tenant-wide grants and app role assignments on Microsoft Graph."""
    if delegated:
        grant = {
            "id": _opaque(tenant.id("grant", principal["id"])),
            "clientId": principal["id"],
            "consentType": "AllPrincipals",
            "principalId": None,
            "resourceId": graph["id"],
            "scope": " ".join(delegated),
        }
        tenant.put("oAuth2PermissionGrant", [grant])
    ids = {role["value"]: role["id"] for role in graph["appRoles"]}
    assignments = [
        {
            "id": _opaque(tenant.id("assignment", f"{principal['id']}/{name}")),
            "deletedDateTime": None,
            "appRoleId": ids[name],
            "createdDateTime": tenant.date(),
            "principalDisplayName": principal["displayName"],
            "principalId": principal["id"],
            "principalType": "ServicePrincipal",
            "resourceDisplayName": graph["displayName"],
            "resourceId": graph["id"],
        }
        for name in application
    ]
    tenant.put("appRoleAssignment", assignments)


def _required(graph: Document, described: dict[str, Any]) -> list[Document]:
    scopes = {scope["value"]: scope["id"] for scope in graph["oauth2PermissionScopes"]}
    app_roles = {role["value"]: role["id"] for role in graph["appRoles"]}
    entries = [{"id": scopes[name], "type": "Scope"} for name in described.get("delegated", [])]
    entries += [{"id": app_roles[name], "type": "Role"} for name in described.get("application", [])]
    return [{"resourceAppId": GRAPH_APP_ID, "resourceAccess": entries}] if entries else []


def scope(id: str, value: str, kind: str, title: str = "", text: str = "") -> Document:
    """A delegated permission that an API publishes; without words of its own its name stands for them."""
    return {
        "adminConsentDescription": text or value,
        "adminConsentDisplayName": title or value,
        "id": id,
        "isEnabled": True,
        "type": kind,
        "userConsentDescription": text or value,
        "userConsentDisplayName": title or value,
        "value": value,
    }


def _app_role(id: str, value: str, member: str, title: str = "", text: str = "") -> Document:
    return {
        "allowedMemberTypes": [member],
        "description": text or value,
        "displayName": title or value,
        "id": id,
        "isEnabled": True,
        "origin": "Application",
        "value": value,
    }


def _opaque(object_id: str) -> str:
    """A grant's or assignment's id as Graph's look: 43 characters of base64url, the same in every state."""
    return base64.urlsafe_b64encode(hashlib.sha256(object_id.encode()).digest()).decode().rstrip("=")
