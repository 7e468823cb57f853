"""Tenants of a service provider's customers: as many as a fleet needs, small, with ids that are the same everywhere.

Each holds the provider's multi-tenant application, consented to, so that one client secret administers all of them. A
ready line for each lies in the sandbox's folder, ``tenant-<id>.json``, and ``tenants.csv`` names them all.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Mapping
from typing import Any

from entra_sandbox import vault
from entra_sandbox.folder import write_private
from entra_sandbox.seed.applications import GRAPH_APP_ID, add_provider, add_provider_principal
from entra_sandbox.seed.directory import fill
from entra_sandbox.seed.people import who_sign_in
from entra_sandbox.seed.tenant import Tenant, data
from entra_sandbox.services import Services
from entra_sandbox.store import Store

__all__ = ["TABLE", "add_customers"]

TABLE = "tenants.csv"
_SETTING = "customers"
_PEOPLE, _NUMBER = 9, 7


def add_customers(services: Services, ready: Mapping[str, Any], count: int) -> list[str]:
    """Have at least ``count`` customers' tenants, and write their ready lines and their table; their ids, in order.

    ``ready`` is the ready line of the sandbox. Those that an earlier start made stay.
    """
    store, folder = services.store, services.folder
    kept = store.setting(_SETTING) or {"count": 0}
    if count > kept["count"]:
        with store.transaction():
            kept = _more(services, kept, str(ready["tenant_id"]), count)
            store.set_setting(_SETTING, kept)
    if not kept["count"]:
        return []
    secret_file = write_private(folder.file("provider-secret"), services.vault.open_(kept["secret"]))
    password = services.vault.open_(kept["password"])
    client = {"client_id": kept["client_id"], "client_secret_ref": f"sandbox:{secret_file.name}"}
    made: dict[str, str] = {}
    for number in range(1, kept["count"] + 1):
        tenant = _tenant(store, number)
        users = {name: {"password": password, "roles": held} for name, held in who_sign_in(tenant.domain).items()}
        own = {"tenant_id": tenant.tenant_id, **client, "client_secret_file": str(secret_file), "users": users}
        name = f"tenant-{tenant.tenant_id}.json"
        made[tenant.tenant_id] = str(folder.file(name))
        if folder.read_json(name) != (line := {**ready, **own}):
            write_private(folder.file(name), f"{json.dumps(line)}\n")
    text = io.StringIO()
    csv.writer(text).writerows([("tenant_id", "sandbox_file"), *made.items()])
    write_private(folder.file(TABLE), text.getvalue())
    return list(made)


def _more(services: Services, kept: Mapping[str, Any], home_id: str, count: int) -> dict[str, Any]:
    store, sealed = services.store, services.vault
    if not kept["count"]:
        home = Tenant(store, data()["tenants"][0], _NUMBER)
        home.users = store.find("user", home_id)[:1]
        graph = store.find("servicePrincipal", home_id, appId=GRAPH_APP_ID)[0]
        provider, secret = add_provider(home, graph)
        password = f"{secrets.token_urlsafe(15)}aA1!"
        kept = {"count": 0, "client_id": provider["appId"]}
        kept |= {"secret": sealed.seal(secret), "password": sealed.seal(password)}
    provider = store.find("application", home_id, appId=kept["client_id"])[0]
    password = sealed.open_(kept["password"])
    shared = (password, vault.digest(password))
    for number in range(kept["count"] + 1, count + 1):
        tenant = _tenant(store, number, shared)
        add_provider_principal(tenant, fill(tenant, _PEOPLE), provider, home_id)
    return {**kept, "count": count}


def _tenant(store: Store, number: int, password: tuple[str, str] | None = None) -> Tenant:
    described = data()["customer"]
    domain = f"customer{number:04d}.onmicrosoft.com"
    own = {"name": f"{described['name']} {number:04d}", "default": domain, "initial": domain}
    return Tenant(store, {**described, **own}, _NUMBER, password)
