"""$filter, $search, $orderby, $select, $top, $count, $expand and paging as the directory answers them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox_graph.conftest import EVENTUAL, GraphClient, World, served

ADVANCED = {"headers": EVENTUAL}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Of its own: what is there is what was seeded, whatever other tests leave."""
    with served(tmp_path_factory.mktemp("queries") / "state.sqlite3") as own:
        yield own


def everybody(admin: GraphClient, select: str = "id") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = admin.get(f"/users?$top=999&$select={select}").json()["value"]
    return found


def matching(admin: GraphClient, path: str, condition: str, *, advanced: bool = False) -> list[dict[str, Any]]:
    params = {"$filter": condition, "$top": "999", **({"$count": "true"} if advanced else {})}
    answer = admin.get(path, params=params, headers=EVENTUAL if advanced else {})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("department eq 'Sales'", lambda one: one["department"] == "Sales"),
        ("department eq 'SALES'", lambda one: one["department"] == "Sales"),
        ("startswith(displayName,'A')", lambda one: one["displayName"].startswith("A")),
        ("accountEnabled eq false", lambda one: not one["accountEnabled"]),
        ("department in ('Sales', 'Legal')", lambda one: one["department"] in ("Sales", "Legal")),
        (
            "startswith(givenName,'N') and department eq 'IT'",
            lambda one: (one["givenName"] or "").startswith("N") and one["department"] == "IT",
        ),
        (
            "(department eq 'Legal' or department eq 'Sales') and accountEnabled eq true",
            lambda one: one["department"] in ("Legal", "Sales") and one["accountEnabled"],
        ),
        ("createdDateTime ge 2024-01-01T00:00:00Z", lambda one: one["createdDateTime"] >= "2024"),
        ("surname ge 'S' and surname le 'T'", lambda one: "S" <= (one["surname"] or "") <= "T"),
        (
            "proxyAddresses/any(p:startswith(p,'SMTP:n'))",
            lambda one: any(address.startswith("SMTP:n") for address in one["proxyAddresses"]),
        ),
        (
            "identities/any(i:i/issuer eq 'contoso.onmicrosoft.com' and i/signInType eq 'userPrincipalName')",
            lambda one: one["userType"] == "Member",
        ),
    ],
)
def test_a_filter_finds_exactly_what_it_says(admin: GraphClient, condition: str, expected: Any) -> None:
    names = (
        "id,department,displayName,givenName,surname,accountEnabled,createdDateTime,proxyAddresses,userType,mobilePhone"
    )
    wanted = {one["id"] for one in everybody(admin, names) if expected(one)}
    assert wanted
    assert {one["id"] for one in matching(admin, "/users", condition)} == wanted


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("department ne 'Sales'", lambda one: one["department"] != "Sales"),
        ("not(department eq 'Sales')", lambda one: one["department"] != "Sales"),
        ("endsWith(mail,'@litware.com')", lambda one: (one["mail"] or "").endswith("@litware.com")),
        ("not startswith(displayName,'A')", lambda one: not one["displayName"].startswith("A")),
        ("otherMails/$count ne 0", lambda one: one["userType"] == "Guest"),
        ("mobilePhone ne '+1'", lambda _: True),
    ],
)
def test_advanced_filters_need_the_header_and_the_count(admin: GraphClient, condition: str, expected: Any) -> None:
    names = "id,department,displayName,mail,userType"
    wanted = {one["id"] for one in everybody(admin, names) if expected(one)}
    assert wanted
    assert {one["id"] for one in matching(admin, "/users", condition, advanced=True)} == wanted
    for options in ({}, {"$count": "true"}):
        refused = admin.get("/users", params={"$filter": condition, **options})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "Request_UnsupportedQuery")
    refused = admin.get("/users", params={"$filter": condition}, headers=EVENTUAL)
    assert refused.status_code == 400


@pytest.mark.parametrize(
    "condition",
    [
        "colour eq 'red'",
        "aboutMe eq 'x'",
        "displayName eq 1",
        "accountEnabled eq 'yes'",
        "displayName",
        "contains(displayName,'a')",
        "displayName eq 'a' and",
        "(displayName eq 'a'",
        "displayName eq 'a",
        "displayName has 'a'",
        "manager/id eq 'a'",
        "businessPhones eq '1'",
        "displayName eq department",
        "1 eq 1",
    ],
)
def test_a_filter_that_is_not_understood_is_a_400_and_never_the_whole_list(admin: GraphClient, condition: str) -> None:
    answer = admin.get("/users", params={"$filter": condition})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in ("Request_BadRequest", "Request_UnsupportedQuery")


