"""``/groups``: learn.microsoft.com/graph/api/resources/group"""

from __future__ import annotations

import re

from entra_sandbox import facts
from entra_sandbox.graph import access, errors, hidden
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Link, Resource
from entra_sandbox.graph.roles import role_id

__all__ = ["GROUPS", "MOST_ASSIGNABLE", "MOST_OWNERS"]

_NICKNAME = re.compile(r"[^\s@()\\\[\]\";:<>,\x80-\U0010ffff]{1,64}\Z")
_ROLE_WRITER = "RoleManagement.ReadWrite.Directory"
# learn.microsoft.com/entra/identity/users/directory-service-limits-restrictions
MOST_ASSIGNABLE, MOST_OWNERS = 500, 100


def create(call: Call, doc: Document) -> Document:
    """A security or Microsoft 365 group; the person who makes it owns it."""
    for name in ("mailEnabled", "securityEnabled"):
        if doc.get(name) is None:
            raise errors.missing_value(name, "Group")
    _check(call, doc, None)
    _check_licence(call, doc)
    if doc.get("isAssignableToRole"):
        _check_assignable(call)
        if not doc["securityEnabled"] or _dynamic(doc) or doc.get("visibility") == "Public":
            raise errors.bad_request(
                "A role-assignable group must be security-enabled, not public, with assigned membership."
            )
        where = "o.doc ->> '$.isAssignableToRole' = 1"
        if call.store.count("group", call.tenant, where=where) >= MOST_ASSIGNABLE:
            raise errors.quota_exceeded()
        doc.setdefault("visibility", "Private")
    if not call.caller.app_only:
        call.store.link("group.owners", doc["id"], call.caller.object_id)
    domain = call.store.first("domain", call.tenant, isDefault=True)
    mail = f"{doc['mailNickname']}@{domain['id']}" if domain and _unified(doc) else None
    return {
        **doc,
        "mail": mail,
        "proxyAddresses": [f"SMTP:{mail}"] if mail else [],
        "visibility": doc.get("visibility") or ("Public" if _unified(doc) else None),
        "renewedDateTime": None,
    }


def update(call: Call, old: Document, changes: Document) -> Document:
    """What a group is (types, role assignable) stays."""
    _check_master(old, "Update")
    if _unified({**old, **changes}) != _unified(old):
        raise errors.invalid_value("groupTypes", "Group")
    if changes.get("visibility", old.get("visibility")) != old.get("visibility") and "HiddenMembership" in (
        changes["visibility"],
        old.get("visibility"),
    ):
        raise errors.invalid_value("visibility", "Group")
    if old.get("isAssignableToRole"):
        _check_assignable(call)
    if not _dynamic(old):
        _check_licence(call, changes)
    _check(call, {**old, **changes}, old["id"])
    return changes


def delete(call: Call, doc: Document) -> None:
    """Role-assignable groups need the permission to manage roles; a hard delete takes its assignments along."""
    _check_master(doc, "Delete", synced=False)
    if doc.get("isAssignableToRole"):
        _check_assignable(call)
    for row in call.store.find("appRoleAssignment", call.tenant, principalId=doc["id"]):
        call.store.delete("appRoleAssignment", row["id"], call.tenant)


def check_member(call: Call, group: Document, member: Document) -> None:
    """Which kinds a group may hold, and which permission a kind needs besides."""
    check_removal(call, group, member)
    kind = _kind(call, member)
    if member["id"] == group["id"]:
        raise errors.bad_request("A group cannot be a member of itself.")
    if kind != "user" and (_unified(group) or (group.get("isAssignableToRole") and kind == "group")):
        raise errors.bad_request("An invalid operation was included in the following modified references: 'members'.")
    _check_target(call, kind)


def check_removal(call: Call, group: Document, _member: Document) -> None:
    """Membership that somebody else decides cannot be changed here."""
    if _dynamic(group):
        raise errors.bad_request("Insufficient privileges to complete the operation: the group is dynamic.")
    _check_master(group, "Update")
    if group.get("isAssignableToRole"):
        _check_assignable(call)


def check_owner_removal(call: Call, group: Document, owner: Document) -> None:
    """The last owner who is a person stays: learn.microsoft.com/graph/api/group-delete-owners"""
    owners = call.store.links("group.owners", group["id"])
    people = [one for one in owners if call.store.row("user", one, call.tenant) is not None]
    if people == [owner["id"]]:
        raise errors.bad_request("The group must have at least one owner, hence this owner cannot be removed.")


def _check_master(group: Document, verb: str, *, synced: bool = True) -> None:
    """Exchange keeps distribution lists and mail-enabled security groups, a domain on-premises what it synchronizes."""
    if group.get("mailEnabled") and not _unified(group):
        raise errors.mail_enabled(verb)
    if synced and group.get("onPremisesSyncEnabled"):
        raise errors.synced()


def _check_target(call: Call, kind: str) -> None:
    besides = facts.actions()["add_group_member"].besides.get(kind, {})
    needed = besides.get("application" if call.caller.app_only else "delegated", ())
    extra = {name for one in needed for name in one} - {"GroupMember.ReadWrite.All"}
    enough = {"Directory.ReadWrite.All", access.AS_USER} & call.caller.granted
    if extra - call.caller.granted and not enough:
        raise errors.denied()


