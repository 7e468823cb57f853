"""Nothing that a client sends makes the service fail: every answer is one that Microsoft Graph could give."""

from __future__ import annotations

import json
import string
from typing import Any
from urllib.parse import quote

from entra_sandbox.graph.resources import RESOURCES
from entra_sandbox.graph.routing import Router
from entra_sandbox.graph.schema import entity
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sandbox_graph.conftest import EVENTUAL, World

OPERATIONS = sorted(Router(RESOURCES).names())
EASY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

text = st.text(max_size=20) | st.sampled_from(["", "'", "''", "$ref", "a'b", "x)", "(", "%", "\\", "é", "a@b"])
scalar = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
value = st.recursive(scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))
names = st.sampled_from(
    sorted({name for kind in ("user", "group", "device", "application") for name in entity(kind).properties})
)
body = st.dictionaries(names | text, value, max_size=6)
word = st.sampled_from(
    [
        "displayName",
        "eq",
        "ne",
        "not",
        "and",
        "or",
        "in",
        "(",
        ")",
        "'a'",
        "1",
        "true",
        "null",
        "any",
        "/",
        ":",
        ",",
        "x",
        "identities",
        "startswith",
        "endswith",
        "contains",
        "$count",
        "2020-01-01T00:00:00Z",
        "accountEnabled",
        "id",
        "c",
    ]
)
expression = st.lists(word, max_size=14).map(" ".join) | st.text(alphabet=string.printable, max_size=40)


def fill(path: str, keys: list[str]) -> str:
    """The operation's path with the keys put in."""
    parts = (key.strip(".") or "x" for key in keys)  # a client takes dot segments out itself (RFC 3986, 5.2.4)
    return "/".join(quote(next(parts, "x"), safe="'()=@$") if part == "{}" else part for part in path.split("/"))


@EASY
@given(
    operation=st.sampled_from(OPERATIONS),
    keys=st.lists(text, min_size=3, max_size=3),
    sent=body | value,
    data=st.data(),
)
def test_any_body_and_key(world: World, operation: str, keys: list[str], sent: Any, data: st.DataObject) -> None:
    method, path = operation.split(" ")
    known = [world.user()["id"], world.microsoft_graph()["id"], *keys]
    chosen = data.draw(st.lists(st.sampled_from(known), min_size=3, max_size=3))
    headers = {"Content-Type": "application/json", **data.draw(st.sampled_from([{}, EVENTUAL]))}
    content = json.dumps(sent).encode() if method in ("POST", "PATCH") else None
    if method == "DELETE" and chosen[0] in known[:2]:
        return
    world.everything().request(method, fill(path, chosen), headers=headers, content=content)


@EASY
@given(
    kind=st.sampled_from(["users", "groups", "devices", "applications", "servicePrincipals", "oauth2PermissionGrants"]),
    option=st.sampled_from(
        ["$filter", "$orderby", "$search", "$select", "$expand", "$top", "$skip", "$skiptoken", "$count", "$x"]
    ),
    sent=expression,
    eventual=st.booleans(),
)
def test_any_query(world: World, kind: str, option: str, sent: str, eventual: bool) -> None:
    query = f"{quote(option)}={quote(sent)}" + ("&$count=true" if eventual and option != "$count" else "")
    answer = world.everything().get(f"/{kind}?{query}", headers=EVENTUAL if eventual else {})
    assert answer.status_code in (200, 400)


@EASY
@given(
    path=st.lists(
        text | st.sampled_from(["users", "groups", "members", "$ref", "$count", "$value", "$batch"]), max_size=6
    )
)
def test_any_path(world: World, path: list[str]) -> None:
    address = "/" + "/".join(quote(segment.strip("."), safe="'()=@$,") for segment in path)
    assert world.everything().get(address).status_code in (200, 204, 400, 404, 405)


@EASY
@given(
    raw=st.binary(max_size=40) | st.just(b"[" * 5000) | st.just(b'{"a":' * 3000),
    method=st.sampled_from(["POST", "PATCH"]),
)
def test_any_bytes_as_body(world: World, raw: bytes, method: str) -> None:
    path = "/groups" if method == "POST" else f"/users/{world.user()['id']}"
    answer = world.everything().request(method, path, content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code in (204, 400)


@EASY
@given(
    parts=st.lists(
        st.dictionaries(st.sampled_from(["id", "method", "url", "body", "headers", "dependsOn"]), value), max_size=4
    )
    | value
)
def test_any_batch(world: World, parts: Any) -> None:
    world.everything().post("/$batch", {"requests": parts})


@EASY
@given(header=st.text(alphabet=string.ascii_letters + string.digits + "._- ", max_size=60).map(str.strip))
def test_any_authorization_header(world: World, header: str) -> None:
    answer = world.anonymous().get("/users", headers={"Authorization": header})
    assert answer.status_code == 401