def test_filters_on_other_kinds(admin: GraphClient, world: World) -> None:
    graph = world.microsoft_graph()
    by_name = "servicePrincipalNames/any(c:c eq 'https://graph.microsoft.com')"
    assert [one["id"] for one in matching(admin, "/servicePrincipals", by_name)] == [graph["id"]]
    teams = matching(admin, "/groups", "groupTypes/any(c:c eq 'Unified')")
    assert teams
    assert all("Unified" in one["groupTypes"] for one in teams)
    grants = matching(
        admin, "/oauth2PermissionGrants", f"resourceId eq '{graph['id']}' and consentType eq 'AllPrincipals'"
    )
    assert grants
    role = matching(admin, "/directoryRoles", "roleTemplateId eq '62e90394-69f5-4237-9190-012177145e10'")
    assert [one["displayName"] for one in role] == ["Global Administrator"]
    enabled = admin.get(
        "/identity/conditionalAccess/policies", params={"$filter": "state eq 'enabled'", "$count": "true"}
    )
    assert enabled.json()["@odata.count"] == 1, "conditional access counts without the header"


def test_search_finds_words_and_needs_the_header(admin: GraphClient) -> None:
    found = admin.get("/users", params={"$search": '"displayName:noor"'}, **ADVANCED).json()["value"]
    assert "Noor Haddad" in {one["displayName"] for one in found}
    both = {"$search": '"displayName:noor" AND "displayName:haddad"'}
    assert len(admin.get("/users", params=both, **ADVANCED).json()["value"]) == 1
    either = {"$search": '"displayName:noor haddad" OR "displayName:ines moreau"'}
    assert len(admin.get("/users", params=either, **ADVANCED).json()["value"]) == 2
    assert admin.get("/users", params=both).json()["error"]["code"] == "Request_UnsupportedQuery"
    for wrong in ("noor", '"noor"', '"aboutMe:x"', '"displayName:a" OR', '("displayName:a"'):
        assert admin.get("/users", params={"$search": wrong}, **ADVANCED).status_code == 400


def test_pages_follow_each_other_until_all_were_seen_once(admin: GraphClient) -> None:
    seen: list[str] = []
    address = "/users?$top=70&$select=id&$count=true"
    counts = []
    while address:
        page = admin.get(address, **ADVANCED).json()
        seen += [one["id"] for one in page["value"]]
        counts.append(page.get("@odata.count"))
        address = page.get("@odata.nextLink", "")
    assert len(seen) == len(set(seen)) == counts[0]
    assert counts[1:] == [None] * (len(counts) - 1), "the count is on the first page alone"


def test_sorted_pages_keep_their_order(admin: GraphClient) -> None:
    names: list[str] = []
    address = "/users?$orderby=displayName desc&$top=50&$select=displayName"
    while address:
        page = admin.get(address).json()
        names += [one["displayName"] for one in page["value"]]
        address = page.get("@odata.nextLink", "")
    assert len(names) >= 300
    assert [one.lower() for one in names] == sorted((one.lower() for one in names), reverse=True)


def test_sorting_a_filtered_list_is_advanced(admin: GraphClient) -> None:
    params = {"$filter": "department eq 'Sales'", "$orderby": "displayName"}
    assert admin.get("/users", params=params).json()["error"]["message"] == "Sorting not supported for current query."
    assert admin.get("/users", params={**params, "$count": "true"}, **ADVANCED).status_code == 200
    assert admin.get("/users", params={"$orderby": "aboutMe"}).status_code == 400


def test_count_without_the_header_is_ignored(admin: GraphClient) -> None:
    assert "@odata.count" not in admin.get("/users?$count=true").json()
    assert admin.get("/users?$count=true", **ADVANCED).json()["@odata.count"] >= 300


def test_the_default_page_holds_a_hundred_and_the_largest_999(admin: GraphClient) -> None:
    assert len(admin.get("/users").json()["value"]) == 100
    assert len(admin.get("/users?%24top=5").json()["value"]) == 5
    for top in ("0", "1000", "-1", "x", "1.5"):
        assert admin.get(f"/users?$top={top}").status_code == 400
    assert admin.get("/users?$skip=5").status_code == 400
    assert "@odata.nextLink" not in admin.get("/directoryRoleTemplates").json(), "templates do not page"


