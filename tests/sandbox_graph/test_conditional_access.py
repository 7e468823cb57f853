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
