"""Illnesses meet each part of a ``$batch`` as they meet a request of its own."""

from __future__ import annotations

from typing import Any

import httpx

from tests.sandbox_entra.test_faults import Play, app, graph, play

__all__ = ["app", "graph", "play"]  # fixtures

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


def test_what_a_part_makes_is_late_for_the_others(play: Play, graph: httpx.Client) -> None:
    play({"kind": "lag", "read": [50, 60], "match": {"method": "POST", "path": "/v1.0/applications"}})
    (made,) = batch(graph, ("POST", "/applications", {"displayName": "Late part"}))
    assert made["status"] == 201
    reading = ("GET", f"/applications/{made['body']['id']}", None)
    assert [one["status"] for one in batch(graph, reading, ("GET", "/users?$top=1", None))] == [404, 200]
