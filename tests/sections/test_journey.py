"""The guide from an empty tenant to proven actions, again, and with another choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runbook.secrets.secret import MASK
from runbook.sections import NAMES
from runbook.tenant.base import plan_sections
from runbook.tenant.changes import plan_hash
from runbook.tenant.permissions import Permissions
from tests.sections.conftest import Journey

Begin = Callable[..., Journey]
SET_UP = NAMES[1:6]
LIFECYCLE = [
    "list_users",
    "get_user",
    "create_user",
    "update_user",
    "delete_user",
    "list_groups",
    "get_group",
    "create_group",
    "update_group",
    "delete_group",
    "list_group_members",
    "add_group_member",
    "remove_group_member",
    "list_applications",
    "list_service_principals",
    "list_directory_roles",
    "list_domains",
    "get_organization",
]


def verdicts(results: dict[str, Any]) -> dict[str, str]:
    return {name: f"{result.verdict} {result.error or ''}".strip() for name, result in results.items()}


def test_the_first_run_makes_everything_and_the_second_writes_nothing_in_sections_one_to_six(journey: Begin) -> None:
    own = journey()
    first = own.run()
    assert verdicts(first) == dict.fromkeys(NAMES, "passed")
    assert first["register_application"].done == {"created": {"application": 1, "service principal": 1}}
    assert {action["verdict"] for action in first["verify_actions"].facts["actions"]} == {"passed"}

    assert own.plan() == {}
    second = own.run()
    assert verdicts(second) == dict.fromkeys(NAMES, "passed")
    assert own.writes() == {}
    for key in ("application", "secret", "connector_profile", "account"):
        section = {"application": NAMES[1], "secret": NAMES[4], "connector_profile": NAMES[5], "account": NAMES[6]}[key]
        before, after = first[section].facts[key], second[section].facts[key]
        same = {name: value for name, value in after.items() if name != "proven_at"}
        assert same == {name: value for name, value in before.items() if name != "proven_at"}


def test_every_action_of_a_user_and_group_life_is_proven_on_every_road(journey: Begin) -> None:
    own = journey(actions=LIFECYCLE)
    results = own.run()
    facts = results["verify_actions"].facts
    for action in facts["actions"]:
        for road in ("delegated", "application", "stackone"):
            assert action[road]["used"] is True, (action["slug"], road, action["explanation"])
        assert action["application"]["in_token"] is True
        assert action["delegated"]["in_token"] is True
        assert action["verdict"] == "passed"
    assert facts["litter"] == []


def test_probes_leave_nothing_of_theirs_behind(journey: Begin) -> None:
    own = journey(actions=["create_user", "delete_user", "create_group", "add_group_member"])
    mark = own.run()["verify_actions"].facts["probe_mark"]
    with own.context() as ctx:
        users = [user["displayName"] for user in ctx.graph.list("/users", select=("displayName",))]
        groups = [group["displayName"] for group in ctx.graph.list("/groups", select=("displayName",))]
        deleted = [item["displayName"] for item in ctx.graph.list("/directory/deletedItems/microsoft.graph.user")]
    assert [name for name in [*users, *groups, *deleted] if mark in str(name)] == []


def test_writes_are_not_tried_without_leave_and_that_is_no_pass(journey: Begin) -> None:
    own = journey(actions=["list_users", "create_user"], allow_writes=False)
    results = own.run()
    actions = {action["slug"]: action for action in results["verify_actions"].facts["actions"]}
    assert actions["list_users"]["verdict"] == "passed"
    assert actions["create_user"]["verdict"] == "not tried"
    assert actions["create_user"]["application"]["used"] == "not tried"
    assert own.writes().get("verify_actions", 0) == 0


def test_three_actions_ask_for_no_permission_that_they_do_not_need(journey: Begin) -> None:
    own = journey(actions=["list_users", "create_group", "add_group_member"])
    own.run(*NAMES[:4])
    with own.context() as ctx:
        state = Permissions.read(ctx)
        needed = {kind: set(ctx.scopes.of(kind).names) for kind in ("delegated", "application")}
        base = set(ctx.scopes.base)
    assert state.requested == {"delegated": needed["delegated"] | base, "application": needed["application"]}
    assert state.granted == state.requested


def test_an_action_dropped_takes_its_permission_and_its_grant_away_and_the_plan_says_so_first(journey: Begin) -> None:
    own = journey(actions=["list_users", "list_domains"])
    own.run()
    fewer = {"actions": ["list_users"]}
    changes = own.plan(**fewer)["api_permissions"]
    assert {(change.what, change.kind) for change in changes} == {
        ("Domain.Read.All (delegated)", "removed"),
        ("Domain.Read.All (application)", "removed"),
    }
    results = own.run(**fewer)
    assert verdicts(results) == dict.fromkeys(NAMES, "passed")
    done = {"updated": {"application": 1, "delegated grant": 1}, "deleted": {"app role assignment": 1}}
    assert results["api_permissions"].done == done
    with own.context() as ctx:
        state = Permissions.read(ctx)
    for kind in ("delegated", "application"):
        assert "Domain.Read.All" not in state.requested[kind]
        assert "Domain.Read.All" not in (state.granted[kind] or ())


def test_one_permission_type_alone_asks_nothing_of_the_other(journey: Begin) -> None:
    own = journey(permission_types=["application"])
    results = own.run()
    assert verdicts(results) == dict.fromkeys(NAMES, "passed")
    with own.context() as ctx:
        state = Permissions.read(ctx)
        assert state.granted["delegated"] == set(ctx.scopes.base)
    assert results["verify_actions"].facts["actions"][0]["delegated"] == "—"


def test_an_empty_tenant_and_one_half_done_give_the_same_plan_of_the_rest(journey: Begin) -> None:
    own = journey()
    with own.context() as ctx:
        from runbook.sections import section

        before = plan_sections(ctx, [section(name) for name in NAMES[3:5]])
    own.run(*NAMES[:3])
    with own.context() as ctx:
        after = plan_sections(ctx, [section(name) for name in NAMES[3:5]])
    assert plan_hash("a tenant", before) == plan_hash("a tenant", after)


def test_an_unapplied_plan_changes_nothing_and_says_planned(journey: Begin) -> None:
    from runbook.sections import section
    from runbook.tenant.base import run_section

    own = journey()
    with own.context() as ctx:
        result = run_section(ctx, section("register_application"), apply=False)
        assert result.verdict == "planned"
        assert ctx.graph.find(f"/applications(uniqueName='{ctx.params.unique_name}')") is None


def test_the_secret_of_a_run_stands_in_no_journal(journey: Begin) -> None:
    own = journey()
    results = own.run()
    with own.context() as ctx:
        value = ctx.store.get(results["client_secret"].facts["secret"]["ref"]).reveal()
    text = own.journal_text()
    assert value not in text
    assert "eyJ" not in text
    assert MASK in text or "secretText" not in text


def test_the_link_road_ends_with_the_same_grants_as_the_api_road(journey: Begin) -> None:
    own = journey(consent="link")
    results = own.run(*NAMES[:5])
    assert verdicts(results) == dict.fromkeys(NAMES[:5], "passed")
    with own.context() as ctx:
        state = Permissions.read(ctx)
    assert state.granted == state.requested


@pytest.mark.parametrize("audience", ["single", "multi"])
def test_an_account_is_linked_for_either_audience(journey: Begin, audience: str) -> None:
    own = journey(sign_in_audience=audience, actions=["list_users"])
    words = {
        "single": "accounts of this tenant only (AzureADMyOrg)",
        "multi": "accounts of any tenant (AzureADMultipleOrgs)",
    }
    assert own.plan(NAMES[1])[NAMES[1]][0].wanted.endswith(words[audience])
    results = own.run()
    assert verdicts(results) == dict.fromkeys(NAMES, "passed")
    kind = {"single": "OAuth 2.0 (Tenant)", "multi": "OAuth 2.0 (Common)"}[audience]
    assert results["connector_profile"].facts["connector_profile"]["type"] == kind
