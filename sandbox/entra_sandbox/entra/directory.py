"""What sign-in needs to know of the directory: tenants, applications, service principals, users and their roles."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from entra_sandbox.entra.credentials import is_password
from entra_sandbox.entra.errors import AadError
from entra_sandbox.store import Document, Row, Store, value_of

__all__ = [
    "EVERYBODY",
    "GRAPH",
    "Client",
    "Tenant",
    "User",
    "client_of",
    "is_federated",
    "is_password_of",
    "roles_of",
    "service_principal",
    "tenant_of",
    "user_by_id",
    "user_by_name",
]

GRAPH = "00000003-0000-0000-c000-000000000000"
"""appId of Microsoft Graph in every tenant."""

EVERYBODY = frozenset({"common", "organizations"})
"""Tenant segments of an address that leave the tenant to the user who signs in."""


@dataclass(frozen=True)
class Tenant:
    """One directory: its id, display name and default domain."""

    id: str
    name: str
    domain: str


@dataclass(frozen=True)
class Client:
    """An application: its registration, and the tenant that it is registered in."""

    document: Document
    home: str

    @property
    def app_id(self) -> str:
        """The application (client) id."""
        return str(self.document["appId"])

    @property
    def name(self) -> str:
        """The display name."""
        return str(self.document.get("displayName") or self.app_id)

    @property
    def multi_tenant(self) -> bool:
        """Whether accounts of any tenant may sign in."""
        return self.document.get("signInAudience", "AzureADMyOrg") in (
            "AzureADMultipleOrgs",
            "AzureADandPersonalMicrosoftAccount",
        )

    @property
    def public(self) -> bool:
        """Whether it may get tokens without a credential where no redirect URI tells (device code, password)."""
        return bool(self.document.get("isFallbackPublicClient"))


@dataclass(frozen=True)
class User:
    """A person in a tenant."""

    document: Document
    tenant: Tenant
    roles: frozenset[str] = field(default_factory=frozenset)

    @property
    def id(self) -> str:
        """The object id."""
        return str(self.document["id"])

    @cached_property
    def name(self) -> str:
        """The user principal name."""
        return str(self.document["userPrincipalName"])


def tenant_of(store: Store, segment: str) -> Tenant:
    """The tenant that an id or a verified domain names; AADSTS90002 if none."""
    row = store.row("organization", segment) if _is_guid(segment) else None
    if row is None:
        domain = store.row("domain", segment)
        if domain is not None and domain.doc.get("isVerified"):
            row = store.row("organization", domain.tenant)
    if row is None:
        raise AadError(90002, tenant=segment)
    return _tenant(row)


def client_of(store: Store, app_id: str, tenant: Tenant | None = None) -> Client:
    """The application with this client id. With ``tenant``: that may be used there; AADSTS700016 otherwise."""
    row = _first(store, "application", "appId", app_id)
    where = tenant.name if tenant else "organizations"
    if row is None:
        raise AadError(700016, app_id=app_id, tenant=where)
    client = Client(row.doc, row.tenant)
    if tenant is not None and tenant.id != client.home and not client.multi_tenant:
        raise AadError(700016, app_id=app_id, tenant=where)
    return client


def service_principal(store: Store, tenant: Tenant, app_id: str) -> Document | None:
    """The service principal of the application in the tenant, if there is one."""
    row = _first(store, "servicePrincipal", "appId", app_id, tenant.id)
    return row.doc if row else None


def user_by_name(store: Store, name: str, where: str) -> User:
    """The user with this user principal name in any tenant; AADSTS50034 if none."""
    row = _first(store, "user", "userPrincipalName", name)
    if row is None:
        raise AadError(50034, user=name, tenant=where)
    return _user(store, row)


def user_by_id(store: Store, user_id: str) -> User | None:
    """The user with this object id, if it is still there."""
    row = store.row("user", user_id)
    return _user(store, row) if row else None


def is_federated(store: Store, user: User) -> bool:
    """Whether the user signs in at an identity provider of the domain's own."""
    domain = store.get("domain", user.name.rpartition("@")[2], user.tenant.id) or {}
    return domain.get("authenticationType") == "Federated"


def is_password_of(store: Store, user: User, text: str) -> bool:
    """Whether ``text`` is the user's password; one of a federated domain is known to its identity provider alone."""
    return not is_federated(store, user) and is_password(store, user.id, text)


def roles_of(store: Store, principal_id: str) -> frozenset[str]:
    """Template ids of the directory roles that the user or service principal is a member of."""
    ids = store.links_to("directoryRole.members", principal_id)
    roles = (store.get("directoryRole", one) for one in ids)
    return frozenset(str(role["roleTemplateId"]) for role in roles if role)


def _user(store: Store, row: Row) -> User:
    organization = store.row("organization", row.tenant)
    assert organization is not None
    return User(row.doc, _tenant(organization), roles_of(store, row.id))


def _tenant(row: Row) -> Tenant:
    document = row.doc
    domains: list[dict[str, Any]] = document.get("verifiedDomains") or []
    default = next((domain["name"] for domain in domains if domain.get("isDefault")), row.id)
    return Tenant(row.id, str(document.get("displayName") or default), str(default))


def _first(store: Store, kind: str, name: str, value: str, tenant: str | None = None) -> Row | None:
    where = f"{value_of(name)} COLLATE NOCASE IS ?"
    return next(iter(store.rows(kind, tenant, where=where, args=[value], limit=1)), None)


def _is_guid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
