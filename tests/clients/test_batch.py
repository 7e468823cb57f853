"""Batches: chunks, dependencies, and parts that are throttled by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.clients.auth import FixedToken
from runbook.clients.batch import BatchRequest
from runbook.clients.graph import GraphClient
from runbook.clients.retry import Pace
from runbook.clients.target import Target
from runbook.errors import InputError, TransportError
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
            failed = any(done[name] >= 400 for name in part.get("dependsOn", ()))
            done[part["id"]] = 424 if failed else planned.pop(0) if planned else 200
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
def graph(target: Target, pace: Pace, log: Log) -> GraphClient:
    return GraphClient(target, FixedToken(Secret("t")), log, pace=pace)


def test_no_batch_is_larger_than_20_and_every_part_is_answered(graph: GraphClient, endpoint: Endpoint) -> None:
    answers = graph.batch(BatchRequest(str(n), "GET", f"/users/{n}") for n in range(45))
    assert [len(batch) for batch in endpoint.batches] == [20, 20, 5]
    assert {name: answer.body["of"] for name, answer in answers.items()} == {str(n): str(n) for n in range(45)}


def test_a_body_carries_its_content_type_and_a_path_is_relative(graph: GraphClient, endpoint: Endpoint) -> None:
    graph.batch([BatchRequest("1", "POST", "groups", body={"a": 1}, headers={"ConsistencyLevel": "eventual"})])
    headers = {"ConsistencyLevel": "eventual", "Content-Type": "application/json"}
    assert endpoint.batches == [[{"id": "1", "method": "POST", "url": "/groups", "headers": headers, "body": {"a": 1}}]]


def test_only_throttled_parts_are_sent_again(graph: GraphClient, endpoint: Endpoint) -> None:
    endpoint.statuses = {"2": [429, 429], "3": [403]}
    answers = graph.batch(BatchRequest(str(n), "GET", f"/users/{n}") for n in range(1, 4))
    assert endpoint.ids == [["1", "2", "3"], ["2"], ["2"]]
    assert {name: answer.status for name, answer in answers.items()} == {"1": 200, "2": 200, "3": 403}


def test_a_write_part_that_may_have_been_applied_is_not_sent_again(graph: GraphClient, endpoint: Endpoint) -> None:
    endpoint.statuses = {"1": [503], "2": [503]}
    answers = graph.batch([BatchRequest("1", "POST", "/groups", body={}), BatchRequest("2", "GET", "/groups")])
    assert endpoint.ids == [["1", "2"], ["2"]]
    assert {name: answer.status for name, answer in answers.items()} == {"1": 503, "2": 200}


def test_what_depended_on_a_throttled_part_is_sent_again_with_it(graph: GraphClient, endpoint: Endpoint) -> None:
    endpoint.statuses = {"2": [429]}
    requests = [
        BatchRequest("1", "GET", "/a"),
        BatchRequest("2", "GET", "/b", after=("1",)),
        BatchRequest("3", "GET", "/c", after=("1", "2")),
    ]
    answers = graph.batch(requests)
    assert endpoint.ids == [["1", "2", "3"], ["2", "3"]]
    assert endpoint.batches[1][1]["dependsOn"] == ["2"]
    assert all(answer.ok for answer in answers.values())


def test_dependent_requests_stay_in_one_batch(graph: GraphClient, endpoint: Endpoint) -> None:
    requests = [BatchRequest(str(n), "GET", "/x") for n in range(19)]
    requests += [BatchRequest("a", "GET", "/x"), BatchRequest("b", "GET", "/x", after=("a",))]
    graph.batch(requests)
    assert endpoint.ids[1] == ["a", "b"]


def test_parts_that_stay_throttled_keep_that_answer(graph: GraphClient, endpoint: Endpoint, pace: Pace) -> None:
    endpoint.statuses = {"1": [429] * 100}
    assert graph.batch([BatchRequest("1", "GET", "/x")])["1"].status == 429
    assert len(endpoint.batches) == pace.attempts


@pytest.mark.parametrize(
    "requests",
    [
        [BatchRequest("a", "GET", "/x"), BatchRequest("A", "GET", "/x")],
        [BatchRequest("a", "GET", "/x", after=("b",))],
        [BatchRequest("0", "GET", "/x"), *(BatchRequest(str(n), "GET", "/x", after=("0",)) for n in range(1, 21))],
    ],
    ids=["same id", "unknown dependency", "too many dependent"],
)
def test_a_batch_that_graph_would_refuse_is_not_sent(
    graph: GraphClient, endpoint: Endpoint, requests: list[BatchRequest]
) -> None:
    with pytest.raises(InputError):
        graph.batch(requests)
    assert endpoint.batches == []


def test_a_part_without_an_answer_is_an_error(graph: GraphClient, service: Service) -> None:
    service.on("POST", "/v1.0/$batch", Reply(200, {"responses": []}))
    with pytest.raises(TransportError) as caught:
        graph.batch([BatchRequest("1", "POST", "/groups", body={})])
    assert caught.value.maybe_applied


def test_the_log_names_the_parts_and_a_batch_of_reads_is_a_read(
    graph: GraphClient, endpoint: Endpoint, log: Log
) -> None:
    graph.batch([BatchRequest("1", "GET", "/users?$top=1&code=canary")])
    graph.batch([BatchRequest("1", "POST", "/groups", body={"password": "canary"})])
    assert [kind for kind, _ in log.lines] == ["call", "intent", "outcome"]
    assert log.lines[0][1]["parts"] == [{"method": "GET", "path": "/users?$top=1&code=…"}]
    assert "canary" not in str(log.lines)
    assert len(endpoint.batches) == 2
