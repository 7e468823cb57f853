"""``/identity/conditionalAccess/policies``: learn.microsoft.com/graph/api/resources/conditionalaccesspolicy"""

from __future__ import annotations

import uuid

from entra_sandbox.graph import objects, roles, schema
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.errors import GraphFault
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Resource

__all__ = ["POLICIES", "bad"]

_WORDS = frozenset({"All", "None", "GuestsOrExternalUsers", "AllTrusted", "Office365", "MicrosoftAdminPortals"})
_APP_TYPES = frozenset({"all", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "easSupported", "other"})


def bad(number: int, message: str) -> GraphFault:
    """400 of the conditional access service: ``BadRequest`` with a numbered text."""
    return GraphFault(400, "BadRequest", f"{number}: {message}")


def create(call: Call, doc: Document) -> Document:
    """A policy; it needs a licence, and security defaults out of the way before it is enabled."""
    _check(call, doc)
    return {
        "templateId": None,
        "description": None,
        "grantControls": None,
        "sessionControls": None,
        **doc,
        "modifiedDateTime": None,
        "deletedDateTime": None,
        "conditions": {**_conditions(), **doc["conditions"]},
    }


def update(call: Call, old: Document, changes: Document) -> Document:
    """The whole policy is checked as it will be, with what is not named kept."""
    _check(call, objects.merged(old, changes))
    return {**changes, "modifiedDateTime": schema.timestamp(call.now)}


def _check(call: Call, doc: Document) -> None:
    conditions = doc.get("conditions") or {}
    users, applications = conditions.get("users") or {}, conditions.get("applications") or {}
    if not doc.get("displayName"):
        raise bad(1039, "The policy's display name is missing.")
    if not any(
        users.get(name) for name in ("includeUsers", "includeGroups", "includeRoles", "includeGuestsOrExternalUsers")
    ):
        workloads = (conditions.get("clientApplications") or {}).get("includeServicePrincipals")
        if not workloads:
            raise bad(1011, "'conditions.users' must include somebody.")
    if not any(
        applications.get(name)
        for name in ("includeApplications", "includeUserActions", "includeAuthenticationContextClassReferences")
    ):
        raise bad(1012, "'conditions.applications' must include something.")
    if set(conditions.get("clientAppTypes") or ["all"]) - _APP_TYPES:
        raise bad(1015, "Invalid client application type.")
    if not doc.get("grantControls") and not doc.get("sessionControls"):
        raise bad(1007, "The policy must have grant controls or session controls.")
    if (grant := doc.get("grantControls")) is not None:
        _check_grant(grant)
        _check_password_change(grant, conditions)
    _check_references(call, conditions)
    defaults = call.store.first("identitySecurityDefaultsEnforcementPolicy", call.tenant) or {}
    if doc.get("state") == "enabled" and defaults.get("isEnabled"):
        raise bad(
            1046,
            "Security Defaults is enabled in the tenant. You must disable Security defaults before enabling a "
            "Conditional Access policy.",
        )


def _check_grant(grant: Document) -> None:
    """Something is granted, by AND or OR, or all is blocked: …/graph/api/resources/conditionalaccessgrantcontrols"""
    controls = grant.get("builtInControls") or []
    others = [grant.get(name) for name in ("customAuthenticationFactors", "termsOfUse", "authenticationStrength")]
    if not controls and not any(others):
        raise bad(1007, "The grant controls of the policy are empty.")
    if not grant.get("operator"):
        raise bad(1007, "'grantControls.operator' must be AND or OR.")
    if "block" in controls and (len(controls) > 1 or any(others)):
        raise bad(1007, "'block' goes with no other grant control.")


def _check_password_change(grant: Document, conditions: Document) -> None:
    """With mfa, for user risk alone: learn.microsoft.com/graph/api/resources/conditionalaccessgrantcontrols"""
    controls = set(grant.get("builtInControls") or [])
    if "passwordChange" not in controls:
        return
    if controls != {"mfa", "passwordChange"} or grant.get("operator") != "AND":
        raise bad(1085, "passwordChange goes with mfa by the operator AND.")
    applications = conditions.get("applications") or {}
    if applications.get("includeApplications") != ["All"] or applications.get("excludeApplications"):
        raise bad(1085, "passwordChange is for all applications.")
    others = {name for name, value in conditions.items() if value} - {"applications", "users", "userRiskLevels"}
    if not conditions.get("userRiskLevels") or others - ({"clientAppTypes"} if _every_client(conditions) else set()):
        raise bad(1085, "passwordChange is for levels of user risk and no other condition.")


def _every_client(conditions: Document) -> bool:
    return conditions.get("clientAppTypes") == ["all"]


def _check_references(call: Call, conditions: Document) -> None:
    listed = {
        "user": [*_ids(conditions, "users", "includeUsers"), *_ids(conditions, "users", "excludeUsers")],
        "group": [*_ids(conditions, "users", "includeGroups"), *_ids(conditions, "users", "excludeGroups")],
        "namedLocation": [
            *_ids(conditions, "locations", "includeLocations"),
            *_ids(conditions, "locations", "excludeLocations"),
        ],
    }
    for one in [*_ids(conditions, "users", "includeRoles"), *_ids(conditions, "users", "excludeRoles")]:
        if one.lower() not in {template["id"] for template in roles.templates()}:
            raise bad(1042, f"Invalid role id: {one}.")
    for name in ("includeApplications", "excludeApplications"):
        for one in _ids(conditions, "applications", name):
            if call.store.first("servicePrincipal", call.tenant, appId=one) is None:
                raise bad(1042, f"Invalid application id: {one}.")
    for kind, ids in listed.items():
        for one in ids:
            row = call.store.row(kind, one, call.tenant)
            if row is None or row.link_from > call.at:
                raise bad(1018 if kind == "user" else 1042, f"Invalid {kind} id: {one}.")


def _ids(conditions: Document, part: str, name: str) -> list[str]:
    values = [one for one in (conditions.get(part) or {}).get(name) or [] if one not in _WORDS]
    for one in values:
        try:
            uuid.UUID(one)
        except ValueError:
            raise bad(1018, f"Invalid value '{one}' in conditions.{part}.{name}.") from None
    return values


def _conditions() -> Document:
    return {"clientAppTypes": ["all"], "servicePrincipalRiskLevels": [], "signInRiskLevels": [], "userRiskLevels": []}


POLICIES = Resource(
    path="identity/conditionalAccess/policies",
    entity="conditionalAccessPolicy",
    operations=("list", "get", "create", "update", "delete"),
    required=("displayName", "state", "conditions"),
    read_only=("createdDateTime", "modifiedDateTime", "templateId"),
    advanced=False,
    quota=False,
    soft_delete=True,
    create=create,
    update=update,
)

register(POLICIES)
