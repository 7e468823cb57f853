"""The guide: filters, separators, presets and the address for a choice."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from runbook import catalog
from runbook.catalog import guide
from runbook.errors import InputError


def test_the_link_carries_the_choice_and_no_permission() -> None:
    parts = urlsplit(guide.link(["List Users", "get_user"]))
    assert (parts.scheme, parts.netloc) == ("https", "docs.stackone.com")
    assert parts.path.endswith("/guides/connector-profile/oauth-2-0-common")
    assert parse_qs(parts.query) == {guide._SELECTION_PARAMETER: ["get_user,list_users"]}


def test_the_link_of_everything_stays_short_and_that_of_nothing_is_the_page() -> None:
    assert guide.link(action.slug for action in catalog.actions()).endswith("?actions=all")
    assert guide.link([]) == guide._GUIDE_URL


def test_the_caveat_says_that_the_parameter_is_of_our_own_choosing() -> None:
    assert guide._SELECTION_PARAMETER in guide.LINK_CAVEAT
    assert "own choosing" in guide.LINK_CAVEAT


def test_the_callback_is_that_of_the_connector() -> None:
    assert guide.CALLBACK_PATH == "/connect/oauth2/microsoftentraid/callback"


@pytest.mark.parametrize(("separator", "text"), [("space", "a b"), ("comma", "a,b"), ("newline", "a\nb")])
def test_permissions_are_joined_with_the_separator(separator: str, text: str) -> None:
    assert guide.joined(["a", "b"], separator) == text


def test_an_unknown_separator_is_refused() -> None:
    with pytest.raises(InputError, match="comma"):
        guide.joined(["a"], "tab")  # type: ignore[arg-type]


def test_search_takes_every_word_anywhere() -> None:
    assert [a.slug for a in catalog.select(search="grant CREATE oauth2")] == ["create_oauth2_permission_grant"]
    assert {a.resource for a in catalog.select(search="Domain.ReadWrite.All")} == {"Domains"}
    assert catalog.select(search="no such thing") == ()


def test_filters_by_resource_and_effect_narrow_each_other() -> None:
    found = catalog.select(resource="users, Groups", effect="Delete")
    assert [a.slug for a in found] == ["delete_group", "delete_user", "remove_group_member"]
    assert catalog.select() == catalog.actions()


def test_unknown_resources_and_effects_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="Permission grants"):
        catalog.select(resource="people")
    with pytest.raises(InputError, match="delete, read, write"):
        catalog.select(effect="burn")


def test_presets_hold_what_their_names_say() -> None:
    presets = catalog.presets()
    assert set(presets) == {"start", "read-only", "user-lifecycle", "everything"}
    assert len(presets["everything"].actions) == len(catalog.actions())
    assert {catalog.action(slug).effect for slug in presets["read-only"].actions} == {"read"}
    assert len(presets["read-only"].actions) == sum(a.effect == "read" for a in catalog.actions())
    assert {"create_user", "update_user", "delete_user"} <= set(presets["user-lifecycle"].actions)


def test_the_default_choice_only_reads_and_asks_for_no_powerful_permission() -> None:
    assert catalog.default_actions() == catalog.presets()["start"].actions
    assert {catalog.action(slug).effect for slug in catalog.default_actions()} == {"read"}
    found = catalog.compute(catalog.default_actions())
    known = catalog.permissions()
    assert not any(known[name].powerful for name in (*found.delegated.names, *found.application.names))
