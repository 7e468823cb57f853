"""Finding what the runbook registered, on the tenant alone, and the marks that it leaves there.

The application is found by its own unique name (an alternate key), or by the object id of an adopted one; its service
principal by application id. Marks are entries of the application's ``tags``: they list what is ours and what a person
has confirmed, so that no local state is needed to run again. What is not listed is somebody else's, whatever its name.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from runbook import run_socket
from runbook.catalog.guide import CALLBACK_PATH
from runbook.catalog.loader import GRAPH_APP_ID
from runbook.clients.odata import key, literal
from runbook.errors import GraphError, NotSettled, RunbookError
from runbook.tenant.base import Context
from runbook.tenant.snapshot import Known, address

MARK = "entra-id-runbook"
OWNER, REDIRECT = "owner", "redirect"
"""Marks: the object id of who registered the application, its owner; the fingerprints of our redirect URIs."""
# learn.microsoft.com/entra/identity-platform/supported-accounts-validation: 1 to 256 characters, no blanks, none twice.
_LONGEST_TAG = 256
_WRITTEN_AGAIN = 6

Mark = str | list[str]
"""The value of a mark, empty if it is not there; a list for marks that hold several and that runs add to."""

_APPLICATION_FIELDS = (
    "id,appId,displayName,uniqueName,signInAudience,tags,web,spa,publicClient,requiredResourceAccess,"
    "passwordCredentials,servicePrincipalLockConfiguration,createdDateTime"
)
_PRINCIPAL_FIELDS = "id,appId,displayName,accountEnabled,tags"
# Every member of a tenant has the role User (its template id is Microsoft's); it says nothing.
_EVERYBODY = frozenset({"b79fbf4d-3ef9-4689-8143-76b194e85509", "a0b1b346-4d3e-4e8b-98f8-753987be4970"})


def application_path(ctx: Context) -> str:
    """Where the application is looked up: the adopted object id, else the unique name."""
    if ctx.params.application_object_id:
        return f"/applications/{ctx.params.application_object_id}"
    return "/applications" + key("uniqueName", ctx.params.unique_name)


def application(ctx: Context, *along: str) -> dict[str, Any] | None:
    """Our application as the tenant has it now, or None; what is asked for next is read ``along`` with it.

    One that this run made or saw is waited for; raises :class:`RunbookError` when it stays away.
    """
    found = _expected(ctx, lambda: ctx.snapshot.find(_application(ctx), *_belongings(ctx), *along), ctx.known.app_id)
    if found is not None:
        ctx.known.object_id = found["id"]
        ctx.known.app_id, ctx.known.seen_at = found["appId"], f"{ctx.graph.session.now():%Y-%m-%dT%H:%M:%SZ}"
        if undone := _undone(ctx, found):
            found = {**found, "tags": with_marks(found, undone)}
    return found


def _undone(ctx: Context, found: Mapping[str, Any]) -> dict[str, Mark]:
    """What this run wrote last of the marks that are not so on ``found``: a late replica's, or another run wrote over.

    That run read the tags before ours were there, and Graph knows no condition for writing them
    (learn.microsoft.com/graph/api/application-update). A value that this run never saw is that run's later word.
    """
    undone: dict[str, Mark] = {}
    for name, states in ctx.known.marks.items():
        mine, there = states[-1], _like(states[-1], marks(found, name))
        earlier = there in states
        if isinstance(mine, list):
            mine = sorted({*mine, *(() if earlier else there)})
        elif not earlier:
            continue
        if mine != there:
            undone[name] = mine
    return undone


def service_principal(ctx: Context, app_id: str) -> dict[str, Any] | None:
    """The service principal of ``app_id`` in this tenant, or None; waited for like :func:`application`."""
    known = ctx.known.principal_id if app_id == ctx.known.app_id else ""
    found = _expected(ctx, lambda: ctx.snapshot.find(_principal(app_id), *_belongings(ctx)), known)
    if found is not None and app_id == ctx.known.app_id:
        ctx.known.principal_id = found["id"]
    return found


def _expected(ctx: Context, look: Callable[[], dict[str, Any] | None], known: str) -> dict[str, Any] | None:
    """What ``look`` finds. Absence of what is known means "not everywhere yet", except while sightings are counted."""
    found = look()
    if found is not None or not known or ctx.snapshot.looking:
        return found
    deadline, seen_at = ctx.graph.pace.deadline / 2, ctx.known.seen_at
    try:
        return ctx.until(look, f"{known}, seen before, is seen again", deadline=deadline, sightings=1)
    except NotSettled:
        ctx.known = Known(tenant=ctx.known.tenant)
        seen = {"known": known, "seconds": deadline, "seen_at": seen_at or "its beginning"}
        raise RunbookError.named("object_gone", **seen) from None


def grants(ctx: Context, principal: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The delegated grants of a service principal. Raises :class:`GraphError`, 403 where they may not be read."""
    return _of_principal(ctx, principal, _grants, _assignments)


