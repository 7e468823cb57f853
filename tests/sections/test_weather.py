"""Weather of real tenants on every call of sections 2 to 7: whatever the answer, the run ends with one of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runbook.records.journal import read
from runbook.sections import NAMES
from runbook.tenant.registration import application, require_application

APPLICATION = "/v1.0/applications/????????-*"
WRITES = {
    "upsert": ("PATCH", "/v1.0/applications(uniqueName*"),
    "update": ("PATCH", APPLICATION),
    "principal": ("POST", "/v1.0/servicePrincipals"),
    "grant": ("POST", "/v1.0/oauth2PermissionGrants"),
    "batch": ("POST", "/v1.0/$batch"),
    "secret": ("POST", "/v1.0/applications/*/addPassword"),
    "session": ("POST", "/connect_sessions"),
}
BUSY = [{"kind": "answer", "status": status, "code": "UnknownError", "message": ""} for status in (500, 502, 503, 504)]
FAILURES = [
    *BUSY,
    *({**answer, "when": "after"} for answer in BUSY[:3]),
    {"kind": "reset", "when": "before"},
    {"kind": "reset", "when": "after"},
    {"kind": "truncate"},
]


def ids(failure: dict[str, Any]) -> str:
    return f"{failure.get('status', failure['kind'])} {failure.get('when', 'before')}"


def passed(results: dict[str, Any]) -> None:
    assert {name: f"{each.verdict} {each.error or ''}".strip() for name, each in results.items()} == dict.fromkeys(
        results, "passed"
    )


@pytest.mark.parametrize("failure", FAILURES, ids=ids)
def test_one_uncertain_answer_to_each_write_ends_no_run_and_doubles_nothing(
    ill: Callable[..., Any], failure: dict[str, Any]
) -> None:
    struck = [{**failure, "times": 1, "match": {"method": method, "path": path}} for method, path in WRITES.values()]
    with ill(*struck) as own:
        passed(own.run(*NAMES[:7]))
        outcomes = [event for event in read(own.journals[-1]) if event["event"] == "http.outcome"]
        assert sum(not event["status"] or event["status"] >= 500 for event in outcomes) >= 5
        with own.context() as ctx:
            found = require_application(ctx)
            assert len(found["passwordCredentials"]) == 1
            same = list(ctx.graph.list("/applications", filter=f"displayName eq '{found['displayName']}'"))
            assert [each["id"] for each in same] == [found["id"]]
        assert own.plan(*NAMES[:7]) == {}


READS = ["/v1.0/applications*", "/v1.0/servicePrincipals*", "/v1.0/oauth2PermissionGrants*", "/v1.0/policies*"]
ELSEWHERE = ["*/token", "*/openid-configuration", "/connector_profiles*", "/accounts*"]


@pytest.mark.parametrize("status", [500, 502])
def test_a_passing_failure_of_any_read_ends_no_run(ill: Callable[..., Any], status: int) -> None:
    failing = {"kind": "answer", "status": status, "code": "UnknownError", "message": "", "times": 2}
    struck = [{**failing, "match": {"method": "GET", "path": path}} for path in [*READS, *ELSEWHERE]]
    struck.append({**failing, "match": {"method": "POST", "path": "*/token"}})
    with ill(*struck) as own:
        passed(own.run(*NAMES[:7]))


@pytest.mark.parametrize("path", ["/v1.0/applications(uniqueName*", APPLICATION])
def test_what_is_just_made_and_not_known_everywhere_is_waited_for(ill: Callable[..., Any], path: str) -> None:
    young = {"kind": "answer", "status": 409, "code": "Error_MsaAppDoesNotExist", "times": 1}
    message = "The corresponding MSA application does not exist."
    with ill({**young, "message": message, "match": {"method": "PATCH", "path": path}}) as own:
        passed(own.run(*NAMES[:5]))


def test_what_was_seen_and_is_not_seen_by_another_replica_is_waited_for(ill: Callable[..., Any]) -> None:
    replicas = ({"kind": "lag", "read": [1, 3], "link": [0.5, 1]}, {"kind": "ahead", "seconds": [0, 3]})
    with ill(*replicas) as own:
        passed(own.run(*NAMES[:5]))


def test_what_this_run_saw_and_somebody_deleted_is_said_with_the_time(ill: Callable[..., Any]) -> None:
    with ill() as own:
        passed(own.run(*NAMES[:2]))
        with own.context() as ctx:
            found = require_application(ctx)
            ctx.graph.pace = ctx.graph.pace.model_copy(update={"deadline": 0.4})
            ctx.graph.remove(f"/applications/{found['id']}")
            with pytest.raises(Exception, match=r"is gone; this run saw it last at \d{4}-"):
                application(ctx)
            assert application(ctx) is None
