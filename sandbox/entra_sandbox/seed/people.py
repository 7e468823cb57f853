"""People and the directory roles that they hold."""

from __future__ import annotations

import secrets
from itertools import chain, count

from entra_sandbox.entra import credentials
from entra_sandbox.graph import roles
from entra_sandbox.seed.tenant import Tenant, ascii_only, data
from entra_sandbox.store import Document

__all__ = ["add_directory_roles", "add_people", "who_sign_in"]


def who_sign_in(domain: str) -> dict[str, list[str]]:
    """The user names of those who sign in at a tenant of this domain, with the roles that they hold."""
    people = (person for person in data()["people"] if person["signs_in"])
    return {f"{_alias(person['given'], person['surname'])}@{domain}": person["roles"] for person in people}


def add_people(tenant: Tenant, wanted: int) -> None:
    """Named people with roles first, then the others; a few are disabled, a few are guests."""
    taken: set[str] = set()
    for person in data()["people"]:
        tenant.users.append(
            _user(tenant, taken, person["given"], person["surname"], person["department"], person["title"])
        )
    departments = [one for one in data()["departments"] for _ in range(one["weight"])]
    while len(tenant.users) < wanted:
        department = tenant.random.choice(departments)
        given, surname = tenant.random.choice(data()["given"]), tenant.random.choice(data()["surnames"])
        title = tenant.random.choice(department["titles"])
        tenant.users.append(_user(tenant, taken, given, surname, department["name"], title))
    for user in tenant.users[len(data()["people"]) :: 37]:
        user["accountEnabled"] = False
    for user in tenant.users[len(data()["people"]) + 5 :: 41]:
        _make_guest(tenant, user)
    tenant.put("user", tenant.users)
    leads = {user["department"]: user["id"] for user in reversed(tenant.users)}
    pairs = [
        (user["id"], leads[user["department"]]) for user in tenant.users if leads[user["department"]] != user["id"]
    ]
    tenant.store.link_many("user.manager", pairs)
    _add_units(tenant)
    for person, user in zip(data()["people"], tenant.users, strict=False):
        if person["signs_in"]:
            _password(tenant, user, person["roles"])


def add_directory_roles(tenant: Tenant) -> None:
    """The activated roles and who holds them."""
    by_name = {template["displayName"]: template for template in roles.templates()}
    made = {
        name: {
            "id": tenant.id("directoryRole", name),
            "deletedDateTime": None,
            "description": by_name[name]["description"],
            "displayName": name,
            "roleTemplateId": by_name[name]["id"],
        }
        for name in data()["activated_roles"]
    }
    tenant.put("directoryRole", made.values())
    for person, user in zip(data()["people"], tenant.users, strict=False):
        for role in person["roles"]:
            tenant.store.link("directoryRole.members", made[role]["id"], user["id"])


def _add_units(tenant: Tenant) -> None:
    """An administrative unit for each country."""
    countries = sorted({user["country"] for user in tenant.users})
    plain = {"deletedDateTime": None, "description": None, "isMemberManagementRestricted": False, "visibility": None}
    names = {country: tenant.id("administrativeUnit", country) for country in countries}
    tenant.put(
        "administrativeUnit", [{**plain, "id": id, "displayName": f"People in {name}"} for name, id in names.items()]
    )
    tenant.store.link_many("administrativeUnit.members", [(names[one["country"]], one["id"]) for one in tenant.users])


def _user(tenant: Tenant, taken: set[str], given: str, surname: str, department: str, title: str) -> Document:
    base = _alias(given, surname)
    alias = next(name for name in chain((base,), (f"{base}{number}" for number in count(2))) if name not in taken)
    taken.add(alias)
    place = tenant.random.randrange(len(data()["offices"]))
    office = data()["offices"][place]
    name = f"{alias}@{tenant.domain}"
    return {
        "id": tenant.id("user", alias),
        "accountEnabled": True,
        "businessPhones": [f"+31 30 555 {tenant.random.randrange(10000):04d}"],
        "city": office["city"],
        "companyName": tenant.name,
        "country": office["country"],
        "createdDateTime": tenant.date(),
        "department": department,
        "displayName": f"{given} {surname}",
        "employeeId": f"{len(taken):05d}",
        "employeeType": "Employee",
        "givenName": given,
        "identities": [
            {"signInType": "userPrincipalName", "issuer": tenant.described["initial"], "issuerAssignedId": name}
        ],
        "jobTitle": title,
        "mail": name,
        "mailNickname": alias,
        "mobilePhone": f"+31 6 5550 {tenant.random.randrange(10000):04d}" if tenant.random.random() < 0.6 else None,
        "officeLocation": office["office"],
        "otherMails": [],
        "preferredLanguage": data()["languages"][place],
        "proxyAddresses": [f"SMTP:{name}"],
        "surname": surname,
        "usageLocation": office["country"],
        "userPrincipalName": name,
        "userType": "Member",
    }


def _alias(given: str, surname: str) -> str:
    return ascii_only(f"{given}.{surname}".lower().replace(" ", ""))


def _make_guest(tenant: Tenant, user: Document) -> None:
    domain = tenant.random.choice(data()["guest_domains"])
    mail = f"{user['mailNickname']}@{domain}"
    name = f"{mail.replace('@', '_')}#EXT#@{tenant.described['initial']}"
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


def _password(tenant: Tenant, user: Document, held: list[str]) -> None:
    password, hashed = tenant.password or (f"{secrets.token_urlsafe(15)}aA1!", "")
    credentials.keep_password(tenant.store, user["id"], password, hashed=hashed)
    tenant.passwords[user["userPrincipalName"]] = password
    tenant.user_roles[user["userPrincipalName"]] = list(held)
