"""``/policies/…``: one object per tenant each."""

from __future__ import annotations

from typing import Any

from entra_sandbox.graph import app_management, errors, limits, objects, schema
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Resource, Route


def read(call: Call, resource: Resource) -> Answer:
    """The policy of the tenant."""
    shown = objects.show(call, resource, _find(call, resource))
    return Answer(200, {"@odata.context": context(call.base, resource.path, call.options.select, single=True), **shown})


def change(call: Call, resource: Resource) -> Answer:
    """Change the policy; 204."""
    changes = schema.check_body(resource.entity, call.json(), resource.title)
    if "id" in changes:
        raise errors.read_only("id")
    limits.check(resource.entity, changes)
    with call.store.transaction():
        old = _find(call, resource)
        call.store.put(resource.entity, objects.merged(old, changes), call.tenant)
    return Answer(204)


def _find(call: Call, resource: Resource) -> Document:
    found = call.store.first(resource.entity, call.tenant)
    if found is None:
        raise errors.not_found(resource.path.rpartition("/")[2])
    return found


def _policy(name: str, entity: str, *, writable: bool = True, present: Any = None) -> Resource:
    change_it = (Route("PATCH", "", change),) if writable else ()
    routes = (Route("GET", "", read), *change_it)
    return Resource(path=f"policies/{name}", entity=entity, operations=(), routes=routes, present=present)


register(
    _policy("defaultAppManagementPolicy", "tenantAppManagementPolicy", present=app_management.shown),
    _policy("authorizationPolicy", "authorizationPolicy"),
    _policy("identitySecurityDefaultsEnforcementPolicy", "identitySecurityDefaultsEnforcementPolicy"),
    _policy("adminConsentRequestPolicy", "adminConsentRequestPolicy", writable=False),
)
