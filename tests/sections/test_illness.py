"""The illnesses of the real services: what passes is waited out, what lies is not believed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runbook import catalog
from runbook.errors import PlanRefused
from runbook.sections import NAMES, section
from runbook.tenant.registration import require_application
from tests.safety.stand import own_home, standing
from tests.sections.conftest import Journey


def test_replication_late_secrets_and_late_grants_are_waited_out(ill: Callable[..., Any]) -> None:
    slow = (
        {"kind": "lag", "read": [0.1, 0.4], "link": [0.1, 0.4]},
        {"kind": "secret_delay", "seconds": [0.5, 1]},
        {"kind": "late_grants", "seconds": 1},
    )
    with ill(*slow, actions=["list_users", "create_group", "add_group_member"]) as own:
        results = own.run()
        assert {name: f"{r.verdict} {r.error or ''}".strip() for name, r in results.items()} == dict.fromkeys(
            NAMES, "passed"
        )
        assert own.plan() == {}


def test_replicas_that_know_an_object_and_then_do_not_are_waited_out(ill: Callable[..., Any]) -> None:
    replicas = ({"kind": "lag", "read": [0.2, 0.8], "link": [0.1, 0.4]}, {"kind": "ahead", "seconds": [0, 0.8]})
    with ill(*replicas, actions=["list_users", "create_group"]) as own:
        results = own.run()
        assert {name: f"{r.verdict} {r.error or ''}".strip() for name, r in results.items()} == dict.fromkeys(
            NAMES, "passed"
        )


def test_a_permission_that_this_cloud_lacks_is_replaced_in_words_and_the_alternative_proven(
    ill: Callable[..., Any],
) -> None:
    with ill({"kind": "unpublished", "permissions": ["GroupMember.Read.All"]}, actions=["list_groups"]) as own:
        planned = {change.what: change for change in own.plan("api_permissions")["api_permissions"]}
        assert "GroupMember.Read.All (application)" not in planned
        said = "for List Groups; instead of GroupMember.Read.All, which this tenant does not publish"
        price = "; holds in the whole tenant for whoever has the client secret"
        for kind, more in {"application": price, "delegated": ""}.items():
            assert planned[f"Group.Read.All ({kind})"].note == said + more
        results = own.run()
        assert results["verify_actions"].verdict == "passed"
        (action,) = results["verify_actions"].facts["actions"]
        assert (action["application"]["in_token"], action["application"]["used"]) == (True, True)


def test_a_read_that_this_cloud_permits_only_by_a_permission_to_write_waits_for_approval(
    ill: Callable[..., Any],
) -> None:
    action = catalog.action("list_groups")
    sets = [alternative for access in (action.application, action.delegated) for alternative in access.alternatives]
    reading = sorted({name for alternative in sets for name in alternative if "Write" not in name})
    with ill({"kind": "unpublished", "permissions": reading}, actions=["list_groups"]) as own:
        own.run(*NAMES[:3])
        refused = own.run("api_permissions")["api_permissions"]
        assert refused.verdict == "failed"
        assert refused.error is not None
        assert "Group.ReadWrite.All (delegated)" in refused.error.what
        plan_hash = refused.error.next_step.partition("--approve ")[2].split()[0].rstrip(".")
        assert own.run("api_permissions", approve=plan_hash)["api_permissions"].verdict == "passed"


def test_a_user_is_created_for_a_proof_where_the_default_domain_is_federated(ill: Callable[..., Any]) -> None:
    federated = {"kind": "federated", "domains": ["contoso.com"]}
    with ill(federated, actions=["create_user"], permission_types=["application"]) as own:
        own.run(*NAMES[:5])
        (action,) = own.run("verify_actions")["verify_actions"].facts["actions"]
    assert action["probes"]["application"]["outcome"] == "passed", action


def test_an_action_that_this_cloud_cannot_permit_is_named_before_anything_is_done(ill: Callable[..., Any]) -> None:
    lacking = {"User.ReadBasic.All"}
    for access in (catalog.action("list_users").application, catalog.action("list_users").delegated):
        lacking |= {name for alternative in access.alternatives for name in alternative}
    without = sorted(lacking - {"Directory.Read.All"})  # the administrator's application reads with it
    with ill({"kind": "unpublished", "permissions": without}, actions=["list_users"]) as own:
        assert "Directory.Read.All (application)" in {
            change.what for change in own.plan("api_permissions")["api_permissions"]
        }
    with ill({"kind": "unpublished", "permissions": sorted(lacking)}, actions=["list_users"]) as own:
        with own.context() as ctx:
            api = section("api_permissions")
            changes = {change.what: change for change in api.plan(ctx, api.read(ctx))}
        impossible = changes["List Users (application)"]
        assert impossible.wanted == "impossible here"
        assert impossible.note == "this tenant publishes neither User.Read.All nor any documented alternative"


def test_a_policy_that_forbids_secrets_refuses_the_plan_in_words(ill: Callable[..., Any]) -> None:
    with ill({"kind": "secret_policy", "forbid": True}) as own:
        planned = own.plan()
        assert {"register_application", "redirect_uri", "api_permissions", "connector_profile"} <= planned.keys()
        (change,) = planned["client_secret"]
        assert change.kind == "unknown"
        assert "forbids client secrets" in change.note
        result = own.run(*NAMES[:5])["client_secret"]
        assert result.verdict == "failed"
        assert isinstance(result.error, PlanRefused)
        assert "exempt this application" in result.error.next_step
        assert "client_secret" not in own.writes()


FORBIDDING = {"kind": "app_management", "forbid": ["passwordAddition"]}


def test_a_policy_of_the_applications_own_takes_the_place_of_the_tenants(ill: Callable[..., Any]) -> None:
    own_policy = {"kind": "app_management", "max_days": {"passwordLifetime": 30}, "applications": ["StackOne*"]}
    with ill(FORBIDDING, own_policy) as own:
        results = own.run(*NAMES[:5])
        assert results["client_secret"].verdict == "passed", results["client_secret"].error
        assert results["client_secret"].facts["secrets"][0]["days_left"] in (29, 30)


def test_a_caller_who_may_be_exempt_from_a_policy_is_not_refused_by_the_plan(ill: Callable[..., Any]) -> None:
    with ill({**FORBIDDING, "exempt": ["kofi.mensah@contoso.com"]}) as own:
        (change,) = own.plan("client_secret")["client_secret"]
        assert change.kind == "added"
        assert "exempt callers" in change.note
        result = own.run(*NAMES[:5])["client_secret"]
        assert result.verdict == "failed"
        assert "policy" in f"{result.error}"


def test_a_policy_for_newer_applications_leaves_older_ones_alone(ill: Callable[..., Any]) -> None:
    with ill({**FORBIDDING, "created_after": "2099-01-01T00:00:00Z"}) as own:
        assert own.run(*NAMES[:5])["client_secret"].verdict == "passed"


@pytest.mark.parametrize("seconds", [-180, -1, 400])
def test_the_end_of_a_secret_is_made_by_the_services_clock(ill: Callable[..., Any], seconds: int) -> None:
    limit = {"kind": "secret_policy", "max_days": 180}
    late = {"kind": "secret_delay", "seconds": [0.5, 1]}
    with ill(limit, late, {"kind": "clock_skew", "seconds": seconds}) as own:
        result = own.run(*NAMES[:5])["client_secret"]
        assert result.verdict == "passed", result.error
        assert result.facts["clock_offsets"]["graph"] in range(seconds - 2, seconds + 3)
        assert any("clock" in note for note in result.evidence.notes) == (abs(seconds) > 300)


def test_a_policy_that_limits_the_life_of_secrets_shortens_the_plan_and_the_secret(ill: Callable[..., Any]) -> None:
    with ill({"kind": "secret_policy", "max_days": 60}) as own:
        (change,) = own.plan("client_secret")["client_secret"]
        assert change.wanted.startswith("valid for 60 days")
        assert "the tenant's policy allows 60 days at most" in change.note
        secret = own.run(*NAMES[:5])["client_secret"].facts["secrets"][0]
        assert secret["days_left"] in (59, 60)
        assert own.plan("client_secret") == {}


def test_a_secret_whose_answer_was_lost_is_removed_and_made_again(ill: Callable[..., Any]) -> None:
    lost = {"kind": "reset", "when": "after", "times": 1, "match": {"path": "/v1.0/applications/*/addPassword"}}
    with ill(lost) as own:
        results = own.run(*NAMES[:5])
        assert results["client_secret"].verdict == "passed"
        with own.context() as ctx:
            (secret,) = require_application(ctx)["passwordCredentials"]
        assert secret["keyId"] == results["client_secret"].facts["secret"]["key_id"]


def test_a_grant_that_was_made_in_spite_of_its_answer_is_not_made_twice(ill: Callable[..., Any]) -> None:
    lost = {
        "kind": "reset",
        "when": "after",
        "times": 1,
        "match": {"method": "POST", "path": "/v1.0/oauth2PermissionGrants"},
    }
    with ill(lost) as own:
        assert own.run(*NAMES[:4])["api_permissions"].verdict == "passed"


def test_a_consent_page_that_lies_is_not_believed(ill: Callable[..., Any]) -> None:
    with ill({"kind": "consent_lies"}, consent="link") as own:
        result = own.run(*NAMES[:4])["api_permissions"]
        assert result.verdict == "failed"
        assert "not granted" in str(result.error)


def test_probes_on_an_unwell_service_say_nothing_about_permissions(ill: Callable[..., Any]) -> None:
    unwell = {"kind": "unavailable", "times": 2, "match": {"method": "POST", "path": "/v1.0/groups"}}
    with ill(unwell, actions=["create_group"]) as own:
        facts = own.run()["verify_actions"].facts
        assert facts["actions"][0]["verdict"] == "passed"


UNWELL = (
    {"kind": "reset", "match": {"service": "entra", "path": "*/devicecode"}},
    {"kind": "truncate", "match": {"service": "entra", "path": "*/devicecode"}},
    {"kind": "unavailable", "status": 503, "match": {"service": "entra", "path": "*/devicecode"}},
    {"kind": "throttle", "retry_after": 3600, "match": {"service": "entra", "path": "*/devicecode"}},
    {"kind": "unavailable", "status": 500, "match": {"service": "graph", "path": "/v1.0/users*"}},
    {"kind": "throttle", "retry_after": 3600, "match": {"service": "graph", "path": "/v1.0/users*"}},
    {"kind": "cut", "match": {"service": "graph", "path": "/v1.0/users*"}},
    {"kind": "unavailable", "status": 502, "match": {"service": "stackone", "path": "/actions/rpc"}},
    {"kind": "throttle", "retry_after": 3600, "match": {"service": "stackone", "path": "/actions/rpc"}},
)


@pytest.mark.parametrize("illness", UNWELL, ids=lambda one: f"{one['kind']} {one['match']['path']}")
def test_a_service_that_is_unwell_makes_no_action_red(sick: Callable[..., Any], illness: dict[str, Any]) -> None:
    result = sick(illness)
    (action,) = result.facts["actions"]
    assert action["verdict"] in ("passed", "not tried")
    assert result.verdict == {"passed": "passed", "not tried": "failed"}[action["verdict"]]
    outcomes = {road: probe["outcome"] for road, probe in action["probes"].items()}
    assert set(outcomes.values()) <= {"passed", "not tried"}
    untried = [road for road, outcome in outcomes.items() if outcome == "not tried"]
    assert untried
    for road in untried:
        assert action["explanations"][road]["who"] == "nobody: it passes by itself"
        assert action["probes"][road]["cause"]
    if result.verdict == "failed":
        assert "says nothing of a permission" in result.next_step


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Section 8 of one action in some weather, on a tenant where the others are done."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("sick")
        own_home(environment := dict(os.environ), home)
        for name in [name for name in os.environ if name not in environment]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        with standing(home / "stand") as stand:
            values = stand.values("sick", actions=["list_users"])
            own = Journey(home, values)
            assert {result.verdict for result in own.run(*NAMES[:7]).values()} == {"passed"}

            def prove(illness: dict[str, Any]) -> Any:
                with stand.weather({"seed": 1, "illnesses": [illness]}):
                    return own.run(NAMES[7])[NAMES[7]]

            yield prove
