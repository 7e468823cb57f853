"""The two roads of admin consent: documented Graph calls by a caller who may, or one link for the person who may.

A consent redirect is never believed: whatever the page says, the grants are read afterwards.
"""

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from runbook.clients.answers import told
from runbook.clients.graph import BatchRequest, graph_error
from runbook.clients.settle import passes
from runbook.errors import GraphError, HandOver, NotSettled, RunbookError, TransportError
from runbook.tenant.base import Context
from runbook.tenant.permissions import TYPES, Permissions, PermissionType, Wanted
from runbook.tenant.registration import assignments, entra_base, wanted_uri

_SEEN = "Run again: the grants are read from the tenant, whatever the page said."


def by_api(ctx: Context, state: Permissions, wanted: Mapping[PermissionType, Wanted]) -> None:
    """Grant what is wanted and take away what of ours is not, going by ``state``, which was read a moment ago.

    Raises :class:`GraphError` with status 403 when the caller may not consent.
    """
    _grant_scopes(ctx, state, state.target("granted", "delegated", wanted["delegated"]))
    _assign_roles(ctx, state, state.target("granted", "application", wanted["application"]))


def _principal_id(state: Permissions) -> str:
    if state.principal is None:
        raise RunbookError.named("principal_gone")
    return str(state.principal["id"])


def _grant_scopes(ctx: Context, state: Permissions, names: frozenset[str]) -> None:
    """One tenant-wide grant per client and resource: made once, then its whole scope is replaced."""
    if state.granted["delegated"] == names:
        return
    grant, note = state.grant, {"granted": {"delegated": sorted(names)}}
    before = dict.fromkeys(str((grant or {}).get("scope") or "").split())
    scope = " ".join([name for name in before if name in names] + sorted(names - before.keys()))
    if not names and (grant is None or state.grant_is_ours or state.take_over):
        if grant is not None:
            ctx.graph.remove(f"/oauth2PermissionGrants/{grant['id']}")
        return
    if grant is None:
        body = {"clientId": _principal_id(state), "consentType": "AllPrincipals", "principalId": None}
        body |= {"resourceId": state.resource_id, "scope": scope}
        # Graph may answer 404 and have written the grant all the same, so it is read before it is repeated.
        made, _ = ctx.graph.ensure(
            lambda: Permissions.read(ctx, anew=True).grant,
            lambda: ctx.graph.post("/oauth2PermissionGrants", body, note=note),
            what="The delegated grant",
            absent=state.granted["delegated"] is not None,
        )
        grant = made
    if frozenset(str(grant.get("scope") or "").split()) != names:
        ctx.graph.set(f"/oauth2PermissionGrants/{grant['id']}", {"scope": scope}, note=note)


def _assign_roles(ctx: Context, state: Permissions, names: frozenset[str]) -> None:
    """All missing roles in as few batches as possible; what a batch leaves open is looked at one by one."""
    path = f"/servicePrincipals/{state.resource_id}/appRoleAssignedTo"
    body, ids = {"principalId": _principal_id(state), "resourceId": state.resource_id}, state.ids["application"]
    bodies = {name: {**body, "appRoleId": ids[name]} for name in sorted(names - set(state.assignments))}
    for name in _left_open(ctx, path, bodies):
        if not _assign(ctx, name, path, bodies[name]):
            # The batch had made it although its answer did not say so.
            ctx.journal.made("created", "app role assignment")
    for name in sorted(set(state.assignments) - names):
        ctx.graph.remove(f"{path}/{state.assignments[name]}")


def _left_open(ctx: Context, path: str, bodies: Mapping[str, Any]) -> list[str]:
    """Send them together; the names of those that were not answered with success. Raises what does not pass."""
    parts = [BatchRequest("POST", path, body, _granted(name)) for name, body in bodies.items()]
    try:
        answers = ctx.graph.batch(parts) if parts else []
    except (GraphError, TransportError) as error:
        if not passes(error):
            raise
        ctx.graph.session.settled(error.ticket, applied=False)  # part by part instead
        return list(bodies)
    left = []
    for name, answer in zip(bodies, answers, strict=True):
        if not answer.ok:
            refused = graph_error(answer, "POST", path)
            if not passes(refused):
                raise refused
            left.append(name)
    return left


