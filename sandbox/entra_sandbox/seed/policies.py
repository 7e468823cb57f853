"""Policies of which a tenant has one each, named locations and conditional access policies."""

from __future__ import annotations

from entra_sandbox.graph import roles
from entra_sandbox.seed.tenant import Tenant, data
from entra_sandbox.store import Document

__all__ = ["add_conditional_access", "add_policies"]


def add_policies(tenant: Tenant) -> None:
    """The policies of ``seed.json``, one of each kind."""
    for kind, document in data()["policies"].items():
        tenant.put(kind, [document])


def add_conditional_access(tenant: Tenant) -> None:
    """Locations, and policies of which none keeps anybody of the rehearsal out."""
    stamp = tenant.date()
    times = {"createdDateTime": stamp, "modifiedDateTime": stamp, "deletedDateTime": None}
    ranges = [{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "203.0.113.0/24"}]
    branches = [{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "198.51.100.0/25"}]
    address = {"@odata.type": "#microsoft.graph.ipNamedLocation", **times}
    tenant.put(
        "namedLocation",
        [
            {
                **address,
                "id": _location(tenant, "Headquarters"),
                "displayName": "Headquarters",
                "isTrusted": True,
                "ipRanges": ranges,
            },
            {
                **address,
                "id": _location(tenant, "Branches"),
                "displayName": "Branches",
                "isTrusted": False,
                "ipRanges": branches,
            },
            {
                **times,
                "@odata.type": "#microsoft.graph.countryNamedLocation",
                "id": _location(tenant, "Blocked countries"),
                "displayName": "Blocked countries",
                "countriesAndRegions": ["AQ"],
                "countryLookupMethod": "clientIpAddress",
                "includeUnknownCountriesAndRegions": False,
            },
        ],
    )
    administrators = {"includeRoles": [roles.GLOBAL_ADMINISTRATOR], "excludeUsers": [tenant.users[7]["id"]]}
    legacy = {"clientAppTypes": ["exchangeActiveSync", "other"], "users": {"includeUsers": ["All"]}}
    countries = {
        "users": {"includeUsers": ["All"]},
        "locations": {"includeLocations": [_location(tenant, "Blocked countries")]},
    }
    report_only = "enabledForReportingButNotEnforced"
    tenant.put(
        "conditionalAccessPolicy",
        [
            _policy(tenant, "Require MFA for administrators", report_only, {"users": administrators}, "mfa", times),
            _policy(tenant, "Block legacy authentication", "enabled", legacy, "block", times),
            _policy(tenant, "Block countries", "disabled", countries, "block", times),
        ],
    )


def _policy(tenant: Tenant, name: str, state: str, conditions: Document, control: str, times: Document) -> Document:
    users = dict.fromkeys(
        ("includeUsers", "excludeUsers", "includeGroups", "excludeGroups", "includeRoles", "excludeRoles")
    )
    filled = {key: conditions["users"].get(key) or [] for key in users}
    return {
        **times,
        "id": tenant.id("conditionalAccessPolicy", name),
        "conditions": {
            "clientAppTypes": ["all"],
            "servicePrincipalRiskLevels": [],
            "signInRiskLevels": [],
            "userRiskLevels": [],
            "applications": {
                "includeApplications": ["All"],
                "excludeApplications": [],
                "includeUserActions": [],
                "includeAuthenticationContextClassReferences": [],
            },
            **conditions,
            "users": filled,
        },
        "description": None,
        "displayName": name,
        "grantControls": {
            "operator": "OR",
            "builtInControls": [control],
            "customAuthenticationFactors": [],
            "termsOfUse": [],
        },
        "sessionControls": None,
        "state": state,
        "templateId": None,
    }


def _location(tenant: Tenant, name: str) -> str:
    return tenant.id("namedLocation", name)
