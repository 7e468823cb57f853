"""Groups: departments, dynamic ones, teams, access groups and special ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from entra_sandbox.seed.tenant import Tenant, ascii_only, data
from entra_sandbox.store import Document

__all__ = ["add_groups"]


def add_groups(tenant: Tenant) -> None:
    """Departments (security, nested under one for all), dynamic groups, teams, access groups and special ones."""
    members = [user for user in tenant.users if user["userType"] == "Member"]
    listed = [department["name"] for department in data()["departments"]]
    everybody = _group(tenant, "All Staff", description="Everybody, by department")
    made = [everybody]
    for department in listed:
        group = _group(tenant, department, description=f"People of {department}")
        made.append(group)
        _members(tenant, group, [user["id"] for user in members if user["department"] == department])
        tenant.store.link("group.members", everybody["id"], group["id"])
    for department in listed:
        rule = f'(user.department -eq "{department}") and (user.accountEnabled -eq true)'
        group = _group(tenant, f"Dynamic - {department}", membershipRule=rule, groupTypes=["DynamicMembership"])
        made.append(group)
        found = [user for user in tenant.users if user["department"] == department and user["accountEnabled"]]
        _members(tenant, group, [user["id"] for user in found])
    for team in data()["teams"]:
        group = _team(tenant, team)
        made.append(group)
        _members(tenant, group, [user["id"] for user in tenant.random.sample(tenant.users, min(14, len(tenant.users)))])
    for name in data()["access"]:
        group = _group(tenant, name, description="Access group")
        made.append(group)
        _members(tenant, group, [user["id"] for user in tenant.random.sample(members, min(25, len(members)))])
    made += _special(tenant, members)
    tenant.put("group", made)
    owners = ((group["id"], tenant.random.choice(members)["id"]) for group in made)
    tenant.store.link_many("group.owners", owners)


def _special(tenant: Tenant, members: list[Document]) -> list[Document]:
    tier = _group(tenant, "Tier 0 Administrators", isAssignableToRole=True, visibility="Private")
    _members(tenant, tier, [members[0]["id"]])
    distribution = _group(tenant, "Announcements", mailEnabled=True, mail=f"announcements@{tenant.domain}")
    hidden = _team(tenant, "Works Council", visibility="HiddenMembership")
    _members(tenant, hidden, [user["id"] for user in members[8:14]])
    computers = _group(tenant, "Managed Computers", description="Devices that are managed")
    return [tier, distribution, hidden, computers]


def _group(tenant: Tenant, name: str, **more: Any) -> Document:
    document: Document = {
        "id": tenant.id("group", name),
        "createdDateTime": tenant.date(),
        "description": None,
        "displayName": name,
        "groupTypes": [],
        "isAssignableToRole": None,
        "mail": None,
        "mailEnabled": False,
        "mailNickname": ascii_only(name.lower().replace(" ", "-").replace("---", "-")),
        "membershipRule": None,
        "proxyAddresses": [],
        "renewedDateTime": None,
        "securityEnabled": True,
        "visibility": None,
        **more,
    }
    if document["membershipRule"]:
        document["membershipRuleProcessingState"] = "On"
    return document


def _team(tenant: Tenant, name: str, *, visibility: str = "Public") -> Document:
    mail = f"{ascii_only(name.lower().replace(' ', '-'))}@{tenant.domain}"
    return _group(
        tenant,
        name,
        description=f"Project {name}",
        groupTypes=["Unified"],
        mail=mail,
        mailEnabled=True,
        proxyAddresses=[f"SMTP:{mail}"],
        securityEnabled=False,
        visibility=visibility,
    )


def _members(tenant: Tenant, group: Document, ids: Iterable[str]) -> None:
    tenant.store.link_many("group.members", ((group["id"], one) for one in ids))
