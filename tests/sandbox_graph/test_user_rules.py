"""What users and domains may hold and who may change it, from the pages of the reference."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.sandbox_graph.conftest import EVENTUAL, GraphClient, World, reference


class TestUsers:
    """learn.microsoft.com/graph/api/resources/user"""

    def test_a_text_is_cleared_by_null_and_not_by_an_empty_one(self, admin: GraphClient, user: dict[str, Any]) -> None:
        place = f"/users/{user['id']}"
        assert admin.patch(place, {"jobTitle": "Engineer"}).status_code == 204
        assert admin.patch(place, {"jobTitle": ""}).status_code == 400
        assert admin.get(f"{place}?$select=jobTitle").json()["jobTitle"] == "Engineer"
        assert admin.patch(place, {"jobTitle": None}).status_code == 204

    def test_one_business_phone(self, admin: GraphClient, user: dict[str, Any]) -> None:
        place = f"/users/{user['id']}"
        sent = (["+31 30 1"], ["+31 30 1", "+31 30 2"], [])
        assert [admin.patch(place, {"businessPhones": one}).status_code for one in sent] == [204, 400, 204]

    @pytest.mark.parametrize(
        ("name", "most"),
        [
            *((name, 64) for name in ("givenName", "surname", "department", "companyName", "mailNickname")),
            *((name, 64) for name in ("mobilePhone", "faxNumber")),
            *((name, 128) for name in ("jobTitle", "city", "country", "state", "officeLocation")),
            *(("postalCode", 40), ("streetAddress", 1024), ("employeeId", 16), ("displayName", 256)),
        ],
    )
    def test_texts_have_their_documented_length(
        self, admin: GraphClient, user: dict[str, Any], name: str, most: int
    ) -> None:
        place = f"/users/{user['id']}"
        assert [admin.patch(place, {name: "a" * size}).status_code for size in (most, most + 1)] == [204, 400]

    @pytest.mark.parametrize(
        ("field", "taken", "refused"),
        [
            (
                "otherMails",
                [f"{number}@example.com" for number in range(250)],
                [f"{n}@example.com" for n in range(251)],
            ),
            ("otherMails", ["a@example.com"], ["no address"]),
            ("onPremisesExtensionAttributes", {"extensionAttribute1": "a" * 1024}, {"extensionAttribute2": "a" * 1025}),
            ("ageGroup", "NotAdult", "Old"),
            ("consentProvidedForMinor", "NotRequired", "Perhaps"),
            ("passwordPolicies", "DisablePasswordExpiration, DisableStrongPassword", "DisableEverything"),
            ("preferredLanguage", "en-US", "plain English"),
            ("mail", "someone@example.com", "müller@example.com"),
            ("usageLocation", "NL", "NLD"),
            ("userType", "Guest", "Visitor"),
        ],
    )
    def test_values_are_those_that_the_page_names(
        self, admin: GraphClient, user: dict[str, Any], field: str, taken: Any, refused: Any
    ) -> None:
        place = f"/users/{user['id']}"
        answers = [admin.patch(place, {field: value}) for value in (taken, refused)]
        assert [one.status_code for one in answers] == [204, 400]
        assert answers[1].json()["error"]["target"] == field

    def test_what_sharepoint_keeps_comes_by_itself_and_from_people(
        self, admin: GraphClient, world: World, user: dict[str, Any]
    ) -> None:
        """learn.microsoft.com/graph/api/user-update"""
        place = f"/users/{user['id']}"
        person = world.person(["User.ReadWrite.All"], ["User Administrator"])
        bodies = ({"aboutMe": "x", "jobTitle": "y"}, {"aboutMe": "x", "skills": ["y"]}, {"jobTitle": "y"})
        assert [person.patch(place, one).status_code for one in bodies] == [400, 204, 204]
        assert [admin.patch(place, {name: None}).status_code for name in ("aboutMe", "employeeHireDate")] == [403, 403]

    @pytest.mark.parametrize("field", ["aboutMe", "skills", "hireDate", "mailboxSettings"])
    def test_what_no_list_can_show_is_not_implemented_there(
        self, admin: GraphClient, user: dict[str, Any], field: str
    ) -> None:
        """learn.microsoft.com/graph/api/user-list"""
        answer = admin.get(f"/users?$select=id,{field}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (501, "NotImplemented")
        assert admin.get(f"/users/{user['id']}?$select=id,{field}").status_code == 200

    @pytest.mark.parametrize("change", [{"onPremisesImmutableId": "x"}, {"businessPhones": ["+31 30 1"]}])
    def test_sensitive_properties_of_an_administrator_take_the_directory_as_the_user(
        self, world: World, change: dict[str, Any]
    ) -> None:
        """learn.microsoft.com/graph/api/resources/users, who can perform sensitive actions"""
        held = {name: one["roles"] for name, one in world.ready["users"].items()}
        place = next(f"/users/{name}" for name, roles in held.items() if "Application Developer" in roles)
        for granted, status in (("User.ReadWrite.All", 403), ("Directory.AccessAsUser.All", 204)):
            person = world.person([granted], ["Privileged Authentication Administrator", "User Administrator"])
            assert person.patch(place, change).status_code == status


@pytest.mark.parametrize(
    ("services", "status"), [(["Email"], 204), (["Email", "Yammer"], 204), (["Intune"], 400), (["Nothing"], 400)]
)
def test_services_of_a_domain_are_those_that_graph_may_change(
    admin: GraphClient, name: str, services: list[str], status: int
) -> None:
    """learn.microsoft.com/graph/api/resources/domain"""
    place = f"/domains/{name}.example"
    assert admin.post("/domains", {"id": f"{name}.example"}).status_code == 201
    assert admin.post(f"{place}/verify").status_code == 200
    assert admin.patch(place, {"supportedServices": services}).status_code == status
    assert admin.delete(place).status_code == 204


class TestNames:
    """learn.microsoft.com/entra/identity/authentication/concept-sspr-policy, …/graph/api/resources/objectidentity"""

    def made(self, admin: GraphClient, name: str, **more: Any) -> int:
        body = {"accountEnabled": True, "displayName": name, "mailNickname": name}
        body |= {"passwordProfile": {"password": "Sufficient-1ong"}, "userPrincipalName": f"{name}@contoso.com"}
        return admin.post("/users", {**body, **more}).status_code

    @pytest.mark.parametrize(
        ("local", "status"),
        [
            ("{}-x", 201),
            ("{}.x", 201),
            ("{}.", 400),
            ("{}@x", 400),
            ("{} x", 400),
            ("{}é", 400),
            ("{}" + "a" * 64, 400),
        ],
    )
    def test_a_user_principal_name_has_its_documented_form(
        self, admin: GraphClient, name: str, local: str, status: int
    ) -> None:
        assert self.made(admin, name, userPrincipalName=f"{local.format(name)}@contoso.com") == status

    @pytest.mark.parametrize(
        ("kind", "assigned", "status"),
        [
            ("emailAddress", "{}@x.example", 201),
            ("emailAddress1", "{}@x.example", 201),
            ("emailAddress", "{}", 400),
            ("userName", "{}_a-b", 201),
            ("userName", "-{}", 400),
            ("userName", "{} b", 400),
            ("federated", "", 400),
        ],
    )
    def test_an_identity_looks_as_its_kind_does(
        self, admin: GraphClient, name: str, kind: str, assigned: str, status: int
    ) -> None:
        one = {"signInType": kind, "issuer": "contoso.com", "issuerAssignedId": assigned.format(name)}
        assert self.made(admin, name, identities=[one]) == status
        assert self.made(admin, f"{name}2", identities=[{**one, "issuer": None}]) == 400

    def test_an_identity_is_one_persons_alone(self, admin: GraphClient, user: dict[str, Any], name: str) -> None:
        one = {"signInType": "emailAddress", "issuer": "contoso.com", "issuerAssignedId": f"{name}@x.example"}
        assert self.made(admin, f"{name}1", identities=[one, one]) == 400
        assert self.made(admin, f"{name}1", identities=[one]) == 201
        assert self.made(admin, f"{name}2", identities=[one]) == 400
        place = f"/users/{user['id']}"
        assert admin.patch(place, {"identities": [one]}).status_code == 400
        own = {**one, "issuerAssignedId": f"{name}3@x.example"}
        assert [admin.patch(place, {"identities": [own]}).status_code for _ in range(2)] == [204, 204]


def test_the_chain_of_managers_takes_the_header_and_goes_as_far_as_asked(admin: GraphClient, world: World) -> None:
    """learn.microsoft.com/graph/api/user-list-manager: ``$levels``"""
    people = [one["id"] for one in admin.get("/users?$top=4&$select=id").json()["value"]]
    before = {one: world.store.links("user.manager", one) for one in people}
    for person, manager in pairwise(people):
        assert admin.request("PUT", f"/users/{person}/manager/$ref", json=reference(manager)).status_code == 204
    admin.delete(f"/users/{people[-1]}/manager/$ref")

    def chain(levels: str) -> list[str]:
        asked = f"/users/{people[0]}?$expand=manager($levels={levels};$select=id)&$count=true"
        one, found = admin.get(asked, headers=EVENTUAL).json(), []
        while one := one.get("manager"):
            found.append(one["id"])
        return found

    assert [chain(one) for one in ("1", "2", "max")] == [people[1:2], people[1:3], people[1:]]
    place = f"/users/{people[0]}?$expand=manager($levels=max)"
    assert admin.get(place).status_code == 400
    for levels in ("0", "1001", "many"):
        assert admin.get(place.replace("max", levels), headers=EVENTUAL).status_code == 400
    for person in people:
        admin.delete(f"/users/{person}/manager/$ref")
        for manager in before[person]:
            world.store.link("user.manager", person, manager)


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("User Administrator", {"passwordProfile", "mobilePhone", "jobTitle"}),
        ("Privileged Authentication Administrator", {"passwordProfile", "mobilePhone"}),
        ("Authentication Administrator", {"passwordProfile", "mobilePhone"}),
        ("Helpdesk Administrator", {"passwordProfile"}),
        ("Password Administrator", {"passwordProfile"}),
        ("Global Reader", set()),
    ],
)
def test_who_resets_passwords_changes_nothing_else(
    world: World, user: dict[str, Any], role: str, allowed: set[str]
) -> None:
    """learn.microsoft.com/entra/identity/role-based-access-control/privileged-roles-permissions"""
    person = world.person(["User.ReadWrite.All", "Directory.AccessAsUser.All"], [role])
    changes: dict[str, Any] = {
        "passwordProfile": {"password": "Sufficient-2ong"},
        "mobilePhone": "+31 6",
        "jobTitle": "x",
    }
    taken = {name for name in changes if person.patch(f"/users/{user['id']}", {name: changes[name]}).status_code == 204}
    assert taken == allowed
