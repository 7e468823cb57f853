"""Batches: chunks, and parts that are throttled by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.clients.calls import FixedToken
from runbook.clients.graph import BatchRequest, GraphClient
from runbook.clients.retry import Pace
from runbook.clients.target import Target
from runbook.errors import TransportError
from runbook.secrets import Secret

from .conftest import Log
from .service import Asked, Reply, Service


class Endpoint:
    """Answers every part with 200, unless a list of statuses is set for its id."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.statuses: dict[str, list[int]] = {}

    def __call__(self, asked: Asked) -> Reply:
        parts = asked.json["requests"]
        self.batches.append(parts)
        done: dict[str, int] = {}
        for part in parts:
            planned = self.statuses.get(part["id"], [])
            done[part["id"]] = planned.pop(0) if planned else 200
        answers = [
            {"id": name, "status": status, "headers": {"Retry-After": "0"}, "body": {"of": name}}
            for name, status in reversed(done.items())
        ]
        return Reply(200, {"responses": answers})

    @property
    def ids(self) -> list[list[str]]:
        return [[part["id"] for part in batch] for batch in self.batches]


@pytest.fixture
def endpoint(service: Service) -> Endpoint:
    found = Endpoint()
    service.on("POST", "/v1.0/$batch", found)
    return found


@pytest.fixture
def graph(target: Target, log: Log) -> GraphClient:
    return GraphClient(target, FixedToken(Secret("t")), log)


def test_no_batch_is_larger_than_20_and_every_part_is_answered(graph: GraphClient, endpoint: Endpoint) -> None:
    answers = graph.batch(BatchRequest("GET", f"/users/{n}") for n in range(45))
    assert [len(batch) for batch in endpoint.batches] == [20, 20, 5]
    assert [answer.body["of"] for answer in answers] == [str(n) for n in range(45)]


def test_a_body_carries_its_content_type_and_a_path_is_relative(graph: GraphClient, endpoint: Endpoint) -> None:
    graph.batch([BatchRequest("POST", "groups", body={"a": 1})])
    headers = {"Content-Type": "application/json"}
    assert endpoint.batches == [[{"id": "0", "method": "POST", "url": "/groups", "headers": headers, "body": {"a": 1}}]]


def test_only_throttled_parts_are_sent_again(graph: GraphClient, endpoint: Endpoint) -> None:
    endpoint.statuses = {"1": [429, 429], "2": [403]}
    answers = graph.batch(BatchRequest("GET", f"/users/{n}") for n in range(3))
    assert endpoint.ids == [["0", "1", "2"], ["1"], ["1"]]
    assert [answer.status for answer in answers] == [200, 200, 403]


def test_a_write_part_that_may_have_been_applied_is_not_sent_again(graph: GraphClient, endpoint: Endpoint) -> None:
    endpoint.statuses = {"0": [503], "1": [503]}
    answers = graph.batch([BatchRequest("POST", "/groups", body={}), BatchRequest("GET", "/groups")])
    assert endpoint.ids == [["0", "1"], ["1"]]
    assert [answer.status for answer in answers] == [503, 200]


def test_parts_that_stay_throttled_keep_that_answer(graph: GraphClient, endpoint: Endpoint, pace: Pace) -> None:
    endpoint.statuses = {"0": [429] * 100}
    assert graph.batch([BatchRequest("GET", "/x")])[0].status == 429
    assert len(endpoint.batches) == pace.attempts


def test_a_part_without_an_answer_is_an_error(graph: GraphClient, service: Service) -> None:
    service.on("POST", "/v1.0/$batch", Reply(200, {"responses": []}))
    with pytest.raises(TransportError) as caught:
        graph.batch([BatchRequest("POST", "/groups", body={})])
    assert caught.value.maybe_applied


def test_the_log_names_the_parts_and_a_batch_of_reads_is_a_read(
    graph: GraphClient, endpoint: Endpoint, log: Log
) -> None:
    graph.batch([BatchRequest("GET", "/users?$top=1&code=canary")])
    graph.batch([BatchRequest("POST", "/groups", body={"password": "canary"})])
    assert [kind for kind, _ in log.lines] == ["call", "intent", "outcome"]
    assert log.lines[0][1]["parts"] == [{"method": "GET", "path": "/users?$top=1&code=…"}]
    assert "canary" not in str(log.lines)
    assert len(endpoint.batches) == 2
