"""``/users``: learn.microsoft.com/graph/api/resources/user"""

from __future__ import annotations

import re

from entra_sandbox import facts
from entra_sandbox.entra import credentials
from entra_sandbox.graph import access, errors, hidden, schema
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Link, Resource, Route
from entra_sandbox.graph.resources.oauth2_permission_grants import list_of
from entra_sandbox.graph.roles import role_id

__all__ = ["BASIC", "USERS", "change", "check_administrator", "present"]

BASIC = ("displayName", "givenName", "id", "mail", "surname", "userPrincipalName")
_SENSITIVE = frozenset(
    {
        "accountEnabled",
        "businessPhones",
        "mobilePhone",
        "onPremisesImmutableId",
        "otherMails",
        "passwordProfile",
        "userPrincipalName",
    }
)
_ADMINISTRATORS_OF_ADMINISTRATORS = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
_ALL_PROPERTIES = frozenset({role_id("User Administrator")})
_SENSITIVE_PROPERTIES = frozenset({_ADMINISTRATORS_OF_ADMINISTRATORS, role_id("Authentication Administrator")})
# learn.microsoft.com/entra/identity/authentication/concept-sspr-policy: at most 64 and 48 characters, no dot before @.
_UPN = re.compile(r"[A-Za-z0-9'._\-!#^~]{0,63}[A-Za-z0-9'_\-!#^~]@([A-Za-z0-9.\-]{1,48})\Z")
_NICKNAME = re.compile(r"[^\s@()\\\[\]\";:<>,]{1,64}\Z")
# What the cloud keeps of a synchronized user: it is none of the attributes that Microsoft Entra Connect Sync writes.
_OF_THE_CLOUD = frozenset({"usageLocation", "userType", "preferredDataLocation", "ageGroup", "consentProvidedForMinor"})
_LOCAL = {"emailAddress": re.compile(r"[^\s@]+@[^\s@]+\Z"), "userName": re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]*\Z")}
_CLASSES = (r"[a-z]", r"[A-Z]", r"\d", r"[^A-Za-z0-9]")


def create(call: Call, doc: Document) -> Document:
    """A member of the tenant with a password of its own."""
    if doc.get("accountEnabled") is None:
        raise errors.missing_value("accountEnabled", "User")
    _check_names(call, doc, None)
    profile = doc.pop("passwordProfile")
    _keep_password(call, doc["id"], profile.get("password"))
    own = {"signInType": "userPrincipalName", "issuer": _initial(call), "issuerAssignedId": doc["userPrincipalName"]}
    identities = [one for one in doc.get("identities") or [] if one.get("signInType") != "userPrincipalName"]
    _check_identities(call, identities, None)
    return {"userType": "Member", "creationType": None, **doc, "identities": [*identities, own]}


def change(call: Call, old: Document, changes: Document) -> Document:
    """Check names, property permissions and administrators; keep a new password apart from the document."""
    _check_properties(call, changes)
    if old.get("onPremisesSyncEnabled") and set(changes) - _OF_THE_CLOUD:
        raise errors.synced()
    _check_role(call, old, changes)
    if _SENSITIVE & set(changes):
        check_administrator(call, old)
    _check_names(call, {"onPremisesImmutableId": old.get("onPremisesImmutableId"), **changes}, old["id"])
    _check_identities(call, changes.get("identities") or [], old["id"])
    profile = changes.pop("passwordProfile", None)
    if profile and profile.get("password"):
        _keep_password(call, old["id"], profile["password"])
        changes["lastPasswordChangeDateTime"] = schema.timestamp(call.now)
    return changes


def delete(call: Call, doc: Document) -> None:
    """Administrators are deleted only by their betters; grants and assignments of the user go."""
    check_administrator(call, doc)
    for kind in ("oAuth2PermissionGrant", "appRoleAssignment"):
        for row in call.store.find(kind, call.tenant, principalId=doc["id"]):
            call.store.delete(kind, row["id"], call.tenant)


