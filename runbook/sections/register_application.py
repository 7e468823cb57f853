"""Section 2: the application and its service principal.

The application is found by its own unique name, so running again finds the same one, and nothing local is needed.
One with our unique name in the deleted items is restored: its unique name stays taken until it is purged, a restore
gives back the same client id, and unlike a purge it can be undone. One made elsewhere is adopted by explicit object id
only; it keeps its name, audience and lock, unless ``take_over`` says otherwise and the plan is approved. One that the
runbook registered carries a mark that says so. Others of the same display name are left alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbook.clients.odata import key, literal
from runbook.errors import GraphError, PlanRefused, RunbookError
from runbook.sections import about
from runbook.tenant import others, registration
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, pending, row
from runbook.tenant.snapshot import address

NAME, NUMBER, TITLE, SUMMARY, PORTAL = about("register_application")

_AUDIENCES = {"single": "AzureADMyOrg", "multi": "AzureADMultipleOrgs"}
_ACCOUNTS = {"AzureADMyOrg": "accounts of this tenant only", "AzureADMultipleOrgs": "accounts of any tenant"}
# As the portal sets it; Graph leaves it null. It protects the copies of a multi-tenant application in other tenants.
_LOCKED = "isEnabled allProperties credentialsWithUsageVerify credentialsWithUsageSign tokenEncryptionKeyId"
_LOCK = dict.fromkeys(_LOCKED.split(), True)
# What is read back of it: Graph's name, the name among the facts, and in words.
_OWN = (
    ("appId", "app_id", "application (client) id"),
    ("id", "object_id", "object id"),
    ("displayName", "display_name", "display name"),
    ("signInAudience", "sign_in_audience", "supported account types"),
)
# The tag by which the portal lists a service principal under "Enterprise applications".
_ENTERPRISE = "WindowsAzureActiveDirectoryIntegratedApp"
DELETED_APPLICATIONS = "/directory/deletedItems/microsoft.graph.application"
_LEFT = "absent: this sign-in may not make it; the admin consent link of section 4 does"
DELETED_PRINCIPALS = "/directory/deletedItems/microsoft.graph.servicePrincipal"
_REGISTERED = f"{registration.MARK}:application:registered"


@dataclass(frozen=True)
class Observed:
    """Ours (present or in the deleted items), its service principal, and what only looks like ours."""

    application: dict[str, Any] | None = None
    deleted: dict[str, Any] | None = None
    principal: dict[str, Any] | None = None
    deleted_principal: dict[str, Any] | None = None
    look_alikes: list[dict[str, Any]] = field(default_factory=list)


def read(ctx: Context) -> Observed:
    bin_too = () if ctx.known.app_id else (DELETED_APPLICATIONS,)
    found = registration.application(ctx, _same_name(ctx), *bin_too)
    _refuse_other(ctx, found)
    deleted = None
    if found is None:
        deleted = _deleted(ctx, DELETED_APPLICATIONS, "uniqueName", ctx.params.unique_name)
    app_id = (found or deleted or {}).get("appId")
    principal = registration.service_principal(ctx, app_id) if app_id and found else None
    deleted_principal = None
    if app_id and principal is None:
        deleted_principal = _deleted(ctx, DELETED_PRINCIPALS, "appId", app_id)
    alike = [item for item in ctx.snapshot.items(_same_name(ctx)) if found is None or item["id"] != found["id"]]
    return Observed(found, deleted, principal, deleted_principal, alike)


def _refuse_other(ctx: Context, found: dict[str, Any] | None) -> None:
    """An object id must name an application, and must not contradict the one that has our unique name."""
    object_id = ctx.params.application_object_id
    if not object_id:
        return
    if found is None:
        raise RunbookError.named("no_such_object_id", object_id=object_id)
    named_so = ctx.graph.find("/applications" + key("uniqueName", ctx.params.unique_name), select=("id", "displayName"))
    if named_so is not None and named_so["id"] != found["id"]:
        raise PlanRefused.named("unique_name_taken", unique_name=ctx.params.unique_name, object_id=named_so["id"])


def _deleted(ctx: Context, path: str, name: str, value: str) -> dict[str, Any] | None:
    """The newest deleted object whose property ``name`` is ``value``; the filter is ours, as Graph offers few here."""
    items = [item for item in ctx.snapshot.items(path, _same_name(ctx)) if item.get(name) == value]
    return max(items, key=lambda item: str(item.get("deletedDateTime") or ""), default=None)


def _same_name(ctx: Context) -> str:
    condition = f"displayName eq {literal(ctx.params.application_name)}"
    return address("/applications", filter=condition, select=("id", "appId", "displayName"))


def plan(ctx: Context, observed: Observed) -> list[Change]:
    adopted = not registered(observed.application or observed.deleted or {"tags": [_REGISTERED]})
    changes = [*_application_changes(ctx, observed, adopted), _principal_change(observed, adopted)]
    for other in observed.look_alikes:
        name = f"application {other['displayName']!r} ({other['appId']})"
        note = "same display name, not ours"
        changes.append(Change(name, "present", "left alone", "same", note, hashed="look-alike"))
    return changes + others.pruned(ctx, NAME)


def _wanted(ctx: Context) -> dict[str, Any]:
    return {
        "displayName": ctx.params.application_name,
        "signInAudience": _AUDIENCES[ctx.params.sign_in_audience],
        "servicePrincipalLockConfiguration": _LOCK,
    }


def registered(found: Mapping[str, Any]) -> bool:
    """Whether the runbook made it; one of a version that did not say so counts as adopted."""
    return _REGISTERED in (found.get("tags") or ())


def _application_changes(ctx: Context, observed: Observed, adopted: bool) -> list[Change]:
    label = f"application {ctx.params.unique_name}"
    current = observed.application or observed.deleted
    if current is None:
        audience = _shown(_AUDIENCES[ctx.params.sign_in_audience])
        return [Change(label, "absent", f"registered as {ctx.params.application_name!r}, {audience}", "added")]
    changes = []
    if observed.deleted is not None:
        note = "its unique name stays taken while it is in the deleted items; restoring keeps its client id"
        step = {"step": "restore"}
        changes.append(Change(label, "in deleted items", "restored", "changed", note, step, others=adopted))
    else:
        changes.append(Change(label, f"client id {current['appId']}", "registered", "same"))
    return changes + _drift(ctx, current)


def _drift(ctx: Context, current: Mapping[str, Any]) -> list[Change]:
    """The properties that differ from what is wanted, as one change each; ``data`` is the body that mends it."""
    adopted, tags = not registered(current), list(current.get("tags") or ())
    keeps = adopted and not ctx.params.take_over

    def change(what: str, now: str, target: str, body: Mapping[str, Any]) -> Change:
        if now == target or keeps:
            note = "" if now == target else "not registered by the runbook: stays, unless take_over"
            return Change(what, now, now, "same", note)
        note = "not ours, taken over" if adopted else ""
        return Change(what, now, target, "changed", note, {"body": body}, others=adopted)

    wanted = _wanted(ctx)
    changes = [
        change(label, _shown(current.get(name)), _shown(wanted[name]), {name: wanted[name]})
        for name, label in (("displayName", "display name"), ("signInAudience", "supported account types"))
    ]
    lock = {"servicePrincipalLockConfiguration": _LOCK}
    changes.append(change("app instance property lock", "on" if _locked(current) else "off", "on", lock))
    if registration.MARK not in tags:
        marked = {"body": {"tags": [*tags, registration.MARK]}}
        changes.append(Change("mark of the runbook", "absent", "present", "changed", "", marked))
    if not current.get("uniqueName"):
        body = {"body": {"uniqueName": ctx.params.unique_name}}
        note = "an adopted application gets it once; it cannot be changed afterwards"
        changes.append(Change("unique name", "none", ctx.params.unique_name, "changed", note, body))
    return changes


def _shown(value: object) -> str:
    """With what an audience means in plain words."""
    words = _ACCOUNTS.get(str(value))
    return f"{words} ({value})" if words else str(value)


def _locked(current: Mapping[str, Any]) -> bool:
    lock = current.get("servicePrincipalLockConfiguration") or {}
    return bool(lock.get("isEnabled") and lock.get("allProperties"))


def _principal_change(observed: Observed, adopted: bool) -> Change:
    label = "service principal in this tenant"
    if observed.principal is None:
        if observed.deleted_principal is not None:
            step = {"principal": "restore"}
            return Change(label, "in deleted items", "restored", "changed", "", step, others=adopted)
        return Change(label, "absent", "present", "added", data={"principal": "create"})
    if observed.principal.get("accountEnabled") is False:
        note = "somebody disabled it: nobody can sign in to the application"
        return Change(label, "disabled", "present", "changed", note, {"principal": "enable"}, others=adopted)
    return Change(label, "present", "present", "same")


def apply(ctx: Context, changes: Sequence[Change]) -> None:
    wanted = pending(changes)
    own = [change for change in wanted if not {"principal", "other"} & change.data.keys()]
    _write_application(ctx, own)
    for change in wanted:
        if "principal" in change.data:
            _write_principal(ctx, str(change.data["principal"]))
    others.remove(ctx, wanted)


def _write_application(ctx: Context, changes: Sequence[Change]) -> None:
    if any(change.kind == "added" for change in changes):
        path = "/applications" + key("uniqueName", ctx.params.unique_name)
        me = ctx.administrator.identity().object_id
        body = {
            **_wanted(ctx),
            "tags": [registration.MARK, _REGISTERED, f"{registration.MARK}:{registration.OWNER}:{me}"],
        }
        made = ctx.graph.set(path, body, create_missing=True)
        ctx.known.app_id = str((made or registration.require_application(ctx))["appId"])
    elif changes:
        if any(change.data.get("step") == "restore" for change in changes):
            _restore(
                ctx, DELETED_APPLICATIONS, "uniqueName", ctx.params.unique_name, lambda: registration.application(ctx)
            )
        body = {key: value for change in changes for key, value in change.data.get("body", {}).items()}
        if body:
            ctx.graph.set(f"/applications/{registration.require_application(ctx)['id']}", body)


def _restore(ctx: Context, path: str, name: str, value: str, find: Callable[[], dict[str, Any] | None]) -> None:
    def restore() -> dict[str, Any] | None:
        item = _deleted(ctx, path, name, value)
        if item is None:
            raise RunbookError.named("not_in_bin")
        return ctx.graph.post(f"/directory/deletedItems/{item['id']}/restore", {})

    ctx.graph.ensure(find, restore, what="The restored object", absent=True)


def _write_principal(ctx: Context, step: str) -> None:
    app_id = ctx.known.app_id or str(registration.require_application(ctx)["appId"])
    if step == "restore":
        _restore(ctx, DELETED_PRINCIPALS, "appId", app_id, lambda: registration.service_principal(ctx, app_id))
    elif step == "enable":
        ctx.graph.set("/servicePrincipals" + key("appId", app_id), {"accountEnabled": True})
    else:
        try:
            made, _ = ctx.graph.ensure(
                lambda: registration.service_principal(ctx, app_id),
                lambda: ctx.graph.post("/servicePrincipals", {"appId": app_id, "tags": [_ENTERPRISE]}),
                what="The service principal",
                absent=True,
            )
        except GraphError as error:
            if error.status != 403:
                raise
            # Whoever registers need not be allowed to make it; the consent page of section 4 makes it then.
            ctx.known.left_to_consent = True
        else:
            ctx.known.principal_id = str(made["id"])


def verify(ctx: Context) -> Evidence:
    absent = {"id": _LEFT} if ctx.known.left_to_consent else None

    def seen() -> tuple[dict[str, Any], dict[str, Any]] | None:
        found = registration.application(ctx)
        if found is None or any(change.kind != "same" for change in _drift(ctx, found)):
            return None
        principal = registration.service_principal(ctx, found["appId"]) or absent
        if others.pruned(ctx, NAME):
            return None
        return (found, principal) if principal and principal.get("accountEnabled") is not False else None

    found, principal = ctx.read_back(seen, "the application and its service principal are read back as wanted")
    source = "GET " + registration.application_path(ctx)
    rows = [row(label, _shown(found[name]), source) for name, _, label in _OWN]
    principal_path = f"GET /servicePrincipals(appId='{found['appId']}')"
    rows.append(row("service principal object id", principal["id"], principal_path))
    if link := registration.portal_link(ctx, found["appId"]):
        rows.append(row("page in the portal", link, "Entra admin center"))
    facts = {fact: found[name] for name, fact, _ in _OWN} | {"unique_name": found.get("uniqueName") or ""}
    principal_id = "" if principal is absent else principal["id"]
    return Evidence(True, rows, {"application": facts | {"service_principal_id": principal_id}})
