"""A tenant to rehearse on: the same people, groups, devices and applications in every new state.

Names and numbers lie in ``seed.json``. Object ids are derived from the tenant's and a name, so that two states are
alike; only secrets differ. :func:`ready` gives what the ready line says of the seeded tenant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from entra_sandbox.folder import write_private
from entra_sandbox.seed.applications import GRAPH_APP_ID, add_administrator, add_application, add_foreign_principal
from entra_sandbox.seed.customers import add_customers
from entra_sandbox.seed.directory import fill
from entra_sandbox.seed.policies import add_conditional_access
from entra_sandbox.seed.tenant import Tenant, data
from entra_sandbox.services import Services
from entra_sandbox.store import Store

__all__ = ["GRAPH_APP_ID", "SeedResult", "add_customers", "ready", "seed"]

_SETTING = "seed"
_PEOPLE_ELSEWHERE = 12


@dataclass
class SeedResult:
    """The seeded tenant. ``passwords`` and ``client_secret`` are plaintexts: seal them, never print them."""

    tenant_id: str
    client_id: str
    client_secret: str
    passwords: dict[str, str]
    user_roles: dict[str, list[str]]
    ids: dict[str, str] = field(default_factory=dict)


def ready(services: Services) -> dict[str, Any]:
    """Fill an empty state; the parts of the ready line that tell of the tenant, its client and its people."""
    from entra_sandbox import stackone

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
    """Make the tenants in one transaction; ``users`` is how many people the first one has, everybody included.

    Another ``number`` gives other choices of the same kind.
    """
    with store.transaction():
        contoso, fabrikam = (Tenant(store, described, number) for described in data()["tenants"])
        fill(fabrikam, _PEOPLE_ELSEWHERE)
        add_application(fabrikam, data()["foreign_application"], None)
        graph = fill(contoso, users)
        for described in data()["applications"]:
            add_application(contoso, described, graph)
        client_id, client_secret = add_administrator(contoso, graph)
        add_conditional_access(contoso)
        add_foreign_principal(contoso, fabrikam)
    ids = {"microsoft_graph": graph["id"]}
    return SeedResult(contoso.tenant_id, client_id, client_secret, contoso.passwords, contoso.user_roles, ids)