def test_page_tokens_of_others_are_refused(admin: GraphClient) -> None:
    following = admin.get("/users?$top=1").json()["@odata.nextLink"]
    token = following.partition("$skiptoken=")[2]
    for address in (f"/groups?$skiptoken={token}", "/users?$skiptoken=abc", f"/users?$skiptoken=A{token}"):
        assert admin.get(address).json()["error"]["code"] == "Directory_ExpiredPageToken"


def test_options_are_checked(admin: GraphClient) -> None:
    for query in ("$colour=red", "$top=1&$top=2", "$select=colour", "$count=maybe", "$filter=", "$expand=colour"):
        assert admin.get(f"/users?{query}").status_code == 400, query
    assert admin.get("/users?colour=red&$top=1").status_code == 200, "what has no dollar sign is nobody's"


def test_expand_adds_at_most_twenty_related_objects(admin: GraphClient) -> None:
    group = matching(admin, "/groups", "displayName eq 'Engineering'")[0]["id"]
    shown = admin.get(f"/groups/{group}?$expand=members($select=id,displayName)").json()
    assert len(shown["members"]) == 20
    assert shown["members"][0].keys() == {"@odata.type", "id", "displayName"}
    params = {"$expand": "manager", "$filter": "department ne 'x'", "$count": "true"}
    assert admin.get("/users", params=params, **ADVANCED).status_code == 400, "not with advanced queries"


def test_members_can_be_cast_counted_filtered_and_paged(admin: GraphClient) -> None:
    group = matching(admin, "/groups", "displayName eq 'All Staff'")[0]["id"]
    path = f"/groups/{group}/members"
    departments = admin.get(path).json()["value"]
    assert {one["@odata.type"] for one in departments} == {"#microsoft.graph.group"}
    assert admin.get(f"{path}/microsoft.graph.user").json()["value"] == []
    assert admin.get(f"{path}/microsoft.graph.group/$count", **ADVANCED).text == str(len(departments))
    named = admin.get(path, params={"$filter": "startswith(displayName,'Eng')", "$count": "true"}, **ADVANCED).json()
    assert [one["displayName"] for one in named["value"]] == ["Engineering"]
    page = admin.get(f"{path}?$top=4").json()
    rest = admin.get(page["@odata.nextLink"]).json()
    assert len(page["value"]) == 4
    assert not {one["id"] for one in page["value"]} & {one["id"] for one in rest["value"]}


DOCUMENTED = [
    ("/users", {"$filter": "companyName eq 'Contoso'"}),
    ("/users", {"$filter": "companyName ne null and NOT(companyName eq 'Microsoft')"}),
    ("/users", {"$filter": "mobilePhone eq null"}),
    ("/users", {"$filter": "startsWith(mobilePhone, '+31')"}),
    ("/users", {"$filter": "city eq null"}),
    ("/users", {"$filter": "endsWith(mail,'@contoso.com')"}),
    ("/users", {"$filter": "assignedLicenses/$count eq 0"}),
    ("/users", {"$filter": "createdDateTime in (2024-01-01T00:00:00Z)"}),
    ("/users", {"$orderby": "createdDateTime"}),
    ("/applications", {"$orderby": "displayName"}),
    ("/applications", {"$orderby": "createdDateTime desc"}),
    ("/applications", {"$orderby": "displayName", "$filter": "startsWith(displayName, 'B')"}),
    ("/servicePrincipals", {"$orderby": "displayName"}),
    ("/devices", {"$orderby": "approximateLastSignInDateTime"}),
]


