"""What looks like ours and is not: planted into a sandbox's own books, and an application with a life of its own."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from entra_sandbox.entra import credentials
from entra_sandbox.entra.principals import from_application
from entra_sandbox.graph.resources.applications import defaults
from entra_sandbox.seed import GRAPH_APP_ID
from entra_sandbox.store import Store

from runbook.parameters import Parameters
from runbook.tenant.registration import MARK

__all__ = ["PLANTED", "SHAREPOINT", "Life", "account", "adoptable", "plant", "profile"]

PLANTED = "planted-by-the-campaign"
SHAREPOINT = "00000003-0000-0ff1-ce00-000000000000"  # another API of Microsoft's
_SCOPES, _ROLES = ("User.Read", "Mail.Read"), ("Mail.Send", "Application.ReadWrite.All")
Document = dict[str, Any]


def _graph(store: Store, tenant: str) -> Document:
    found = store.first("servicePrincipal", tenant, appId=GRAPH_APP_ID)
    assert found is not None
    return found


def _ids(graph: Document) -> Iterator[tuple[str, str]]:
    """Type and id of each permission of :data:`_SCOPES` and :data:`_ROLES` that the tenant publishes."""
    yield from (("Scope", one["id"]) for one in graph["oauth2PermissionScopes"] if one["value"] in _SCOPES)
    yield from (("Role", one["id"]) for one in graph["appRoles"] if one["value"] in _ROLES)


def application(store: Store, tenant: str, name: str, described: str, **properties: Any) -> tuple[Document, str]:
    """An application with redirect URIs, requests, consents and a working secret; and the secret's value."""
    graph, key_id, value = _graph(store, tenant), str(uuid.uuid4()), secrets.token_urlsafe(30)
    access = [{"id": id, "type": type_} for type_, id in _ids(graph)]
    elsewhere = [{"id": "9bff6588-13f2-4c48-bbf2-ddab62256b36", "type": "Scope"}]
    document = {
        **defaults(),
        "id": str(uuid.uuid4()),
        "appId": str(uuid.uuid4()),
        "displayName": name,
        "createdDateTime": "2024-05-01T08:00:00Z",
        "signInAudience": "AzureADMyOrg",
        "keyCredentials": [],
        "publisherDomain": None,
        "requiredResourceAccess": [
            {"resourceAppId": SHAREPOINT, "resourceAccess": elsewhere},
            {"resourceAppId": GRAPH_APP_ID, "resourceAccess": access},
        ],
        "passwordCredentials": [
            {
                "keyId": key_id,
                "displayName": described,
                "hint": value[:3],
                "startDateTime": "2024-05-01T08:00:00Z",
                "endDateTime": "2100-01-01T00:00:00Z",
                "customKeyIdentifier": None,
                "secretText": None,
            }
        ],
        **properties,
    }
    document["web"] = {**document["web"], "redirectUris": ["https://payroll.contoso.com/signin", *_uris(properties)]}
    store.put("application", document, tenant)
    credentials.keep_secret(store, key_id, value)
    principal = {**from_application(document, tenant), "id": str(uuid.uuid4()), "tags": list(document["tags"])}
    store.put("servicePrincipal", principal, tenant)
    whole = {"clientId": principal["id"], "resourceId": graph["id"], "scope": " ".join(_SCOPES)}
    person = store.find("user", tenant)[0]["id"]
    for consent in (
        {"consentType": "AllPrincipals", "principalId": None},
        {"consentType": "Principal", "principalId": person},
    ):
        store.put("oAuth2PermissionGrant", {"id": secrets.token_urlsafe(32), **whole, **consent}, tenant)
    for role in (one for one in graph["appRoles"] if one["value"] in _ROLES):
        assigned = {"principalId": principal["id"], "resourceId": graph["id"], "appRoleId": role["id"]}
        described_as = {"principalType": "ServicePrincipal", "principalDisplayName": name}
        more = {"resourceDisplayName": graph["displayName"], "createdDateTime": "2024-05-01T08:00:00Z"}
        store.put("appRoleAssignment", {"id": secrets.token_urlsafe(32), **assigned, **described_as, **more}, tenant)
    return document, value


def _uris(properties: Document) -> list[str]:
    return list(properties.pop("uris", ()))


def profile(store: Store, name: str, **more: Any) -> Document:
    """A connector profile of somebody else, as the dashboard keeps it."""
    document = {
        "id": secrets.token_hex(12),
        "name": name,
        "connector_key": "microsoftentraid",
        "authentication_config_key": "oauth2_common",
        "tenant": "",
        "client_id": str(uuid.uuid4()),
        "client_secret": "sealed",
        "scopes": [],
        "actions": [],
        "active": True,
        "default": False,
        "created_at": "2025-01-01T00:00:00.000Z",
        "updated_at": "2025-01-01T00:00:00.000Z",
        **more,
    }
    store.put("stackone.profile", document)
    return document