def _check(call: Call, doc: Document, own_id: str | None) -> None:
    if not _NICKNAME.match(doc.get("mailNickname") or ""):
        raise errors.invalid_value("mailNickname", "Group")
    if _unified(doc):
        same = call.store.find("group", call.tenant, mailNickname=doc["mailNickname"])
        if any(_unified(one) and one["id"] != own_id for one in same):
            raise errors.conflict("mailNickname")
    if not doc.get("displayName"):
        raise errors.invalid_value("displayName", "Group")
    if set(doc.get("groupTypes") or []) - {"Unified", "DynamicMembership"}:
        raise errors.invalid_value("groupTypes", "Group")
    if _unified(doc) and not doc.get("mailEnabled"):
        raise errors.invalid_value("mailEnabled", "Group")
    if not _unified(doc) and (doc.get("mailEnabled") or not doc.get("securityEnabled")):
        raise errors.bad_request(
            "The service does not currently support writes of mail-enabled groups. Please ensure that the "
            "mail-enablement property is unset and the security-enablement property is set."
        )
    if doc.get("visibility") == "HiddenMembership" and not _unified(doc):
        raise errors.invalid_value("visibility", "Group")
    if bool(doc.get("membershipRule")) != _dynamic(doc):
        raise errors.bad_request("The membership rule and the group type 'DynamicMembership' belong together.")
    if name := doc.get("uniqueName"):
        taken = call.store.first("group", call.tenant, deleted=None, uniqueName=name)
        if taken is not None and taken["id"] != own_id:
            raise errors.conflict("uniqueName")


def _check_licence(call: Call, doc: Document) -> None:
    """Members by a rule, and roles for a group, take Entra ID P1: learn.microsoft.com/graph/api/resources/group"""
    if (_dynamic(doc) or doc.get("isAssignableToRole")) and not access.has_premium(call):
        raise errors.no_premium()


def _check_assignable(call: Call) -> None:
    if _ROLE_WRITER not in call.caller.granted:
        raise errors.denied()
    if not call.caller.app_only and not access.holds_role(call, frozenset({role_id("Privileged Role Administrator")})):
        raise errors.denied()


def _dynamic(doc: Document) -> bool:
    return "DynamicMembership" in (doc.get("groupTypes") or [])


def _unified(doc: Document) -> bool:
    return "Unified" in (doc.get("groupTypes") or [])


def _kind(call: Call, doc: Document) -> str:
    row = call.store.resolve([doc["id"]]).get(doc["id"].lower())
    return row.kind if row else ""


GROUPS = Resource(
    path="groups",
    entity="group",
    alternate_keys=("uniqueName",),
    upsert="uniqueName",
    select=(
        "id",
        "deletedDateTime",
        "classification",
        "createdDateTime",
        "description",
        "displayName",
        "expirationDateTime",
        "groupTypes",
        "isAssignableToRole",
        "mail",
        "mailEnabled",
        "mailNickname",
        "membershipRule",
        "membershipRuleProcessingState",
        "onPremisesDomainName",
        "onPremisesLastSyncDateTime",
        "onPremisesNetBiosName",
        "onPremisesProvisioningErrors",
        "onPremisesSamAccountName",
        "onPremisesSecurityIdentifier",
        "onPremisesSyncEnabled",
        "preferredDataLocation",
        "preferredLanguage",
        "proxyAddresses",
        "renewedDateTime",
        "resourceBehaviorOptions",
        "resourceProvisioningOptions",
        "securityEnabled",
        "securityIdentifier",
        "theme",
        "uniqueName",
        "visibility",
    ),
    required=("displayName", "mailNickname"),
    read_only=(
        "assignedLicenses",
        "createdDateTime",
        "expirationDateTime",
        "hasMembersWithLicenseErrors",
        "isArchived",
        "isManagementRestricted",
        "licenseProcessingState",
        "mail",
        "onPremisesDomainName",
        "onPremisesLastSyncDateTime",
        "onPremisesSamAccountName",
        "onPremisesSecurityIdentifier",
        "onPremisesSyncEnabled",
        "proxyAddresses",
        "renewedDateTime",
        "securityIdentifier",
    ),
    create_only=("isAssignableToRole",),
    defaults=lambda: {"groupTypes": []},
    soft_delete=_unified,
    create=create,
    update=update,
    delete=delete,
    links=(
        Link(
            "members",
            "group.members",
            ("user", "group", "device", "servicePrincipal", "orgContact"),
            writable=True,
            hidden=("servicePrincipal",),
            deletes_target=True,
            read=hidden.check_read,
            add=check_member,
            remove=check_removal,
        ),
        Link(
            "owners",
            "group.owners",
            ("user", "servicePrincipal"),
            writable=True,
            most=MOST_OWNERS,
            remove=check_owner_removal,
        ),
        Link("memberOf", "group.members", ("group",), reverse=True, visible=hidden.visible),
    ),
)

register(GROUPS)
