"""Section 4: API permissions, and admin consent for them.

Requested permissions (``requiredResourceAccess``) are a declaration and grant nothing; a delegated permission is
granted by the tenant-wide ``oauth2PermissionGrant`` and an application permission by an ``appRoleAssignment``. What the
application requests of other APIs stays as it is; what it requests of Microsoft Graph is the runbook's to keep equal to
the choice, so a permission that no chosen action needs any more is taken away, grant included, and the plan says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runbook import catalog
from runbook.errors import GraphError, NotSettled, Parked, PlanRefused, SignInError
from runbook.sections import about
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, row
from runbook.tenant.consent import by_api, by_link, consent_hand_over
from runbook.tenant.credentials import application_roles, current
from runbook.tenant.permissions import GRAPH_TYPE, TYPES, Permissions, PermissionType, Wanted, table
from runbook.tenant.registration import GRAPH_APP_ID, require_application, require_principal
from runbook.words import Kind, word

NAME, NUMBER, TITLE, SUMMARY, PORTAL = about("api_permissions")


def read(ctx: Context) -> Permissions:
    return Permissions.read(ctx)


def plan(ctx: Context, observed: Permissions) -> list[Change]:
    wanted = observed.wanted(ctx)
    changes = [change for kind in TYPES for change in _of_type(observed, wanted[kind], kind)]
    for identifier in observed.unknown_ids:
        note = "Microsoft Graph of this tenant publishes no permission with this id"
        if name := observed.misplaced.get(identifier):
            note = f"{name} under the wrong type: its scope and its app role have different ids"
        changes.append(Change(f"permission {identifier}", "requested", "absent", "removed", note))
    for kind in TYPES:
        changes += [_missing(slug, names, kind) for slug, names in wanted[kind].missing.items()]
    changes += [Change("limit of Entra ID", over, "kept", "unknown") for over in _over_limits(observed, wanted)]
    return changes


def _over_limits(observed: Permissions, wanted: Mapping[PermissionType, Wanted]) -> list[str]:
    """What Entra ID would refuse by its documented limits, in words; learn.microsoft.com/entra/identity-platform/
    supported-accounts-validation and graph/api/resources/oauth2permissiongrant."""
    others = _of_other_apis(observed.application)
    permissions = sum(len(entry.get("resourceAccess") or ()) for entry in others)
    figures = (
        ("permissions of one application", permissions + sum(len(wanted[kind].why) for kind in TYPES), 400),
        (
            "APIs of which an application requests permissions",
            len(others) + any(wanted[kind].why for kind in TYPES),
            50,
        ),
        ("characters of the delegated permissions in one grant", len(" ".join(wanted["delegated"].why)), 3850),
    )
    return [f"{number} {what}, at most {most} are accepted" for what, number, most in figures if number > most]


def _of_other_apis(found: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    entries = (found or {}).get("requiredResourceAccess") or ()
    return [entry for entry in entries if str(entry.get("resourceAppId")).lower() != GRAPH_APP_ID]


def _of_type(observed: Permissions, wanted: Wanted, kind: PermissionType) -> list[Change]:
    granted = observed.granted[kind]
    names = sorted({*wanted.why, *observed.requested[kind], *(granted or ())})
    changes = []
    for name in names:
        is_requested = name in observed.requested[kind]
        is_granted = None if granted is None else name in granted
        change = _kind(name in wanted.why, is_requested, is_granted)
        target = "requested and granted" if name in wanted.why else "absent"
        note = _note(name, wanted)
        changes.append(Change(f"{name} ({kind})", _now(is_requested, is_granted), target, change, note))
    return changes


def _kind(is_wanted: bool, is_requested: bool, is_granted: bool | None) -> Kind:
    if is_granted is None:
        return "unknown"
    if not is_wanted:
        return "removed"
    if is_requested and is_granted:
        return "same"
    return "changed" if is_requested or is_granted else "added"


def _now(is_requested: bool, is_granted: bool | None) -> str:
    requested = "requested" if is_requested else "not requested"
    if is_granted is None:
        return f"{requested}, grant unknown"
    if is_requested == is_granted:
        return "requested and granted" if is_granted else "absent"
    return f"{requested}, {'granted' if is_granted else 'not granted'}"


def _note(name: str, wanted: Wanted) -> str:
    if name not in wanted.why:
        return "no chosen action needs it"
    actions = [catalog.action(slug).name for slug in wanted.why[name]]
    if not actions:
        return "sign-in needs it"
    note = "for " + ", ".join(actions)
    instead = sorted({other for slug in wanted.why[name] for other in wanted.replaced.get(slug, ())})
    if instead:
        note += f"; instead of {', '.join(instead)}, which this tenant does not publish"
    known = catalog.permissions().get(name)
    return f"{note}; powerful: {known.powerful}" if known and known.powerful else note


def _missing(slug: str, names: Sequence[str], kind: PermissionType) -> Change:
    note = f"this tenant publishes neither {', '.join(names)} nor any documented alternative"
    return Change(f"{catalog.action(slug).name} ({kind})", "impossible here", "impossible here", "same", note)


def apply(ctx: Context, _changes: Sequence[Change]) -> None:
    require_principal(ctx, require_application(ctx)["appId"])
    state = Permissions.read(ctx)
    wanted = state.wanted(ctx)
    if over := _over_limits(state, wanted):
        raise PlanRefused(
            f"Entra ID would refuse the permissions: {'; '.join(over)}.",
            next_step="choose fewer actions or permission_source least, or remove what is no longer needed.",
        )
    _request(ctx, state, wanted)
    if ctx.params.consent == "api":
        try:
            by_api(ctx, state, wanted)
        except GraphError as error:
            if error.status != 403:
                raise
            # The caller may register but not consent: the person who may gets one link for everything.
            by_link(ctx, wanted)
    else:
        by_link(ctx, wanted)


def _request(ctx: Context, state: Permissions, wanted: dict[PermissionType, Wanted]) -> None:
    """Declare exactly the wanted permissions of Microsoft Graph; the entries of other APIs are written back as read."""
    found = require_application(ctx)
    if all(state.requested[kind] == set(wanted[kind].why) for kind in TYPES) and not state.unknown_ids:
        return
    access = [
        {"id": state.ids[kind][name], "type": GRAPH_TYPE[kind]} for kind in TYPES for name in sorted(wanted[kind].why)
    ]
    entries = _of_other_apis(found)
    if access:
        entries.append({"resourceAppId": GRAPH_APP_ID, "resourceAccess": access})
    note = {"requested": {kind: sorted(wanted[kind].why) for kind in TYPES}}
    ctx.graph.set(f"/applications/{found['id']}", {"requiredResourceAccess": entries}, note=note)


def verify(ctx: Context) -> Evidence:
    def seen() -> Permissions | None:
        state = Permissions.read(ctx)
        return state if _as_wanted(state, state.wanted(ctx)) else None

    try:
        state = ctx.read_back(seen, "every wanted permission is requested and granted, and no other")
    except NotSettled:
        state = Permissions.read(ctx)
        if ctx.params.consent == "link" and not _as_wanted(state, state.wanted(ctx)):
            raise Parked(consent_hand_over(ctx, state)) from None
        raise
    wanted = state.wanted(ctx)
    rows = table(state, wanted, _tokens(ctx, state))
    source = {
        "delegated": "GET /oauth2PermissionGrants",
        "application": f"GET /servicePrincipals/{(state.principal or {}).get('id')}/appRoleAssignments",
    }
    evidence = [
        row(
            f"{item['name']} ({kind})",
            f"wanted {word(item['wanted'])}, requested {word(item['requested'])}, granted {word(item['granted'])}, "
            f"in token {word(item['in_token'])}",
            source[kind],
        )
        for kind in TYPES
        for item in rows[kind]
    ]
    missing = [f"{catalog.action(slug).name} ({kind})" for kind in TYPES for slug in wanted[kind].missing]
    notes = [f"{name}: no permission for it is published in this tenant." for name in missing]
    return Evidence(not missing, evidence, {"permissions": rows}, notes)


def _tokens(ctx: Context, state: Permissions) -> dict[PermissionType, frozenset[str] | None]:
    """What a fresh application token carries, if there is a secret to get one with; else nothing is known."""
    found = state.application or {}
    if not found or current(ctx, found) is None:
        return {}
    try:
        return {"application": frozenset(application_roles(ctx, found, state.granted["application"]).roles)}
    except SignInError:
        # Section 5 proves the secret and says what is wrong with it.
        return {}


def _as_wanted(state: Permissions, wanted: dict[PermissionType, Wanted]) -> bool:
    names = {kind: frozenset(wanted[kind].why) for kind in TYPES}
    return state.principal is not None and all(
        state.requested[kind] == names[kind] and state.granted[kind] == names[kind] for kind in TYPES
    )