def account(store: Store, owner: str, profile_id: str, **more: Any) -> Document:
    """A linked account of somebody else."""
    document = {
        "id": str(10**19 + secrets.randbelow(9 * 10**19)),
        "provider": "microsoftentraid",
        "profile_id": profile_id,
        "status": "active",
        "status_reasons": [],
        "origin_owner_id": owner,
        "origin_owner_name": "Entra ID runbook",
        "origin_username": None,
        "label": None,
        "metadata": {},
        "type": "production",
        "tokens": "sealed",
        "created_at": "2025-01-01T00:00:00.000Z",
        "updated_at": "2099-01-01T00:00:00.000Z",
        **more,
    }
    store.put("stackone.account", document)
    return document


def plant(store: Store, tenant: str, params: Parameters) -> set[str]:
    """Look-alikes of everything that a run of ``params`` makes, but for what it refuses to stand beside; their ids."""
    name, described = params.application_name, params.secret_description
    twin, _ = application(store, tenant, name, described, tags=[PLANTED, MARK, f"{MARK}:application:registered"])
    # A profile of exactly this name, or an account of exactly this owner, would stop the run.
    beside = profile(store, f"{params.connector_profile_name}.")
    linked = account(store, params.account_owner_id.upper(), beside["id"])
    probe = f"runbook probe {secrets.token_hex(4)}-{secrets.token_hex(2)}-1a2b3c0 "
    group = {"id": str(uuid.uuid4()), "displayName": probe + "group", "description": "not ours", "groupTypes": []}
    store.put("group", group, tenant)
    person = {"id": str(uuid.uuid4()), "displayName": probe + "user", "accountEnabled": False, "userType": "Member"}
    person["userPrincipalName"] = f"{secrets.token_hex(6)}@contoso.com"
    store.put("user", person, tenant)
    policy = {"id": str(uuid.uuid4()), "displayName": probe + "policy", "state": "disabled"}
    store.put("conditionalAccessPolicy", policy, tenant)
    return {one["id"] for one in (twin, beside, linked, group, person, policy)}


@dataclass(frozen=True)
class Life:
    """What an application was before it was adopted, with what belongs to its service principal."""

    application: Document
    principal: Document
    grants: dict[str, Document]
    assignments: dict[str, Document]

    @property
    def key_id(self) -> str:
        """Of its own secret."""
        return str(self.application["passwordCredentials"][0]["keyId"])

    @classmethod
    def read(cls, store: Store, object_id: str) -> Life:
        found = store.get("application", object_id)
        assert found is not None
        principal = store.first("servicePrincipal", appId=found["appId"])
        assert principal is not None
        grants = store.find("oAuth2PermissionGrant", clientId=principal["id"])
        assigned = store.find("appRoleAssignment", principalId=principal["id"])
        return cls(found, principal, {one["id"]: one for one in grants}, {one["id"]: one for one in assigned})

    def lost(self, now: Life) -> Iterator[str]:
        """What is not as it was: everything but what was only added to."""
        lists = ("tags", "passwordCredentials", "requiredResourceAccess", "web", "uniqueName")
        for name, value in self.application.items():
            if name not in lists and now.application.get(name) != value:
                yield f"{name}: {value!r} -> {now.application.get(name)!r}"
        for name, before, after in (
            ("tags", self.application["tags"], now.application["tags"]),
            ("secrets", self.application["passwordCredentials"], now.application["passwordCredentials"]),
            ("redirect URIs", self.application["web"]["redirectUris"], now.application["web"]["redirectUris"]),
        ):
            if after[: len(before)] != before:
                yield f"{name}: {before} -> {after}"
        for was, entry in zip(
            self.application["requiredResourceAccess"], now.application["requiredResourceAccess"], strict=False
        ):
            same = was["resourceAppId"] == entry["resourceAppId"]
            if not same or entry["resourceAccess"][: len(was["resourceAccess"])] != was["resourceAccess"]:
                yield f"requested: {was} -> {entry}"
        for id, grant in self.grants.items():
            scope = now.grants.get(id, {}).get("scope", "")
            rest = {**now.grants.get(id, {}), "scope": grant["scope"]}
            if rest != grant or scope.split()[: len(grant["scope"].split())] != grant["scope"].split():
                yield f"grant: {grant} -> {now.grants.get(id)}"
        yield from (f"assignment: {one}" for id, one in self.assignments.items() if now.assignments.get(id) != one)
        mine = {**self.principal, "tags": now.principal["tags"], "replyUrls": now.principal["replyUrls"]}
        if mine != now.principal or not set(self.principal["tags"]) <= set(now.principal["tags"]):
            yield f"service principal: {self.principal} -> {now.principal}"


def adoptable(store: Store, tenant: str, **properties: Any) -> tuple[Document, str]:
    """An application made by hand long ago, with a working secret that is called as ours are; and the value."""
    return application(
        store, tenant, "Payroll bridge", "StackOne connector", tags=["HR", "owner:payroll"], **properties
    )
