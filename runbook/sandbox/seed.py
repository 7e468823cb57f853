"""A tenant to rehearse on: the same people, groups, devices and applications in every new state.

Names and numbers lie in ``seed.json``. Object ids are derived from the tenant's and a name, so that two states are
alike; only secrets differ. ``ready`` gives what the ready line says of the seeded tenant.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import secrets
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from runbook.catalog import permissions
from runbook.sandbox.entra import credentials
from runbook.sandbox.graph import roles
from runbook.sandbox.graph.resources.applications import defaults as application_defaults
from runbook.sandbox.graph.resources.service_principals import from_application
from runbook.sandbox.settings import Services, write_private
from runbook.sandbox.store import Document, Store

__all__ = ["GRAPH_APP_ID", "SeedResult", "ready", "seed"]

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
_MICROSOFT_TENANT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
_NAMESPACE = uuid.UUID("6f1c5c1e-3a53-4c1b-9d0c-2f7f0f3a8f11")
_SETTING = "seed"
_EPOCH = datetime(2021, 3, 1, 8, 0, tzinfo=UTC)


@dataclass
class SeedResult:
    """The seeded tenant. ``passwords`` and ``client_secret`` are plaintexts: seal them, never print them."""

    tenant_id: str
    client_id: str
    client_secret: str
    passwords: dict[str, str]
    user_roles: dict[str, list[str]]
    ids: dict[str, str] = field(default_factory=dict)


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(files("runbook.sandbox").joinpath("seed.json").read_text(encoding="utf-8"))
    known = {template["displayName"] for template in roles.templates()}
    if unknown := set(data["activated_roles"]) - known:
        raise ValueError(f"seed.json: unknown directory roles {sorted(unknown)}")
    return data


def ready(services: Services) -> dict[str, Any]:
    """Fill an empty state; the parts of the ready line that tell of the tenant, its client and its people."""
    from runbook.sandbox import stackone

    store, vault, folder = services.store, services.vault, services.folder
    if store.setting(_SETTING) is None:
        with store.transaction():
            made = seed(store)
            sealed = {
                "tenant_id": made.tenant_id,
                "client_id": made.client_id,
                "client_secret": vault.seal(made.client_secret),
                "users": {
                    name: {"password": vault.seal(password), "roles": made.user_roles[name]}
                    for name, password in made.passwords.items()
                },
            }
            store.set_setting(_SETTING, sealed)
    stackone.seed(store, vault)
    kept = store.setting(_SETTING)
    secret_file = write_private(folder.file("client-secret"), vault.open_(kept["client_secret"]))
    key_file = write_private(folder.file("stackone-api-key"), stackone.api_key(store, vault))
    users = {
        name: {"password": vault.open_(one["password"]), "roles": one["roles"]} for name, one in kept["users"].items()
    }
    return {
        "tenant_id": kept["tenant_id"],
        "client_id": kept["client_id"],
        "client_secret_ref": f"sandbox:{secret_file.name}",
        "client_secret_file": str(secret_file),
        "stackone_api_key_file": str(key_file),
        "stackone_dashboard": stackone.dashboard_entry(services),
        "users": users,
    }


def seed(store: Store, *, users: int = 300, number: int = 7) -> SeedResult:
    """Make the tenants in one transaction; ``users`` is how many people the first one has, everybody included."""
    with store.transaction():
        contoso, fabrikam = (_Tenant(store, described, number) for described in _data()["tenants"])
        fabrikam.fill(12)
        fabrikam.application(_data()["foreign_application"], None)
        result = contoso.fill(users)
        contoso.foreign_principal(fabrikam)
        return result


class _Tenant:
    """Makes one tenant. Every id comes from :meth:`id`, every date and choice from one random generator."""

    def __init__(self, store: Store, described: dict[str, Any], number: int) -> None:
        self.store = store
        self.described = described
        self.name: str = described["name"]
        self.domain: str = described["default"]
        self.tenant_id = str(uuid.uuid5(_NAMESPACE, f"tenant/{self.name}"))
        self.random = random.Random(f"{number}/{self.name}")
        self.users: list[Document] = []
        self.passwords: dict[str, str] = {}
        self.user_roles: dict[str, list[str]] = {}

    def id(self, kind: str, name: str) -> str:
        """The object id of a seeded object."""
        return str(uuid.uuid5(uuid.UUID(self.tenant_id), f"{kind}/{name}"))

    def put(self, kind: str, docs: Iterable[Document]) -> None:
        """Keep documents of this tenant."""
        self.store.put_many(kind, docs, self.tenant_id)

    def date(self, days: int = 1800) -> str:
        """A moment within ``days`` after the tenant was made."""
        seconds = self.random.randrange(days * 86400)
        return datetime.fromtimestamp(_EPOCH.timestamp() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def fill(self, users: int) -> SeedResult:
        """Everything in the order in which it refers to each other."""
        self.organization()
        self.people(users)
        self.groups()
        self.devices(min(80, users // 3))
        self.directory_roles()
        graph = self.microsoft_graph()
        self.policies()
        result = SeedResult(self.tenant_id, "", "", self.passwords, self.user_roles, {"microsoft_graph": graph["id"]})
        if self.described is _data()["tenants"][0]:
            for described in _data()["applications"]:
                self.application(described, graph)
            result.client_id, result.client_secret = self.administrator(graph)
            self.conditional_access()
        return result

    # the tenant itself

    def organization(self) -> None:
        """The organization, its domains and its licences."""
        described = self.described
        names = list(dict.fromkeys([described["initial"], described["default"]]))
        domains = [self._domain(name, verified=True) for name in names]
        domains += [self._domain(name, verified=False) for name in described["unverified"]]
        self.put("domain", domains)
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
        self.put("organization", [_organization(self.tenant_id, self.name, described, listed)])
        self.put("subscribedSku", [_sku(self.tenant_id, sku) for sku in _data()["skus"]])
        self.put("directoryRoleTemplate", [dict(template) for template in roles.templates()])

    def _domain(self, name: str, *, verified: bool) -> Document:
        return {
            "id": name,
            "authenticationType": "Managed",
            "availabilityStatus": None,
            "isAdminManaged": True,
            "isDefault": name == self.domain,
            "isInitial": name == self.described["initial"],
            "isRoot": True,
            "isVerified": verified,
            "passwordNotificationWindowInDays": 14 if verified else None,
            "passwordValidityPeriodInDays": 2147483647 if verified else None,
            "supportedServices": ["Email", "OfficeCommunicationsOnline"] if verified else [],
        }

    # people

    def people(self, count: int) -> None:
        """Named people with roles first, then the others; a few are disabled, a few are guests."""
        taken: set[str] = set()
        for person in _data()["people"]:
            self.users.append(
                self._user(taken, person["given"], person["surname"], person["department"], person["title"])
            )
        departments = [one for one in _data()["departments"] for _ in range(one["weight"])]
        while len(self.users) < count:
            department = self.random.choice(departments)
            given, surname = self.random.choice(_data()["given"]), self.random.choice(_data()["surnames"])
            title = self.random.choice(department["titles"])
            self.users.append(self._user(taken, given, surname, department["name"], title))
        for user in self.users[len(_data()["people"]) :: 37]:
            user["accountEnabled"] = False
        for user in self.users[len(_data()["people"]) + 5 :: 41]:
            self._make_guest(user)
        self.put("user", self.users)
        leads = {user["department"]: user["id"] for user in reversed(self.users)}
        pairs = [
            (user["id"], leads[user["department"]]) for user in self.users if leads[user["department"]] != user["id"]
        ]
        self.store.link_many("user.manager", pairs)
        for person, user in zip(_data()["people"], self.users, strict=False):
            if person["signs_in"]:
                self._password(user, person["roles"])

    def _user(self, taken: set[str], given: str, surname: str, department: str, title: str) -> Document:
        base = _ascii(f"{given}.{surname}".lower().replace(" ", ""))
        alias = next(name for name in (base, *(f"{base}{number}" for number in range(2, 999))) if name not in taken)
        taken.add(alias)
        place = self.random.randrange(len(_data()["offices"]))
        office = _data()["offices"][place]
        name = f"{alias}@{self.domain}"
        return {
            "id": self.id("user", alias),
            "accountEnabled": True,
            "businessPhones": [f"+31 30 555 {self.random.randrange(10000):04d}"],
            "city": office["city"],
            "companyName": self.name,
            "country": office["country"],
            "createdDateTime": self.date(),
            "department": department,
            "displayName": f"{given} {surname}",
            "employeeId": f"{len(taken):05d}",
            "employeeType": "Employee",
            "givenName": given,
            "identities": [
                {"signInType": "userPrincipalName", "issuer": self.described["initial"], "issuerAssignedId": name}
            ],
            "jobTitle": title,
            "mail": name,
            "mailNickname": alias,
            "mobilePhone": f"+31 6 5550 {self.random.randrange(10000):04d}" if self.random.random() < 0.6 else None,
            "officeLocation": office["office"],
            "otherMails": [],
            "preferredLanguage": _data()["languages"][place],
            "proxyAddresses": [f"SMTP:{name}"],
            "surname": surname,
            "usageLocation": office["country"],
            "userPrincipalName": name,
            "userType": "Member",
        }

    def _make_guest(self, user: Document) -> None:
        domain = self.random.choice(_data()["guest_domains"])
        mail = f"{user['mailNickname']}@{domain}"
        name = f"{mail.replace('@', '_')}#EXT#@{self.described['initial']}"
        user.update(
            companyName=domain.split(".")[0].title(),
            creationType="Invitation",
            employeeId=None,
            employeeType=None,
            externalUserState="Accepted",
            externalUserStateChangeDateTime=user["createdDateTime"],
            identities=[{"signInType": "federated", "issuer": "ExternalAzureAD", "issuerAssignedId": None}],
            mail=mail,
            mailNickname=name.split("@")[0],
            otherMails=[mail],
            proxyAddresses=[f"SMTP:{mail}"],
            userPrincipalName=name,
            userType="Guest",
        )

    def _password(self, user: Document, held: list[str]) -> None:
        password = f"{secrets.token_urlsafe(15)}aA1!"
        credentials.keep_password(self.store, user["id"], password)
        self.passwords[user["userPrincipalName"]] = password
        self.user_roles[user["userPrincipalName"]] = list(held)

    # groups

    def groups(self) -> None:
        """Departments (security, nested under one for all), dynamic groups, teams, access groups and special ones."""
        members = [user for user in self.users if user["userType"] == "Member"]
        listed = [department["name"] for department in _data()["departments"]]
        everybody = self._group("All Staff", description="Everybody, by department")
        made = [everybody]
        for department in listed:
            group = self._group(department, description=f"People of {department}")
            made.append(group)
            self._members(group, [user["id"] for user in members if user["department"] == department])
            self.store.link("group.members", everybody["id"], group["id"])
        for department in listed:
            rule = f'(user.department -eq "{department}") and (user.accountEnabled -eq true)'
            group = self._group(f"Dynamic - {department}", membershipRule=rule, groupTypes=["DynamicMembership"])
            made.append(group)
            found = [user for user in self.users if user["department"] == department and user["accountEnabled"]]
            self._members(group, [user["id"] for user in found])
        for team in _data()["teams"]:
            group = self._team(team)
            made.append(group)
            self._members(group, [user["id"] for user in self.random.sample(self.users, min(14, len(self.users)))])
        for name in _data()["access"]:
            group = self._group(name, description="Access group")
            made.append(group)
            self._members(group, [user["id"] for user in self.random.sample(members, min(25, len(members)))])
        made += self._special(members)
        self.put("group", made)
        owners = ((group["id"], self.random.choice(members)["id"]) for group in made)
        self.store.link_many("group.owners", owners)

    def _special(self, members: list[Document]) -> list[Document]:
        tier = self._group("Tier 0 Administrators", isAssignableToRole=True, visibility="Private")
        self._members(tier, [members[0]["id"]])
        distribution = self._group("Announcements", mailEnabled=True, mail=f"announcements@{self.domain}")
        hidden = self._team("Works Council", visibility="HiddenMembership")
        self._members(hidden, [user["id"] for user in members[8:14]])
        computers = self._group("Managed Computers", description="Devices that are managed")
        return [tier, distribution, hidden, computers]

    def _group(self, name: str, **more: Any) -> Document:
        document: Document = {
            "id": self.id("group", name),
            "createdDateTime": self.date(),
            "description": None,
            "displayName": name,
            "groupTypes": [],
            "isAssignableToRole": None,
            "mail": None,
            "mailEnabled": False,
            "mailNickname": _ascii(name.lower().replace(" ", "-").replace("---", "-")),
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

    def _team(self, name: str, *, visibility: str = "Public") -> Document:
        mail = f"{_ascii(name.lower().replace(' ', '-'))}@{self.domain}"
        return self._group(
            name,
            description=f"Project {name}",
            groupTypes=["Unified"],
            mail=mail,
            mailEnabled=True,
            proxyAddresses=[f"SMTP:{mail}"],
            securityEnabled=False,
            visibility=visibility,
        )

    def _members(self, group: Document, ids: Iterable[str]) -> None:
        self.store.link_many("group.members", ((group["id"], one) for one in ids))

    # devices

    def devices(self, count: int) -> None:
        """Computers and phones, most of them somebody's."""
        systems = [one for one in _data()["systems"] for _ in range(one["weight"])]
        made = [self._device(number, self.random.choice(systems)) for number in range(count)]
        self.put("device", made)
        people = [user["id"] for user in self.users]
        owned = [(device["id"], self.random.choice(people)) for device in made if self.random.random() < 0.9]
        self.store.link_many("device.registeredOwners", owned)
        self.store.link_many("device.registeredUsers", owned)
        computers = self.id("group", "Managed Computers")
        managed = ((computers, device["id"]) for device in made if device["isManaged"])
        self.store.link_many("group.members", managed)

    def _device(self, number: int, system: dict[str, Any]) -> Document:
        name = f"{system['prefix']}-{self.random.randrange(16**6):06X}"
        managed = self.random.random() < 0.7
        device_id = self.id("deviceId", f"{number}")
        return {
            "id": self.id("device", f"{number}"),
            "accountEnabled": self.random.random() < 0.95,
            "alternativeSecurityIds": [{"type": 2, "identityProvider": None, "key": "WAA1ADAAOQA6AA=="}],
            "approximateLastSignInDateTime": self.date(),
            "deviceId": device_id,
            "deviceOwnership": "Company" if managed else "Personal",
            "deviceVersion": 2,
            "displayName": name,
            "isCompliant": managed and self.random.random() < 0.9,
            "isManaged": managed,
            "managementType": "MDM" if managed else None,
            "manufacturer": system["maker"],
            "model": system["model"],
            "operatingSystem": system["system"],
            "operatingSystemVersion": self.random.choice(system["versions"]),
            "physicalIds": [f"[HWID]:h:{self.random.randrange(10**15)}"],
            "profileType": system["profile"],
            "registrationDateTime": self.date(),
            "systemLabels": [],
            "trustType": system["trust"],
        }

    # roles

    def directory_roles(self) -> None:
        """The activated roles and who holds them."""
        by_name = {template["displayName"]: template for template in roles.templates()}
        made = {
            name: {
                "id": self.id("directoryRole", name),
                "deletedDateTime": None,
                "description": by_name[name]["description"],
                "displayName": name,
                "roleTemplateId": by_name[name]["id"],
            }
            for name in _data()["activated_roles"]
        }
        self.put("directoryRole", made.values())
        for person, user in zip(_data()["people"], self.users, strict=False):
            for role in person["roles"]:
                self.store.link("directoryRole.members", made[role]["id"], user["id"])

    # applications

    def microsoft_graph(self) -> Document:
        """The service principal of Microsoft Graph with the published permissions."""
        scopes, app_roles = [], []
        for name, delegated, application, admin in _published():
            if delegated:
                scopes.append(_scope(delegated, name, "Admin" if admin else "User"))
            if application:
                app_roles.append(_app_role(application, name, "Application"))
        document = {
            **from_application({"appId": GRAPH_APP_ID, "displayName": "Microsoft Graph"}, _MICROSOFT_TENANT),
            "id": self.id("servicePrincipal", "Microsoft Graph"),
            "appRoles": app_roles,
            "oauth2PermissionScopes": scopes,
            "servicePrincipalNames": [GRAPH_APP_ID, "https://graph.microsoft.com", "https://graph.microsoft.us"],
            "signInAudience": "AzureADMultipleOrgs",
        }
        self.put("servicePrincipal", [document])
        return document

    def application(self, described: dict[str, Any], graph: Document | None) -> tuple[Document, Document]:
        """An application with its service principal, owner, credentials and consents."""
        name = described["name"]
        platform = "publicClient" if described.get("public") else "web"
        document = application_defaults()
        document.update(
            id=self.id("application", name),
            appId=self.id("appId", name),
            createdDateTime=self.date(),
            displayName=name,
            isFallbackPublicClient=bool(described.get("public")) or None,
            keyCredentials=[],
            passwordCredentials=[],
            publisherDomain=self.domain,
            requiredResourceAccess=_required(graph, described) if graph else [],
            signInAudience=described["audience"],
        )
        document[platform]["redirectUris"] = list(described["redirect"])
        if described.get("scopes"):
            document["identifierUris"] = [f"api://{document['appId']}"]
            document["api"]["oauth2PermissionScopes"] = [
                _scope(self.id("scope", one), one, "User") for one in described["scopes"]
            ]
            document["appRoles"] = [_app_role(self.id("role", one), one, "User") for one in described["roles"]]
        if described.get("secret"):
            document["passwordCredentials"] = [self.secret(name)[0]]
        principal = {
            **from_application(document, self.tenant_id),
            "id": self.id("servicePrincipal", name),
            "tags": ["WindowsAzureActiveDirectoryIntegratedApp"],
        }
        self.put("application", [document])
        self.put("servicePrincipal", [principal])
        if "owner" in described:
            owner = self.users[described["owner"]]["id"]
            self.store.link("application.owners", document["id"], owner)
            self.store.link("servicePrincipal.owners", principal["id"], owner)
        if graph:
            self.consent(principal, graph, described.get("delegated", []), described.get("application", []))
        return document, principal

    def secret(self, name: str) -> tuple[Document, str]:
        """A password credential and its plaintext."""
        text = f"{secrets.token_urlsafe(2)[:3].replace('-', 'a').replace('_', 'b')}8Q~{secrets.token_urlsafe(26)[:34]}"
        key_id = self.id("secret", name)
        credentials.keep_secret(self.store, key_id, text)
        now = self.store.now()
        return {
            "customKeyIdentifier": None,
            "displayName": "automation",
            "endDateTime": _text(now + 700 * 86400),
            "hint": text[:3],
            "keyId": key_id,
            "secretText": None,
            "startDateTime": _text(now - 86400),
        }, text

    def consent(self, principal: Document, graph: Document, delegated: list[str], application: list[str]) -> None:
        """Tenant-wide grants and app role assignments on Microsoft Graph."""
        if delegated:
            grant = {
                "id": _opaque(self.id("grant", principal["id"])),
                "clientId": principal["id"],
                "consentType": "AllPrincipals",
                "principalId": None,
                "resourceId": graph["id"],
                "scope": " ".join(delegated),
            }
            self.put("oAuth2PermissionGrant", [grant])
        ids = {role["value"]: role["id"] for role in graph["appRoles"]}
        assignments = [
            {
                "id": _opaque(self.id("assignment", f"{principal['id']}/{name}")),
                "deletedDateTime": None,
                "appRoleId": ids[name],
                "createdDateTime": self.date(),
                "principalDisplayName": principal["displayName"],
                "principalId": principal["id"],
                "principalType": "ServicePrincipal",
                "resourceDisplayName": graph["displayName"],
                "resourceId": graph["id"],
            }
            for name in application
        ]
        self.put("appRoleAssignment", assignments)

    def administrator(self, graph: Document) -> tuple[str, str]:
        """The administrator's app: every application permission that Microsoft Graph publishes here."""
        described = _data()["administrator"]
        names = [role["value"] for role in graph["appRoles"] if role["value"] not in described["without"]]
        wanted = {
            "name": described["name"],
            "audience": "AzureADMyOrg",
            "redirect": [],
            "owner": 0,
            "application": names,
        }
        document, _ = self.application(wanted, graph)
        credential, text = self.secret(described["name"])
        self.store.update("application", document["id"], {"passwordCredentials": [credential]}, self.tenant_id)
        return document["appId"], text

    def foreign_principal(self, home: _Tenant) -> None:
        """The copy of another tenant's multi-tenant application."""
        name = _data()["foreign_application"]["name"]
        row = self.store.get("application", home.id("application", name), home.tenant_id)
        assert row is not None
        principal = {**from_application(row, home.tenant_id), "id": self.id("servicePrincipal", name)}
        self.put("servicePrincipal", [principal])

    # policies

    def policies(self) -> None:
        """The policies of which a tenant has one each."""
        self.put(
            "authorizationPolicy",
            [
                {
                    "id": "authorizationPolicy",
                    "allowEmailVerifiedUsersToJoinOrganization": False,
                    "allowInvitesFrom": "adminsAndGuestInviters",
                    "allowUserConsentForRiskyApps": None,
                    "allowedToSignUpEmailBasedSubscriptions": True,
                    "allowedToUseSSPR": True,
                    "blockMsolPowerShell": False,
                    "defaultUserRolePermissions": {
                        "allowedToCreateApps": True,
                        "allowedToCreateSecurityGroups": True,
                        "allowedToCreateTenants": False,
                        "allowedToReadBitlockerKeysForOwnedDevice": True,
                        "allowedToReadOtherUsers": True,
                        "permissionGrantPoliciesAssigned": ["ManagePermissionGrantsForSelf.microsoft-user-default-low"],
                    },
                    "description": "Used to manage authorization related settings across the company.",
                    "displayName": "Authorization Policy",
                    "guestUserRoleId": "10dae51f-b6af-4016-8d66-8c2a99b929b3",
                }
            ],
        )
        unrestricted: Document = {"passwordCredentials": [], "keyCredentials": []}
        self.put(
            "tenantAppManagementPolicy",
            [
                {
                    "id": "00000000-0000-0000-0000-000000000000",
                    "displayName": "Default app management tenant policy",
                    "description": "Default tenant policy that enforces app management restrictions on applications "
                    "and service principals.",
                    "isEnabled": False,
                    "applicationRestrictions": unrestricted,
                    "servicePrincipalRestrictions": unrestricted,
                }
            ],
        )
        self.put(
            "identitySecurityDefaultsEnforcementPolicy",
            [
                {
                    "id": "00000000-0000-0000-0000-000000000005",
                    "description": "Security defaults is a set of basic identity security mechanisms.",
                    "displayName": "Security Defaults",
                    "isEnabled": False,
                }
            ],
        )
        self.put(
            "adminConsentRequestPolicy",
            [
                {
                    "id": "adminConsentRequestPolicy",
                    "isEnabled": False,
                    "notifyReviewers": False,
                    "remindersEnabled": False,
                    "requestDurationInDays": 0,
                    "reviewers": [],
                    "version": 0,
                }
            ],
        )

    def conditional_access(self) -> None:
        """Locations, and policies of which none keeps anybody of the rehearsal out."""
        stamp = self.date()
        times = {"createdDateTime": stamp, "modifiedDateTime": stamp, "deletedDateTime": None}
        ranges = [{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "203.0.113.0/24"}]
        branches = [{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "198.51.100.0/25"}]
        address = {"@odata.type": "#microsoft.graph.ipNamedLocation", **times}
        self.put(
            "namedLocation",
            [
                {
                    **address,
                    "id": self._l("Headquarters"),
                    "displayName": "Headquarters",
                    "isTrusted": True,
                    "ipRanges": ranges,
                },
                {
                    **address,
                    "id": self._l("Branches"),
                    "displayName": "Branches",
                    "isTrusted": False,
                    "ipRanges": branches,
                },
                {
                    **times,
                    "@odata.type": "#microsoft.graph.countryNamedLocation",
                    "id": self._l("Blocked countries"),
                    "displayName": "Blocked countries",
                    "countriesAndRegions": ["AQ"],
                    "countryLookupMethod": "clientIpAddress",
                    "includeUnknownCountriesAndRegions": False,
                },
            ],
        )
        administrators = {"includeRoles": [roles.GLOBAL_ADMINISTRATOR], "excludeUsers": [self.users[7]["id"]]}
        legacy = {"clientAppTypes": ["exchangeActiveSync", "other"], "users": {"includeUsers": ["All"]}}
        countries = {
            "users": {"includeUsers": ["All"]},
            "locations": {"includeLocations": [self._l("Blocked countries")]},
        }
        report_only = "enabledForReportingButNotEnforced"
        self.put(
            "conditionalAccessPolicy",
            [
                self._policy("Require MFA for administrators", report_only, {"users": administrators}, "mfa", times),
                self._policy("Block legacy authentication", "enabled", legacy, "block", times),
                self._policy("Block countries", "disabled", countries, "block", times),
            ],
        )

    def _l(self, name: str) -> str:
        return self.id("namedLocation", name)

    def _policy(self, name: str, state: str, conditions: Document, control: str, times: Document) -> Document:
        users = dict.fromkeys(
            ("includeUsers", "excludeUsers", "includeGroups", "excludeGroups", "includeRoles", "excludeRoles")
        )
        filled = {key: conditions["users"].get(key) or [] for key in users}
        return {
            **times,
            "id": self.id("conditionalAccessPolicy", name),
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


def _published() -> Iterable[tuple[str, str | None, str | None, bool]]:
    """(name, scope id, app role id, whether the scope needs an administrator) of each permission of Microsoft Graph."""
    for permission in permissions().values():
        admin = permission.delegated_admin_consent is not False
        yield permission.name, permission.delegated_id, permission.application_id, admin
    known = set(permissions())
    for other in _data()["other_permissions"]:
        if other["name"] not in known:
            yield other["name"], other["delegated"], other["application"], other["admin"]


def _required(graph: Document, described: dict[str, Any]) -> list[Document]:
    scopes = {scope["value"]: scope["id"] for scope in graph["oauth2PermissionScopes"]}
    app_roles = {role["value"]: role["id"] for role in graph["appRoles"]}
    entries = [{"id": scopes[name], "type": "Scope"} for name in described.get("delegated", [])]
    entries += [{"id": app_roles[name], "type": "Role"} for name in described.get("application", [])]
    return [{"resourceAppId": GRAPH_APP_ID, "resourceAccess": entries}] if entries else []


def _scope(id: str, value: str, kind: str) -> Document:
    return {
        "adminConsentDescription": f"Allows the app to use {value} on behalf of the signed-in user.",
        "adminConsentDisplayName": value,
        "id": id,
        "isEnabled": True,
        "type": kind,
        "userConsentDescription": f"Allows the app to use {value} on your behalf.",
        "userConsentDisplayName": value,
        "value": value,
    }


def _app_role(id: str, value: str, member: str) -> Document:
    return {
        "allowedMemberTypes": [member],
        "description": f"Allows the {'app' if member == 'Application' else 'person'} to use {value}.",
        "displayName": value,
        "id": id,
        "isEnabled": True,
        "origin": "Application",
        "value": value,
    }


def _organization(tenant_id: str, name: str, described: dict[str, Any], domains: list[Document]) -> Document:
    return {
        "id": tenant_id,
        "assignedPlans": [],
        "businessPhones": [],
        "city": described["city"],
        "country": None,
        "countryLetterCode": described["country"],
        "createdDateTime": _EPOCH.strftime("%Y-%m-%dT%H:%M:%SZ"),
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
    return str(uuid.uuid5(_NAMESPACE, name))


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _opaque(object_id: str) -> str:
    """A grant's or assignment's id as Graph's look: 43 characters of base64url, the same in every state."""
    return base64.urlsafe_b64encode(hashlib.sha256(object_id.encode()).digest()).decode().rstrip("=")


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
