"""States of a tenant that last as long as the course is played: documents in disguise, and some that come and go."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import singledispatch

from entra_sandbox import disguise
from entra_sandbox.illnesses import AppManagement, Federated, SecretPolicy, State, Synced, Unlicensed, Unpublished
from entra_sandbox.store import Document, Row, Store
from entra_sandbox.tables import SECURITY_ATTRIBUTES

__all__ = ["assign", "put_on"]

_GRAPH = "00000003-0000-0000-c000-000000000000"
_ATTRIBUTE, _VALUE = "AppManagement_Exemption", "Exempt"


@singledispatch
def put_on(state: State, _store: Store) -> None:
    """Put the tenants into the state."""
    raise TypeError(f"not a state: {state!r}")


@put_on.register
def _(state: Unpublished, store: Store) -> None:
    """Take permissions out of what every tenant's Microsoft Graph service principal publishes."""
    for row in store.rows("servicePrincipal"):
        if row.doc.get("appId") == _GRAPH:
            lists = {name: row.doc.get(name) or () for name in ("oauth2PermissionScopes", "appRoles")}
            left = {key: [one for one in all_ if one["value"] not in state.permissions] for key, all_ in lists.items()}
            disguise.put_on(store, row, left)


@put_on.register
def _(state: SecretPolicy, store: Store) -> None:
    """The default policy with the one rule, as Microsoft Graph's documents write it."""
    if state.forbid:
        rules = AppManagement(kind="app_management", forbid=("passwordAddition",))
    else:
        rules = AppManagement(kind="app_management", max_days={"passwordLifetime": state.max_days or 1})
    put_on(rules, store)


@put_on.register
def _(state: AppManagement, store: Store) -> None:
    """The default policy, or one that is assigned to applications of these names."""
    rules = _restrictions(state)
    if not state.applications:
        both = {"applicationRestrictions": rules, "servicePrincipalRestrictions": {**rules, "audiences": None}}
        for row in store.rows("tenantAppManagementPolicy"):
            disguise.put_on(store, row, {"isEnabled": True, **both})
    for tenant in store.rows("organization") if state.applications else ():
        name = f"Policy of {', '.join(state.applications)}"
        policy: Document = {"id": str(uuid.uuid4()), "displayName": name, "description": None, "isEnabled": True}
        policy |= {"restrictions": rules, "for": state.applications}
        disguise.add(store, "appManagementPolicy", [(policy, tenant.id)])
    for row in store.rows("application"):
        assign(store, row)
    for kind, name in (("user", "userPrincipalName"), ("servicePrincipal", "appId")):
        exempt = _matching(store, kind, state.exempt, name)
        marks = [({"id": row.id, "attributes": {_ATTRIBUTE: [_VALUE]}}, row.tenant) for row in exempt]
        disguise.add(store, SECURITY_ATTRIBUTES, marks)


@put_on.register
def _(state: Synced, store: Store) -> None:
    """Users and groups with all that a synchronized object shows, in an organization that synchronizes."""
    last = {"onPremisesSyncEnabled": True, "onPremisesLastSyncDateTime": "2026-01-05T06:00:00Z"}
    rows = [*_matching(store, "user", state.users, "userPrincipalName"), *_matching(store, "group", state.groups)]
    disguise.put_on_all(store, [(row, {**_synchronized(row), **last}) for row in rows])
    disguise.put_on_all(store, [(row, last) for row in store.rows("organization")])


def _synchronized(row: Row) -> Document:
    document = row.doc
    shown: Document = {
        "onPremisesDomainName": "corp.local",
        "onPremisesSamAccountName": str(document.get("mailNickname") or "")[:20],
        "onPremisesSecurityIdentifier": f"S-1-5-21-1004336348-1177238915-682003330-{1000 + row.seq}",
    }
    if row.kind == "user":
        shown["onPremisesImmutableId"] = base64.b64encode(uuid.UUID(row.id).bytes).decode()
        shown["onPremisesUserPrincipalName"] = document["userPrincipalName"]
    return shown


@put_on.register
def _(state: Federated, store: Store) -> None:
    for row in _matching(store, "domain", state.domains, "id"):
        disguise.put_on(store, row, {"authenticationType": "Federated"})


@put_on.register
def _(state: Unlicensed, store: Store) -> None:
    for row in store.rows("subscribedSku"):
        plans = [one for one in row.doc.get("servicePlans") or () if one["servicePlanName"] not in state.plans]
        disguise.put_on(store, row, {"servicePlans": plans})


def assign(store: Store, application: Row) -> None:
    """Assign to an application the policy whose state names it, if there is one and it has none yet."""
    names = (application.doc.get("displayName"), application.doc.get("uniqueName"))
    for policy in store.find("appManagementPolicy", application.tenant):
        arrow = "application.appManagementPolicies"
        if any(_fits(name, policy.get("for") or ()) for name in names) and not store.links(arrow, application.id):
            store.link(arrow, application.id, policy["id"])


def _restrictions(state: AppManagement) -> Document:
    since = state.created_after.isoformat().replace("+00:00", "Z") if state.created_after else None
    common: Document = {"state": state.state, "restrictForAppsCreatedAfterDateTime": since}
    if state.exempt:
        kind = "#microsoft.graph.customSecurityAttributeStringValueExemption"
        exempt = {"@odata.type": kind, "id": _ATTRIBUTE, "operator": "equals", "value": _VALUE}
        common["excludeActors"] = {"customSecurityAttributes": [exempt]}
    rules: dict[str, list[Document]] = {"passwordCredentials": [], "keyCredentials": []}
    for name in state.forbid:
        rules["passwordCredentials"].append({"restrictionType": name, "maxLifetime": None, **common})
    for limit, days in state.max_days.items():
        where = "keyCredentials" if limit.startswith("asymmetric") else "passwordCredentials"
        rules[where].append({"restrictionType": limit, "maxLifetime": f"P{days}D", **common})
    return {**rules, "audiences": {name[0].lower() + name[1:]: common for name in state.audiences} or None}


def _matching(store: Store, kind: str, patterns: Iterable[str], name: str = "displayName") -> Iterator[Row]:
    wanted = tuple(patterns)
    return (row for row in store.rows(kind) if wanted and _fits(row.doc.get(name), wanted))


def _fits(text: str | None, patterns: Iterable[str]) -> bool:
    return text is not None and any(fnmatchcase(text.lower(), pattern.lower()) for pattern in patterns)
