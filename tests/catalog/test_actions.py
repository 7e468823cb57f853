"""Every row of the catalogue, held against what must be true of it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import pytest
from jsonschema import Draft202012Validator

from runbook import catalog
from runbook.catalog import guide
from runbook.catalog.data import body_schema
from runbook.catalog.loader import resources
from runbook.catalog.model import Action
from tests.catalog.conftest import FACTS

ACTIONS = pytest.mark.parametrize("action", catalog.actions(), ids=lambda action: action.slug)
STATED = pytest.mark.parametrize("action", [a for a in catalog.actions() if a.name in FACTS], ids=lambda a: a.slug)
WITH_BODY = pytest.mark.parametrize("action", [a for a in catalog.actions() if a.body], ids=lambda action: action.slug)
SUCCESS = {"GET": {200}, "POST": {200, 201, 204}, "PATCH": {200, 204}, "DELETE": {204}}


def test_the_guides_67_actions_are_there_under_their_names_sorted() -> None:
    names = [action.name for action in catalog.actions()]
    assert names == sorted(names)
    assert set(FACTS) <= set(names)
    assert len(FACTS) == 67


@STATED
def test_request_and_least_permissions_agree_with_the_reference_pages(action: Action) -> None:
    fact = FACTS[action.name]
    assert (action.method, action.path, action.effect) == (fact["method"], fact["path"], fact["effect"])
    assert {int(code) for code in fact["success"].split()} <= set(action.success) <= SUCCESS[action.method]
    assert " ".join(action.delegated.least) == fact["delegated_least"]
    assert " ".join(action.application.least) == fact["application_least"]


@ACTIONS
def test_names_slug_and_stackone_id_belong_together(action: Action) -> None:
    assert action.slug == re.sub(r"[^a-z0-9]+", "_", action.name.lower())
    assert action.stackone_id == f"{guide.CONNECTOR_KEY}_{action.slug}"
    assert action.resource in resources()
    assert action.summary.endswith(".")
    assert action.docs_page.startswith("https://learn.microsoft.com/graph/api/")


@ACTIONS
def test_path_parameters_are_those_of_the_template_in_order(action: Action) -> None:
    assert [p.name for p in action.path_parameters] == re.findall(r"\{([^}]+)\}", action.path)
    for alternate in action.alternate_paths:
        key = re.match(r"/\w+(\(\w+='\{\w+\}'\))", alternate)
        assert key, alternate
        assert action.path == re.sub(r"\(.*?\)", f"/{{{action.path_parameters[0].name}}}", alternate, count=1)


@ACTIONS
def test_effect_fits_the_method(action: Action) -> None:
    assert action.effect == {"GET": "read", "DELETE": "delete"}.get(action.method, "write")
    assert action.is_list == action.name.startswith("List ")
    assert bool(action.query) == (action.method == "GET")


@ACTIONS
def test_a_body_is_described_where_one_is_sent(action: Action) -> None:
    assert (action.body is not None) == (action.method in ("POST", "PATCH") and action.slug != "verify_domain")


@WITH_BODY
def test_the_example_body_is_valid(action: Action) -> None:
    assert action.body is not None
    schema = dict(action.body.schema)
    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(dict(action.body.example))) == []


@WITH_BODY
def test_a_body_refuses_read_only_and_unknown_properties(action: Action) -> None:
    assert action.body is not None
    for wrong in ("createdDateTime", "deletedDateTime", "nonsense"):
        body = {**action.body.example, wrong: "2026-01-01T00:00:00Z"}
        assert not Draft202012Validator(dict(action.body.schema)).is_valid(body), wrong


@WITH_BODY
def test_leaving_out_any_required_property_is_refused(action: Action) -> None:
    assert action.body is not None
    for name in action.body.schema.get("required", ()):
        body = {key: value for key, value in action.body.example.items() if key != name}
        assert not Draft202012Validator(dict(action.body.schema)).is_valid(body), name


@ACTIONS
def test_permission_sets_are_known_minimal_and_usable(action: Action) -> None:
    known = catalog.permissions()
    for kind, access in action.accesses():
        assert access.supported, "all 67 support both types today; a row that does not must say so in its note"
        sets = [frozenset(permissions) for permissions in access.alternatives]
        assert len(set(sets)) == len(sets)
        assert not any(a < b for a in sets for b in sets), "a set that contains another is no alternative"
        assert {name for permissions in sets for name in permissions} <= set(known)
        assert all(known[name].id(kind) for name in access.least)
        assert all(frozenset(item.permissions) in sets for item in access.limited)
        assert all(frozenset(item["set"]) not in sets for item in access.not_relied_on)


@ACTIONS
def test_a_set_that_reaches_every_object_can_be_requested_for_both_types(action: Action) -> None:
    known = catalog.permissions()
    for kind, access in action.accesses():
        full = [s for s in access.alternatives if access.limit_of(s) is None]
        assert any(all(known[name].id(kind) for name in s) for s in full)


@ACTIONS
def test_a_read_does_not_take_a_write_permission_while_a_reading_one_is_documented(action: Action) -> None:
    if action.effect != "read":
        return
    for _, access in action.accesses():
        assert not any("Write" in name for name in access.least)


@ACTIONS
def test_where_microsofts_least_is_not_taken_the_reason_is_given(action: Action) -> None:
    for _, access in action.accesses():
        assert access.documented_least == access.least or access.note


@ACTIONS
def test_the_guides_scopes_can_be_requested_and_are_documented_to_suffice(action: Action) -> None:
    if action.guide_scopes is None:
        return
    for kind, access in action.accesses():
        assert action.guide_scopes in access.alternatives
        assert all(catalog.permissions()[name].id(kind) for name in action.guide_scopes)


def test_the_guides_scopes_are_known_for_eight_actions_only() -> None:
    assert sum(action.guide_scopes is not None for action in catalog.actions()) == 8


@ACTIONS
def test_conditional_access_says_which_licence_it_needs(action: Action) -> None:
    assert (action.licence is not None) == (action.resource in ("Conditional access", "Named locations"))
    if action.licence:
        assert action.licence.plan == "AAD_PREMIUM"


@ACTIONS
def test_to_dict_holds_every_field(action: Action) -> None:
    assert set(action.to_dict()) == set(Action.__slots__)


def test_definitions_of_a_body_are_complete() -> None:
    schema = body_schema("conditional-access-policy-create")
    assert {"conditionalAccessUsers", "riskLevel", "conditionalAccessGuestOrExternalUserTypes"} <= set(schema["$defs"])


def test_actions_can_be_turned_into_json() -> None:
    assert json.loads(json.dumps([asdict(action) for action in catalog.actions()]))
