"""Finding actions by what people call them."""

from __future__ import annotations

import pytest

from runbook import catalog
from runbook.errors import InputError


@pytest.mark.parametrize(
    "text", ["List Users", "list_users", "list users", " LIST-USERS ", "microsoftentraid_list_users", "List  Users"]
)
def test_name_slug_and_stackone_id_all_find_the_action(text: str) -> None:
    assert catalog.action(text).slug == "list_users"


def test_every_action_is_found_by_each_of_its_names() -> None:
    for action in catalog.actions():
        assert all(catalog.action(text) is action for text in (action.name, action.slug, action.stackone_id))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("List User", "Did you mean List Users?"),
        ("lst_users", "Did you mean List Users?"),
        ("microsoftentraid_get_usr", "Did you mean Get User?"),
        ("Add Member Group", "Did you mean Add Group Member?"),
        ("Create Appplication", "Did you mean Create Application?"),
    ],
)
def test_an_unknown_name_gets_the_likely_one(text: str, meant: str) -> None:
    with pytest.raises(InputError) as caught:
        catalog.action(text)
    assert caught.value.problems[0].hint == meant


def test_a_name_like_no_other_points_to_the_list() -> None:
    with pytest.raises(InputError, match="lists all of them"):
        catalog.action("brew coffee")


def test_a_list_takes_commas_lines_semicolons_and_comments() -> None:
    found = catalog.parse_list("List Users, get_user\n# groups\nList Groups; list users  # again\n\n")
    assert [action.slug for action in found] == ["get_user", "list_groups", "list_users"]


def test_every_unknown_name_of_a_list_is_reported_at_once() -> None:
    with pytest.raises(InputError) as caught:
        catalog.parse_list("List Userz, brew coffee, Get Group, dance")
    assert [problem.what.split("'")[1] for problem in caught.value.problems] == ["List Userz", "brew coffee", "dance"]


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        catalog.parse_list(" \n# nothing\n")
