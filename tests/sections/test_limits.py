"""The documented limits of an application: named by the plan, refused in words, and nothing is sent beyond them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from runbook.catalog.loader import GRAPH_APP_ID
from runbook.errors import PlanRefused
from runbook.redirect_rules import MAX_URIS
from runbook.sections import NAMES
from runbook.tenant.registration import require_application
from tests.sections.conftest import Journey

Begin = Callable[..., Journey]
ACTIONS = ("list_users",)


def apis(count: int, of_each: int = 1) -> list[dict[str, Any]]:
    """Entries of other APIs, as an application may request them."""
    return [
        {"resourceAppId": str(uuid.uuid4()), "resourceAccess": [{"id": str(uuid.uuid4()), "type": "Role"}] * of_each}
        for _ in range(count)
    ]


def given(own: Journey, **properties: Any) -> None:
    """Somebody gave the application these properties."""
    with own.context() as ctx:
        ctx.graph.set(f"/applications/{require_application(ctx)['id']}", properties)


def requested(own: Journey) -> list[dict[str, Any]]:
    with own.context() as ctx:
        return list(require_application(ctx)["requiredResourceAccess"])


@pytest.mark.parametrize(
    ("there", "said"), [(apis(50), "51 APIs"), (apis(10, 40), r"\d+ permissions"), (apis(1, 400), r"\d+ permissions")]
)
def test_more_permissions_or_apis_than_an_application_may_request_are_refused_before_anything_is_sent(
    journey: Begin, there: list[dict[str, Any]], said: str
) -> None:
    own = journey(actions=ACTIONS)
    own.run(*NAMES[:3])
    given(own, requiredResourceAccess=there)
    limits = [change for change in own.plan("api_permissions")["api_permissions"] if change.kind == "unknown"]
    assert [change.what for change in limits] == ["limit of Entra ID"]
    result = own.run("api_permissions")["api_permissions"]
    assert isinstance(result.error, PlanRefused)
    with pytest.raises(PlanRefused, match=said):
        raise result.error
    assert own.writes() == {}
    assert requested(own) == there


def test_as_many_as_an_application_may_request_are_made(journey: Begin) -> None:
    own = journey(actions=ACTIONS)
    own.run(*NAMES[:3])
    given(own, requiredResourceAccess=apis(49))
    assert own.run("api_permissions")["api_permissions"].verdict == "passed"
    assert len(requested(own)) == 50


@pytest.mark.parametrize(("others", "verdict"), [(MAX_URIS, "failed"), (MAX_URIS - 1, "passed")])
def test_one_redirect_uri_too_many_is_refused_before_anything_is_sent(
    journey: Begin, others: int, verdict: str
) -> None:
    own = journey(actions=ACTIONS)
    own.run(*NAMES[:2])
    there = [f"https://app.example.org/{number}" for number in range(others)]
    given(own, web={"redirectUris": there})
    named = [change.what for change in own.plan("redirect_uri")["redirect_uri"] if change.kind == "unknown"]
    assert named == (["limit of Entra ID"] if verdict == "failed" else [])
    result = own.run("redirect_uri")["redirect_uri"]
    assert result.verdict == verdict
    assert own.writes() == ({} if verdict == "failed" else {"redirect_uri": 1})
    if verdict == "failed":
        assert "remove redirect URIs" in result.next_step


def in_capitals(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "resourceAppId": entry["resourceAppId"].upper(),
            "resourceAccess": [{**one, "id": one["id"].upper()} for one in entry["resourceAccess"]],
        }
        for entry in entries
    ]


def test_ids_in_capitals_are_the_same_ids(journey: Begin) -> None:
    own = journey(actions=ACTIONS)
    own.run(*NAMES[:4])
    given(own, requiredResourceAccess=in_capitals([*requested(own), *apis(1)]))
    assert own.plan("api_permissions") == {}
    assert own.run("api_permissions")["api_permissions"].verdict == "passed"
    assert own.writes() == {}


def test_an_entry_in_capitals_is_completed_and_not_doubled(journey: Begin) -> None:
    own = journey(actions=ACTIONS)
    own.run(*NAMES[:3])
    other = in_capitals(apis(1))
    given(own, requiredResourceAccess=[*in_capitals([{**apis(1)[0], "resourceAppId": GRAPH_APP_ID}]), *other])
    result = own.run("api_permissions")["api_permissions"]
    assert result.verdict == "passed", result.error
    there = requested(own)
    assert [entry["resourceAppId"].lower() for entry in there].count(GRAPH_APP_ID) == 1
    assert other[0]["resourceAppId"] in [entry["resourceAppId"] for entry in there]
