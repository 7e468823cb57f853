"""Which tenant, and signed in as whom: words for the header, read from the tenant itself."""

from __future__ import annotations

from runbook.errors import GraphError
from runbook.tenant.base import Context


def tenant(ctx: Context) -> str:
    """The tenant's name, default domain and id; the id alone where the caller may not read the organization."""
    if not ctx.known.tenant:
        ctx.known.tenant = _asked(ctx)
    return ctx.known.tenant


def _asked(ctx: Context) -> str:
    try:
        found = list(ctx.graph.list("/organization", params={"$select": "displayName,verifiedDomains"}))
    except GraphError:
        return ctx.target.tenant_id
    if not found:
        return ctx.target.tenant_id
    domains = found[0].get("verifiedDomains") or ()
    default = next((str(domain["name"]) for domain in domains if domain.get("isDefault")), "")
    return ", ".join(filter(None, (str(found[0].get("displayName") or ""), default, ctx.target.tenant_id)))


def signed_in(ctx: Context) -> str:
    """Who works here, and with which roles (a person) or how many permissions (an application)."""
    who = ctx.administrator.identity()
    if who.kind == "app":
        return f"application {who.name}, {len(who.permissions)} application permissions"
    roles = ", ".join(_role_names(ctx, who.role_ids)) or "no directory role"
    return f"{who.name}, {roles}"


def _role_names(ctx: Context, ids: tuple[str, ...]) -> list[str]:
    """Names of directory roles by template id; the ids where the caller may not read them."""
    try:
        names = {str(item["id"]): str(item["displayName"]) for item in ctx.graph.list("/directoryRoleTemplates")}
    except GraphError:
        names = {}
    # Every member of a tenant has the role User (its template id is Microsoft's); it says nothing.
    return sorted(names.get(identifier, identifier) for identifier in ids if identifier not in _EVERYBODY)


_EVERYBODY = frozenset({"b79fbf4d-3ef9-4689-8143-76b194e85509", "a0b1b346-4d3e-4e8b-98f8-753987be4970"})