def assignments(ctx: Context, principal: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The app roles that are assigned to a service principal. Raises :class:`GraphError` as :func:`grants` does."""
    return _of_principal(ctx, principal, _assignments, _grants)


def _of_principal(
    ctx: Context, principal: Mapping[str, Any], of: Callable[[str], str], along: Callable[[str], str]
) -> list[dict[str, Any]]:
    """A list that belongs to a service principal that was read a moment ago: 404 means "not everywhere yet"."""
    path, beside = of(principal["id"]), along(principal["id"])

    def look() -> tuple[list[dict[str, Any]]] | None:
        try:
            return (ctx.snapshot.items(path, beside),)
        except GraphError as error:
            if error.status != 404:
                raise
            return None

    found = look()
    if found is None and not ctx.snapshot.looking:
        found = ctx.until(look, f"{path.partition('?')[0]} can be read", sightings=1)
    return found[0] if found else []


def _application(ctx: Context) -> str:
    return address(application_path(ctx), select=_APPLICATION_FIELDS)


def _principal(app_id: str) -> str:
    return address("/servicePrincipals" + key("appId", app_id), select=_PRINCIPAL_FIELDS)


def _grants(principal_id: str) -> str:
    return address("/oauth2PermissionGrants", filter=f"clientId eq {literal(principal_id)}")


def _assignments(principal_id: str) -> str:
    return f"/servicePrincipals/{principal_id}/appRoleAssignments"


def _belongings(ctx: Context) -> Iterator[str]:
    """What belongs to our application by the ids that are known from before; read along with it."""
    if ctx.known.app_id:
        yield _principal(ctx.known.app_id)
    if ctx.known.principal_id:
        yield _grants(ctx.known.principal_id)
        yield _assignments(ctx.known.principal_id)


def published(ctx: Context) -> Mapping[str, Any]:
    """The ``id`` of the tenant's own service principal of Microsoft Graph, and what it publishes: ids by type and name.

    That does not change while the tenant is open, and a kernel of a run has it from the run.
    """
    held = ctx.snapshot.held
    if not held and run_socket.VARIABLE in os.environ:
        held.update(run_socket.ask("published"))
    if not held:
        fields = "id,appId,displayName,oauth2PermissionScopes,appRoles"
        path = address("/servicePrincipals" + key("appId", GRAPH_APP_ID), select=fields)
        found = ctx.snapshot.find(path, _application(ctx), *_belongings(ctx))  # with what is asked for next
        if found is None:
            raise RunbookError.named("no_graph_principal", app_id=GRAPH_APP_ID)
        ids = {"delegated": _ids(found, "oauth2PermissionScopes"), "application": _ids(found, "appRoles")}
        held.update(ids, id=found["id"])
    return held


def _ids(found: Mapping[str, Any], name: str) -> dict[str, str]:
    usable = [each for each in found.get(name) or () if each.get("isEnabled", True) and each.get("value")]
    return {each["value"]: each["id"] for each in usable}


def require_application(ctx: Context) -> dict[str, Any]:
    """Our application; :class:`RunbookError` when section 2 has not made it yet."""
    if found := application(ctx):
        return found
    raise RunbookError.named("no_application", unique_name=ctx.params.unique_name)


def require_principal(ctx: Context, app_id: str) -> dict[str, Any]:
    """The service principal of our application; :class:`RunbookError` when section 2 has not made it yet."""
    if found := service_principal(ctx, app_id):
        return found
    raise RunbookError.named("no_principal", app_id=app_id)


def fingerprint(*parts: str) -> str:
    """16 hex digits of a SHA-256: enough to recognise, too few to hold anything."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def marks(of: Mapping[str, Any] | None, name: str) -> list[str]:
    """The values of our marks ``entra-id-runbook:<name>:<value>,<value>…`` on an application."""
    prefix = f"{MARK}:{name}:"
    listed = (tag.removeprefix(prefix) for tag in (of or {}).get("tags") or () if tag.startswith(prefix))
    return [value for values in listed for value in values.split(",")]


def all_marks(of: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """Every mark of ours on an application, by name."""
    tags = [tag.split(":") for tag in (of or {}).get("tags") or () if tag.startswith(f"{MARK}:")]
    return {parts[1]: marks(of, parts[1]) for parts in tags}


def _like(mark: Mark, values: Iterable[str]) -> Mark:
    return sorted(values) if isinstance(mark, list) else ",".join(values)


def with_marks(of: Mapping[str, Any], values: Mapping[str, Mark]) -> list[str]:
    """The tags of an application with these marks replaced; everybody else's stay, in their order."""
    tags = [tag for tag in of.get("tags") or () if not tag.startswith(tuple(f"{MARK}:{name}:" for name in values))]
    for name, listed in values.items():
        line = ""
        for value in dict.fromkeys(listed if isinstance(listed, list) else filter(None, [listed])):
            if line and len(line) + len(value) < _LONGEST_TAG:
                line = f"{line},{value}"
                continue
            tags += [line] if line else []
            line = f"{MARK}:{name}:{value}"
        tags += [line] if line else []
    return tags


def write(ctx: Context, values: Mapping[str, Mark], body: Mapping[str, Any], **note: Any) -> None:
    """Write ``body`` to our application, and in the same request our marks; nothing where both are so already."""
    found = require_application(ctx)
    before = {name: _like(value, marks(found, name)) for name, value in values.items()}
    after = {name: sorted({*value}) if isinstance(value, list) else value for name, value in values.items()}
    if changed := {name: [before[name], value] for name, value in after.items() if value != before[name]}:
        for name, states in changed.items():
            ctx.known.marks.setdefault(name, []).extend(states)
        body, note = {**body, "tags": with_marks(found, after)}, {**note, "marks": changed}
    if body:
        ctx.graph.set(f"/applications/{found['id']}", dict(body), note=note)


def hold_marks(ctx: Context) -> None:
    """Wait until the application carries the marks of this run; what another run wrote over is written again.

    Raises :class:`NotSettled` when they do not stay.
    """
    patience = ctx.graph.pace.deadline / _WRITTEN_AGAIN

    def there() -> bool:
        found = ctx.snapshot.find(_application(ctx), *_belongings(ctx))
        return found is not None and not _undone(ctx, found)

    for left in reversed(range(_WRITTEN_AGAIN)):
        try:
            if there() or ctx.until(there, "the application carries our marks", deadline=patience, sightings=1):
                return
        except NotSettled:
            if not left:
                raise
        found = require_application(ctx)  # with what is lacking
        ctx.graph.set(f"/applications/{found['id']}", {"tags": found["tags"]})


def own_name(ctx: Context, given: str, stem: str, joint: str = " ") -> str:
    """The name that was given, else one that no other tenant and no other application has in a StackOne project."""
    usual = ctx.params.unique_name == type(ctx.params).model_fields["unique_name"].default
    return given or joint.join((stem, ctx.target.tenant_id, *(() if usual else (ctx.params.unique_name,))))


def entra_base(ctx: Context) -> str:
    """The address at which a person's browser meets Entra ID: plain http on loopback in a rehearsal, no warning."""
    return ctx.target.endpoints.pages if ctx.target.rehearsal else ctx.target.endpoints.authority


def wanted_uri(ctx: Context) -> str:
    """The callback to register: the parameter, else the guide's path at the target's StackOne address."""
    return ctx.params.redirect_uri or ctx.target.endpoints.pages + CALLBACK_PATH


def portal_link(ctx: Context, app_id: str) -> str:
    """The page of Microsoft's portal that shows the application; empty where there is no portal."""
    portal = ctx.target.endpoints.portal
    page = "#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Overview/appId/"
    return f"{portal}/{page}{app_id}" if portal else ""


def tenant(ctx: Context) -> str:
    """The tenant's name, default domain and id; the id alone where the caller may not read the organization."""
    if not ctx.known.tenant:
        ctx.known.tenant = _asked(ctx)
    return ctx.known.tenant


def _asked(ctx: Context) -> str:
    try:
        found = next(ctx.graph.list("/organization", params={"$select": "displayName,verifiedDomains"}), {})
    except RunbookError:
        # Whoever is not signed in, or may not read it, is told by what comes next.
        return ctx.target.tenant_id
    domains = found.get("verifiedDomains") or ()
    default = next((str(domain["name"]) for domain in domains if domain.get("isDefault")), "")
    return ", ".join(filter(None, (str(found.get("displayName") or ""), default, ctx.target.tenant_id)))


def signed_in(ctx: Context) -> str:
    """Who works here, and with which roles (a person) or how many permissions (an application)."""
    try:
        who = ctx.administrator.identity()
    except RunbookError as error:
        return f"nobody: {error.what}"
    if who.kind == "app":
        return f"application {who.name}, {len(who.permissions)} application permissions"
    return f"{who.name}, {', '.join(_role_names(ctx, who.role_ids)) or 'no directory role'}"


def _role_names(ctx: Context, ids: tuple[str, ...]) -> list[str]:
    """Names of directory roles by template id; the ids where the caller may not read them."""
    try:
        names = {str(item["id"]): str(item["displayName"]) for item in ctx.graph.list("/directoryRoleTemplates")}
    except GraphError:
        names = {}
    return sorted(names.get(identifier, identifier) for identifier in ids if identifier not in _EVERYBODY)