def present(call: Call, doc: Document) -> Document:
    """``User.ReadBasic.All`` shows the basic profile alone."""
    if call.sets and all(one == {"User.ReadBasic.All"} for one in call.sets) and doc["id"] != call.caller.object_id:
        return {name: value for name, value in doc.items() if name in BASIC}
    return doc


def _check_audit(call: Call) -> None:
    """learn.microsoft.com/graph/api/resources/user: signInActivity takes ``AuditLog.Read.All`` and Entra ID P1."""
    if "AuditLog.Read.All" not in call.caller.granted:
        code = "Authentication_MSGraphPermissionMissing"
        message = "Calling principal does not have required MSGraph permissions AuditLog.Read.All"
        raise errors.GraphFault(403, code, message)
    if not access.has_premium(call):
        raise errors.no_premium()


def _check_names(call: Call, doc: Document, own_id: str | None) -> None:
    if (name := doc.get("userPrincipalName")) is not None:
        match = _UPN.match(name)
        domain = call.store.get("domain", match.group(1), call.tenant) if match else None
        if domain is not None and domain["authenticationType"] == "Federated" and not doc.get("onPremisesImmutableId"):
            raise errors.missing_value("onPremisesImmutableId", "User")
        if domain is None or not domain["isVerified"]:
            message = (
                "The domain portion of the userPrincipalName property is invalid. You must use one of the verified "
            )
            raise errors.bad_request(message + "domain names in your organization.", target="userPrincipalName")
        other = call.store.first("user", call.tenant, userPrincipalName=name)
        if other is not None and other["id"] != own_id:
            raise errors.conflict("userPrincipalName")
    if (nickname := doc.get("mailNickname")) is not None and not _NICKNAME.match(nickname):
        raise errors.invalid_value("mailNickname", "User")
    if "displayName" in doc and not doc["displayName"]:
        raise errors.invalid_value("displayName", "User")


def _check_identities(call: Call, identities: list[Document], own_id: str | None) -> None:
    """Each is somebody's alone, and looks as its kind does: learn.microsoft.com/graph/api/resources/objectidentity"""
    seen = set()
    for one in identities:
        issuer, assigned, kind = (str(one.get(name) or "") for name in ("issuer", "issuerAssignedId", "signInType"))
        form = next((form for name, form in _LOCAL.items() if kind.startswith(name)), None)
        if not issuer or not assigned or (form and not form.match(assigned)):
            raise errors.invalid_value("identities", "User")
        where = (
            "o.id IS NOT ? AND EXISTS (SELECT 1 FROM json_each(o.doc, '$.identities') e WHERE e.value ->> 'issuer' = ? "
            "COLLATE NOCASE AND e.value ->> 'issuerAssignedId' = ? COLLATE NOCASE)"
        )
        args = (own_id, issuer, assigned)
        taken = call.store.rows("user", call.tenant, where=where, args=args, limit=1, deleted=None)
        if taken or (issuer.lower(), assigned.lower()) in seen:
            raise errors.conflict("identities")
        seen.add((issuer.lower(), assigned.lower()))


def _initial(call: Call) -> str | None:
    domain = call.store.first("domain", call.tenant, isInitial=True)
    return domain["id"] if domain else None


def _keep_password(call: Call, user_id: str, password: str | None) -> None:
    if not password:
        raise errors.missing_value("passwordProfile", "User")
    met = sum(re.search(pattern, password) is not None for pattern in _CLASSES)
    if not 8 <= len(password) <= 256 or met < 3:
        raise errors.bad_request(
            "The specified password does not comply with password complexity requirements. Please provide a different "
            "password.",
            target="password",
        )
    credentials.keep_password(call.store, user_id, password)


