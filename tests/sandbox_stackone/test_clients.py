"""StackOne's own Python client, unmodified, pointed at the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from entra_sandbox import facts

from tests.sandbox_stackone.conftest import CONNECTOR, World


@pytest.fixture(scope="module")
def stackone_ai() -> Any:
    """Imported by who runs the tests, not by all who collect them: it takes a second."""
    pytest.importorskip("mcp")
    return pytest.importorskip("stackone_ai")


@pytest.fixture(scope="module")
def account(world: World) -> dict[str, Any]:
    return world.link(world.profile(world.register("User.Read.All")))


@pytest.fixture
def toolset(world: World, account: dict[str, Any], stackone_ai: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SSL_CERT_FILE", world.ready["ca_file"])
    key = Path(world.ready["stackone_api_key_file"]).read_text().strip()
    return stackone_ai.StackOneToolSet(api_key=key, base_url=world.ready["stackone"], account_id=account["id"])


def test_its_tools_are_the_actions(toolset: Any) -> None:
    names = {tool.name for tool in toolset.fetch_tools()}
    assert len(names) == len(facts.actions())
    assert {one for one in names if not one.startswith(f"{CONNECTOR}_")} == set()


def test_a_tool_runs_its_action_through_the_account(toolset: Any) -> None:
    tool = toolset.fetch_tools(actions=["*_list_users"]).get_tool(f"{CONNECTOR}_list_users")
    answer = tool.call(**{"query_$top": "3"})
    assert len(answer["data"]) == 3
    following = tool.call(query_next=answer["next"])
    assert {one["id"] for one in following["data"]}.isdisjoint(one["id"] for one in answer["data"])


def test_a_path_parameter_in_the_clients_own_style(toolset: Any) -> None:
    tools = toolset.fetch_tools()
    user = tools.get_tool(f"{CONNECTOR}_list_users").call(**{"query_$top": "1"})["data"][0]
    assert tools.get_tool(f"{CONNECTOR}_get_user").call(path_user_id=user["id"])["data"]["id"] == user["id"]


def test_a_refusal_is_the_clients_own_error_with_graphs_inside(toolset: Any, stackone_ai: Any) -> None:
    tool = toolset.fetch_tools().get_tool(f"{CONNECTOR}_list_groups")
    with pytest.raises(stackone_ai.models.StackOneAPIError) as refused:
        tool.call()
    assert refused.value.status_code == 403
    assert refused.value.response_body["provider_errors"][0]["status"] == 403


def test_its_search_finds_the_action(world: World, stackone_ai: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", world.ready["ca_file"])
    key = Path(world.ready["stackone_api_key_file"]).read_text().strip()
    client = stackone_ai.semantic_search.SemanticSearchClient(key, world.ready["stackone"])
    found = client.search("list the groups", connector=CONNECTOR, top_k=2)
    assert found.results[0].id == f"{CONNECTOR}_list_groups"


def test_a_call_of_a_tool_by_mcp_itself_answers_its_result(world: World, account: dict[str, Any]) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    arguments = {"name": f"{CONNECTOR}_list_users", "arguments": {"query_$top": "1"}}
    headers = {"x-account-id": account["id"]}
    answer = world.stackone.post("/mcp", json={**message, "params": arguments}, headers=headers).json()["result"]
    assert answer["isError"] is False
    assert '"data"' in answer["content"][0]["text"]
    unknown = world.stackone.post("/mcp", json={**message, "method": "tools/dance"}).json()
    assert unknown["error"]["code"] == -32601
