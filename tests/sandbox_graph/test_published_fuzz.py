"""Requests made from Microsoft's published description: none fails the service, none gets an answer outside of it.

Bodies are of the published request types, whole and in parts; keys are those of objects that are there, and others. The
course is the same in every run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.published.check import answer_problems
from tests.published.compact import SCHEMA
from tests.sandbox_graph.conftest import EVENTUAL, GraphClient, World, served

DESCRIPTION: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
OPERATIONS = sorted(name for name in DESCRIPTION["operations"] if "$batch" not in name)
SEEDED = settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_TEXTS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=12) | st.sampled_from(["All", "None", "contoso.com", "a@contoso.com", "/", "enabled"]),
    "guid": st.uuids().map(str),
    "date-time": st.datetimes().map(lambda one: f"{one.replace(microsecond=0).isoformat()}Z"),
    "base64": st.binary(max_size=6).map(lambda one: one.hex()),
    "duration": st.sampled_from(["P1D", "PT1H", "P90D"]),
    "time": st.just("10:00:00"),
    "boolean": st.booleans(),
    "integer": st.integers(0, 2**31 - 1),
    "number": st.floats(0, 1000),
    "object": st.just({}),
    "any": st.none() | st.booleans(),
}


def values(kind: str, depth: int) -> st.SearchStrategy[Any]:
    """Values of a published type."""
    if kind.endswith("?"):
        return st.none() | values(kind.removesuffix("?"), depth)
    if kind.endswith("[]"):
        return st.just([]) if depth <= 0 else st.lists(values(kind.removesuffix("[]"), depth - 1), max_size=2)
    if kind in DESCRIPTION["enums"]:
        return st.sampled_from(DESCRIPTION["enums"][kind])
    if kind in DESCRIPTION["types"]:
        return objects(kind, depth)
    return _TEXTS[kind]


def objects(kind: str, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of a published type with any of its properties."""
    properties: dict[str, str] = {}
    name: str | None = kind
    while name:
        described = DESCRIPTION["types"][name]
        properties = {**described["properties"], **properties}
        name = described.get("base")
    if depth <= 0 or not properties:
        return st.just({})
    some = st.lists(st.sampled_from(sorted(properties)), max_size=5, unique=True)
    return some.flatmap(lambda names: st.fixed_dictionaries({one: values(properties[one], depth - 1) for one in names}))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A sandbox of its own: what is drawn may delete anybody."""
    with served(tmp_path_factory.mktemp("fuzz") / "state.sqlite3") as world:
        yield world


KINDS = {
    "users": "user",
    "groups": "group",
    "applications": "application",
    "servicePrincipals": "servicePrincipal",
    "devices": "device",
    "directoryRoles": "directoryRole",
    "policies": "conditionalAccessPolicy",
    "namedLocations": "namedLocation",
    "oauth2PermissionGrants": "oAuth2PermissionGrant",
    "domains": "domain",
    "organization": "organization",
}


@pytest.fixture(scope="module")
def keys(alone: World) -> dict[str, list[str]]:
    """Keys by collection, without those of the callers and of Microsoft Graph, who are to stay."""
    callers = {alone.principal()["id"], alone.user()["id"], alone.ready["client_id"], alone.microsoft_graph()["id"]}
    found = {}
    for collection, kind in KINDS.items():
        docs = [one for one in alone.store.find(kind, alone.tenant) if not callers & {one["id"], one.get("appId")}]
        found[collection] = [one["id"] for one in docs[:3] + docs[-3:]]
    return found


def path_of(template: str, keys: dict[str, list[str]], data: st.DataObject) -> str:
    """The address with keys: mostly of the collection before them, else of anything or of nothing."""
    every = [*(one for known in keys.values() for one in known), "00000000-0000-4000-8000-00000000dead", "x"]
    parts: list[str] = []
    for part in template.split("/"):
        known = keys.get(parts[-1], every) if parts else every
        drawn = data.draw(st.sampled_from(known if data.draw(st.integers(0, 3)) else every)) if part == "{}" else part
        parts.append(drawn)
    return "/".join(parts)


class _Tally(Counter[int]):
    """What was answered, over all examples."""


@pytest.fixture(scope="module")
def tally() -> Iterator[_Tally]:
    counted = _Tally()
    yield counted
    print(f"\n{counted.total()} requests of {len(OPERATIONS)} published operations: {dict(sorted(counted.items()))}")
    assert counted.total() >= 400
    assert {200, 204, 400, 404} <= counted.keys()


@SEEDED
@given(data=st.data(), operation=st.sampled_from(OPERATIONS), eventual=st.booleans())
def test_a_request_of_the_published_shape(
    alone: World, keys: dict[str, list[str]], tally: _Tally, data: st.DataObject, operation: str, eventual: bool
) -> None:
    method, template = operation.split(" ", 1)
    path = path_of(template, keys, data)
    kind = DESCRIPTION["operations"][operation].get("request")
    body = data.draw(values(kind, 3)) if kind else None
    caller = _caller(alone, data)
    content = {} if body is None else {"json": body}
    answer = caller.request(method, path, headers=EVENTUAL if eventual else {}, **content)
    tally[answer.status_code] += 1
    assert answer.status_code < 500
    if answer.content and answer.headers["content-type"].startswith("application/json"):
        assert not answer_problems(method, path, answer.status_code, answer.content)


def _caller(alone: World, data: st.DataObject) -> GraphClient:
    if data.draw(st.integers(0, 4)):
        return alone.everything()
    return alone.person(["Directory.AccessAsUser.All"], ["Global Administrator"])
