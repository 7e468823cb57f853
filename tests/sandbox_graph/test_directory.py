"""Users, groups, devices, roles, domains, the organization and conditional access."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from entra_sandbox.entra import credentials

from tests.sandbox_graph.conftest import GraphClient, World, code, reference


def new_user(name: str, **more: Any) -> dict[str, Any]:
    profile = {"password": "Sufficient-1ong", "forceChangePasswordNextSignIn": False}
    names = {"displayName": name, "mailNickname": name, "userPrincipalName": f"{name}@contoso.com"}
    return {"accountEnabled": True, **names, "passwordProfile": profile, **more}


class TestUsers:
    def test_the_password_is_kept_apart(self, admin: GraphClient, world: World, name: str) -> None:
        made = admin.post("/users", new_user(name)).json()
        assert credentials.is_password(world.store, made["id"], "Sufficient-1ong")
        shown = admin.get(f"/users/{made['id']}?$select=passwordProfile,lastPasswordChangeDateTime").json()
        assert shown["passwordProfile"] is None
        change = {"passwordProfile": {"password": "An0ther-one!"}}
        assert admin.patch(f"/users/{made['id']}", change).status_code == 204
        assert credentials.is_password(world.store, made["id"], "An0ther-one!")
        assert b"An0ther-one!" not in world.kept()

    @pytest.mark.parametrize(
        "change",
        [
            {"userPrincipalName": "x@elsewhere.com"},
            {"userPrincipalName": "no-at-sign"},
            {"userPrincipalName": "noor.haddad@contoso.com"},
            {"passwordProfile": {"password": "weak"}},
            {"passwordProfile": None},
            {"displayName": ""},
            {"mailNickname": "a b"},
            {"accountEnabled": None},
            {"accountEnabled": "true"},
            {"userType": "Robot"},
            {"usageLocation": "Netherlands"},
            {"id": str(uuid.uuid4())},
            {"onPremisesSyncEnabled": True},
            {"employeeHireDate": "yesterday"},
            {"businessPhones": "1"},
        ],
    )
    def test_what_is_wrong_is_refused(self, admin: GraphClient, name: str, change: dict[str, Any]) -> None:
        assert code(admin.post("/users", {**new_user(name), **change})) == (400, "Request_BadRequest")

    def test_a_read_only_property_may_be_repeated_but_not_changed(
        self, admin: GraphClient, user: dict[str, Any]
    ) -> None:
        path = f"/users/{user['id']}"
        assert admin.patch(path, {"id": user["id"], "jobTitle": "x"}).status_code == 204
        assert code(admin.patch(path, {"id": str(uuid.uuid4())}))[0] == 400

    def test_required_properties_are_named(self, admin: GraphClient, name: str) -> None:
        for missing in ("accountEnabled", "displayName", "mailNickname", "passwordProfile", "userPrincipalName"):
            body = {key: value for key, value in new_user(name).items() if key != missing}
            assert missing in admin.post("/users", body).json()["error"]["message"]

    def test_managers_and_memberships_are_read(self, admin: GraphClient, world: World) -> None:
        person = world.user()["id"]
        boss = world.user("noor.haddad@contoso.com")["id"]
        assert admin.request("PUT", f"/users/{person}/manager/$ref", json=reference(boss)).status_code == 204
        assert admin.get(f"/users/{person}/manager").json()["id"] == boss
        assert admin.delete(f"/users/{person}/manager/$ref").status_code == 204
        assert admin.get(f"/users/{person}/manager").status_code == 404
        names = {one["displayName"] for one in admin.get(f"/users/{person}/memberOf").json()["value"]}
        assert "Human Resources" in names
        roles = admin.get(f"/users/{world.user('noor.haddad@contoso.com')['id']}/memberOf").json()["value"]
        assert "#microsoft.graph.directoryRole" in {one["@odata.type"] for one in roles}


class TestGroups:
    @pytest.mark.parametrize(
        "change",
        [
            {"mailNickname": "a b"},
            {"mailNickname": None},
            {"groupTypes": ["Secret"]},
            {"mailEnabled": True},
            {"membershipRule": "x"},
            {"visibility": "Everybody"},
            {"isAssignableToRole": True, "groupTypes": ["DynamicMembership"], "membershipRule": "x"},
            {"securityEnabled": None},
            {"members@odata.bind": ["https://graph.microsoft.com/v1.0/users/" + str(uuid.uuid4())]},
        ],
    )
    def test_what_is_wrong_is_refused(self, admin: GraphClient, name: str, change: dict[str, Any]) -> None:
        body = {"displayName": name, "mailEnabled": False, "mailNickname": name, "securityEnabled": True}
        assert admin.post("/groups", {**body, **change}).status_code in (400, 404)
        assert admin.get("/groups", params={"$filter": f"displayName eq '{name}'"}).json()["value"] == []

    def test_members_and_owners_may_come_with_it(self, admin: GraphClient, user: dict[str, Any], name: str) -> None:
        link = f"https://graph.microsoft.com/v1.0/users/{user['id']}"
        body = {"displayName": name, "mailEnabled": False, "mailNickname": name, "securityEnabled": True}
        made = admin.post("/groups", {**body, "members@odata.bind": [link], "owners@odata.bind": [link]}).json()
        for part in ("members", "owners"):
            listed = admin.get(f"/groups/{made['id']}/{part}").json()["value"]
            assert [one["id"] for one in listed] == [user["id"]]

    def test_a_member_is_added_once_and_removed_by_link(
        self, admin: GraphClient, group: dict[str, Any], user: dict[str, Any]
    ) -> None:
        path = f"/groups/{group['id']}/members"
        assert admin.post(f"{path}/$ref", reference(user["id"])).status_code == 204
        again = admin.post(f"{path}/$ref", reference(user["id"]))
        assert again.json()["error"]["message"].startswith("One or more added object references already exist")
        assert admin.get(f"{path}/$ref").json()["value"][0].endswith(user["id"])
        assert admin.delete(f"{path}/{user['id']}/$ref").status_code == 204
        assert admin.delete(f"{path}/{user['id']}/$ref").status_code == 404
        assert admin.get(f"/users/{user['id']}").status_code == 200
        assert admin.post(f"{path}/$ref", reference(str(uuid.uuid4()))).status_code == 404

    def test_without_ref_the_member_itself_is_deleted(
        self, admin: GraphClient, world: World, group: dict[str, Any], user: dict[str, Any]
    ) -> None:
        path = f"/groups/{group['id']}/members"
        admin.post(f"{path}/$ref", reference(user["id"]))
        assert world.application(["GroupMember.ReadWrite.All"]).delete(f"{path}/{user['id']}").status_code == 403
        assert admin.delete(f"{path}/{user['id']}").status_code == 204
        assert admin.get(f"/users/{user['id']}").status_code == 404

    def test_a_patch_may_add_up_to_twenty(self, admin: GraphClient, group: dict[str, Any]) -> None:
        ids = [one["id"] for one in admin.get("/users?$top=21&$select=id").json()["value"]]
        links = [f"https://graph.microsoft.com/v1.0/directoryObjects/{one}" for one in ids]
        path = f"/groups/{group['id']}"
        assert admin.patch(path, {"members@odata.bind": links}).status_code == 400
        assert admin.get(f"{path}/members").json()["value"] == [], "all or nothing"
        assert admin.patch(path, {"members@odata.bind": links[:20]}).status_code == 204
        assert len(admin.get(f"{path}/members").json()["value"]) == 20

    def test_dynamic_and_distribution_groups_are_not_managed_by_hand(
        self, admin: GraphClient, user: dict[str, Any]
    ) -> None:
        for name in ("Dynamic - Sales", "Announcements"):
            found = admin.get("/groups", params={"$filter": f"displayName eq '{name}'"}).json()["value"][0]
            assert admin.post(f"/groups/{found['id']}/members/$ref", reference(user["id"])).status_code == 400

    def test_microsoft_365_groups_hold_people_only(self, admin: GraphClient, group: dict[str, Any]) -> None:
        team = admin.get("/groups", params={"$filter": "displayName eq 'Atlas'"}).json()["value"][0]
        assert admin.post(f"/groups/{team['id']}/members/$ref", reference(group["id"])).status_code == 400

    def test_hidden_members_need_a_permission_of_their_own(self, admin: GraphClient, world: World) -> None:
        hidden = admin.get("/groups", params={"$filter": "visibility eq 'HiddenMembership'"}).json()["value"][0]
        path = f"/groups/{hidden['id']}/members"
        assert admin.get(path).json()["value"]
        assert world.application(["GroupMember.Read.All"]).get(path).status_code == 403
        assert world.application(["GroupMember.Read.All", "Member.Read.Hidden"]).get(path).status_code == 200

    def test_memberships_through_groups(self, admin: GraphClient, world: World) -> None:
        person = f"/users/{world.user()['id']}"
        everybody = admin.get("/groups", params={"$filter": "displayName eq 'All Staff'"}).json()["value"][0]["id"]
        assert everybody not in {one["id"] for one in admin.get(f"{person}/memberOf").json()["value"]}
        assert everybody in {one["id"] for one in admin.get(f"{person}/transitiveMemberOf").json()["value"]}
        assert everybody in admin.post(f"{person}/getMemberGroups", {"securityEnabledOnly": True}).json()["value"]
        body = {"groupIds": [everybody, str(uuid.uuid4())]}
        assert admin.post(f"{person}/checkMemberGroups", body).json()["value"] == [everybody]
        assert admin.post(f"{person}/checkMemberGroups", {"groupIds": "x"}).status_code == 400
        anything = person.replace("/users/", "/directoryObjects/")
        assert admin.post(f"{anything}/checkMemberGroups", body).json()["value"] == [everybody]
        members = admin.get(f"/groups/{everybody}/transitiveMembers/microsoft.graph.user").json()["value"]
        assert world.user()["id"] in {one["id"] for one in members}


class TestDevices:
    def device(self, **more: Any) -> dict[str, Any]:
        return {
            "accountEnabled": True,
            "alternativeSecurityIds": [{"type": 2, "key": "Y3YxN2Ex"}],
            "deviceId": str(uuid.uuid4()),
            "displayName": "test",
            "operatingSystem": "Windows",
            "operatingSystemVersion": "10",
            **more,
        }

    def test_are_made_changed_and_deleted(self, admin: GraphClient) -> None:
        body = self.device()
        made = admin.post("/devices", body).json()
        assert made["id"] != made["deviceId"]
        assert admin.post("/devices", body).status_code == 400, "the deviceId is taken"
        path = f"/devices(deviceId='{made['deviceId']}')"
        assert admin.patch(path, {"accountEnabled": False}).status_code == 204
        assert admin.get(path).json()["accountEnabled"] is False
        assert admin.patch(path, {"isCompliant": True}).status_code == 403
        assert admin.delete(path).status_code == 204

    def test_an_app_changes_only_extension_attributes_of_other_systems(self, admin: GraphClient) -> None:
        made = admin.post("/devices", self.device(operatingSystem="Linux")).json()
        path = f"/devices/{made['id']}"
        assert admin.patch(path, {"displayName": "x"}).status_code == 400
        assert admin.patch(path, {"extensionAttributes": {"extensionAttribute1": "x"}}).status_code == 204


class TestRoles:
    def test_a_role_is_there_once_it_is_activated(self, admin: GraphClient, user: dict[str, Any]) -> None:
        template = "2b745bdf-0803-4d80-aa65-822c4493daac"
        assert admin.get(f"/directoryRoles(roleTemplateId='{template}')").status_code == 404
        assert admin.get(f"/directoryRoleTemplates/{template}").status_code == 200
        made = admin.post("/directoryRoles", {"roleTemplateId": template}).json()
        assert made["displayName"] == "Office Apps Administrator"
        assert admin.post("/directoryRoles", {"roleTemplateId": template}).status_code == 400
        path = f"/directoryRoles/{made['id']}/members"
        assert admin.post(f"{path}/$ref", reference(user["id"])).status_code == 204
        listed = admin.get(
            "/roleManagement/directory/roleAssignments", params={"$filter": f"principalId eq '{user['id']}'"}
        ).json()["value"]
        assert [one["roleDefinitionId"] for one in listed] == [template]
        assignment = f"/roleManagement/directory/roleAssignments/{listed[0]['id']}"
        assert admin.delete(assignment).status_code == 204
        assert admin.get(path).json()["value"] == []

    def test_the_last_global_administrator_stays(self, admin: GraphClient) -> None:
        role = admin.get("/directoryRoles(roleTemplateId='62e90394-69f5-4237-9190-012177145e10')").json()["id"]
        path = f"/directoryRoles/{role}/members"
        members = [one["id"] for one in admin.get(path).json()["value"]]
        for one in members[:-1]:
            assert admin.delete(f"{path}/{one}/$ref").status_code == 204
        assert admin.delete(f"{path}/{members[-1]}/$ref").status_code == 400
        for one in members[:-1]:
            assert admin.post(f"{path}/$ref", reference(one)).status_code == 204


class TestDomains:
    def test_from_creation_to_verification_to_deletion(self, admin: GraphClient, name: str) -> None:
        domain = f"{name}.example"
        made = admin.post("/domains", {"id": domain}).json()
        assert made["isVerified"] is False
        assert admin.post("/domains", {"id": domain}).status_code == 400
        path = f"/domains/{domain}"
        records = admin.get(f"{path}/verificationDnsRecords").json()["value"]
        assert {one["recordType"] for one in records} == {"Txt", "Mx"}
        assert admin.get(f"{path}/serviceConfigurationRecords").json()["value"] == []
        assert admin.post(f"{path}/verify").json()["isVerified"] is True
        assert admin.post(f"{path}/verify").status_code == 400
        assert admin.get(f"{path}/serviceConfigurationRecords").json()["value"]
        assert admin.post("/users", new_user(name, userPrincipalName=f"{name}@{domain}")).status_code == 201
        assert admin.delete(path).status_code == 400, "somebody has a name in it"
        admin.delete(f"/users/{name}@{domain}")
        assert admin.delete(path).status_code == 204

    @pytest.mark.parametrize("domain", ["contoso.onmicrosoft.com", "contoso.com"])
    def test_the_initial_and_the_default_domain_stay(self, admin: GraphClient, domain: str) -> None:
        assert admin.delete(f"/domains/{domain}").status_code == 400

    @pytest.mark.parametrize("domain", ["", "nodots", "a b.com", "new.onmicrosoft.com", "-x.com"])
    def test_only_domain_names_are_domains(self, admin: GraphClient, domain: str) -> None:
        assert admin.post("/domains", {"id": domain}).status_code == 400

    def test_without_its_dns_record_a_domain_is_not_verified(self, admin: GraphClient, world: World, name: str) -> None:
        domain = f"{name}.example"
        admin.post("/domains", {"id": domain})
        world.store.set_setting("graph.domainsWithoutRecord", [domain])
        assert code(admin.post(f"/domains/{domain}/verify"))[0] == 400
        world.store.set_setting("graph.domainsWithoutRecord", None)
        assert admin.post(f"/domains/{domain}/verify").status_code == 200


def test_the_organization_takes_contact_addresses_only(admin: GraphClient, world: World) -> None:
    path = f"/organization/{world.tenant}"
    assert admin.patch(path, {"technicalNotificationMails": ["it@contoso.com"]}).status_code == 204
    assert code(admin.patch(path, {"displayName": "Other"}))[0] == 400


class TestConditionalAccess:
    def policy(self, **more: Any) -> dict[str, Any]:
        return {
            "displayName": "test",
            "state": "enabledForReportingButNotEnforced",
            "conditions": {"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["All"]}},
            "grantControls": {"operator": "OR", "builtInControls": ["mfa"]},
            **more,
        }

    def test_a_policy_lives_and_comes_back(self, admin: GraphClient) -> None:
        path = "/identity/conditionalAccess/policies"
        made = admin.post(path, self.policy()).json()
        assert admin.patch(f"{path}/{made['id']}", {"state": "disabled"}).status_code == 204
        assert admin.get(f"{path}/{made['id']}").json()["modifiedDateTime"]
        assert admin.delete(f"{path}/{made['id']}").status_code == 204
        assert code(admin.get(f"{path}/{made['id']}")) == (404, "NotFound")
        kept = f"/identity/conditionalAccess/deletedItems/policies/{made['id']}"
        assert admin.get(kept).json()["id"] == made["id"]
        assert admin.post(f"{kept}/restore").json()["id"] == made["id"]
        assert admin.delete(f"{path}/{made['id']}").status_code == 204
        assert admin.delete(kept).status_code == 204
        assert admin.get(kept).status_code == 404

    @pytest.mark.parametrize(
        "change",
        [
            {"state": "on"},
            {"grantControls": None},
            {"conditions": {}},
            {"conditions": {"users": {"includeUsers": ["All"]}}},
            {
                "conditions": {
                    "users": {"includeUsers": [str(uuid.uuid4())]},
                    "applications": {"includeApplications": ["All"]},
                }
            },
            {"conditions": {"users": {"includeUsers": ["me"]}, "applications": {"includeApplications": ["All"]}}},
            {"colour": "red"},
        ],
    )
    def test_what_is_wrong_is_refused_by_number(self, admin: GraphClient, change: dict[str, Any]) -> None:
        answer = admin.post("/identity/conditionalAccess/policies", self.policy(**change))
        assert code(answer) == (400, "BadRequest")

    def test_security_defaults_and_a_missing_licence_stand_in_the_way(self, admin: GraphClient, world: World) -> None:
        defaults, path = "/policies/identitySecurityDefaultsEnforcementPolicy", "/identity/conditionalAccess/policies"
        admin.patch(defaults, {"isEnabled": True})
        assert code(admin.post(path, self.policy(state="enabled"))) == (400, "BadRequest")
        admin.patch(defaults, {"isEnabled": False})
        for row in world.store.rows("subscribedSku", world.tenant):
            world.store.put("subscribedSku", {**row.doc, "capabilityStatus": "Suspended"}, world.tenant)
        refused = admin.post(path, self.policy())
        for row in world.store.rows("subscribedSku", world.tenant):
            world.store.put("subscribedSku", {**row.doc, "capabilityStatus": "Enabled"}, world.tenant)
        assert "not licensed" in refused.json()["error"]["message"]

    def test_named_locations_by_address_and_country(self, admin: GraphClient) -> None:
        path = "/identity/conditionalAccess/namedLocations"
        ranges = [{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "192.0.2.0/24"}]
        address = {"@odata.type": "#microsoft.graph.ipNamedLocation", "displayName": "a", "isTrusted": True}
        made = admin.post(path, {**address, "ipRanges": ranges}).json()
        assert made["@odata.type"] == "#microsoft.graph.ipNamedLocation"
        assert code(admin.delete(f"{path}/{made['id']}")) == (400, "BadRequest")
        kept = {"@odata.type": address["@odata.type"], "isTrusted": False}
        assert admin.patch(f"{path}/{made['id']}", kept).status_code == 204
        assert admin.delete(f"{path}/{made['id']}").status_code == 204
        country = {"@odata.type": "#microsoft.graph.countryNamedLocation", "displayName": "c"}
        assert admin.post(path, {**country, "countriesAndRegions": ["NL"]}).status_code == 201
        for wrong in (
            {"displayName": "x", "ipRanges": ranges},
            {**address, "ipRanges": []},
            {**address, "ipRanges": [{**ranges[0], "cidrAddress": "192.0.2.300/24"}]},
            {**country, "countriesAndRegions": ["Netherlands"]},
            {**country, "ipRanges": ranges},
        ):
            assert code(admin.post(path, wrong)) == (400, "BadRequest"), wrong

    def test_a_location_in_use_is_not_deleted(self, admin: GraphClient) -> None:
        locations = admin.get("/identity/conditionalAccess/namedLocations").json()["value"]
        used = next(one["id"] for one in locations if one["displayName"] == "Blocked countries")
        assert admin.delete(f"/identity/conditionalAccess/namedLocations/{used}").status_code == 400


def test_objects_of_any_kind_are_found_by_id(admin: GraphClient, user: dict[str, Any], group: dict[str, Any]) -> None:
    assert admin.get(f"/directoryObjects/{user['id']}").json()["@odata.type"] == "#microsoft.graph.user"
    body = {"ids": [user["id"], group["id"], str(uuid.uuid4())], "types": ["group"]}
    found = admin.post("/directoryObjects/getByIds", body).json()["value"]
    assert [one["id"] for one in found] == [group["id"]]


def test_tenants_do_not_see_each_other(admin: GraphClient, world: World) -> None:
    elsewhere = world.store.first("user", userPrincipalName="noor.haddad@fabrikam.onmicrosoft.com")
    assert elsewhere is not None
    assert admin.get(f"/users/{elsewhere['id']}").status_code == 404
    assert admin.get(f"/directoryObjects/{elsewhere['id']}").status_code == 404
    assert elsewhere["id"] not in {one["id"] for one in admin.get("/users?$top=999&$select=id").json()["value"]}