def _granted(name: str) -> dict[str, Any]:
    """What the journal is told of a granted app role."""
    return {"granted": {"application": [name]}}


def _assign(ctx: Context, name: str, path: str, body: Mapping[str, str]) -> bool:
    """Have it; whether it was made here."""

    def find() -> str | None:
        ctx.snapshot.forget()
        items = assignments(ctx, {"id": body["principalId"]})
        same = (i for i in items if i["resourceId"] == body["resourceId"] and i["appRoleId"] == body["appRoleId"])
        return next((str(item["id"]) for item in same), None)

    _, made = ctx.graph.ensure(
        find,
        lambda: str((ctx.graph.post(path, dict(body), note=_granted(name)) or {}).get("id") or ""),
        what=f"The app role assignment for {name}",
    )
    return made


def consent_url(ctx: Context, app_id: str, tenant_id: str) -> str:
    """The v2.0 admin-consent page, in that tenant, for everything that the application requests of Microsoft Graph.

    ``.default`` is the one scope with which the page grants application permissions too
    (learn.microsoft.com/entra/identity-platform/v2-admin-consent).
    """
    query = {"client_id": app_id, "scope": f"{ctx.target.endpoints.graph}/.default"}
    query |= {"redirect_uri": wanted_uri(ctx), "state": secrets.token_urlsafe(16)}
    return f"{entra_base(ctx)}/{tenant_id}/v2.0/adminconsent?{urlencode(query)}"


def consent_hand_over(ctx: Context, state: Permissions) -> HandOver:
    """What the person who may consent has to do, and what it will mean."""
    found = state.application or {}
    app_id, name = str(found.get("appId")), str(found.get("displayName"))
    seen = None not in state.granted.values()
    fields = {f"{kind} permissions": " ".join(sorted(state.requested[kind])) for kind in TYPES}
    fields |= {"application (client) id": app_id}
    words = {"name": name, "then": _SEEN if seen else RunbookError.named("consent_unseen").next_step}
    return HandOver.named("admin_consent", words, url=consent_url(ctx, app_id, ctx.target.tenant_id), fields=fields)


def by_link(ctx: Context, wanted: Mapping[PermissionType, Wanted]) -> None:
    """Hand the consent page over, then take away what is no longer wanted as far as the caller may.

    Raises :class:`Parked` when nobody is there to consent.
    """
    state = Permissions.read(ctx)
    if not _all_granted(state, wanted):
        ctx.hand_over(consent_hand_over(ctx, state))
        if None in state.granted.values():
            raise RunbookError.named("consent_unseen")

        def granted() -> bool | None:
            return _all_granted(Permissions.read(ctx), wanted) or None

        patience = ctx.graph.pace.deadline / 6
        try:
            ctx.until(granted, "the permissions that were consented to are granted", deadline=patience)
        except NotSettled:
            raise _nothing_granted() from None
        _note_consent(ctx, state, Permissions.read(ctx))
    state = Permissions.read(ctx, anew=True)
    if any(state.surplus("granted", kind, wanted[kind]) for kind in TYPES):
        _take_away(ctx, wanted)


def _note_consent(ctx: Context, before: Permissions, after: Permissions) -> None:
    """What the person did on the page, now that it was seen."""
    if before.granted["delegated"] != after.granted["delegated"]:
        ctx.journal.made("updated" if before.grant else "created", "delegated grant")
    ctx.journal.made("created", "app role assignment", len(after.assignments.keys() - before.assignments.keys()))


def _nothing_granted() -> RunbookError:
    failure = RunbookError("The consent page was passed, and the permissions are not granted.")
    return told(failure, consent_redirected=True, granted=False)


def _take_away(ctx: Context, wanted: Mapping[PermissionType, Wanted]) -> None:
    try:
        by_api(ctx, Permissions.read(ctx, anew=True), wanted)
    except GraphError as error:
        if error.status != 403:
            raise
        failure = RunbookError.named("still_granted")
        failure.code, failure.request_id = error.code, error.request_id
        raise failure from error


def _all_granted(state: Permissions, wanted: Mapping[PermissionType, Wanted]) -> bool:
    return all(frozenset(wanted[kind].why) <= (state.granted[kind] or frozenset()) for kind in TYPES)