def _check_properties(call: Call, changes: Document) -> None:
    """A token without a permission for users at large may change the properties that its permissions name."""
    if call.sets:
        return
    kind: facts.Kind = "application" if call.caller.app_only else "delegated"
    allowed: set[str] = set()
    for names, sets in facts.actions()["update_user"].besides.items():
        if any(call.caller.granted.issuperset(one) for one in sets[kind]):
            allowed.update(re.split(r",\s*", names))
    if not changes or set(changes) - allowed:
        raise errors.denied()


def _check_role(call: Call, doc: Document, changes: Document) -> None:
    """Who resets passwords or does what is sensitive changes nothing else of others: …/graph/api/resources/users"""
    if call.caller.app_only or doc["id"] == call.caller.object_id or access.holds_role(call, _ALL_PROPERTIES):
        return
    sensitive = access.holds_role(call, _SENSITIVE_PROPERTIES)
    if set(changes) - (_SENSITIVE if sensitive else {"passwordProfile"}):
        raise errors.denied()


def check_administrator(call: Call, doc: Document) -> None:
    """Sensitive changes of a person who holds a directory role need a higher one, and from a person
    ``Directory.AccessAsUser.All``: learn.microsoft.com/graph/api/resources/users, "Who can perform sensitive actions".
    """
    if not call.store.links_to("directoryRole.members", doc["id"]) or doc["id"] == call.caller.object_id:
        return
    if not access.holds_role(call, frozenset({_ADMINISTRATORS_OF_ADMINISTRATORS})):
        raise errors.denied()
    if not call.caller.app_only and access.AS_USER not in call.caller.granted:
        raise errors.denied()


_RELATED = ("user", "group", "device", "servicePrincipal")

USERS = Resource(
    path="users",
    entity="user",
    keys=("id", "userPrincipalName"),
    costly={"signInActivity": 120},
    single=frozenset(
        {
            *("aboutMe", "birthday", "hireDate", "interests", "mailboxSettings", "mySite", "pastProjects"),
            *("preferredName", "responsibilities", "schools", "skills"),
        }
    ),
    asks={"signInActivity": _check_audit},
    select=(
        "businessPhones",
        "displayName",
        "givenName",
        "jobTitle",
        "mail",
        "mobilePhone",
        "officeLocation",
        "preferredLanguage",
        "surname",
        "userPrincipalName",
        "id",
    ),
    required=("displayName", "mailNickname", "passwordProfile", "userPrincipalName"),
    read_only=(
        "assignedPlans",
        "createdDateTime",
        "creationType",
        "externalUserStateChangeDateTime",
        "imAddresses",
        "isManagementRestricted",
        "lastPasswordChangeDateTime",
        "licenseAssignmentStates",
        "onPremisesDomainName",
        "onPremisesLastSyncDateTime",
        "onPremisesSamAccountName",
        "onPremisesSecurityIdentifier",
        "onPremisesSyncEnabled",
        "onPremisesUserPrincipalName",
        "provisionedPlans",
        "proxyAddresses",
        "securityIdentifier",
        "signInActivity",
        "signInSessionsValidFromDateTime",
        "assignedLicenses",
    ),
    soft_delete=True,
    create=create,
    update=change,
    delete=delete,
    present=present,
    links=(
        Link(
            "memberOf",
            "group.members directoryRole.members",
            ("group", "directoryRole"),
            reverse=True,
            visible=hidden.visible,
        ),
        Link("manager", "user.manager", ("user",), single=True, writable=True),
        Link("directReports", "user.manager", ("user",), reverse=True),
        Link("ownedDevices", "device.registeredOwners", ("device",), reverse=True),
        Link("registeredDevices", "device.registeredUsers", ("device",), reverse=True),
        Link("ownedObjects", "application.owners servicePrincipal.owners group.owners", _RELATED, reverse=True),
    ),
)

register(
    USERS,
    Resource(
        path="users",
        entity="user",
        operations=(),
        routes=(Route("GET", "{}/oauth2PermissionGrants", list_of("principalId", USERS)),),
    ),
)
