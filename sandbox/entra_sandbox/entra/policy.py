"""Whether this person may sign in to this application now: accounts, assignments, Conditional Access.

Conditional Access as far as a local request can meet its conditions: users, groups, roles, applications, client types
and the device-code flow. A policy with a condition that cannot hold here (risk, platform, named location) does not
apply. learn.microsoft.com/entra/identity/conditional-access/concept-conditional-access-conditions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from entra_sandbox.entra.directory import Client, User
from entra_sandbox.entra.errors import AadError
from entra_sandbox.store import Document, Store

__all__ = ["check_application", "check_sign_in"]

_NEVER_MET = ("platforms", "devices", "signInRiskLevels", "userRiskLevels", "servicePrincipalRiskLevels")
_COMPLIANT = frozenset({"compliantDevice", "domainJoinedDevice", "approvedApplication", "compliantApplication"})


def check_application(client: Client, principal: Document | None) -> None:
    """AADSTS7000112 if the application was disabled in the tenant."""
    if principal is not None and principal.get("accountEnabled") is False:
        raise AadError(7000112, app_id=client.app_id, app_name=client.name)


def check_sign_in(
    store: Store,
    user: User,
    client: Client,
    principal: Document | None,
    resource_app_id: str,
    methods: Iterable[str],
    *,
    device_code: bool = False,
) -> None:
    """AADSTS50057 disabled account, 7000112, 50105 not assigned, 53003 blocked, 50076 MFA, 53000 device."""
    if user.document.get("accountEnabled") is False:
        raise AadError(50057)
    check_application(client, principal)
    if principal is not None and principal.get("appRoleAssignmentRequired") and not _assigned(store, user, principal):
        raise AadError(50105, app_name=client.name, app_id=client.app_id, user=user.name)
    controls = _controls(store, user, {client.app_id.lower(), resource_app_id.lower()}, device_code)
    if "block" in controls:
        raise AadError(53003)
    if "mfa" in controls and "mfa" not in set(methods):
        raise AadError(50076, resource=resource_app_id)
    if controls & _COMPLIANT:
        raise AadError(53000, state="unregistered")


def _assigned(store: Store, user: User, principal: Document) -> bool:
    principals = {user.id.lower(), *(group.lower() for group in store.links_to("group.members", user.id))}
    rows = store.find("appRoleAssignment", resourceId=principal["id"])
    return any(str(row["principalId"]).lower() in principals for row in rows)


def _controls(store: Store, user: User, applications: set[str], device_code: bool) -> set[str]:
    """Grant controls of every enabled policy that applies."""
    controls: set[str] = set()
    for policy in store.find("conditionalAccessPolicy", user.tenant.id, state="enabled"):
        conditions = policy.get("conditions") or {}
        if _applies(store, conditions, user, applications, device_code):
            wanted = set((policy.get("grantControls") or {}).get("builtInControls") or ())
            either = str((policy.get("grantControls") or {}).get("operator") or "AND").upper() == "OR"
            # With OR the person meets the one that can be met here.
            controls |= {"mfa"} if either and "mfa" in wanted and "block" not in wanted else wanted
    return controls


def _applies(store: Store, conditions: dict[str, Any], user: User, applications: set[str], device_code: bool) -> bool:
    if any(conditions.get(name) for name in _NEVER_MET) or conditions.get("clientApplications"):
        return False
    if (flows := conditions.get("authenticationFlows")) and not (
        device_code and "deviceCodeFlow" in str(flows.get("transferMethods"))
    ):
        return False
    kinds = set(conditions.get("clientAppTypes") or ["all"])
    if not kinds & {"all", "browser", "mobileAppsAndDesktopClients"}:
        return False
    locations = conditions.get("locations") or {}
    if locations and "All" not in (locations.get("includeLocations") or ()):
        return False
    return _names_application(conditions.get("applications") or {}, applications) and _names_user(
        store, conditions.get("users") or {}, user
    )


def _names_application(condition: dict[str, Any], applications: set[str]) -> bool:
    included = {str(one).lower() for one in condition.get("includeApplications") or ()}
    excluded = {str(one).lower() for one in condition.get("excludeApplications") or ()}
    return bool(("all" in included or included & applications) and not excluded & applications)


def _names_user(store: Store, condition: dict[str, Any], user: User) -> bool:
    groups = {group.lower() for group in store.links_to("group.members", user.id)}
    roles = {role.lower() for role in user.roles}

    def named(prefix: str) -> bool:
        users = {str(one).lower() for one in condition.get(f"{prefix}Users") or ()}
        return bool(
            users & {"all", user.id.lower()}
            or groups & {str(one).lower() for one in condition.get(f"{prefix}Groups") or ()}
            or roles & {str(one).lower() for one in condition.get(f"{prefix}Roles") or ()}
        )

    return named("include") and not named("exclude")
