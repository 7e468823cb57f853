"""Illnesses meet each part of a ``$batch`` as they meet a request of its own."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.sandbox_entra.conftest import Play, World

JSON = {"Content-Type": "application/json"}


def batch(graph: httpx.Client, *parts: tuple[str, str, dict[str, Any] | None]) -> list[dict[str, Any]]:
    """The answers to the parts (method, url, body), in their order."""
    requests = [
        {"id": str(number), "method": method, "url": url, **({"body": body, "headers": JSON} if body else {})}
        for number, (method, url, body) in enumerate(parts)
    ]
    answer = graph.post("/v1.0/$batch", json={"requests": requests})
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["responses"]
    return found


def test_a_part_is_struck_alone_and_the_others_are_served(play: Play, graph: httpx.Client) -> None:
    play({"kind": "throttle", "retry_after": 7, "times": 1, "match": {"path": "/v1.0/groups*"}})
    parts = (("GET", "/users?$top=1", None), ("GET", "/applications?$top=1", None))
    first, struck, last = batch(graph, parts[0], ("GET", "/groups?$top=1", None), parts[1])
    assert [first["status"], struck["status"], last["status"]] == [200, 429, 200]
    assert struck["headers"]["retry-after"] == "7"
    assert struck["body"]["error"]["code"] == "TooManyRequests"


def test_a_part_takes_effect_and_is_still_answered_with_an_error(play: Play, graph: httpx.Client, world: World) -> None:
    error = {"kind": "answer", "when": "after", "status": 500, "code": "InternalServerError"}
    play({**error, "match": {"method": "POST", "path": "/v1.0/applications"}})
    (struck,) = batch(graph, ("POST", "/applications", {"displayName": "Part applied all the same"}))
    assert struck["status"] == 500
    assert world.store.find("application", displayName="Part applied all the same")


@pytest.mark.parametrize("kind", ["reset", "cut"])
@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_connection_that_a_part_ends_takes_the_whole_batch_along(
    play: Play, graph: httpx.Client, world: World, kind: str, when: str, made: int
) -> None:
    name = f"Part {kind} {when}"
    play({"kind": kind, "when": when, "match": {"method": "POST", "path": "/v1.0/applications"}})
    with pytest.raises((httpx.NetworkError, httpx.RemoteProtocolError)):
        batch(graph, ("POST", "/applications", {"displayName": name}))
    assert len(world.store.find("application", displayName=name)) == made


def test_what_delays_the_batch_itself_does_not_delay_its_parts_again(
    play: Play, graph: httpx.Client, control: httpx.Client
) -> None:
    play({"kind": "slow", "seconds": [0, 0]}, {"kind": "slow", "seconds": [0, 0], "match": {"path": "/v1.0/users*"}})
    batch(graph, ("GET", "/users?$top=1", None), ("GET", "/users?$top=2", None))
    assert [one["strikes"] for one in control.get("/_sandbox/faults").json()["counts"]] == [1, 2]


def test_what_a_part_makes_is_late_for_the_others(play: Play, graph: httpx.Client) -> None:
    play({"kind": "lag", "read": [50, 60], "match": {"method": "POST", "path": "/v1.0/applications"}})
    (made,) = batch(graph, ("POST", "/applications", {"displayName": "Late part"}))
    assert made["status"] == 201
    reading = ("GET", f"/applications/{made['body']['id']}", None)
    assert [one["status"] for one in batch(graph, reading, ("GET", "/users?$top=1", None))] == [404, 200]
