"""The picker: what is clicked is what the parameters file holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbook import catalog
from runbook.parameters import load, parse
from runbook.widgets.picker import Choice, Picker


def boxes(widget: Any, kind: str = "Checkbox") -> dict[str, Any]:
    """Every widget of a kind below ``widget``, by its label."""
    found = {widget.description: widget} if type(widget).__name__ == kind else {}
    for child in getattr(widget, "children", ()):
        found |= boxes(child, kind)
    return found


def opened(file: Path, told: Callable[[], None] = lambda: None, *, chosen: bool = False) -> Picker:
    params = load(file) if chosen else parse({})
    return Picker(Choice(params, file, chosen=chosen), told, overridden=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "parameters.yaml"


@pytest.fixture
def picker(file: Path) -> Picker:
    return opened(file)


def test_every_action_has_a_checkbox_labelled_by_its_name(picker: Picker) -> None:
    labels = boxes(picker.layout)
    assert {action.name for action in catalog.actions()} <= labels.keys()


def test_a_click_is_kept_in_the_parameters_file_and_told(file: Path) -> None:
    told: list[tuple[str, ...]] = []
    picker = opened(file, lambda: told.append(picker.choice.parameters().actions))
    labels = boxes(picker.layout)
    for name in ("List Users", "Create Group", "Add Group Member"):
        labels[name].value = True
    assert load(file).actions == ("add_group_member", "create_group", "list_users")
    assert told[-1] == load(file).actions
    labels["Create Group"].value = False
    assert load(file).actions == ("add_group_member", "list_users")


def test_a_choice_in_the_file_is_ticked_again(picker: Picker, file: Path) -> None:
    boxes(picker.layout)["Get Organization"].value = True
    again = opened(file, chosen=True)
    ticked = {label for label, box in boxes(again.layout).items() if box.value}
    assert "Get Organization" in ticked
    assert again.choice.slugs == ("get_organization",)


def test_other_parameters_of_the_file_survive_a_click(picker: Picker, file: Path) -> None:
    file.write_text("application_name: Ours\nsecret_lifetime_days: 90\n")
    boxes(picker.layout)["List Users"].value = True
    kept = load(file)
    assert (kept.application_name, kept.secret_lifetime_days) == ("Ours", 90)


def test_an_empty_choice_leaves_no_earlier_one_in_the_file(picker: Picker, file: Path) -> None:
    file.write_text("application_name: Ours\n")
    labels = boxes(picker.layout)
    labels["List Users"].value = True
    labels["List Users"].value = False
    assert "actions" not in file.read_text()
    assert load(file).application_name == "Ours"
    assert "No action is chosen" in picker.choice.note
    boxes(picker.layout, "Button")["Select all"].click()
    boxes(picker.layout, "Button")["Select none"].click()
    assert "actions" not in file.read_text()


def test_a_file_with_a_mistake_is_left_alone_and_the_mistake_is_shown(picker: Picker, file: Path) -> None:
    file.write_text("secret_lifetime_days: many\n")
    boxes(picker.layout)["List Users"].value = True
    assert file.read_text() == "secret_lifetime_days: many\n"
    assert "secret_lifetime_days" in picker.choice.note


def test_a_preset_replaces_the_choice_in_one_step(picker: Picker, file: Path) -> None:
    labels, buttons = boxes(picker.layout), boxes(picker.layout, "Button")
    labels["Delete User"].value = True
    buttons["Read-only"].click()
    assert set(load(file).actions) == {action.slug for action in catalog.actions() if action.effect == "read"}


def test_select_all_and_none(picker: Picker) -> None:
    buttons = boxes(picker.layout, "Button")
    buttons["Select all"].click()
    assert len(picker.choice.slugs) == len(catalog.actions())
    buttons["Select none"].click()
    assert picker.choice.slugs == ()


def test_all_and_none_mean_the_actions_that_are_shown(picker: Picker, file: Path) -> None:
    labels = boxes(picker.layout)
    labels["Verify Domain"].value = True
    boxes(picker.layout, "Text")["Search"].value = "group"
    labels["Delete actions"].value = False
    shown = {a.slug for a in catalog.select(search="group") if a.effect != "delete"}
    buttons = boxes(picker.layout, "Button")
    buttons[f"Select all: the {len(shown)} shown"].click()
    assert set(load(file).actions) == shown | {"verify_domain"}
    buttons["No users"].click()
    buttons["No groups"].click()
    left = {slug for slug in shown if catalog.action(slug).resource not in ("Users", "Groups")} | {"verify_domain"}
    assert set(picker.choice.actions) == left
    buttons["All groups"].click()
    assert set(picker.choice.actions) == left | {s for s in shown if catalog.action(s).resource == "Groups"}
    boxes(picker.layout, "Button")[f"Select none: the {len(shown)} shown"].click()
    assert load(file).actions == ("verify_domain",)
    buttons["Read-only"].click()
    assert boxes(picker.layout, "Text")["Search"].value == ""
    assert {catalog.action(slug).effect for slug in load(file).actions} == {"read"}


def test_what_is_asked_once_comes_before_the_long_list_and_no_two_buttons_have_one_name(picker: Picker) -> None:
    order: list[Any] = []

    def walk(widget: Any) -> None:
        order.append(widget)
        for child in getattr(widget, "children", ()):
            walk(child)

    walk(picker.layout)
    assert order.index(picker._separator) < order.index(picker._rows.layout)
    names = [widget.description for widget in order if type(widget).__name__ == "Button"]
    assert len(names) == len(set(names))


def test_search_and_effect_filters_hide_rows_without_changing_the_choice(picker: Picker) -> None:
    labels = boxes(picker.layout)
    labels["List Users"].value = True
    boxes(picker.layout, "Text")["Search"].value = "group"
    labels["Read actions"].value = False
    rows = picker._rows._rows
    shown = {slug for slug, row in rows.items() if row.layout.display != "none"}
    assert shown == {a.slug for a in catalog.select(search="group") if a.effect != "read"}
    assert picker.choice.slugs == ("list_users",)


def test_permission_types_and_source_follow_their_controls(picker: Picker, file: Path) -> None:
    labels = boxes(picker.layout)
    labels["List Users"].value = True
    assert not labels["Application"].value
    assert "whoever holds the client secret" not in picker._cost.value
    labels["Application"].value = True
    assert "whoever holds the client secret" in picker._cost.value
    labels["Delegated"].value = False
    boxes(picker.layout, "Dropdown")["Permissions"].value = "least"
    kept = load(file)
    assert (kept.permission_types, kept.permission_source) == (("application",), "least")
    assert "Delegated permissions" not in picker._cost.value


def test_separator_changes_what_is_copied(picker: Picker) -> None:
    labels = boxes(picker.layout)
    labels["List Users"].value = True
    labels["Create Group"].value = True
    boxes(picker.layout, "ToggleButtons")["Separator"].value = "comma"
    assert "Group.ReadWrite.All,User.Read.All" in picker._cost.value


def test_a_search_without_a_result_says_so(picker: Picker) -> None:
    none = boxes(picker.layout, "HTML")
    (search,) = boxes(picker.layout, "Text").values()
    said = next(each for each in picker._rows.layout.children if getattr(each, "value", "").count("No action matches"))
    assert none
    assert said.layout.display == "none"
    search.value = "no such action at all"
    assert said.layout.display is None
