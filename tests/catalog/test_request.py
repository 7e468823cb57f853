"""The arguments of an action are checked before anything is sent."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook import catalog
from runbook.catalog.body import body_problems
from runbook.catalog.model import Action
from runbook.catalog.request import prepare
from runbook.errors import InputError
from tests.catalog.conftest import GUID, VALUES

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def mistakes(*args: Any, **kwargs: Any) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        prepare(*args, **kwargs)
    return {problem.where: f"{problem.what} {problem.hint}".strip() for problem in caught.value.problems}


@pytest.mark.parametrize("action", catalog.actions(), ids=lambda action: action.slug)
def test_every_action_can_be_prepared_and_refuses_ids_of_the_wrong_shape(action: Action) -> None:
    good = {p.name: VALUES[p.shape] for p in action.path_parameters}
    body = dict(action.body.example) if action.body else None
    request = prepare(action, good, None, body)
    assert "{" not in request.path
    assert request.path.startswith("/")
    for name in good:
        assert list(mistakes(action, {**good, name: "not/an id"}, None, body)) == [f"path.{name}"]
    assert "path.nonsense" in mistakes(action, {**good, "nonsense": "x"}, None, body)


def test_every_mistake_is_named_at_once() -> None:
    found = mistakes("update_user", {"user-id": "a b", "group-id": GUID}, {"$top": 5}, {"displayNme": "x"})
    assert set(found) == {"path.user-id", "path.group-id", "query.$top", "body.displayNme"}


def test_a_missing_path_parameter_says_what_it_is() -> None:
    assert mistakes("get_group") == {"path.group-id": f"is missing. It is a GUID such as {GUID}."}


@pytest.mark.parametrize("name", ["user-id", "user_id", "id", "User-Id"])
def test_path_parameters_are_found_under_their_usual_spellings(name: str) -> None:
    assert prepare("get_user", {name: GUID}).path == f"/users/{GUID}"


def test_alternate_keys_take_their_own_path() -> None:
    assert prepare("get_application", {"appId": GUID}).path == f"/applications(appId='{GUID}')"
    assert prepare("get_group", {"uniqueName": "it's"}).path == "/groups(uniqueName='it%27%27s')"
    removed = prepare("remove_directory_role_member", {"roleTemplateId": GUID, "directoryObject_id": GUID})
    assert removed.path == f"/directoryRoles(roleTemplateId='{GUID}')/members/{GUID}/$ref"


def test_values_are_percent_encoded_in_the_path() -> None:
    guest = "ada_example.com#EXT#@contoso.com"
    assert prepare("get_user", {"id": guest}).path == "/users/ada_example.com%23EXT%23@contoso.com"
    assert "path.user-id" in mistakes("get_user", {"id": "../groups"})


def test_advanced_queries_get_the_count_and_the_consistency_level() -> None:
    for query in (
        {"search": '"displayName:ada"'},
        {"$count": True},
        {"$filter": "startswith(displayName,'a')", "$orderby": "displayName"},
        {"$filter": "accountEnabled ne true"},
        {"$filter": "endsWith(mail,'@contoso.com')"},
        {"$filter": "companyName eq 'Contoso'"},
        {"$filter": "city eq null"},
        {"$orderby": "createdDateTime"},
    ):
        request = prepare("list_users", query=query)
        assert request.headers == {"ConsistencyLevel": "eventual"}, query
        assert request.query["$count"] == "true"


def test_sorting_is_plain_for_names_of_users_and_groups_alone() -> None:
    plain = [prepare(slug, query={"$orderby": "displayName desc"}).headers for slug in ("list_users", "list_groups")]
    assert plain == [{}, {}]
    assert prepare("list_applications", query={"$orderby": "displayName"}).headers == {"ConsistencyLevel": "eventual"}


def test_plain_queries_stay_plain() -> None:
    request = prepare("list_users", query={"$select": ["id", "displayName"], "top": 5, "$filter": "city eq 'not ne'"})
    assert request.query == {"$select": "id,displayName", "$top": "5", "$filter": "city eq 'not ne'"}
    assert request.headers == {}
    assert prepare("list_conditional_access_policies", query={"$count": True}).headers == {}


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ({"fliter": "x"}, "Did you mean $filter?"),
        ({"$skip": 1}, "There are $count"),
        ({"$top": 0}, "from 1 to 999"),
        ({"$top": 1000}, "from 1 to 999"),
        ({"$top": True}, "from 1 to 999"),
        ({"$count": "yes"}, "true or false"),
        ({"$search": "ada"}, "quoted"),
        ({"$select": ""}, "not empty"),
        ({"$search": '"a:b"', "$expand": "manager"}, "no such query"),
    ],
)
def test_wrong_query_options_are_refused(query: dict[str, Any], hint: str) -> None:
    assert hint in " ".join(mistakes("list_users", query=query).values())


def test_an_action_without_options_says_so() -> None:
    assert mistakes("delete_user", {"id": GUID}, {"$select": "id"})["query.$select"].endswith("It takes none.")


@pytest.mark.parametrize(
    ("slug", "body", "where", "hint"),
    [
        ("create_group", {"displayName": 5}, "body.displayName", "It is a text."),
        ("create_group", {"displayNam": "x"}, "body.displayNam", "Did you mean displayName?"),
        ("create_group", {"displayName": ""}, "body.displayName", "is empty."),
        ("create_group", {"id": GUID}, "body.id", "not a property that can be written here"),
        ("create_group", {"groupTypes": ["Unfied"]}, "body.groupTypes[0]", "Use Unified, DynamicMembership."),
        ("create_group", {"owners@odata.bind": ["x"]}, "body.owners@odata.bind[0]", "address of an object"),
        ("create_service_principal", {"appId": "x"}, "body.appId", "It is a GUID."),
        ("create_domain", {"id": "contoso"}, "body.id", "domain name"),
        ("create_country_named_location", {"countriesAndRegions": ["Denmark"]}, "body.countriesAndRegions[0]", "shape"),
        ("update_user", {"employeeHireDate": "soon"}, "body.employeeHireDate", "2026-11-23T22:30:00Z"),
        ("create_conditional_access_policy", {"state": "on"}, "body.state", "enabledForReportingButNotEnforced"),
        ("create_conditional_access_policy", {"grantControls": None}, "body.grantControls", "It is an object."),
    ],
)
def test_a_wrong_value_in_the_body_is_named_with_what_would_be_right(
    slug: str, body: dict[str, Any], where: str, hint: str
) -> None:
    action = catalog.action(slug)
    assert action.body is not None
    good = {p.name: VALUES[p.shape] for p in action.path_parameters}
    found = mistakes(action, good, None, {**action.body.example, **body})
    assert list(found) == [where]
    assert hint in found[where]


def test_everything_that_is_missing_from_a_body_is_named() -> None:
    assert set(mistakes("create_oauth2_permission_grant", body={"consentType": "Principal"})) == {
        "body.clientId",
        "body.resourceId",
        "body.scope",
        "body.principalId",
    }
    policy = {"displayName": "x", "state": "disabled", "conditions": {}}
    found = mistakes("create_conditional_access_policy", body=policy)
    assert found == {"body": "needs grantControls or sessionControls."}


def test_of_several_kinds_of_range_the_one_that_was_meant_is_judged() -> None:
    action = catalog.action("create_ip_named_location")
    assert action.body is not None
    ranges = [{"@odata.type": "#microsoft.graph.iPv6CidrRange", "cidr": "2001:db8::/32"}]
    found = mistakes(action, body={**action.body.example, "ipRanges": ranges})
    assert set(found) == {"body.ipRanges[0].cidrAddress", "body.ipRanges[0].cidr"}


def test_bodies_are_asked_for_where_they_belong_and_refused_elsewhere() -> None:
    assert "For example" in mistakes("create_domain")["body"]
    assert mistakes("delete_user", {"id": GUID}, None, {"a": 1}) == {"body": "Delete User takes no body."}
    assert mistakes("update_group", {"id": GUID}, None, {}) == {"body": "is empty."}
    assert mistakes("create_group", body=["x"]) == {"body": "the body has the wrong type. It is an object."}
    assert prepare("verify_domain", {"id": "contoso.com"}, None, {}).body is None


def test_extension_properties_may_be_written() -> None:
    prepare("update_user", {"id": GUID}, None, {"extension_0123456789abcdef0123456789abcdef_badge": "7"})


def test_a_value_that_may_be_secret_is_not_repeated_in_the_message() -> None:
    action = catalog.action("create_user")
    assert action.body is not None
    found = mistakes(action, body={**action.body.example, "passwordProfile": {"password": ["hunter2-hunter2"]}})
    assert list(found) == ["body.passwordProfile.password"]
    assert "hunter2" not in str(found)


NAMES = st.sampled_from(["user-id", "group-id", "domain-id", "appId", "id"]) | st.text(max_size=8)
OPTIONS = st.sampled_from(["$top", "$count", "$filter", "$select"]) | st.text(max_size=8)


@given(
    st.sampled_from(catalog.actions()), st.dictionaries(NAMES, ANYTHING), st.dictionaries(OPTIONS, ANYTHING), ANYTHING
)
def test_whatever_is_given_there_is_a_request_or_bad_input(
    action: Action, path: dict[str, Any], query: dict[str, Any], body: Any
) -> None:
    with contextlib.suppress(InputError):
        request = prepare(action, path, query, body)
        assert request.path.isascii()
        assert "{" not in request.path


@given(st.sampled_from([a for a in catalog.actions() if a.body]), st.data())
def test_a_body_with_any_one_value_replaced_is_taken_or_refused_by_name(action: Action, data: st.DataObject) -> None:
    assert action.body is not None
    name = data.draw(st.sampled_from(sorted(action.body.schema["properties"])))
    body = {**action.body.example, name: data.draw(ANYTHING)}
    for problem in body_problems(action, body):
        assert problem.where.startswith((f"body.{name}", "body.principalId"))
