"""Whole directories as tables: complete, typed, read on where a page did not come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from entra_sandbox.store import Store

from runbook import catalog
from runbook.actions import Listing, call
from runbook.errors import RunbookError
from runbook.frames import table
from runbook.records.journal import read
from tests.sections.conftest import Journey

Begin = Callable[..., Journey]
FIRST = "abcdefghijklmnopqrstuvwxyzABDGMZ0189'.-_!#^~"
"""Every kind of character with which a user principal name may begin (learn.microsoft.com/entra/identity)."""
USERS = "/v1.0/users"


def fill(state: Path, tenant: str) -> set[str]:
    """Three users for each first character; the ids."""
    store = Store(state)
    names = [f"{letter}{rest}@contoso.com" for letter in FIRST for rest in ("", "a.b", "zz")]
    users = [
        {"id": f"00000000-0000-4000-8000-{number:012}", "displayName": name, "userPrincipalName": name}
        for number, name in enumerate(names)
    ]
    store.put_many("user", iter(users), tenant)
    store.close()
    return {str(user["id"]) for user in users}


def pages(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == "http.call" and event["path"].startswith(USERS)]


def test_parts_read_at_once_are_the_whole_directory_whatever_a_name_begins_with(ill: Any, tmp_path: Path) -> None:
    with ill() as here:
        journal = here.journal()
        with here.context(journal) as ctx:
            added = fill(tmp_path / "sandbox.db", ctx.target.tenant_id)
            whole = [user["id"] for user in ctx.graph.list("/users", top=100, select=("id",))]
            seen: list[int] = []
            frame = call(ctx.graph, "List Users", query={"$top": 20}, frame=True, seen=seen.append)
    assert added <= set(whole)
    assert sorted(frame["id"]) == sorted(whole)
    assert seen[-1] == len(whole)
    asked = pages(list(read(journal.path)))
    assert sum("$filter" in event["path"] for event in asked) >= 11
    assert {event["status"] for event in asked} == {200}


@pytest.mark.parametrize("many", [True, False])
def test_after_a_fault_in_the_middle_a_list_goes_on_behind_the_pages_that_came(
    ill: Any, tmp_path: Path, many: bool
) -> None:
    # To wait that long is more than the transport's patience: the page is refused at once, and the next time it comes.
    refused = {"kind": "throttle", "retry_after": 600, "times": 1, "skip": 5}
    matching = {"match": {"service": "graph", "method": "GET", "path": f"{USERS}*"}}
    query = {"$top": 15} if many else {"$top": 15, "$orderby": "displayName"}
    with ill({**refused, **matching}) as here:
        journal = here.journal()
        with here.context(journal) as ctx:
            fill(tmp_path / "sandbox.db", ctx.target.tenant_id)
            with pytest.raises(RunbookError) as failed:
                call(ctx.graph, "List Users", query=query, frame=True)
            listing = failed.value.unfinished
            assert isinstance(listing, Listing)
            before = listing.rows
            came = listing.frame()
            assert len(came) == before > 0
            asked = len(pages(list(read(journal.path))))
            road = call(ctx.graph, "List Organizations").road
            listing.read(road)
            frame = listing.frame()
            whole = [user["id"] for user in ctx.graph.list("/users", top=100, select=("id",))]
    assert sorted(frame["id"]) == sorted(whole)
    assert set(came["id"]) <= set(frame["id"])
    again = pages(list(read(journal.path)))[asked:]
    assert len([event for event in again if event["status"] == 200]) < len(whole) / 15 + 11


def test_every_list_takes_the_largest_page(journey: Begin) -> None:
    with journey().context() as ctx:
        lists = [action for action in catalog.actions() if action.is_list]
        for action in lists:
            names = [one.name for one in action.path_parameters]
            place = {name: next(ctx.graph.list(f"/{name.removesuffix('-id')}s"))["id"] for name in names}
            assert isinstance(call(ctx.graph, action.slug, path=place, frame=True), pd.DataFrame)
    assert len(lists) >= 12


def test_columns_have_the_types_of_their_values_and_a_mark_for_what_is_missing() -> None:
    first = {"id": "1", "accountEnabled": True, "size": 3, "createdDateTime": "0001-01-01T00:00:00Z", "tags": ["a"]}
    frame = table([{**first, "@odata.type": "#x"}, {"id": "2", "createdDateTime": None, "mail": None}])
    types = {str(name): str(kind) for name, kind in frame.dtypes.items()}
    assert types == {
        **{"id": "string", "accountEnabled": "boolean", "size": "Int64", "mail": "object", "tags": "object"},
        "createdDateTime": "datetime64[us, UTC]",
    }
    assert frame["accountEnabled"].isna().tolist() == [False, True]
    assert frame["createdDateTime"][0].year == 1


def test_pages_that_differ_in_what_they_have_make_one_column(ill: Any, tmp_path: Path) -> None:
    with ill() as here, here.context() as ctx:
        fill(tmp_path / "sandbox.db", ctx.target.tenant_id)
        query = {"$select": "id,jobTitle,accountEnabled,createdDateTime", "$top": 10}
        frame = call(ctx.graph, "List Users", query=query, frame=True)
    types = {str(name): str(kind) for name, kind in frame.dtypes.items()}
    assert types["jobTitle"] == "string"
    assert types["accountEnabled"] == "boolean"
    assert types["createdDateTime"] == "datetime64[us, UTC]"
    assert frame["jobTitle"].isna().any()
    assert frame["jobTitle"].notna().any()
