"""The organization, its domains, licences and role templates."""

from __future__ import annotations

import uuid
from typing import Any

from entra_sandbox.graph import roles
from entra_sandbox.seed.tenant import EPOCH, NAMESPACE, Tenant, data
from entra_sandbox.store import Document

__all__ = ["add_organization"]


def add_organization(tenant: Tenant) -> None:
    """The organization, its domains and its licences."""
    described = tenant.described
    names = list(dict.fromkeys([described["initial"], described["default"]]))
    domains = [_domain(tenant, name, verified=True) for name in names]
    domains += [_domain(tenant, name, verified=False) for name in described["unverified"]]
    tenant.put("domain", domains)
    listed = [
        {
            "capabilities": "Email, OfficeCommunicationsOnline",
            "isDefault": domain["isDefault"],
            "isInitial": domain["isInitial"],
            "name": domain["id"],
            "type": "Managed",
        }
        for domain in domains
        if domain["isVerified"]
    ]
    tenant.put("organization", [_organization(tenant.tenant_id, tenant.name, described, listed)])
    tenant.put("subscribedSku", [_sku(tenant.tenant_id, sku) for sku in data()["skus"]])
    tenant.put("directoryRoleTemplate", [dict(template) for template in roles.templates()])


def _domain(tenant: Tenant, name: str, *, verified: bool) -> Document:
    return {
        "id": name,
        "authenticationType": "Managed",
        "availabilityStatus": None,
        "isAdminManaged": True,
        "isDefault": name == tenant.domain,
        "isInitial": name == tenant.described["initial"],
        "isRoot": True,
        "isVerified": verified,
        "passwordNotificationWindowInDays": 14 if verified else None,
        "passwordValidityPeriodInDays": 2147483647 if verified else None,
        "supportedServices": ["Email", "OfficeCommunicationsOnline"] if verified else [],
    }


def _organization(tenant_id: str, name: str, described: dict[str, Any], domains: list[Document]) -> Document:
    return {
        "id": tenant_id,
        "assignedPlans": [],
        "businessPhones": [],
        "city": described["city"],
        "country": None,
        "countryLetterCode": described["country"],
        "createdDateTime": EPOCH.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "defaultUsageLocation": described["country"],
        "displayName": name,
        "marketingNotificationEmails": [],
        "onPremisesSyncEnabled": None,
        "postalCode": described["postal"],
        "preferredLanguage": "en",
        "privacyProfile": None,
        "securityComplianceNotificationMails": [],
        "securityComplianceNotificationPhones": [],
        "state": None,
        "street": described["street"],
        "technicalNotificationMails": [f"it@{described['default']}"],
        "tenantType": "AAD",
        "verifiedDomains": domains,
    }


def _sku(tenant_id: str, sku: dict[str, Any]) -> Document:
    return {
        "id": f"{tenant_id}_{sku['skuId']}",
        "accountId": tenant_id,
        "accountName": "",
        "appliesTo": "User",
        "capabilityStatus": "Enabled",
        "consumedUnits": 0,
        "prepaidUnits": {"enabled": sku["enabled"], "suspended": 0, "warning": 0, "lockedOut": 0},
        "servicePlans": [
            {
                "appliesTo": "User",
                "provisioningStatus": "Success",
                "servicePlanId": _plan_id(name),
                "servicePlanName": name,
            }
            for name in sku["plans"]
        ],
        "skuId": sku["skuId"],
        "skuPartNumber": sku["partNumber"],
        "subscriptionIds": [_plan_id(sku["partNumber"])],
    }


def _plan_id(name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, name))
