"""Section 4: API permissions, and admin consent for them.

Requested permissions (``requiredResourceAccess``) are a declaration and grant nothing; a delegated permission is
granted by the tenant-wide ``oauth2PermissionGrant`` and an application permission by an ``appRoleAssignment``. What the
runbook requests and grants is listed on the application before it is there, so a permission of its own that no chosen
action needs any more is taken away, grant included, and the plan says so. What is not listed is somebody else's and
stays, unless ``take_over`` says otherwise and the plan is approved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from runbook import catalog
from runbook.catalog.loader import GRAPH_APP_ID
from runbook.errors import GraphError, NotSettled, Parked, PlanRefused, SignInError
from runbook.sections import about
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, pending, row
from runbook.tenant.consent import by_api, by_link, consent_hand_over
from runbook.tenant.credentials import application_roles, current
from runbook.tenant.others import pruned, remove
from runbook.tenant.permissions import GRAPH_TYPE, STAGES, TYPES, Permissions, PermissionType, Wanted, table
from runbook.tenant.registration import hold_marks, require_application, with_marks, write
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
        stays = Change(f"permission {identifier}", "requested", "requested", "same", note, others=True)
        changes.append(replace(stays, wanted="absent", kind="removed") if observed.take_over else stays)
    for kind in TYPES:
        changes += [_missing(slug, names, kind) for slug, names in wanted[kind].missing.items()]
    changes += [Change("limit of Entra ID", over, "kept", "unknown") for over in _over_limits(observed, wanted)]
    found = observed.application or {}
    listed = with_marks(found, observed.marks(wanted, begin=False))
    if not pending(changes) and set(listed) != set(found.get("tags") or ()):
        changes.append(Change("list of our permissions", "names what is gone", "as the tenant is", "changed"))
    return changes + pruned(ctx, NAME)


def _over_limits(observed: Permissions, wanted: Mapping[PermissionType, Wanted]) -> list[str]:
    """What Entra ID would refuse by its documented limits, in words; learn.microsoft.com/entra/identity-platform/
    supported-accounts-validation and graph/api/resources/oauth2permissiongrant."""
    entries = _entries(observed, wanted)
    scope = " ".join(observed.target("granted", "delegated", wanted["delegated"]))
    figures = (
        ("permissions of one application", sum(len(entry["resourceAccess"]) for entry in entries), 400),
        ("APIs of which an application requests permissions", len(entries), 50),
        ("characters of the delegated permissions in one grant", len(scope), 3850),
    )
    return [f"{number} {what}, at most {most} are accepted" for what, number, most in figures if number > most]


def _entries(state: Permissions, wanted: Mapping[PermissionType, Wanted]) -> list[dict[str, Any]]:
    """``requiredResourceAccess`` as it is to be: what is not ours as it was read, in its order."""
    entries = [dict(entry) for entry in (state.application or {}).get("requiredResourceAccess") or ()]
    own = next((entry for entry in entries if str(entry.get("resourceAppId")).lower() == GRAPH_APP_ID), None)
    if own is None:
        entries.append(own := {"resourceAppId": GRAPH_APP_ID, "resourceAccess": []})
    gone: set[tuple[str | None, str]] = {(None, unknown) for unknown in state.unknown_ids if state.take_over}
    access = list(own["resourceAccess"] or ())
    for kind in TYPES:
        ids, type_ = state.ids[kind], GRAPH_TYPE[kind]
        gone |= {(type_, ids[name]) for name in state.surplus("requested", kind, wanted[kind])}
        access += [{"id": ids[name], "type": type_} for name in sorted(wanted[kind].why.keys() - state.requested[kind])]
    own["resourceAccess"] = [
        entry for entry in access if not {(entry.get("type"), entry["id"].lower()), (None, entry["id"].lower())} & gone
    ]
    return [entry for entry in entries if entry.get("resourceAccess") or entry is not own]


def _of_type(observed: Permissions, wanted: Wanted, kind: PermissionType) -> list[Change]:
    granted = observed.granted[kind]
    names = sorted({*wanted.why, *observed.requested[kind], *(granted or ())})
    changes = []
    for name in names:
        now = _now(name, observed.requested[kind], granted)
        if name in wanted.why:
            target, note, others = "requested and granted", _note(name, wanted, kind), wanted.raised(name)
            change = _kind(name in observed.requested[kind], None if granted is None else name in granted)
        else:
            left = [observed.target(stage, kind, wanted) for stage in STAGES]
            target = _now(name, left[0], None if granted is None else left[1])
            change = "same" if target == now else "removed"
            theirs = any(name in observed.there(stage, kind) - observed.ours(stage, kind) for stage in STAGES)
            others = theirs and observed.take_over
            going = "not ours, taken over" if others else "not ours, pruned" if theirs else "no chosen action needs it"
            note = "not ours, stays" if target == now else going
        changes.append(Change(f"{name} ({kind})", now, target, change, note, others=others))
    return changes


def _kind(is_requested: bool, is_granted: bool | None) -> Kind:
    if is_granted is None:
        return "unknown"
    if is_requested and is_granted:
        return "same"
    return "changed" if is_requested or is_granted else "added"


def _now(name: str, asked: frozenset[str], of_granted: frozenset[str] | None) -> str:
    requested = "requested" if name in asked else "not requested"
    if of_granted is None:
        return f"{requested}, grant unknown"
    if (name in asked) == (name in of_granted):
        return "requested and granted" if name in asked else "absent"
    return f"{requested}, {'granted' if name in of_granted else 'not granted'}"


def _note(name: str, wanted: Wanted, kind: PermissionType) -> str:
    actions = [catalog.action(slug).name for slug in wanted.why[name]]
    if not actions:
        return "sign-in needs it"
    note = "for " + ", ".join(actions)
    instead = sorted({other for slug in wanted.why[name] for other in wanted.replaced.get(slug, ())})
    if instead:
        note += f"; instead of {', '.join(instead)}, which this tenant does not publish"
    known = catalog.permissions().get(name)
    if kind == "application":
        note += "; holds in the whole tenant for whoever has the client secret"
    return f"{note}; powerful: {known.powerful}" if known and known.powerful else note


def _missing(slug: str, names: Sequence[str], kind: PermissionType) -> Change:
    note = f"this tenant publishes neither {', '.join(names)} nor any documented alternative"
    return Change(f"{catalog.action(slug).name} ({kind})", "impossible here", "impossible here", "same", note)


def apply(ctx: Context, changes: Sequence[Change]) -> None:
    remove(ctx, changes)
    state = Permissions.read(ctx)
    bring(ctx, state, state.wanted(ctx))


def bring(ctx: Context, state: Permissions, wanted: dict[PermissionType, Wanted]) -> None:
    """Request and grant what is wanted, and take away what of ours is not, going by ``state``, read a moment ago."""
    if over := _over_limits(state, wanted):
        raise PlanRefused.named("over_limits", limits="; ".join(over))
    found, entries = require_application(ctx), _entries(state, wanted)
    body, note = {"requiredResourceAccess": entries}, {kind: sorted(wanted[kind].why) for kind in TYPES}
    if entries == list(found.get("requiredResourceAccess") or ()):
        body, note = {}, {}
    write(ctx, state.marks(wanted, begin=True), body, **({"requested": note} if note else {}))
    _grant(ctx, state, wanted)
    if any(state.surplus("granted", kind, wanted[kind]) for kind in TYPES):
        ctx.snapshot.forget()
        write(ctx, state.marks(wanted, begin=False), {})


def _grant(ctx: Context, state: Permissions, wanted: dict[PermissionType, Wanted]) -> None:
    if ctx.params.consent == "api" and state.principal is not None:
        try:
            by_api(ctx, state, wanted)
        except GraphError as error:
            if error.status != 403:
                raise
            # The caller may register but not consent: the person who may gets one link for everything.
            by_link(ctx, wanted)
    else:
        by_link(ctx, wanted)


_UNSEEN = "What tokens carry is looked at in section 8, of an application token here once section 5 has made a secret."


def verify(ctx: Context) -> Evidence:
    def seen() -> Permissions | None:
        state = Permissions.read(ctx)
        return state if _as_wanted(state, state.wanted(ctx)) and not pruned(ctx, NAME) else None

    try:
        state = ctx.read_back(seen, "every wanted permission is requested and granted, and no other of ours")
    except NotSettled:
        state = Permissions.read(ctx)
        if ctx.params.consent == "link" and not _as_wanted(state, state.wanted(ctx)):
            raise Parked(consent_hand_over(ctx, state)) from None
        raise
    hold_marks(ctx)
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
    notes += [_UNSEEN] * any(item["in_token"] is None for kind in TYPES for item in rows[kind])
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
    return state.principal is not None and all(
        state.granted[kind] is not None
        and state.there(stage, kind) >= wanted[kind].why.keys()
        and not state.surplus(stage, kind, wanted[kind])
        for stage, kind in product(STAGES, TYPES)
    )
