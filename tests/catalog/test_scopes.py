"""The smallest permission set of a choice."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook import catalog
from runbook.catalog import scopes
from runbook.catalog.model import PERMISSION_TYPES, PermissionType
from runbook.errors import InputError
from tests.catalog.conftest import FACTS, enables

SLUGS = [action.slug for action in catalog.actions()]
SOURCES: tuple[scopes.Source, ...] = ("guide", "least")
CHOICES = st.lists(st.sampled_from(SLUGS), min_size=1, max_size=40, unique=True)
KINDS = st.sampled_from(PERMISSION_TYPES)
SOURCE = st.sampled_from(SOURCES)


def computed(choice: list[str], kind: PermissionType, source: scopes.Source = "guide") -> scopes.PermissionSet:
    return scopes.compute(choice, [kind], source).of(kind)


@pytest.mark.parametrize("slug", [slug for slug in SLUGS if catalog.action(slug).name in FACTS])
def test_the_least_source_takes_microsofts_least_usable_set_for_a_single_action(slug: str) -> None:
    fact = FACTS[catalog.action(slug).name]
    for kind in PERMISSION_TYPES:
        assert set(computed([slug], kind, "least").names) == set(fact[f"{kind}_least"].split())


@pytest.mark.parametrize("slug", SLUGS)
def test_a_single_action_reaches_every_object_and_fails_without_any_of_its_permissions(slug: str) -> None:
    for kind in PERMISSION_TYPES:
        held = set(computed([slug], kind).names)
        assert enables(slug, held, kind) == "full"
        for name in held:
            assert enables(slug, held - {name}, kind) == "no"


@pytest.mark.parametrize(
    ("slug", "kind", "expected"),
    [
        ("list_users", "delegated", "User.Read.All"),
        ("create_user", "application", "User.ReadWrite.All"),
        ("get_group", "delegated", "GroupMember.Read.All"),
        ("create_group", "application", "Group.ReadWrite.All"),
        ("update_application", "application", "Application.ReadWrite.All"),
        ("delete_service_principal", "application", "Application.ReadWrite.All"),
        ("create_service_principal", "application", "Application.ReadWrite.All"),
        ("create_application", "application", "Application.ReadWrite.OwnedBy"),
        ("list_applications", "application", "Application.Read.All"),
        ("get_organization", "delegated", "Organization.Read.All"),
        ("get_organization", "application", "Organization.Read.All"),
        ("update_device", "delegated", "Directory.AccessAsUser.All"),
        ("update_device", "application", "Device.ReadWrite.All"),
        ("list_user_app_role_assignments", "delegated", "Directory.Read.All"),
    ],
)
def test_the_default_source_takes_the_guides_scopes_or_the_smallest_that_reaches_everything(
    slug: str, kind: PermissionType, expected: str
) -> None:
    assert computed([slug], kind).names == (expected,)


def test_three_actions_ask_for_nothing_that_they_do_not_need() -> None:
    found = scopes.compute(["List Users", "Create Group", "Add Group Member"])
    assert found.delegated.names == found.application.names == ("Group.ReadWrite.All", "User.Read.All")


def test_the_least_source_never_narrows_an_action_for_the_sake_of_another() -> None:
    found = computed(["get_application", "update_service_principal"], "application", "least")
    assert found.names == ("Application.Read.All", "Application.ReadWrite.OwnedBy")


def test_two_permissions_that_are_needed_together_are_both_asked_for() -> None:
    assert computed(["create_ip_named_location"], "application").names == (
        "Policy.Read.All",
        "Policy.ReadWrite.ConditionalAccess",
    )


def test_narrow_permissions_are_preferred_to_a_wide_one() -> None:
    found = computed(["list_groups", "get_device", "list_role_templates"], "application")
    assert found.names == ("Device.Read.All", "GroupMember.Read.All", "RoleManagement.Read.Directory")


def test_a_wide_permission_that_is_needed_anyway_replaces_the_narrow_ones() -> None:
    found = computed(["list_groups", "get_device", "list_oauth2_permission_grants"], "application")
    assert found.names == ("Directory.Read.All",)
    assert found.left_out == {"GroupMember.Read.All": ("Directory.Read.All",)}


def test_a_set_that_microsoft_contradicts_is_never_relied_on() -> None:
    found = computed(["add_app_role_assignment_to_service_principal", "update_application"], "delegated")
    assert found.names == ("AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All")
    assert enables("add_app_role_assignment_to_service_principal", ["Application.ReadWrite.All"], "delegated") == "no"


def test_all_actions_together_never_take_directory_wide_writes_that_narrower_ones_replace() -> None:
    found = scopes.compute(SLUGS)
    assert "Directory.ReadWrite.All" not in (*found.delegated.names, *found.application.names)
    assert {"RoleManagement.ReadWrite.Directory", "AppRoleAssignment.ReadWrite.All"} <= set(found.application.names)


def test_sign_in_permissions_are_listed_apart() -> None:
    found = scopes.compute(["list_groups"])
    assert found.base == ("offline_access", "openid", "profile", "User.Read")
    assert not set(found.base) & set(found.delegated.names)


def test_only_the_permission_types_asked_for_are_computed() -> None:
    found = scopes.compute(["list_users"], ["application"])
    assert found.application.names == ("User.Read.All",)
    assert found.delegated.names == ()
    assert {item.kind for item in found.explanations} <= {"application"}


def test_the_smaller_permission_is_explained() -> None:
    def texts(slug: str) -> str:
        return " ".join(item.text for item in scopes.compute([slug]).explanations)

    assert "User.ReadBasic.All would do, but shows only name" in texts("list_users")
    assert "calling app owns" in texts("delete_application")
    assert "no published id" in texts("create_application")
    assert "covers it" in " ".join(e.text for e in scopes.compute(["list_users", "delete_user"]).explanations)


def test_a_note_on_microsofts_least_is_given_only_where_that_one_is_taken() -> None:
    def notes(choice: list[str]) -> str:
        found = scopes.compute(choice, ["delegated"])
        return " ".join(item.text for item in found.explanations if item.about == "note")

    assert "reading permission is taken" in notes(["list_user_app_role_assignments"])
    assert notes(["list_user_app_role_assignments", "assign_app_role_to_user"]) == ""


def test_unknown_actions_types_and_sources_are_all_refused() -> None:
    with pytest.raises(InputError) as caught:
        scopes.compute(["List Userz", "Make Coffee", "list_users"])
    assert len(caught.value.problems) == 2
    with pytest.raises(InputError) as caught:
        scopes.compute(["list_users"], ["deligated"], "leest")  # type: ignore[list-item, arg-type]
    assert [problem.where for problem in caught.value.problems] == ["permission type", "permission source"]


def test_an_empty_choice_needs_nothing() -> None:
    assert computed([], "delegated").names == ()


@given(CHOICES, KINDS, SOURCE)
def test_every_action_has_a_set_and_every_permission_has_an_action(
    choice: list[str], kind: PermissionType, source: scopes.Source
) -> None:
    found = computed(choice, kind, source)
    assert set(found.per_action) == set(choice)
    assert set(found.why) == set(found.names)
    for slug, needed in found.per_action.items():
        assert set(needed) <= set(found.names)
        assert needed in catalog.action(slug).access(kind).alternatives
    assert all(found.why[name] for name in found.names)


@given(CHOICES, KINDS, SOURCE)
def test_taking_any_permission_away_breaks_an_action(
    choice: list[str], kind: PermissionType, source: scopes.Source
) -> None:
    held = set(computed(choice, kind, source).names)
    reach = {slug: enables(slug, held, kind) for slug in choice}
    assert "no" not in reach.values()
    for name in held:
        assert any(enables(slug, held - {name}, kind) != reach[slug] for slug in choice), name


@given(CHOICES, KINDS)
def test_the_default_source_reaches_every_object(choice: list[str], kind: PermissionType) -> None:
    held = computed(choice, kind).names
    assert all(enables(slug, held, kind) == "full" for slug in choice)


@given(CHOICES, st.sampled_from(SLUGS), KINDS, SOURCE)
def test_adding_an_action_takes_nothing_from_the_others(
    choice: list[str], more: str, kind: PermissionType, source: scopes.Source
) -> None:
    before, after = computed(choice, kind, source), computed([*choice, more], kind, source)
    for slug in choice:
        alone = enables(slug, computed([slug], kind, source).names, kind)
        assert enables(slug, after.names, kind) in (alone, "full")
    assert scopes.cost(after.names) >= scopes.cost(before.names)


@given(CHOICES, st.randoms(use_true_random=False), SOURCE)
def test_the_order_of_the_choice_does_not_matter(choice: list[str], random: object, source: scopes.Source) -> None:
    shuffled = list(choice)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    scopes._compute.cache_clear()
    first = scopes.compute(choice, source=source)
    scopes._compute.cache_clear()
    assert scopes.compute(shuffled, source=source) == first


@settings(max_examples=60)
@given(st.lists(st.sampled_from(SLUGS), min_size=1, max_size=6, unique=True), KINDS, SOURCE)
def test_no_combination_of_candidates_is_cheaper(
    choice: list[str], kind: PermissionType, source: scopes.Source
) -> None:
    candidates = [scopes._candidates(catalog.action(slug), kind, source) for slug in choice]
    cheapest = min(scopes.cost({name for s in picked for name in s}) for picked in product(*candidates))
    assert scopes.cost(computed(choice, kind, source).names) == cheapest


@given(CHOICES)
def test_permissions_that_cannot_be_requested_are_never_asked_for(choice: list[str]) -> None:
    found = scopes.compute(choice)
    for kind in PERMISSION_TYPES:
        assert all(catalog.permissions()[name].id(kind) for name in found.of(kind).names)


def test_the_json_form_gives_ids_and_reasons() -> None:
    data = scopes.compute(["list_users"]).to_dict()
    assert data["application"]["permissions"] == [
        {
            "name": "User.Read.All",
            "id": "df021288-bdef-4463-88db-98f22de89214",
            "admin_consent_required": True,
            "power": 2,
            "powerful": None,
            "why": ["list_users"],
        }
    ]
    assert data["base"] == ["offline_access", "openid", "profile", "User.Read"]
