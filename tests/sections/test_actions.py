"""Running any action by one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runbook.actions import call
from runbook.errors import GraphError, InputError
from runbook.records.journal import read
from tests.sections.conftest import Journey

Begin = Callable[..., Journey]


def test_a_list_becomes_a_table_of_all_pages(journey: Begin) -> None:
    with journey().context() as ctx:
        total = ctx.graph.page("/users", count=True, top=1).total
        table = call(ctx.graph, "List Users", query={"select": ["id", "displayName"], "top": 50}).frame()
    assert len(table) == total
    assert list(table.columns) == ["id", "displayName"]


def test_pages_beyond_what_is_read_are_not_fetched(journey: Begin) -> None:
    here = journey()
    journal = here.journal()
    with here.context(journal) as ctx:
        table = call(ctx.graph, "list_users", query={"$top": 5}).frame(limit=7)
    pages = [event for event in read(journal.path) if event["event"] == "http.call" and "/users" in event["path"]]
    assert len(pages) == 2
    assert len(table) == 7


def test_one_object_is_a_table_of_one_row(journey: Begin) -> None:
    with journey().context() as ctx:
        (organization,) = call(ctx.graph, "list_organizations").items()
        table = call(ctx.graph, "get_organization", path={"organization-id": organization["id"]}).frame()
    assert list(table["id"]) == [organization["id"]]


def test_a_search_is_sent_with_what_graph_wants_for_it(journey: Begin) -> None:
    with journey().context() as ctx:
        name = next(ctx.graph.list("/users", top=1))["displayName"]
        found = list(call(ctx.graph, "list_users", query={"search": f'"displayName:{name}"'}).items())
    assert name in {user["displayName"] for user in found}


def test_an_object_lives_and_dies_by_calls(journey: Begin) -> None:
    body = {"displayName": "By call", "mailEnabled": False, "mailNickname": "by-call", "securityEnabled": True}
    with journey().context() as ctx:
        (group,) = call(ctx.graph, "Create Group", body=body).items()
        place = {"group-id": group["id"]}
        assert list(call(ctx.graph, "update_group", path=place, body={"description": "changed"}).items()) == []
        (changed,) = call(ctx.graph, "get_group", path=place).items()
        assert changed["description"] == "changed"
        call(ctx.graph, "delete_group", path=place)
        with pytest.raises(GraphError) as gone:
            call(ctx.graph, "get_group", path=place)
    assert gone.value.status == 404


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("List Userz", {}, "List Users"),
        ("get_user", {}, "path.user-id"),
        ("get_group", {"path": {"group-id": "not-an-id"}}, "GUID"),
        ("get_group", {"path": {"group-id": "../users"}}, "path.group-id"),
        ("create_group", {"body": {"displayName": 3}}, "body.displayName"),
        ("create_group", {"body": {"displayNam": "x"}}, "displayName"),
        ("create_user", {}, "body"),
        ("list_domains", {"query": {"$search": "x"}}, "$search"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_sent(journey: Begin, name: str, arguments: Any, words: str) -> None:
    here = journey()
    journal = here.journal()
    with here.context(journal) as ctx, pytest.raises(InputError, match=words.replace("$", r"\$")):
        call(ctx.graph, name, **arguments)
    assert not [event for event in read(journal.path) if event.get("service") == "graph"]
