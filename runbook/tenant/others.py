"""What others made or changed on our application and its service principal: told, and left alone unless pruned.

Ours is listed by a mark; the rest of what can sign in as the application, act for it, or keeps people from signing in
is read here in one batch. Who did it last and when is the directory's audit log's to say, where the caller may read it
(learn.microsoft.com/graph/api/directoryaudit-list).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from runbook.clients.odata import literal
from runbook.errors import GraphError
from runbook.tenant import credentials
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, pending
from runbook.tenant.permissions import STAGES, TYPES, Permissions
from runbook.tenant.registration import (
    OWNER,
    REDIRECT,
    application,
    assignments,
    fingerprint,
    grants,
    marks,
    service_principal,
    wanted_uri,
)
from runbook.tenant.snapshot import address

_SECTIONS = {"owners": "register_application", "certificates": "register_application"}
_SECTIONS |= {"federated-credentials": "register_application", "grants": "api_permissions", "secrets": "client_secret"}
_SECTIONS |= {"redirect-uris": "redirect_uri"}
_NEEDS = {"policies": "Policy.Read.All", "audits": "AuditLog.Read.All", "audits of principal": "AuditLog.Read.All"}
_URIS = ("web", "spa", "publicClient")


@dataclass(frozen=True)
class Other:
    """One thing that is not the runbook's. ``by``: who touched it last, as the audit log says; ``state``: how it is.

    ``kind`` is what ``prune`` calls it, or ``setting`` and ``unknown`` where there is nothing to remove. ``names`` are
    the texts by which the audit log names it. ``path`` and ``body``: the call that removes it, ``body`` None: DELETE.
    """

    kind: str
    what: str
    state: str
    by: str = ""
    names: tuple[str, ...] = ()
    path: str = ""
    body: Mapping[str, Any] | None = None

    def shown(self) -> dict[str, str]:
        """What a person is told."""
        return {name: getattr(self, name) for name in ("kind", "what", "state", "by")}


@dataclass(frozen=True)
class _Tenant:
    """Our two objects as they are, and what was read of them; what may not be read is absent and in ``unread``."""

    app: dict[str, Any]
    principal: dict[str, Any]
    read: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    unread: list[Other] = field(default_factory=list)


def found(ctx: Context) -> list[Other]:
    """Everything of others on our application, with who touched it last; nothing where there is no application.

    Raises :class:`GraphError` other than 403, which is told as ``unknown``: absent and not to be seen are two things.
    """
    tenant = _read(ctx)
    if tenant is None:
        return []
    sources: tuple[Callable[[Context, _Tenant], Iterable[Other]], ...]
    sources = (_people, _credentials, _uris, _permissions, _settings, _blocked)
    entries = [*tenant.read.get("audits", ()), *tenant.read.get("audits of principal", ())]
    if "audits" in tenant.read:
        blocking = filter(partial(_blocks, tenant), tenant.read.get("policies", ()))
        entries += [entry for policy in blocking for entry in ctx.snapshot.items(_audits(policy["id"]))]
    entries.sort(key=lambda entry: str(entry.get("activityDateTime")), reverse=True)
    listed = [replace(each, by=_by(entries, each.names)) for source in sources for each in source(ctx, tenant)]
    return listed + tenant.unread


def pruned(ctx: Context, section: str) -> list[Change]:
    """What ``prune`` takes away in this section, as changes of its plan; :func:`remove` carries them out."""
    kinds = {kind for kind in ctx.params.prune if _SECTIONS.get(kind) == section}
    return [
        Change(each.what, each.state, "absent", "removed", "not ours, pruned", {"other": each})
        for each in (found(ctx) if kinds else ())
        if each.kind in kinds and each.path
    ]


def remove(ctx: Context, changes: Iterable[Change]) -> None:
    """Carry out what :func:`pruned` planned; what is absent already is done."""
    for change in pending(changes):
        if (other := change.data.get("other")) is None:
            continue
        if other.body is not None and not other.path.endswith("Password"):
            ctx.graph.set(other.path, dict(other.body))
        else:
            ctx.graph.remove(other.path, None if other.body is None else dict(other.body))


def _read(ctx: Context) -> _Tenant | None:
    app = application(ctx)
    if app is None:
        return None
    principal = service_principal(ctx, app["appId"]) or {}
    own, copy = f"/applications/{app['id']}", f"/servicePrincipals/{principal.get('id')}"
    person, key = ("id", "displayName", "userPrincipalName"), ("passwordCredentials", "keyCredentials")
    paths = {
        "application": address(own, select=("id", *key, "isFallbackPublicClient", "web")),
        "owners": address(f"{own}/owners", select=person),
        "federated": f"{own}/federatedIdentityCredentials",
        "policies": "/identity/conditionalAccess/policies",
        "audits": _audits(app["id"]),
    }
    if principal:
        paths["principal"] = address(copy, select=("id", *key, "appRoleAssignmentRequired"))
        paths["owners of principal"] = address(f"{copy}/owners", select=person)
        paths["member of"] = address(f"{copy}/memberOf", select=("id", "displayName"))
        paths["audits of principal"] = _audits(principal["id"])
    tenant = _Tenant(app, principal)
    for name, path in paths.items():
        try:
            one = name in ("application", "principal")
            answer = ctx.snapshot.find(path, *paths.values()) if one else ctx.snapshot.items(path, *paths.values())
            tenant.read[name] = [answer or {}] if not isinstance(answer, list) else answer
        except GraphError as error:
            if error.status not in (403, 404):
                raise
            needs = f"may not be read with this sign-in ({_NEEDS.get(name, 'Directory.Read.All')})"
            tenant.unread.append(Other("unknown", name, needs if error.status == 403 else "not everywhere yet"))
    return tenant


def _audits(object_id: str) -> str:
    return address("/auditLogs/directoryAudits", filter=f"targetResources/any(t:t/id eq {literal(object_id)})")


def _by(entries: Iterable[Mapping[str, Any]], names: Iterable[str]) -> str:
    """The newest entry of the log that names one of ``names``, in words."""
    wanted = [name.lower() for name in names]
    for entry in entries:
        said = json.dumps([entry.get("targetResources"), entry.get("additionalDetails")], ensure_ascii=False).lower()
        if any(name in said for name in wanted):
            who = entry.get("initiatedBy") or {}
            person, app = who.get("user") or {}, who.get("app") or {}
            name = person.get("userPrincipalName") or app.get("displayName") or "somebody"
            return f"{name}, {entry.get('activityDateTime')}: {str(entry.get('activityDisplayName')).strip()}"
    return ""


def _people(ctx: Context, tenant: _Tenant) -> Iterator[Other]:
    """Owners, who may add credentials, and what the service principal itself may do in the directory."""
    ours = {*marks(tenant.app, OWNER), ctx.administrator.identity().object_id}
    places = {"owners": f"/applications/{tenant.app['id']}", "owners of principal": ""}
    places["owners of principal"] = f"/servicePrincipals/{tenant.principal.get('id')}"
    for name, place in places.items():
        for owner in tenant.read.get(name, ()):
            if owner["id"] not in ours:
                who, of = owner.get("userPrincipalName") or owner.get("displayName"), name.partition(" of ")[2]
                what = f"owner {who}" + (" of the service principal" if of else "")
                yield Other(
                    "owners", what, "may add credentials", "", (owner["id"],), f"{place}/owners/{owner['id']}/$ref"
                )
    for group in tenant.read.get("member of", ()):
        role = str(group.get("@odata.type")).endswith("directoryRole")
        what = f"{'directory role' if role else 'group'} {group.get('displayName')}"
        yield Other("setting", what, "held by the service principal", "", (group["id"],))


def _credentials(ctx: Context, tenant: _Tenant) -> Iterator[Other]:
    """Whatever else lets somebody sign in as the application."""
    ours = {item.key_id for item in credentials.of_application(ctx, tenant.app) if item.ours}
    places = {"application": f"/applications/{tenant.app['id']}"}
    places["principal"] = f"/servicePrincipals/{tenant.principal.get('id')}"
    for name, place in places.items():
        for held in tenant.read.get(name, ()):
            of = " on the service principal" if name == "principal" else ""
            for item in held.get("passwordCredentials") or ():
                if (key := str(item["keyId"])) not in ours:
                    what = f"client secret {item.get('displayName') or ''!r} ({key}){of}"
                    # Those of the application are section 5's own.
                    call = (f"{place}/removePassword", {"keyId": key}) if of else ("", None)
                    yield Other("secrets", what, f"ends {item.get('endDateTime')}", "", (key, "password"), *call)
            keys = held.get("keyCredentials") or ()
            for item in keys:
                rest = {"keyCredentials": [each for each in keys if each["keyId"] != item["keyId"]]}
                what = f"certificate {item.get('displayName') or ''!r} ({item['keyId']}){of}"
                names = (str(item["keyId"]), "KeyCredentials")
                yield Other("certificates", what, f"ends {item.get('endDateTime')}", "", names, place, rest)
    for item in tenant.read.get("federated", ()):
        path = f"/applications/{tenant.app['id']}/federatedIdentityCredentials/{item['id']}"
        what, names = f"federated credential {item['name']!r}", (str(item["name"]), str(item["subject"]))
        yield Other("federated-credentials", what, f"{item['issuer']} as {item['subject']}", "", names, path)


def _uris(ctx: Context, tenant: _Tenant) -> Iterator[Other]:
    wanted, ours = wanted_uri(ctx), marks(tenant.app, REDIRECT)
    for platform in _URIS:
        uris = list((tenant.app.get(platform) or {}).get("redirectUris") or ())
        for uri in uris:
            if platform == "web" and (uri == wanted or fingerprint(uri) in ours):
                continue
            path, rest = f"/applications/{tenant.app['id']}", [each for each in uris if each != uri]
            # Those of the web platform are section 3's own, with ours, in one write.
            call = ("", None) if platform == "web" else (path, {platform: {"redirectUris": rest}})
            yield Other("redirect-uris", f"redirect URI {uri}", f"registered ({platform})", "", (uri,), *call)


def _permissions(ctx: Context, tenant: _Tenant) -> Iterator[Other]:
    """Microsoft Graph permissions that no action needs and that are not ours; grants for one person or other APIs."""
    state = Permissions.read(ctx)
    wanted = state.wanted(ctx)
    for kind in TYPES:
        theirs = {
            stage: state.there(stage, kind) - state.ours(stage, kind) - wanted[kind].why.keys() for stage in STAGES
        }
        for name in sorted({name for names in theirs.values() for name in names}):
            said = " and ".join(stage for stage in STAGES if name in theirs[stage])
            yield Other("permissions", f"{name} ({kind})", said, "", (name, state.ids[kind].get(name, name)))
    if not tenant.principal:
        return
    try:
        for grant in grants(ctx, tenant.principal):
            if grant["resourceId"] != state.resource_id or grant["consentType"] != "AllPrincipals":
                whose = grant.get("principalId") or "everybody"
                api = "" if grant["resourceId"] == state.resource_id else f" of API {grant['resourceId']}"
                what, path = f"delegated grant for {whose}{api}", f"/oauth2PermissionGrants/{grant['id']}"
                yield Other("grants", what, str(grant.get("scope")).strip(), "", (whose, grant["resourceId"]), path)
        for item in assignments(ctx, tenant.principal):
            if item["resourceId"] != state.resource_id:
                path = f"/servicePrincipals/{item['resourceId']}/appRoleAssignedTo/{item['id']}"
                what, names = f"app role {item['appRoleId']}", (item["appRoleId"], item["resourceId"])
                yield Other("grants", what, f"of {item.get('resourceDisplayName')}", "", names, path)
    except GraphError as error:
        if error.status != 403:
            raise  # section 4 says that grants may not be read


def _settings(_ctx: Context, tenant: _Tenant) -> Iterator[Other]:
    """What changes who may sign in, and how."""
    app, principal = tenant.read["application"][0], (tenant.read.get("principal") or [{}])[0]
    if principal.get("appRoleAssignmentRequired"):
        what = "assignment required"
        yield Other("setting", what, "only assigned people may sign in", "", ("appRoleAssignmentRequired",))
    if tenant.principal.get("accountEnabled") is False:
        yield Other("setting", "service principal", "disabled: nobody may sign in", "", ("accountEnabled",))
    if app.get("isFallbackPublicClient"):
        yield Other("setting", "public client flows", "allowed", "", ("isFallbackPublicClient",))
    for name, on in ((app.get("web") or {}).get("implicitGrantSettings") or {}).items():
        if on is True:
            yield Other("setting", "implicit grant", name, "", (name,))


def _blocked(_ctx: Context, tenant: _Tenant) -> Iterator[Other]:
    for policy in filter(partial(_blocks, tenant), tenant.read.get("policies", ())):
        users = policy["conditions"].get("users") or {}
        whom = [str(one) for name in ("Users", "Groups", "Roles") for one in users.get(f"include{name}") or ()]
        said = f"blocks sign-in: {', '.join(whom) or 'the application itself'}"
        yield Other("setting", f"conditional access policy {policy['displayName']!r}", said, "", (policy["id"],))


def _blocks(tenant: _Tenant, policy: Mapping[str, Any]) -> bool:
    """Whether it keeps people, whomever it is for, or the application itself from signing in to the application."""
    conditions, app_id = policy.get("conditions") or {}, tenant.app["appId"]
    apps, clients = (conditions.get(name) or {} for name in ("applications", "clientApplications"))
    of_app = {"All", app_id} & {*(apps.get("includeApplications") or ())}
    of_app -= {*((app_id, "All") if app_id in (apps.get("excludeApplications") or ()) else ())}
    itself = {"ServicePrincipalsInMyOrganization", tenant.principal.get("id")}
    itself &= {*(clients.get("includeServicePrincipals") or ())}
    modern = {"all", "browser", "mobileAppsAndDesktopClients"} & {*(conditions.get("clientAppTypes") or ("all",))}
    controls = (policy.get("grantControls") or {}).get("builtInControls") or ()
    return bool(policy.get("state") == "enabled" and "block" in controls and modern and (of_app or itself))
