"""App management policies as they bind: the rules for one application or service principal and one caller.

learn.microsoft.com/graph/api/resources/applicationauthenticationmethodpolicy: a policy of the object's own takes the
place of the tenant's default policy; learn.microsoft.com/graph/api/resources/appmanagementpolicyactorexemptions: a
caller with one of the custom security attributes is exempt from a rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from entra_sandbox.graph.call import Call
from entra_sandbox.graph.errors import GraphFault, bad_request
from entra_sandbox.graph.resource import Document, Link
from entra_sandbox.tables import SECURITY_ATTRIBUTES

__all__ = ["assigned_policies", "check_audience", "check_credential", "shown"]

_OWN = ("application.appManagementPolicies", "servicePrincipal.appManagementPolicies")
_DURATION = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?\Z")


def check_credential(
    call: Call, doc: Document, kind: str, begin: datetime, end: datetime, *, custom: bool = False
) -> None:
    """400 if a policy forbids a new credential (``passwordCredentials`` or ``keyCredentials``), or its life."""
    password = kind == "passwordCredentials"
    forbidden = {"passwordAddition", *(["customPasswordAddition"] if custom else [])} if password else set()
    lifetime = "passwordLifetime" if password else "asymmetricKeyLifetime"
    restrictions, _ = _restrictions(call, doc)
    for rule in _binding(call, doc, restrictions.get(kind) or []):
        if rule["restrictionType"] in forbidden:
            message = "Credential type not allowed as per assigned policy"
            raise GraphFault(400, "CredentialTypeNotAllowedAsPerAppPolicy", message)
        if rule["restrictionType"] == lifetime and end - begin > _duration(rule.get("maxLifetime")):
            message = "Credential lifetime exceeds the max value allowed as per assigned policy"
            raise GraphFault(400, "CredentialInvalidLifetimeAsPerAppPolicy", message)


def check_audience(call: Call, doc: Document) -> None:
    """400 if a policy forbids the application's ``signInAudience``."""
    audience = str(doc["signInAudience"])
    restrictions, policy = _restrictions(call, doc)
    rule = (restrictions.get("audiences") or {}).get(audience[0].lower() + audience[1:])
    if rule and any(_binding(call, doc, [rule])):
        raise bad_request(
            f"SignInAudience value '{audience}' not allowed as per assigned policy '{policy}'. Set the application to "
            "use single-tenant audience of 'AzureADMyOrg'."
        )


def assigned_policies(kind: str) -> Link:
    """The relationship ``appManagementPolicies`` of applications or service principals."""
    arrow = f"{kind}.appManagementPolicies"

    def check(call: Call, doc: Document, policy: Document) -> None:
        if any(one != policy["id"] for one in call.store.links(arrow, doc["id"])):
            raise bad_request("Only one app management policy can be assigned to an application or service principal.")

    return Link("appManagementPolicies", arrow, ("appManagementPolicy",), writable=True, add=check)


def shown(_call: Call, doc: Document) -> Document:
    """A policy as v1.0 shows it, which has no word for restrictions of audiences."""
    parts = ("restrictions", "applicationRestrictions", "servicePrincipalRestrictions")
    cut = {name: {key: one for key, one in doc[name].items() if key != "audiences"} for name in parts if doc.get(name)}
    return {**doc, **cut}


def _restrictions(call: Call, doc: Document) -> tuple[Document, str]:
    """The restrictions that hold for the object, and the id of their policy."""
    for arrow in _OWN:
        for assigned in call.store.links(arrow, doc["id"]):
            policy = call.store.get("appManagementPolicy", assigned, call.tenant)
            if policy is not None:
                return (policy.get("restrictions") or {}) if policy.get("isEnabled") else {}, policy["id"]
    default = call.store.first("tenantAppManagementPolicy", call.tenant) or {}
    part = "applicationRestrictions" if "requiredResourceAccess" in doc else "servicePrincipalRestrictions"
    return (default.get(part) or {}) if default.get("isEnabled") else {}, str(default.get("id"))


def _binding(call: Call, doc: Document, rules: list[Document]) -> Iterator[Document]:
    made = doc.get("createdDateTime")
    for rule in rules:
        since = rule.get("restrictForAppsCreatedAfterDateTime")
        old = bool(since and made and datetime.fromisoformat(made) < datetime.fromisoformat(since))
        if rule.get("state", "enabled") == "enabled" and not old and not _exempt(call, rule):
            yield rule


def _exempt(call: Call, rule: Document) -> bool:
    """Whether the caller, a person or an application, has one of the attributes; the case of values counts."""
    conditions = (rule.get("excludeActors") or {}).get("customSecurityAttributes") or []
    kept = call.store.get(SECURITY_ATTRIBUTES, call.caller.object_id) if conditions else None
    attributes = (kept or {}).get("attributes", {})
    return any(one.get("value") in attributes.get(one["id"], ()) for one in conditions)


def _duration(text: str | None) -> timedelta:
    match = _DURATION.match(text or "")
    if match is None:
        return timedelta.max
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=years * 365 + months * 30 + weeks * 7 + days, hours=hours, minutes=minutes, seconds=seconds)
