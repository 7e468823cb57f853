"""What section 4 and section 8 find out, and say beside an action: provoked."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from entra_sandbox.store import Store

from runbook.clients.answers import explain
from runbook.errors import RunbookError
from runbook.parameters import parse
from runbook.sections import NAMES, section
from runbook.tenant.base import Context, SectionResult, open_context, run_section
from runbook.tenant.registration import require_application, service_principal

from .conftest import Stage
from .provoke import Cell, patch, provokes

# consent


@provokes("consent_page_lied")
def _consent_page_lied(stage: Stage) -> RunbookError:
    values = {**stage.ctx.params.model_dump(mode="json"), "unique_name": "lied-to", "application_name": "Lied to"}
    result: SectionResult | None = None
    with stage.ill({"kind": "consent_lies"}), open_context(parse({**values, "consent": "link"})) as ctx:
        for name in NAMES[:4]:
            result = run_section(ctx, section(name), apply=True)
    assert result is not None
    assert result.error is not None
    return result.error


# the matrix: what section 8 finds, and says beside the action


def cell(stage: Stage, slug: str, road: str, *ill: dict[str, Any]) -> Cell:
    """The explanation of one road of one action after a run of section 8 with these illnesses."""
    weather = stage.ill(*ill) if ill else contextlib.nullcontext()
    with weather, of_type(stage, road) as ctx:
        result = run_section(ctx, section("verify_actions"), apply=True)
    action = next(one for one in result.facts["actions"] if one["slug"] == slug)
    assert road in action["explanations"], action["explanation"]
    return {**action["explanations"][road], "seen": action["explanation"]}


def of_type(stage: Stage, road: str) -> contextlib.AbstractContextManager[Context]:
    """A context for the permission type of the road alone, so that the other is not waited for."""
    types = ["application" if road == "application" else "delegated"]
    return open_context(parse({**stage.ctx.params.model_dump(mode="json"), "permission_types": types}))


def refused(method: str, path: str) -> dict[str, Any]:
    reply = {"kind": "answer", "status": 403, "code": "Authorization_RequestDenied", "message": "Insufficient."}
    return {**reply, "match": {"service": "graph", "method": method, "path": path}}


@provokes("protected_group")
def _protected_group(stage: Stage) -> Cell:
    return cell(stage, "update_group", "application", refused("PATCH", "/v1.0/groups/*"))


@provokes("protected_user")
def _protected_user(stage: Stage) -> Cell:
    return cell(stage, "update_user", "application", refused("PATCH", "/v1.0/users/*"))


@provokes("role_missing")
def _role_missing(stage: Stage) -> Cell:
    return cell(stage, "list_users", "delegated", refused("GET", "/v1.0/users"))


@provokes("beyond_permission")
def _beyond_permission(stage: Stage) -> Cell:
    return cell(stage, "list_users", "application", refused("GET", "/v1.0/users"))


@provokes("account_older_than_grant")
def _account_older_than_grant(stage: Stage) -> Cell:
    return cell(stage, "list_users", "stackone", refused("GET", "/v1.0/users"))


@contextlib.contextmanager
def taken_away(stage: Stage, *, requested: list[dict[str, Any]] | None = None) -> Iterator[list[dict[str, Any]]]:
    """Without the grants of our application, and with ``requested`` in place of what it asks for; then as before."""
    roles: list[dict[str, Any]] = []
    graph, found = stage.ctx.graph, require_application(stage.ctx)
    own = service_principal(stage.ctx, found["appId"])
    assert own is not None
    try:
        for grant in list(graph.list("/oauth2PermissionGrants", filter=f"clientId eq '{own['id']}'")):
            graph.remove(f"/oauth2PermissionGrants/{grant['id']}")
        for one in list(graph.list(f"/servicePrincipals/{own['id']}/appRoleAssignments")):
            graph.remove(f"/servicePrincipals/{one['resourceId']}/appRoleAssignedTo/{one['id']}")
            roles.append({name: one[name] for name in ("principalId", "resourceId", "appRoleId")})
        if requested is not None:
            patch(graph, f"/applications/{found['id']}", {"requiredResourceAccess": requested})
        yield roles
    finally:
        assert run_section(stage.ctx, section("api_permissions"), apply=True).verdict == "passed"


@provokes("not_granted")
def _not_granted(stage: Stage) -> Cell:
    with taken_away(stage):
        return cell(stage, "list_users", "application")


@provokes("not_requested")
def _not_requested(stage: Stage) -> Cell:
    with taken_away(stage, requested=[]):
        return cell(stage, "list_users", "application")


@provokes("misplaced_id")
def _misplaced_id(stage: Stage) -> Cell:
    """Every id under the type of the other, as somebody does who takes ids from a list by hand."""
    found = require_application(stage.ctx)
    other = {"Role": "Scope", "Scope": "Role"}
    turned = [
        {**api, "resourceAccess": [{**one, "type": other[one["type"]]} for one in api["resourceAccess"]]}
        for api in found["requiredResourceAccess"]
    ]
    with taken_away(stage, requested=turned):
        plan = section("api_permissions").plan(stage.ctx, section("api_permissions").read(stage.ctx))
        assert any("under the wrong type" in change.note for change in plan)
        return cell(stage, "list_users", "application")


@provokes("token_older_than_grant")
def _token_older_than_grant(stage: Stage) -> Cell:
    """The roles are granted again, and for a while no token has them."""
    with taken_away(stage) as roles, stage.ill({"kind": "late_grants", "seconds": 3000}):
        for role in roles:
            stage.ctx.graph.post(f"/servicePrincipals/{role['resourceId']}/appRoleAssignedTo", role)
        return cell(stage, "list_users", "application")


@provokes("account_inactive")
def _account_inactive(stage: Stage) -> Cell:
    """Somebody switches the account's connector profile off in StackOne's dashboard."""
    store = Store(stage.state)
    account = store.first("stackone.account")
    assert account is not None
    try:
        store.update("stackone.account", account["id"], {"status": "inactive"})
        with of_type(stage, "stackone") as ctx:
            result = run_section(ctx, section("verify_actions"), apply=True)
    finally:
        store.update("stackone.account", account["id"], {"status": "active"})
        store.close()
    assert result.evidence is not None
    return {**dataclasses.asdict(explain(None, account_active=False)), "seen": " ".join(result.evidence.notes)}
