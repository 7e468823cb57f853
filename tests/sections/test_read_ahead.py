"""Proofs that read with the same token are asked together; what is refused among them is asked by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runbook.records.journal import Event, read
from runbook.sections import NAMES
from tests.sections.conftest import READS, Journey

OWN = "/v1.0/organization/*"
REFUSED = {"kind": "answer", "status": 403, "code": "Authorization_RequestDenied", "message": "Insufficient privileges"}


def asked_of_graph(own: Journey) -> list[Event]:
    events = (event for event in read(own.journals[-1]) if event["event"] == "http.call")
    return [event for event in events if event["section"] == NAMES[7] and event["service"] == "graph"]


def test_what_reads_with_one_token_is_asked_in_one_request(journey: Callable[..., Journey]) -> None:
    own = journey()
    (*_, result) = own.run().values()
    assert result.verdict == "passed"
    asked = asked_of_graph(own)
    assert [event["path"] for event in asked] == ["/v1.0/$batch"] * len(asked)
    sizes = [len(event["parts"]) for event in asked]
    assert sizes[-2:] == [len(READS), len(READS)], "one for each type of permission"
    for action in result.facts["actions"]:
        for road in ("delegated", "application"):
            probe = action["probes"][road]
            assert (probe["method"], probe["status"], probe["outcome"]) == ("GET", 200, "passed")
            assert probe["request_id"] in {event["request_id"] for event in asked}


@pytest.mark.parametrize(("times", "verdict"), [({"times": 1}, "passed"), ({}, "failed")], ids=["once", "for good"])
def test_what_is_refused_among_others_is_asked_by_itself(
    ill: Callable[..., Any], times: dict[str, int], verdict: str
) -> None:
    illness = {**REFUSED, **times, "match": {"service": "graph", "path": OWN}}
    with ill(illness, actions=list(READS), permission_types=["application"]) as own:
        result = own.run()[NAMES[7]]
        found = {action["slug"]: action for action in result.facts["actions"]}
        assert {slug: action["verdict"] for slug, action in found.items()} == {
            **dict.fromkeys(READS, "passed"),
            "get_organization": verdict,
        }
        (alone,) = [event for event in asked_of_graph(own) if event["path"] != "/v1.0/$batch"]
        probe = found["get_organization"]["probes"]["application"]
        assert probe["status"] == alone["status"]
        assert alone["request_id"] in (probe["request_id"], None), "one that is played has its id in its body only"
