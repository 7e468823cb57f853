"""Plans from what was read, without a tenant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from runbook import catalog
from runbook.parameters import parse
from runbook.sections import api_permissions, client_secret, redirect_uri
from runbook.tenant.base import Context
from runbook.tenant.credentials import Credential, SecretPolicy
from runbook.tenant.permissions import Permissions

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def context(**values: Any) -> Context:
    """A context in which only the choice matters: nothing in it can send anything."""
    params = parse({"actions": ["list_users"], "redirect_uri": "https://api.stackone.com/callback", **values})
    scopes = catalog.compute(params.actions, params.permission_types, params.permission_source)
    absent = cast("Any", None)
    return Context(params, absent, absent, absent, absent, absent, absent, absent, scopes)


def secret(days: int, **values: Any) -> Credential:
    defaults = {
        "key_id": "k1",
        "description": "StackOne connector",
        "hint": "abc",
        "starts": NOW - timedelta(days=1),
        "ends": NOW + timedelta(days=days),
        "ours": True,
        "ref": "file:k1",
    }
    return Credential(**{**defaults, **values})


def observed(*secrets: Credential, good: Credential | None = None, **values: Any) -> client_secret.Observed:
    return client_secret.Observed(list(secrets), good, now=NOW, **values)


def test_a_working_secret_with_time_left_stays() -> None:
    good = secret(120)
    assert [c.kind for c in client_secret.plan(context(), observed(good, good=good))] == ["same"]


def test_a_secret_that_ends_soon_gets_a_successor_and_stays_until_the_switch() -> None:
    good = secret(29)
    changes = client_secret.plan(context(), observed(good, good=good))
    assert [c.kind for c in changes] == ["added"]


def test_an_ended_secret_of_ours_is_removed_and_a_strangers_is_not() -> None:
    good, ended = secret(120), secret(-1, key_id="k2")
    stranger = secret(-1, key_id="k3", ours=False, description="theirs")
    changes = client_secret.plan(context(), observed(good, ended, stranger, good=good))
    assert [(c.kind, c.data.get("remove")) for c in changes] == [("same", None), ("removed", "k2"), ("same", None)]


def test_a_policy_that_limits_the_lifetime_shortens_it_in_words() -> None:
    (change,) = client_secret.plan(context(), observed(policy=SecretPolicy(max_days=90)))
    assert "90 days" in change.wanted
    assert "90 days at most" in change.note


def test_a_short_policy_does_not_make_a_new_secret_each_day() -> None:
    good = secret(13)
    changes = client_secret.plan(context(), observed(good, good=good, policy=SecretPolicy(max_days=14)))
    assert [c.kind for c in changes] == ["same"]


def test_a_policy_that_forbids_secrets_refuses_the_plan_with_the_way_out() -> None:
    (change,) = client_secret.plan(context(), observed(policy=SecretPolicy(forbidden=True, name="No secrets")))
    assert change.kind == "unknown"
    assert "No secrets" in change.note


def test_a_callback_that_is_not_marked_as_ours_stays() -> None:
    there = redirect_uri.Observed(uris=("https://old.example.com/connect/oauth2/microsoftentraid/callback",))
    kinds = [change.kind for change in redirect_uri.plan(context(), there)]
    assert kinds == ["added", "same"]


def published(*missing: str) -> Permissions:
    """A tenant whose Microsoft Graph publishes everything but ``missing``."""
    known = [p for p in catalog.permissions().values() if p.name not in missing]
    base = {name: f"base-{name}" for name in ("openid", "profile", "offline_access", "User.Read")}
    ids: Any = {
        "delegated": {p.name: p.delegated_id for p in known if p.delegated_id} | base,
        "application": {p.name: p.application_id for p in known if p.application_id},
    }
    return Permissions(ids, "graph", None, None, cast("Any", {}), cast("Any", {}))


def test_a_permission_that_the_cloud_lacks_is_replaced_by_the_next_documented_one() -> None:
    ctx = context(actions=["update_user"], permission_source="least", permission_types=["application"])
    least = set(ctx.scopes.application.names)
    wanted = published(*least).wanted(ctx)["application"]
    assert least.isdisjoint(wanted.why)
    assert wanted.replaced["update_user"] == tuple(sorted(least))
    assert wanted.needs("update_user") == ("User.ReadWrite.All",)


@pytest.mark.parametrize(("length", "over"), [(3850, []), (3851, ["limit of Entra ID"])])
def test_a_scope_string_that_no_grant_can_hold_is_named_by_the_plan(length: int, over: list[str]) -> None:
    ctx, nothing = context(), {"delegated": frozenset[str](), "application": frozenset[str]()}
    tenant = replace(published(), requested=nothing, granted=nothing)
    base = len(" ".join(tenant.wanted(ctx)["delegated"].why))
    longest = "Z" * (length - base - 1)
    delegated = ctx.scopes.delegated
    delegated = replace(delegated, per_action={**delegated.per_action, "get_user": (longest,)})
    tenant.ids["delegated"][longest] = "an id"
    changes = api_permissions.plan(replace(ctx, scopes=replace(ctx.scopes, delegated=delegated)), tenant)
    assert [change.what for change in changes if change.kind == "unknown" and "limit" in change.what] == over


def test_an_action_without_any_published_permission_is_named_as_impossible() -> None:
    ctx = context(permission_types=["application"])
    names = {name for alternative in catalog.action("list_users").application.alternatives for name in alternative}
    wanted = published(*names).wanted(ctx)["application"]
    assert wanted.missing.keys() == {"list_users"}
    assert wanted.why == {}
