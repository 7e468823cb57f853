"""Policies of conditional access and named locations, from the pages of the reference."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.sandbox_graph.conftest import GLOBAL_ADMINISTRATOR, GraphClient, World


class TestConditionalAccess:
    """learn.microsoft.com/graph/api/conditionalaccesspolicy-update"""

    PLACE = "/identity/conditionalAccess/policies"

    def policy(self, name: str, **users: Any) -> dict[str, Any]:
        conditions = {
            "clientAppTypes": ["all"],
            "applications": {"includeApplications": ["All"]},
            "users": {"includeUsers": ["None"], **users},
        }
        grant = {"operator": "OR", "builtInControls": ["mfa"]}
        return {"displayName": name, "state": "disabled", "conditions": conditions, "grantControls": grant}

    def test_a_part_of_the_conditions_is_merged_before_the_whole_is_checked(
        self, admin: GraphClient, name: str
    ) -> None:
        made = admin.post(self.PLACE, self.policy(name)).json()
        change = {"conditions": {"signInRiskLevels": ["high", "medium", "low", "none"]}}
        assert admin.patch(f"{self.PLACE}/{made['id']}", change).status_code == 204
        kept = admin.get(f"{self.PLACE}/{made['id']}").json()["conditions"]
        assert kept["signInRiskLevels"] == ["high", "medium", "low", "none"]
        assert kept["users"]["includeUsers"] == ["None"]
        assert kept["applications"]["includeApplications"] == ["All"]

    def test_roles_and_applications_that_do_not_exist_are_refused(
        self, admin: GraphClient, name: str, world: World
    ) -> None:
        role = self.policy(name, includeRoles=[GLOBAL_ADMINISTRATOR])
        assert admin.post(self.PLACE, role).status_code == 201
        for users in ({"includeRoles": [str(uuid.uuid4())]}, {"excludeRoles": [str(uuid.uuid4())]}):
            assert admin.post(self.PLACE, self.policy(name, **users)).status_code == 400
        for key, status in ((world.ready["client_id"], 201), (str(uuid.uuid4()), 400)):
            body = self.policy(name)
            body["conditions"]["applications"] = {"includeApplications": [key]}
            assert admin.post(self.PLACE, body).status_code == status

    @pytest.mark.parametrize(
        ("controls", "operator", "status"),
        [
            (["mfa", "passwordChange"], "AND", 201),
            (["mfa", "passwordChange"], "OR", 400),
            (["passwordChange"], "AND", 400),
            (["mfa", "passwordChange", "compliantDevice"], "AND", 400),
        ],
    )
    def test_a_change_of_password_goes_with_a_second_factor_and_user_risk(
        self, admin: GraphClient, name: str, controls: list[str], operator: str, status: int
    ) -> None:
        """learn.microsoft.com/graph/api/resources/conditionalaccessgrantcontrols"""
        body = self.policy(name)
        body["grantControls"] = {"operator": operator, "builtInControls": controls}
        assert admin.post(self.PLACE, body).status_code == 400, "without user risk"
        body["conditions"]["userRiskLevels"] = ["high"]
        assert admin.post(self.PLACE, body).status_code == status
        for more in ({"signInRiskLevels": ["high"]}, {"applications": {"includeApplications": ["None"]}}):
            one = {**body, "conditions": {**body["conditions"], **more}}
            assert admin.post(self.PLACE, one).status_code == 400, "for all applications, without another condition"

    @pytest.mark.parametrize(
        ("grant", "status"),
        [
            ({"operator": "OR", "builtInControls": ["block"]}, 201),
            ({"operator": "AND", "builtInControls": ["mfa", "compliantDevice"]}, 201),
            ({"operator": "XOR", "builtInControls": ["mfa"]}, 400),
            ({"builtInControls": ["mfa"]}, 400),
            ({"operator": "OR", "builtInControls": []}, 400),
            ({"operator": "OR", "builtInControls": ["block", "mfa"]}, 400),
            ({"operator": "OR", "builtInControls": ["dance"]}, 400),
        ],
    )
    def test_controls_are_joined_by_and_or_or_and_block_stands_alone(
        self, admin: GraphClient, name: str, grant: dict[str, Any], status: int
    ) -> None:
        """learn.microsoft.com/graph/api/resources/conditionalaccessgrantcontrols"""
        assert admin.post(self.PLACE, {**self.policy(name), "grantControls": grant}).status_code == status

    @pytest.mark.parametrize(
        ("action", "status"), [("urn:user:registersecurityinfo", 201), ("urn:user:registerdevice", 201), ("urn:x", 400)]
    )
    def test_actions_of_users_are_those_that_the_page_names(
        self, admin: GraphClient, name: str, action: str, status: int
    ) -> None:
        """learn.microsoft.com/graph/api/resources/conditionalaccessapplications"""
        body = self.policy(name)
        body["conditions"]["applications"] = {"includeUserActions": [action]}
        assert admin.post(self.PLACE, body).status_code == status

    def test_a_named_location_has_2000_narrow_ranges_at_most(self, admin: GraphClient, name: str) -> None:
        """learn.microsoft.com/entra/identity/conditional-access/concept-assignment-network"""
        place, kind = "/identity/conditionalAccess/namedLocations", "#microsoft.graph.iPv4CidrRange"
        many = [f"12.{number // 256}.{number % 256}.0/24" for number in range(2001)]
        for ranges, status in ((many[:2000], 201), (many, 400), (["12.0.0.0/9"], 201), (["12.0.0.0/8"], 400)):
            listed = [{"@odata.type": kind, "cidrAddress": one} for one in ranges]
            body = {"@odata.type": "#microsoft.graph.ipNamedLocation", "displayName": name, "ipRanges": listed}
            assert admin.post(place, body).status_code == status

    def test_a_tenant_has_195_named_locations_at_most(self, admin: GraphClient, world: World, name: str) -> None:
        """learn.microsoft.com/entra/identity/conditional-access/concept-assignment-network"""
        place, kind = "/identity/conditionalAccess/namedLocations", "#microsoft.graph.countryNamedLocation"
        body = {"@odata.type": kind, "displayName": name, "countriesAndRegions": ["CA"]}
        more = [
            {**body, "id": str(uuid.uuid4())} for _ in range(195 - world.store.count("namedLocation", world.tenant))
        ]
        world.store.put_many("namedLocation", more, world.tenant)
        assert admin.post(place, body).status_code == 400
        for one in more:
            world.store.delete("namedLocation", one["id"], world.tenant)
        assert admin.post(place, body).status_code == 201

    def test_named_locations_are_listed_by_their_kind(self, admin: GraphClient, name: str) -> None:
        """learn.microsoft.com/graph/api/conditionalaccessroot-list-namedlocations, examples 2 to 4"""
        place = "/identity/conditionalAccess/namedLocations"
        country = {"@odata.type": "#microsoft.graph.countryNamedLocation", "countriesAndRegions": ["CA"]}
        made = admin.post(place, {**country, "displayName": name}).json()["id"]
        kind = "microsoft.graph.countryNamedLocation"
        asked = (f"isof('{kind}')", f"not isof('{kind}')", f"{kind}/countriesAndRegions/any(c: c eq 'CA')")
        found = [admin.get(place, params={"$filter": one}).json()["value"] for one in asked]
        assert [made in {one["id"] for one in listed} for listed in found] == [True, False, True]
        assert {one["@odata.type"] for one in found[0]} == {f"#{kind}"}
        assert {one["@odata.type"] for one in found[1]} == {"#microsoft.graph.ipNamedLocation"}
        assert admin.get(place, params={"$filter": "isof('microsoft.graph.user')"}).status_code == 400
