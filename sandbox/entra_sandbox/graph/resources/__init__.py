"""Every resource, one module each, named as in the address. To add one: a module and a line here."""

from __future__ import annotations

from entra_sandbox.graph.resource import Resource
from entra_sandbox.graph.resources import (
    app_role_assignments,
    applications,
    conditional_access_policies,
    deleted_items,
    devices,
    directory_objects,
    directory_role_templates,
    directory_roles,
    domains,
    federated_identity_credentials,
    groups,
    me,
    memberships,
    named_locations,
    oauth2_permission_grants,
    organization,
    policies,
    role_management,
    service_principals,
    subscribed_skus,
    users,
)

__all__ = ["RESOURCES"]

RESOURCES: tuple[Resource, ...] = (
    *users.RESOURCES,
    *groups.RESOURCES,
    *devices.RESOURCES,
    *memberships.RESOURCES,
    *applications.RESOURCES,
    *service_principals.RESOURCES,
    *app_role_assignments.RESOURCES,
    *federated_identity_credentials.RESOURCES,
    *oauth2_permission_grants.RESOURCES,
    *directory_roles.RESOURCES,
    *directory_role_templates.RESOURCES,
    *role_management.RESOURCES,
    *domains.RESOURCES,
    *organization.RESOURCES,
    *conditional_access_policies.RESOURCES,
    *named_locations.RESOURCES,
    *deleted_items.RESOURCES,
    *directory_objects.RESOURCES,
    *policies.RESOURCES,
    *subscribed_skus.RESOURCES,
    *me.RESOURCES,
)
