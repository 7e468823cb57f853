"""Whatever is sent, StackOne answers in its own shape and never fails."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sandbox_stackone.conftest import CONNECTOR, World

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = """origin_owner_id origin_owner_name provider categories account_id expires_in metadata multiple label type
token connector_profile_id integration_id action path query headers body method url jsonrpc id params top_k"""
NAMES = st.sampled_from(FIELDS.split())
BODIES = st.dictionaries(NAMES, VALUES | st.sampled_from([CONNECTOR, f"{CONNECTOR}_list_users", "2.0", 1, "x"]))
ROUTES = st.sampled_from(
    [
        ("POST", "/connect_sessions"),
        ("POST", "/connect_sessions/authenticate"),
        ("POST", "/actions/rpc"),
        ("POST", "/actions/search"),
        ("POST", "/unified/proxy"),
        ("POST", "/mcp"),
        ("PATCH", "/accounts/1"),
    ]
)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(route=ROUTES, body=BODIES | VALUES)
def test_a_strange_body_never_breaks_it(world: World, route: tuple[str, str], body: Any) -> None:
    content = json.dumps(body).encode("utf-8", "surrogatepass")
    response = world.stackone.request(*route, content=content, headers={"content-type": "application/json"})
    assert response.status_code < 500, (route, body, response.text)
    if response.status_code >= 400:
        assert response.json()["statusCode"] == response.status_code


@FUZZ
@given(
    path=st.sampled_from(["/auth_configs", "/accounts", "/actions", "/connectors/meta"]),
    query=st.dictionaries(
        st.sampled_from(["page", "page_size", "enabled", "connector_key", "status", "provider", "include", "filter[x]"])
        | st.text(max_size=6),
        st.text(max_size=12),
        max_size=4,
    ),
)
def test_a_strange_query_never_breaks_it(world: World, path: str, query: dict[str, str]) -> None:
    assert world.stackone.get(path, params=query).status_code in (200, 400)


@FUZZ
@given(
    path=st.sampled_from(["/dashboard/sign-in", "/dashboard/connector-profiles/new", "/hub/x/connect"]),
    form=st.dictionaries(st.text(max_size=12), st.text(max_size=40), max_size=6),
)
def test_a_strange_form_never_breaks_it(world: World, path: str, form: dict[str, str]) -> None:
    with world.client(base_url=world.ready["pages"]) as client:
        token = "t" * 43
        cookies = {"cookie": f"stackone_form={token}"}
        response = client.post(path, data={**form, "form_token": token}, headers=cookies)
    assert response.status_code in (303, 401, 410, 422), response.text
