"""All actions through the fluent interface of Microsoft's Graph client: each sends the request of its action."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgraph.generated.models.app_role_assignment import AppRoleAssignment
from msgraph.generated.models.application import Application
from msgraph.generated.models.conditional_access_applications import ConditionalAccessApplications
from msgraph.generated.models.conditional_access_client_app import ConditionalAccessClientApp
from msgraph.generated.models.conditional_access_condition_set import ConditionalAccessConditionSet
from msgraph.generated.models.conditional_access_grant_control import ConditionalAccessGrantControl
from msgraph.generated.models.conditional_access_grant_controls import ConditionalAccessGrantControls
from msgraph.generated.models.conditional_access_policy import ConditionalAccessPolicy
from msgraph.generated.models.conditional_access_policy_state import ConditionalAccessPolicyState
from msgraph.generated.models.conditional_access_users import ConditionalAccessUsers
from msgraph.generated.models.country_named_location import CountryNamedLocation
from msgraph.generated.models.device import Device
from msgraph.generated.models.domain import Domain
from msgraph.generated.models.group import Group
from msgraph.generated.models.i_pv4_cidr_range import IPv4CidrRange
from msgraph.generated.models.ip_named_location import IpNamedLocation
from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant
from msgraph.generated.models.organization import Organization
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph.generated.models.user import User

from runbook.catalog import action, actions
from tests.catalog.conftest import FACTS
from tests.conformance.conftest import Tenant

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Known = dict[str, Any]
Step = tuple[str, Callable[[Any, Known], Awaitable[Any]]]


def reference(known: Known, id: str) -> ReferenceCreate:
    return ReferenceCreate(odata_id=f"{known['graph']}/v1.0/directoryObjects/{id}")


def user(known: Known) -> User:
    name = known["name"]
    return User(
        account_enabled=True,
        display_name=name,
        mail_nickname=name,
        user_principal_name=f"{name}@contoso.com",
        password_profile=PasswordProfile(password="Sufficient-1ong"),
    )


def policy(known: Known) -> ConditionalAccessPolicy:
    return ConditionalAccessPolicy(
        display_name=known["name"],
        state=ConditionalAccessPolicyState.Disabled,
        conditions=ConditionalAccessConditionSet(
            applications=ConditionalAccessApplications(include_applications=["None"]),
            users=ConditionalAccessUsers(include_users=["None"]),
            client_app_types=[ConditionalAccessClientApp.All],
        ),
        grant_controls=ConditionalAccessGrantControls(
            operator="OR", built_in_controls=[ConditionalAccessGrantControl.Mfa]
        ),
    )


def grant(known: Known) -> OAuth2PermissionGrant:
    return OAuth2PermissionGrant(
        client_id=known["create_service_principal"].id,
        consent_type="AllPrincipals",
        resource_id=known["resource"].id,
        scope="User.Read",
    )


def assignment(known: Known, principal: str) -> AppRoleAssignment:
    return AppRoleAssignment(
        principal_id=uuid.UUID(principal), resource_id=uuid.UUID(known["resource"].id), app_role_id=known["role"]
    )


USERS: list[Step] = [
    ("create_user", lambda g, k: g.users.post(user(k))),
    ("list_users", lambda g, _: g.users.get()),
    ("get_user", lambda g, k: g.users.by_user_id(k["create_user"].id).get()),
    ("update_user", lambda g, k: g.users.by_user_id(k["create_user"].id).patch(User(job_title="Engineer"))),
    (
        "assign_app_role_to_user",
        lambda g, k: g.users.by_user_id(k["create_user"].id).app_role_assignments.post(
            assignment(k, k["create_user"].id)
        ),
    ),
    ("list_user_app_role_assignments", lambda g, k: g.users.by_user_id(k["create_user"].id).app_role_assignments.get()),
    (
        "remove_app_role_from_user",
        lambda g, k: (
            g.users.by_user_id(k["create_user"].id)
            .app_role_assignments.by_app_role_assignment_id(k["assign_app_role_to_user"].id)
            .delete()
        ),
    ),
    ("delete_user", lambda g, k: g.users.by_user_id(k["create_user"].id).delete()),
]

GROUPS: list[Step] = [
    (
        "create_group",
        lambda g, k: g.groups.post(
            Group(display_name=k["name"], mail_enabled=False, mail_nickname=k["name"], security_enabled=True)
        ),
    ),
    ("list_groups", lambda g, _: g.groups.get()),
    ("get_group", lambda g, k: g.groups.by_group_id(k["create_group"].id).get()),
    ("update_group", lambda g, k: g.groups.by_group_id(k["create_group"].id).patch(Group(description="Readers"))),
    (
        "add_group_member",
        lambda g, k: g.groups.by_group_id(k["create_group"].id).members.ref.post(reference(k, k["person"].id)),
    ),
    ("list_group_members", lambda g, k: g.groups.by_group_id(k["create_group"].id).members.get()),
    (
        "remove_group_member",
        lambda g, k: (
            g.groups.by_group_id(k["create_group"].id).members.by_directory_object_id(k["person"].id).ref.delete()
        ),
    ),
    ("delete_group", lambda g, k: g.groups.by_group_id(k["create_group"].id).delete()),
]

DEVICES: list[Step] = [
    ("list_devices", lambda g, _: g.devices.get()),
    ("get_device", lambda g, k: g.devices.by_device_id(k["device"].id).get()),
    ("list_device_group_memberships", lambda g, k: g.devices.by_device_id(k["device"].id).member_of.get()),
    ("list_device_registered_owners", lambda g, k: g.devices.by_device_id(k["device"].id).registered_owners.get()),
    ("list_device_registered_users", lambda g, k: g.devices.by_device_id(k["device"].id).registered_users.get()),
    ("update_device", lambda g, k: g.devices.by_device_id(k["device"].id).patch(Device(account_enabled=False))),
    ("delete_device", lambda g, k: g.devices.by_device_id(k["device"].id).delete()),
]

ROLES: list[Step] = [
    ("list_role_templates", lambda g, _: g.directory_role_templates.get()),
    ("list_directory_roles", lambda g, _: g.directory_roles.get()),
    ("get_directory_role", lambda g, k: g.directory_roles.by_directory_role_id(k["directory role"].id).get()),
    (
        "add_directory_role_member",
        lambda g, k: g.directory_roles.by_directory_role_id(k["directory role"].id).members.ref.post(
            reference(k, k["person"].id)
        ),
    ),
    (
        "list_directory_role_members",
        lambda g, k: g.directory_roles.by_directory_role_id(k["directory role"].id).members.get(),
    ),
    (
        "remove_directory_role_member",
        lambda g, k: (
            g.directory_roles.by_directory_role_id(k["directory role"].id)
            .members.by_directory_object_id(k["person"].id)
            .ref.delete()
        ),
    ),
]

APPLICATIONS: list[Step] = [
    ("create_application", lambda g, k: g.applications.post(Application(display_name=k["name"]))),
    ("list_applications", lambda g, _: g.applications.get()),
    ("get_application", lambda g, k: g.applications.by_application_id(k["create_application"].id).get()),
    (
        "update_application",
        lambda g, k: g.applications.by_application_id(k["create_application"].id).patch(Application(notes="Finance")),
    ),
    (
        "create_service_principal",
        lambda g, k: g.service_principals.post(ServicePrincipal(app_id=k["create_application"].app_id)),
    ),
    ("list_service_principals", lambda g, _: g.service_principals.get()),
    (
        "get_service_principal",
        lambda g, k: g.service_principals.by_service_principal_id(k["create_service_principal"].id).get(),
    ),
    (
        "update_service_principal",
        lambda g, k: g.service_principals.by_service_principal_id(k["create_service_principal"].id).patch(
            ServicePrincipal(app_role_assignment_required=True)
        ),
    ),
    ("create_oauth2_permission_grant", lambda g, k: g.oauth2_permission_grants.post(grant(k))),
    ("list_oauth2_permission_grants", lambda g, _: g.oauth2_permission_grants.get()),
    (
        "get_oauth2_permission_grant",
        lambda g, k: g.oauth2_permission_grants.by_o_auth2_permission_grant_id(
            k["create_oauth2_permission_grant"].id
        ).get(),
    ),
    (
        "update_oauth2_permission_grant",
        lambda g, k: g.oauth2_permission_grants.by_o_auth2_permission_grant_id(
            k["create_oauth2_permission_grant"].id
        ).patch(OAuth2PermissionGrant(scope="User.Read User.Read.All")),
    ),
    (
        "delete_oauth2_permission_grant",
        lambda g, k: g.oauth2_permission_grants.by_o_auth2_permission_grant_id(
            k["create_oauth2_permission_grant"].id
        ).delete(),
    ),
    (
        "add_app_role_assignment_to_service_principal",
        lambda g, k: g.service_principals.by_service_principal_id(
            k["create_service_principal"].id
        ).app_role_assignments.post(assignment(k, k["create_service_principal"].id)),
    ),
    (
        "list_service_principal_app_role_assignments",
        lambda g, k: g.service_principals.by_service_principal_id(
            k["create_service_principal"].id
        ).app_role_assignments.get(),
    ),
    (
        "remove_app_role_assignment_from_service_principal",
        lambda g, k: (
            g.service_principals.by_service_principal_id(k["create_service_principal"].id)
            .app_role_assignments.by_app_role_assignment_id(k["add_app_role_assignment_to_service_principal"].id)
            .delete()
        ),
    ),
    (
        "delete_service_principal",
        lambda g, k: g.service_principals.by_service_principal_id(k["create_service_principal"].id).delete(),
    ),
    ("delete_application", lambda g, k: g.applications.by_application_id(k["create_application"].id).delete()),
]


def access(g: Any) -> Any:
    return g.identity.conditional_access


CONDITIONAL_ACCESS: list[Step] = [
    ("create_conditional_access_policy", lambda g, k: access(g).policies.post(policy(k))),
    ("list_conditional_access_policies", lambda g, _: access(g).policies.get()),
    (
        "get_conditional_access_policy",
        lambda g, k: access(g).policies.by_conditional_access_policy_id(k["create_conditional_access_policy"].id).get(),
    ),
    (
        "update_conditional_access_policy",
        lambda g, k: (
            access(g)
            .policies.by_conditional_access_policy_id(k["create_conditional_access_policy"].id)
            .patch(ConditionalAccessPolicy(display_name=f"{k['name']}, later"))
        ),
    ),
    (
        "delete_conditional_access_policy",
        lambda g, k: (
            access(g).policies.by_conditional_access_policy_id(k["create_conditional_access_policy"].id).delete()
        ),
    ),
    (
        "create_country_named_location",
        lambda g, k: access(g).named_locations.post(
            CountryNamedLocation(display_name=k["name"], countries_and_regions=["NL"])
        ),
    ),
    (
        "create_ip_named_location",
        lambda g, k: access(g).named_locations.post(
            IpNamedLocation(
                display_name=f"{k['name']} office",
                is_trusted=False,
                ip_ranges=[IPv4CidrRange(odata_type="#microsoft.graph.iPv4CidrRange", cidr_address="203.0.113.0/24")],
            )
        ),
    ),
    ("list_named_locations", lambda g, _: access(g).named_locations.get()),
    (
        "get_named_location",
        lambda g, k: access(g).named_locations.by_named_location_id(k["create_ip_named_location"].id).get(),
    ),
    (
        "delete_named_location",
        lambda g, k: access(g).named_locations.by_named_location_id(k["create_ip_named_location"].id).delete(),
    ),
]

TENANT: list[Step] = [
    ("list_organizations", lambda g, _: g.organization.get()),
    ("get_organization", lambda g, k: g.organization.by_organization_id(k["tenant"]).get()),
    (
        "update_organization",
        lambda g, k: g.organization.by_organization_id(k["tenant"]).patch(
            Organization(technical_notification_mails=["it@contoso.com"])
        ),
    ),
    ("create_domain", lambda g, k: g.domains.post(Domain(id=f"{k['name']}.example"))),
    ("list_domains", lambda g, _: g.domains.get()),
    ("get_domain", lambda g, k: g.domains.by_domain_id(k["create_domain"].id).get()),
    (
        "list_domain_verification_dns_records",
        lambda g, k: g.domains.by_domain_id(k["create_domain"].id).verification_dns_records.get(),
    ),
    ("verify_domain", lambda g, k: g.domains.by_domain_id(k["create_domain"].id).verify.post()),
    (
        "list_domain_service_configuration_records",
        lambda g, k: g.domains.by_domain_id(k["create_domain"].id).service_configuration_records.get(),
    ),
    ("delete_domain", lambda g, k: g.domains.by_domain_id(k["create_domain"].id).delete()),
]

JOURNEYS = {
    "users": USERS,
    "groups": GROUPS,
    "devices": DEVICES,
    "roles": ROLES,
    "applications": APPLICATIONS,
    "conditional access": CONDITIONAL_ACCESS,
    "tenant": TENANT,
}


async def surroundings(g: Any, known: Known) -> None:
    """Objects that are there before."""
    known["person"] = await g.users.by_user_id("teun.bakker@contoso.com").get()
    known["device"] = (await g.devices.get()).value[0]
    roles = (await g.directory_roles.get()).value
    known["directory role"] = next(one for one in roles if one.display_name == "Directory Readers")
    graph = g.service_principals_with_app_id("00000003-0000-0000-c000-000000000000")
    known["resource"] = resource = await graph.get()
    known["role"] = next(one.id for one in resource.app_roles if one.value == "User.Read.All")


@pytest.mark.parametrize("journey", JOURNEYS)
def test_each_action_is_taken_and_answered(journey: str, tenant: Tenant, name: str) -> None:
    known: Known = {"name": name, "graph": tenant.ready["graph"], "tenant": tenant.ready["tenant_id"]}

    async def work(g: Any) -> None:
        await surroundings(g, known)
        if journey == "users":
            intranet = "displayName eq 'Intranet Portal'"
            known["resource"] = await _portal(g, intranet)
            known["role"] = known["resource"].app_roles[0].id
        for slug, step in JOURNEYS[journey]:
            known[slug] = await step(g, known)
            method, path = tenant.sent[-1]
            template = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(action(slug).path))
            assert method == action(slug).method, slug
            assert re.fullmatch(template, path, re.IGNORECASE), f"{slug}: {path}"
            assert (known[slug] is not None) == (204 not in action(slug).success), slug

    tenant.run(work)


async def _portal(g: Any, condition: str) -> Any:
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from msgraph.generated.service_principals.service_principals_request_builder import ServicePrincipalsRequestBuilder

    parameters = ServicePrincipalsRequestBuilder.ServicePrincipalsRequestBuilderGetQueryParameters(filter=condition)
    found = await g.service_principals.get(RequestConfiguration(query_parameters=parameters))
    return found.value[0]


def test_the_journeys_are_all_actions_of_the_guide() -> None:
    walked = [slug for steps in JOURNEYS.values() for slug, _ in steps]
    assert sorted(walked) == sorted(one.slug for one in actions() if one.name in FACTS)
