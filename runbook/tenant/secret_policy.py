"""What the tenant's app management policy says about client secrets, read before anything is planned.

Source: learn.microsoft.com/graph/api/resources/appmanagementconfiguration (passwordCredentials restrictions).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from runbook.errors import GraphError
from runbook.tenant.base import Context
from runbook.tenant.credentials import when

_DEFAULT = "/policies/defaultAppManagementPolicy"
_DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)(?:\.\d+)?S)?)?"
)


@dataclass(frozen=True)
class SecretPolicy:
    """``max_days`` is None without a limit; ``known`` is False when the policy may not be read.

    ``perhaps``: forbidden to all but callers that the policy exempts. ``name``: of the policy.
    """

    known: bool = True
    forbidden: bool = False
    perhaps: bool = False
    max_days: int | None = None
    name: str = ""


def days(duration: str) -> int | None:
    """Whole days of an ISO 8601 duration; a month counts 30 and a year 365, so the result is never too long."""
    match = _DURATION.fullmatch(duration)
    if match is None or duration in ("P", "PT"):
        return None
    part = {name: int(text) for name, text in match.groupdict().items() if text}
    whole = 365 * part.pop("years", 0) + 30 * part.pop("months", 0)
    return whole + timedelta(**part).days


def read_policy(ctx: Context, found: Mapping[str, Any] | None) -> SecretPolicy:
    """What binds our application (or one made now): a policy of its own, else the tenant's default policy."""
    try:
        own = ctx.snapshot.items(f"/applications/{found['id']}/appManagementPolicies", _DEFAULT) if found else []
        policy = own[0] if own else ctx.snapshot.find(_DEFAULT)
    except GraphError as error:
        if error.status == 403:
            return SecretPolicy(known=False)
        raise
    if not policy or not policy.get("isEnabled"):
        return SecretPolicy()
    restrictions = policy.get("restrictions" if own else "applicationRestrictions") or {}
    rules = list(_in_force(restrictions.get("passwordCredentials") or (), found))
    limits = [days(str(r.get("maxLifetime") or "")) for r in rules if r.get("restrictionType") == "passwordLifetime"]
    known = [limit for limit in limits if limit is not None]
    forbidding = [rule for rule in rules if rule.get("restrictionType") == "passwordAddition"]
    # Which callers are exempt depends on attributes that few sign-ins may read: that shows when it is tried.
    strict = [rule for rule in forbidding if not (rule.get("excludeActors") or {}).get("customSecurityAttributes")]
    return SecretPolicy(
        forbidden=bool(strict) or 0 in known,
        perhaps=bool(forbidding) and not strict,
        max_days=min(known) if known else None,
        name=str(policy.get("displayName") or ""),
    )


def _in_force(rules: Iterable[Mapping[str, Any]], found: Mapping[str, Any] | None) -> Iterable[Mapping[str, Any]]:
    """The rules that are enabled and concern this application: some hold only for those created after a date."""
    created = when((found or {}).get("createdDateTime"))
    for rule in rules:
        after = when(rule.get("restrictForAppsCreatedAfterDateTime"))
        exempt = after is not None and created is not None and created < after
        if rule.get("state", "enabled") == "enabled" and not exempt:
            yield rule
