"""What a choice costs, in words and as data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runbook import catalog
from runbook.catalog import explain
from runbook.catalog.model import PERMISSION_TYPES

SLUGS = [action.slug for action in catalog.actions()]
CHOICES = st.lists(st.sampled_from(SLUGS), min_size=1, max_size=25, unique=True)


def test_the_headline_names_the_few_actions_behind_the_most_powerful_permissions() -> None:
    reads = [action.slug for action in catalog.actions() if action.effect == "read"]
    choice = catalog.compute([*reads, "add_directory_role_member", "assign_app_role_to_user"], ["application"])
    sentence = explain.headline(choice)
    assert sentence.startswith(
        f"2 of your {len(reads) + 2} actions (Add Directory Role Member, Assign App Role To User)"
    )
    assert "the 2 most powerful permissions" in sentence
    assert "RoleManagement.ReadWrite.Directory (can make itself Global Administrator)" in sentence


def test_the_headline_of_a_harmless_choice_says_so() -> None:
    assert explain.headline(catalog.compute(["list_users"])) == "None of your one action costs a powerful permission."
    assert explain.headline(catalog.compute(catalog.default_actions())).startswith("None of your 8 actions")


def test_costs_list_the_most_powerful_first_with_who_uses_and_who_forces_them() -> None:
    rows = explain.costs(catalog.compute(["list_applications", "update_application", "list_groups"], ["delegated"]))
    assert [row.permission for row in rows] == ["Application.ReadWrite.All", "GroupMember.Read.All"]
    assert rows[0].used_by == ("list_applications", "update_application")
    assert rows[0].forced_by == ("update_application",)
    assert rows[0].powerful


def test_adding_an_action_shows_what_it_adds_and_frees() -> None:
    before = catalog.compute(["list_users"], ["application"])
    change = explain.difference(before, catalog.compute(["list_users", "delete_user"], ["application"]))
    assert change.added["application"] == ("User.ReadWrite.All",)
    assert change.freed["application"] == ("User.Read.All",)
    assert change.sentence() == "adds User.ReadWrite.All (application); frees User.Read.All (application)"
    assert not explain.difference(before, catalog.compute(["list_users", "get_user"], ["application"]))


def test_dropping_an_action_shows_what_it_frees() -> None:
    choice = catalog.compute(["list_users", "delete_user", "list_groups"], ["delegated"])
    assert explain._if_dropped(choice, ["list_groups"]).freed["delegated"] == ("GroupMember.Read.All",)
    assert not explain._if_dropped(choice, ["list_users"])


def test_the_remedy_names_the_actions_to_leave_out_and_what_that_frees() -> None:
    causes, change = explain.remedy(catalog.compute(SLUGS), "Directory.AccessAsUser.All")
    assert causes == ("delete_device", "update_device")
    assert change.freed["delegated"] == ("Directory.AccessAsUser.All",)


def test_the_summary_says_each_thing_once_for_all_actions_and_types_that_it_holds_for() -> None:
    lines = explain.summary(catalog.compute(SLUGS))
    assert lines[0] == explain.headline(catalog.compute(SLUGS))
    assert lines[1] == explain.price(catalog.compute(SLUGS))
    assert "AppRoleAssignment.ReadWrite.All (can " in lines[1]
    assert lines[2].startswith("Leaving out Delete Device, Update Device adds Device.Read.All (application); frees")
    covered = "The guide lists User.Read.All; User.ReadWrite.All is asked for anyway and covers it."
    assert f"Get User, List Users (delegated and application): {covered}" in lines
    assert len({line.split("): ", 1)[-1] for line in lines}) == len(lines)


def test_delegated_permissions_have_no_price_that_the_secret_alone_could_pay() -> None:
    assert explain.price(catalog.compute(SLUGS, ["delegated"])) == ""


def test_the_matrix_marks_use_and_tells_who_would_do_with_less() -> None:
    table = explain.matrix(catalog.compute(["list_users", "delete_user", "list_groups"]), "application")
    assert table.permissions == ("GroupMember.Read.All", "User.ReadWrite.All")
    assert dict(zip(table.actions, table.cells, strict=True)) == {
        "delete_user": (False, True),
        "list_users": (False, True),
        "list_groups": (True, False),
    }
    assert table.forced[table.actions.index("list_users")] == (False, False)
    assert table.forced[table.actions.index("delete_user")] == (False, True)


@given(CHOICES)
def test_every_column_and_every_row_of_the_matrix_has_a_mark(choice: list[str]) -> None:
    found = catalog.compute(choice)
    for kind in PERMISSION_TYPES:
        table = explain.matrix(found, kind)
        assert all(any(row) for row in table.cells)
        assert all(any(column) for column in zip(*table.cells, strict=True))
