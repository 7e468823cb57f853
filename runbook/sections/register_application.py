"""Section 2: the application and its service principal.

The application is found by its own unique name, so running again finds the same one, and nothing local is needed.
One with our unique name in the deleted items is restored: its unique name stays taken until it is purged, a restore
gives back the same client id, and unlike a purge it can be undone. One made elsewhere is adopted by explicit object id
only. Others of the same display name are shown as not ours and left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbook.clients.odata import key, literal
from runbook.errors import PlanRefused, RunbookError
from runbook.sections import about
from runbook.tenant import registration
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, pending, row
from runbook.tenant.snapshot import address

NAME, NUMBER, TITLE, SUMMARY, PORTAL = about("register_application")

_AUDIENCES = {"single": "AzureADMyOrg", "multi": "AzureADMultipleOrgs"}
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
_DELETED_APPLICATIONS = "/directory/deletedItems/microsoft.graph.application"
_DELETED_PRINCIPALS = "/directory/deletedItems/microsoft.graph.servicePrincipal"


@dataclass(frozen=True)
class Observed:
    """Ours (present or in the deleted items), its service principal, and what only looks like ours."""

    application: dict[str, Any] | None = None
    deleted: dict[str, Any] | None = None
    principal: dict[str, Any] | None = None
    deleted_principal: dict[str, Any] | None = None
    look_alikes: list[dict[str, Any]] = field(default_factory=list)


def read(ctx: Context) -> Observed:
    found = registration.application(ctx)
    _refuse_other(ctx, found)
    deleted = None
    if found is None:
        deleted = _deleted(ctx, _DELETED_APPLICATIONS, "uniqueName", ctx.params.unique_name)
    app_id = (found or deleted or {}).get("appId")
    principal = registration.service_principal(ctx, app_id) if app_id and found else None
    deleted_principal = None
    if app_id and principal is None:
        deleted_principal = _deleted(ctx, _DELETED_PRINCIPALS, "appId", app_id)
    return Observed(found, deleted, principal, deleted_principal, _look_alikes(ctx, found))


def _refuse_other(ctx: Context, found: dict[str, Any] | None) -> None:
    """An object id must name an application, and must not contradict the one that has our unique name."""
    object_id = ctx.params.application_object_id
    if not object_id:
        return
    if found is None:
        raise RunbookError(
            f"There is no application with the object id {object_id} in this tenant.",
            next_step="check application_object_id (the portal's “Object ID”, not the client id), or leave it empty.",
        )
    named = ctx.graph.find("/applications" + key("uniqueName", ctx.params.unique_name), select=("id", "displayName"))
    if named is not None and named["id"] != found["id"]:
        raise PlanRefused(
            f"The unique name {ctx.params.unique_name!r} belongs to another application, {named['id']}.",
            meaning="One of the two would have to be left behind, and the runbook does not choose.",
            next_step="give the adopted application a unique_name of its own, or leave application_object_id empty.",
        )


def _deleted(ctx: Context, path: str, name: str, value: str) -> dict[str, Any] | None:
    """The newest deleted object whose property ``name`` is ``value``; the filter is ours, as Graph offers few here."""
    items = [item for item in ctx.snapshot.items(path, _same_name(ctx)) if item.get(name) == value]
    return max(items, key=lambda item: str(item.get("deletedDateTime") or ""), default=None)


def _same_name(ctx: Context) -> str:
    condition = f"displayName eq {literal(ctx.params.application_name)}"
    return address("/applications", filter=condition, select=("id", "appId", "displayName"))


def _look_alikes(ctx: Context, found: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [item for item in ctx.snapshot.items(_same_name(ctx)) if found is None or item["id"] != found["id"]]


def plan(ctx: Context, observed: Observed) -> list[Change]:
    changes = [*_application_changes(ctx, observed), _principal_change(observed)]
    for other in observed.look_alikes:
        name = f"application {other['displayName']!r} ({other['appId']})"
        note = "same display name, not ours"
        changes.append(Change(name, "present", "left alone", "same", note, hashed="look-alike"))
    return changes


def _wanted(ctx: Context) -> dict[str, Any]:
    return {
        "displayName": ctx.params.application_name,
        "signInAudience": _AUDIENCES[ctx.params.sign_in_audience],
        "servicePrincipalLockConfiguration": _LOCK,
    }


def _application_changes(ctx: Context, observed: Observed) -> list[Change]:
    label = f"application {ctx.params.unique_name}"
    current = observed.application or observed.deleted
    if current is None:
        audience = _AUDIENCES[ctx.params.sign_in_audience]
        return [Change(label, "absent", f"registered as {ctx.params.application_name!r}, {audience}", "added")]
    changes = []
    if observed.deleted is not None:
        note = "its unique name stays taken while it is in the deleted items; restoring keeps its client id"
        changes.append(Change(label, "in deleted items", "restored", "changed", note, {"step": "restore"}))
    else:
        changes.append(Change(label, f"client id {current['appId']}", "registered", "same"))
    return changes + _drift(ctx, current)


def _drift(ctx: Context, current: Mapping[str, Any]) -> list[Change]:
    """The properties that differ from what is wanted, as one change each; ``data`` is the body that mends it."""

    def change(what: str, now: str, target: str, body: Mapping[str, Any], note: str = "") -> Change:
        return Change(what, now, target, "same" if now == target else "changed", note, {"body": body})

    wanted, tags, lock = _wanted(ctx), list(current.get("tags") or ()), {"servicePrincipalLockConfiguration": _LOCK}
    changes = [
        change(label, str(current.get(name)), wanted[name], {name: wanted[name]})
        for name, label in (("displayName", "display name"), ("signInAudience", "supported account types"))
    ]
    changes.append(change("app instance property lock", "on" if _locked(current) else "off", "on", lock))
    if registration.MARK not in tags:
        changes.append(change("mark of the runbook", "absent", "present", {"tags": [*tags, registration.MARK]}))
    if not current.get("uniqueName"):
        body = {"uniqueName": ctx.params.unique_name}
        note = "an adopted application gets it once; it cannot be changed afterwards"
        changes.append(Change("unique name", "none", ctx.params.unique_name, "changed", note, {"body": body}))
    return changes


def _locked(current: Mapping[str, Any]) -> bool:
    lock = current.get("servicePrincipalLockConfiguration") or {}
    return bool(lock.get("isEnabled") and lock.get("allProperties"))


def _principal_change(observed: Observed) -> Change:
    label = "service principal in this tenant"
    if observed.principal is None:
        if observed.deleted_principal is not None:
            return Change(label, "in deleted items", "restored", "changed", data={"principal": "restore"})
        return Change(label, "absent", "present", "added", data={"principal": "create"})
    if observed.principal.get("accountEnabled") is False:
        note = "somebody disabled it: nobody can sign in to the application"
        return Change(label, "disabled", "present", "changed", note, {"principal": "enable"})
    return Change(label, "present", "present", "same")


def apply(ctx: Context, changes: Sequence[Change]) -> None:
    wanted = pending(changes)
    own = [change for change in wanted if "principal" not in change.data]
    _write_application(ctx, own)
    for change in wanted:
        if "principal" in change.data:
            _write_principal(ctx, str(change.data["principal"]))


def _write_application(ctx: Context, changes: Sequence[Change]) -> None:
    if any(change.kind == "added" for change in changes):
        path, body = (
            "/applications" + key("uniqueName", ctx.params.unique_name),
            {**_wanted(ctx), "tags": [registration.MARK]},
        )
        made = ctx.graph.set(path, body, create_missing=True)
        ctx.known.app_id = str((made or registration.require_application(ctx))["appId"])
    elif changes:
        if any(change.data.get("step") == "restore" for change in changes):
            _restore(
                ctx, _DELETED_APPLICATIONS, "uniqueName", ctx.params.unique_name, lambda: registration.application(ctx)
            )
        body = {key: value for change in changes for key, value in change.data.get("body", {}).items()}
        if body:
            ctx.graph.set(f"/applications/{registration.require_application(ctx)['id']}", body)


def _restore(ctx: Context, path: str, name: str, value: str, find: Callable[[], dict[str, Any] | None]) -> None:
    def restore() -> dict[str, Any] | None:
        item = _deleted(ctx, path, name, value)
        if item is None:
            raise RunbookError(
                "The object is no longer in the deleted items.",
                meaning="Somebody restored or purged it since the plan was made.",
                next_step="run again: the plan is made anew.",
            )
        return ctx.graph.post(f"/directory/deletedItems/{item['id']}/restore", {})

    ctx.graph.ensure(find, restore, what="The restored object", absent=True)


def _write_principal(ctx: Context, step: str) -> None:
    app_id = ctx.known.app_id or str(registration.require_application(ctx)["appId"])
    if step == "restore":
        _restore(ctx, _DELETED_PRINCIPALS, "appId", app_id, lambda: registration.service_principal(ctx, app_id))
    elif step == "enable":
        ctx.graph.set("/servicePrincipals" + key("appId", app_id), {"accountEnabled": True})
    else:
        made, _ = ctx.graph.ensure(
            lambda: registration.service_principal(ctx, app_id),
            lambda: ctx.graph.post("/servicePrincipals", {"appId": app_id, "tags": [_ENTERPRISE]}),
            what="The service principal",
            absent=True,
        )
        ctx.known.principal_id = str(made["id"])


def verify(ctx: Context) -> Evidence:
    def seen() -> tuple[dict[str, Any], dict[str, Any]] | None:
        found = registration.application(ctx)
        if found is None or any(change.kind != "same" for change in _drift(ctx, found)):
            return None
        principal = registration.service_principal(ctx, found["appId"])
        return (found, principal) if principal and principal.get("accountEnabled") is not False else None

    found, principal = ctx.read_back(seen, "the application and its service principal are read back as wanted")
    source = "GET " + registration.application_path(ctx)
    rows = [row(label, found[name], source) for name, _, label in _OWN]
    principal_path = f"GET /servicePrincipals(appId='{found['appId']}')"
    rows.append(row("service principal object id", principal["id"], principal_path))
    if link := registration.portal_link(ctx, found["appId"]):
        rows.append(row("page in the portal", link, "Entra admin center"))
    facts = {fact: found[name] for name, fact, _ in _OWN} | {"unique_name": found.get("uniqueName") or ""}
    return Evidence(True, rows, {"application": facts | {"service_principal_id": principal["id"]}})
