"""The ``scope`` parameter: which resource, which of its permissions, and the OpenID Connect words.

learn.microsoft.com/entra/identity-platform/scopes-oidc. A scope is ``<resource>/<permission>``, ``<resource>/.default``
or a bare permission of Microsoft Graph. Microsoft Graph is named by its address, its appId, or the sandbox's own one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from entra_sandbox.entra.directory import GRAPH, Tenant, service_principal
from entra_sandbox.entra.errors import AadError
from entra_sandbox.store import Document, Store

__all__ = ["OIDC", "Resource", "Wanted", "of_resource", "parse", "resource_of"]

OIDC = ("openid", "profile", "email", "offline_access")
_GRAPH_NAMES = frozenset({"https://graph.microsoft.com", "https://graph.microsoft.us", GRAPH})


@dataclass(frozen=True)
class Wanted:
    """What a ``scope`` asks for. ``resource`` as it was written, None when only OpenID Connect words are there.

    ``prefix`` is what stood before the names, to be given back: clients find their tokens again by these words.
    """

    resource: str | None
    names: tuple[str, ...]
    default: bool
    oidc: tuple[str, ...]
    prefix: str = ""

    @property
    def openid(self) -> bool:
        """Whether an ID token is wanted."""
        return "openid" in self.oidc

    @property
    def offline(self) -> bool:
        """Whether a refresh token is wanted."""
        return "offline_access" in self.oidc


@dataclass(frozen=True)
class Resource:
    """An API in a tenant: its service principal, with the permissions that it publishes."""

    document: Document
    token_version: int = 1

    @property
    def id(self) -> str:
        """The object id of the service principal."""
        return str(self.document["id"])

    @property
    def app_id(self) -> str:
        """The appId."""
        return str(self.document["appId"])

    @property
    def name(self) -> str:
        """The display name."""
        return str(self.document.get("displayName") or self.app_id)

    @property
    def is_graph(self) -> bool:
        """Whether it is Microsoft Graph."""
        return self.app_id == GRAPH

    @cached_property
    def scopes(self) -> dict[str, dict[str, Any]]:
        """Enabled delegated permissions by lower-case name."""
        return _by_value(self.document.get("oauth2PermissionScopes"))

    @cached_property
    def app_roles(self) -> dict[str, dict[str, Any]]:
        """Enabled application permissions by id."""
        roles = _by_value(self.document.get("appRoles"))
        return {str(role["id"]).lower(): role for role in roles.values()}

    def delegated(self, name: str, app_name: str) -> str:
        """The name as the resource spells it; AADSTS650053 if it publishes no such permission."""
        scope = self.scopes.get(name.lower())
        if scope is None:
            raise AadError(650053, app_name=app_name, scope=name, resource=self.app_id)
        return str(scope["value"])


def parse(text: str, own: frozenset[str]) -> Wanted:
    """Read a ``scope`` value; ``own`` are the base addresses under which the sandbox is reached.

    AADSTS900144 when empty, AADSTS28000 for two resources, AADSTS70011 for ``.default`` beside a permission.
    """
    if not text.strip():
        raise AadError(900144, name="scope")
    resources: list[str] = []
    names: list[str] = []
    oidc: list[str] = []
    prefix = ""
    for word in text.split():
        if word.lower() in OIDC:
            oidc.append(word.lower())
            continue
        resource, name = _split(word, own)
        prefix = word.removesuffix(name)
        if resource.lower() not in (known.lower() for known in resources):
            resources.append(resource)
        if name not in names:
            names.append(name)
    if len(resources) > 1:
        raise AadError(28000, scope=text)
    default = ".default" in names
    if default and len(names) > 1:
        raise AadError(70011, scope=text)
    return Wanted(resources[0] if resources else None, tuple(names), default, tuple(dict.fromkeys(oidc)), prefix)


def of_resource(parameters: Mapping[str, str]) -> Mapping[str, str]:
    """A request to a v1.0 endpoint: ``resource`` means its ``.default``, ``scope`` holds OpenID Connect words alone.

    learn.microsoft.com/entra/identity-platform/azure-ad-endpoint-comparison
    """
    resource = parameters.get("resource", "").rstrip("/")
    if not resource:
        return parameters
    words = [word for word in parameters.get("scope", "").split() if word in OIDC]
    return {**parameters, "scope": " ".join([f"{resource}/.default", *words])}


def resource_of(store: Store, tenant: Tenant, name: str | None) -> Resource:
    """The API that ``name`` (address, identifier URI or appId; None: Microsoft Graph) means in the tenant.

    AADSTS500011 if the tenant has no such service principal.
    """
    app_id = GRAPH if name is None or name.lower() in _GRAPH_NAMES else _app_id(store, tenant, name)
    document = service_principal(store, tenant, app_id) if app_id else None
    if document is None:
        raise AadError(500011, resource=str(name), tenant=tenant.name)
    application = store.first("application", appId=app_id) or {}
    return Resource(document, int((application.get("api") or {}).get("requestedAccessTokenVersion") or 1))


def _split(word: str, own: frozenset[str]) -> tuple[str, str]:
    """(resource, permission); ``https://graph.microsoft.com//.default`` has an empty path and means the same."""
    if "/" not in word:
        return "https://graph.microsoft.com", word
    resource, name = word.rsplit("/", 1)
    resource = resource.rstrip("/")
    if not name or not resource:
        raise AadError(70011, scope=word)
    if resource.lower() in own:
        resource = "https://graph.microsoft.com"
    return resource, name


def _app_id(store: Store, tenant: Tenant, name: str) -> str | None:
    if name.lower().startswith("api://") and store.first("application", appId=name[6:]):
        return name[6:]
    known = store.first("application", appId=name) or store.first("servicePrincipal", appId=name)
    if known:
        return str(known["appId"])
    for application in store.find("application"):
        if any(str(uri).lower() == name.lower() for uri in application.get("identifierUris") or ()):
            return str(application["appId"])
    for principal in store.find("servicePrincipal", tenant.id):
        if any(str(uri).rstrip("/").lower() == name.lower() for uri in principal.get("servicePrincipalNames") or ()):
            return str(principal["appId"])
    return None


def _by_value(permissions: list[dict[str, Any]] | None) -> dict[str, dict[str, Any]]:
    return {
        str(permission["value"]).lower(): permission
        for permission in permissions or ()
        if permission.get("value") and permission.get("isEnabled", True)
    }