@pytest.mark.parametrize(("path", "params"), DOCUMENTED)
def test_what_is_documented_to_need_the_advanced_capabilities_is_refused_without_either(
    admin: GraphClient, path: str, params: dict[str, str]
) -> None:
    """learn.microsoft.com/graph/aad-advanced-queries"""
    counted = {**params, "$count": "true"}
    refused = [admin.get(path, params=params), admin.get(path, params=counted)]
    refused.append(admin.get(path, params=params, headers=EVENTUAL))
    assert [one.json().get("error", {}).get("code") for one in refused] == ["Request_UnsupportedQuery"] * 3
    assert admin.get(path, params=counted, headers=EVENTUAL).status_code == 200


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/users", {"$orderby": "displayName"}),
        ("/users", {"$orderby": "userPrincipalName desc"}),
        ("/groups", {"$orderby": "displayName"}),
        ("/users", {"$filter": "city eq 'Utrecht'"}),
        ("/users", {"$filter": "userType in ('Member', 'Guest')"}),
    ],
)
def test_what_works_by_default_works_without(admin: GraphClient, path: str, params: dict[str, str]) -> None:
    assert admin.get(path, params=params).status_code == 200


@pytest.mark.parametrize(("path", "name"), [("/users", "city"), ("/groups", "createdDateTime"), ("/devices", "model")])
def test_a_property_that_is_not_indexed_for_sorting_is_refused_always(admin: GraphClient, path: str, name: str) -> None:
    params = {"$orderby": name, "$count": "true"}
    assert admin.get(path, params=params, headers=EVENTUAL).status_code == 400


def test_people_without_a_number_are_found_with_the_advanced_capabilities(admin: GraphClient) -> None:
    wanted = {one["id"] for one in everybody(admin, "id,mobilePhone") if one["mobilePhone"] is None}
    assert wanted
    assert {one["id"] for one in matching(admin, "/users", "mobilePhone eq null", advanced=True)} == wanted


def test_an_or_of_values_holds_fifteen_without_the_advanced_capabilities(admin: GraphClient) -> None:
    """learn.microsoft.com/graph/filter-query-parameter: the operator in"""
    values = [f"'t{number}@contoso.com'" for number in range(16)]
    few, many = (f"userPrincipalName in ({','.join(values[:most])})" for most in (15, 16))
    assert [admin.get("/users", params={"$filter": one}).status_code for one in (few, many)] == [200, 400]
    assert admin.get("/users", params={"$filter": many, "$count": "true"}, headers=EVENTUAL).status_code == 200


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/users", "assignedLicenses/$count ne 0", 200),
        ("/users", "assignedLicenses/$count gt 0", 400),
        ("/users", "assignedLicenses/$count eq 1", 400),
        ("/applications", "owners/$count eq 1", 200),
        ("/applications", "owners/$count eq 2", 400),
        ("/groups", "owners/$count ge 1", 400),
    ],
)
def test_a_count_is_compared_with_none_and_of_owners_with_one(
    admin: GraphClient, path: str, asked: str, status: int
) -> None:
    """learn.microsoft.com/graph/api/resources/user, application, group: ``/$count eq 0``, ``/$count ne 0``"""
    assert admin.get(path, params={"$filter": asked, "$count": "true"}, headers=EVENTUAL).status_code == status


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ('"displayName:ada" OR "mail:x"', 200),
        ('"displayName:ada" AND ("mail:x" OR "surname:y")', 200),
        ('"displayName:ada" or "mail:x"', 400),
        ('"displayName:ada" and "mail:x"', 400),
    ],
)
def test_words_that_join_a_search_are_in_capitals(admin: GraphClient, asked: str, status: int) -> None:
    """learn.microsoft.com/graph/search-query-parameter"""
    assert admin.get("/users", params={"$search": asked}, headers=EVENTUAL).status_code == status


def test_nothing_is_selected_below_a_single_value(admin: GraphClient) -> None:
    assert admin.get("/users?$select=displayName/first").status_code == 400
    assert admin.get("/users?$select=passwordProfile/forceChangePasswordNextSignIn").status_code == 200


def test_deleted_objects_are_sorted_by_when_they_were_deleted(admin: GraphClient, user: dict[str, Any]) -> None:
    """learn.microsoft.com/graph/api/directory-deleteditems-list, example 2"""
    assert admin.delete(f"/users/{user['id']}").status_code == 204
    place = "/directory/deletedItems/microsoft.graph.user"
    params = {"$count": "true", "$orderby": "deletedDateTime desc", "$select": "id,deletedDateTime"}
    assert admin.get(place, params=params).status_code == 400
    found = admin.get(place, params=params, headers=EVENTUAL).json()
    moments = [one["deletedDateTime"] for one in found["value"]]
    assert user["id"] in {one["id"] for one in found["value"]}
    assert moments == sorted(moments, reverse=True)
