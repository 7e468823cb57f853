"""Damage of one thing turns exactly the cells that rest on it, and each says why."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from entra_sandbox.server import running

from runbook.tenant.base import SectionResult
from runbook.tenant.permissions import Permissions
from runbook.tenant.registration import require_application, service_principal
from tests.sections.conftest import Journey

ACTIONS = (
    "list_users",
    "get_user",
    "list_groups",
    "list_group_members",
    "list_devices",
    "list_domains",
    "create_group",
)
Cells = dict[tuple[str, str, str], Any]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, running(home / "sandbox.db") as line:
        for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            patch.setenv(name, str(home))
        (home / "ready.json").write_text(json.dumps(line))
        yield {**line, "file": str(home / "ready.json"), "control": home / "sandbox.db.d" / "control-token"}


@pytest.fixture(scope="module")
def own(ready: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """A journey that has been through all sections."""
    values = {"sandbox_file": ready["file"], "secret_store": "file", "actions": list(ACTIONS)}
    values |= {"permission_types": ["delegated", "application"]}
    journey = Journey(tmp_path_factory.mktemp("records"), values)
    assert {result.verdict for result in journey.run().values()} == {"passed"}
    return journey


@pytest.fixture(scope="module")
def whole(own: Journey) -> Cells:
    """The matrix with nothing damaged: every cell that was tried is good."""
    matrix = cells(proven(own))
    assert {action for action, _, _ in matrix} == set(ACTIONS)
    assert set(matrix.values()) == {True}
    return matrix


def proven(own: Journey, **changes: Any) -> SectionResult:
    return own.run("verify_actions", **changes)["verify_actions"]


def cells(result: SectionResult) -> Cells:
    """``(action, road, stage)`` -> what the cell says."""
    return {
        (action["slug"], road, stage): value
        for action in result.facts["actions"]
        for road in ("delegated", "application", "stackone")
        for stage, value in (action[road] if isinstance(action[road], dict) else {}).items()
        if value is True or value is False
    }


def turned(before: Cells, after: Cells) -> Cells:
    """The cells that are not what they were."""
    return {place: after.get(place) for place in {*before, *after} if before.get(place) != after.get(place)}


def explanation(result: SectionResult, slug: str) -> str:
    return next(str(action["explanation"]) for action in result.facts["actions"] if action["slug"] == slug)


@contextmanager
def ill(ready: dict[str, Any], *illnesses: dict[str, Any]) -> Iterator[None]:
    context = ssl.create_default_context(cafile=ready["ca_file"])
    headers = {"Authorization": f"Bearer {ready['control'].read_text()}"}
    with httpx.Client(base_url=ready["authority"], verify=context, trust_env=False, headers=headers) as control:
        control.put("/_sandbox/faults", json={"illnesses": illnesses}).raise_for_status()
        try:
            yield
        finally:
            control.delete("/_sandbox/faults").raise_for_status()


def restored(own: Journey) -> None:
    assert own.run("api_permissions")["api_permissions"].verdict == "passed"


def test_a_removed_assignment_turns_the_cells_of_the_actions_that_rest_on_it(own: Journey, whole: Cells) -> None:
    with own.context() as ctx:
        state = Permissions.read(ctx)
        assignment = state.assignments["Device.Read.All"]
        ctx.graph.remove(f"/servicePrincipals/{state.resource_id}/appRoleAssignedTo/{assignment}")
    result = proven(own)
    restored(own)
    assert turned(whole, cells(result)) == {
        ("list_devices", "application", stage): False for stage in ("granted", "in_token", "used")
    }
    assert "Device.Read.All is requested and not granted" in explanation(result, "list_devices")
    assert "Privileged Role Administrator" in explanation(result, "list_devices")
    assert turned(whole, cells(proven(own))) == {}


def test_a_scope_taken_out_of_the_grant_turns_the_delegated_cells(own: Journey, whole: Cells) -> None:
    with own.context() as ctx:
        principal = service_principal(ctx, require_application(ctx)["appId"])
        assert principal is not None
        (grant,) = ctx.graph.list("/oauth2PermissionGrants", filter=f"clientId eq '{principal['id']}'")
        left = [scope for scope in grant["scope"].split() if scope != "Device.Read.All"]
        ctx.graph.set(f"/oauth2PermissionGrants/{grant['id']}", {"scope": " ".join(left)})
    result = proven(own)
    restored(own)
    found = turned(whole, cells(result))
    expected = {("list_devices", "delegated", stage): False for stage in ("granted", "in_token", "used")}
    # StackOne acts with the same grant: its road may turn with it, and no other action's.
    assert expected.items() <= found.items()
    assert {(action, road) for action, road, _ in found} <= {
        ("list_devices", "delegated"),
        ("list_devices", "stackone"),
    }
    assert "Device.Read.All is requested and not granted" in explanation(result, "list_devices")


def test_a_grant_that_has_not_reached_the_token_is_told_from_a_missing_one(
    own: Journey, ready: dict[str, Any], whole: Cells
) -> None:
    wider = {"actions": [*ACTIONS, "list_named_locations"]}
    with ill(ready, {"kind": "late_grants", "seconds": 3600}):
        own.run("api_permissions", **wider)
        result = proven(own, **wider)
    restored(own)
    matrix = cells(result)
    for road in ("delegated", "application"):
        stages = {stage: matrix["list_named_locations", road, stage] for stage in ("granted", "in_token", "used")}
        assert stages == {"granted": True, "in_token": False, "used": False}
    assert {action for action, _, _ in turned(whole, matrix)} == {"list_named_locations"}
    assert "the token was issued without it" in explanation(result, "list_named_locations")


def test_a_broken_probe_turns_its_own_cells_only(own: Journey, ready: dict[str, Any], whole: Cells) -> None:
    broken = {"kind": "answer", "status": 400, "code": "Request_BadRequest", "match": {"path": "/v1.0/domains*"}}
    with ill(ready, broken):
        result = proven(own)
    assert turned(whole, cells(result)) == {
        ("list_domains", road, "used"): False for road in ("delegated", "application", "stackone")
    }
    assert explanation(result, "list_domains")
    assert result.verdict == "failed"


def test_a_throttled_probe_says_that_it_passes_by_itself(own: Journey, ready: dict[str, Any], whole: Cells) -> None:
    busy = {"kind": "throttle", "retry_after": 3000, "match": {"path": "/v1.0/devices*"}}
    with ill(ready, busy):
        result = proven(own)
    found = turned(whole, cells(result))
    assert {action for action, _, _ in found} == {"list_devices"}
    assert {stage for _, _, stage in found} == {"used"}
    assert "Too many requests" in explanation(result, "list_devices")
