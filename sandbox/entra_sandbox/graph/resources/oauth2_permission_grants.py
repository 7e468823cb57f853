"""``/oauth2PermissionGrants``: learn.microsoft.com/graph/api/resources/oauth2permissiongrant"""

from __future__ import annotations

from collections.abc import Callable

from entra_sandbox.graph import access, errors, objects
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.query import Query
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Resource
from entra_sandbox.graph.roles import role_id

__all__ = ["GRANTS", "MOST_CHARACTERS", "list_of"]

MOST_CHARACTERS = 3850
_FOR_ALL = ("Cloud Application Administrator", "Application Administrator", "Privileged Role Administrator")


def create(call: Call, doc: Document) -> Document:
    """One grant per client, resource, consent type and principal."""
    kind = doc["consentType"]
    if kind not in ("AllPrincipals", "Principal"):
        raise errors.invalid_value("consentType", "OAuth2PermissionGrant")
    if kind == "Principal" and not doc.get("principalId"):
        raise errors.missing_value("principalId", "OAuth2PermissionGrant")
    if kind == "AllPrincipals" and doc.get("principalId"):
        raise errors.invalid_value("principalId", "OAuth2PermissionGrant")
    _check_scope(doc.get("scope"))
    _check_caller(call, kind)
    for name, entity in (("clientId", "servicePrincipal"), ("resourceId", "servicePrincipal"), ("principalId", "user")):
        if doc.get(name):
            row = call.store.row(entity, doc[name], call.tenant)
            if row is None or row.link_from > call.at:
                raise errors.GraphFault(
                    404,
                    "Directory_ObjectNotFound",
                    f"Unable to read the company information from the directory: {doc[name]}.",
                )
            doc[name] = row.id
    same = {name: doc.get(name) for name in ("clientId", "consentType", "principalId", "resourceId")}
    if call.store.first("oAuth2PermissionGrant", call.tenant, **same):
        raise errors.GraphFault(409, "Request_MultipleObjectsWithSameKeyValue", "Permission entry already exists.")
    return {**doc, "id": objects.opaque_id(), "principalId": doc.get("principalId"), "scope": doc.get("scope") or ""}


def update(call: Call, old: Document, changes: Document) -> Document:
    """The scope, as a whole."""
    if set(changes) - {"scope"}:
        raise errors.read_only(sorted(set(changes) - {"scope"})[0])
    _check_scope(changes.get("scope"))
    _check_caller(call, old["consentType"])
    return changes


def delete(call: Call, doc: Document) -> None:
    """Tokens that were issued stay valid until they expire."""
    _check_caller(call, doc["consentType"])


def list_of(name: str, source: Resource) -> Callable[[Call, Resource], Answer]:
    """A handler that lists the grants whose property ``name`` is the id of the address's object."""

    def handle(call: Call, _resource: Resource) -> Answer:
        found = objects.find(call, source, call.keys[0])
        query = Query.of(call, GRANTS.entity, page=100, page_max=999, advanced=True)
        query.restrict(f"(o.doc ->> '$.\"{name}\"') COLLATE NOCASE = ?", found.id)
        shown = [objects.show(call, GRANTS, row.doc) for row in query.rows(call, GRANTS.entity)]
        return Answer(200, query.page(call, GRANTS.path, shown, GRANTS.entity))

    return handle


def _check_scope(scope: str | None) -> None:
    if scope is not None and len(scope) > MOST_CHARACTERS:
        raise errors.invalid_value("scope", "OAuth2PermissionGrant")


def _check_caller(call: Call, consent_type: str) -> None:
    if call.caller.app_only or consent_type != "AllPrincipals":
        return
    if not access.holds_role(call, frozenset(role_id(name) for name in _FOR_ALL)):
        raise errors.denied()


GRANTS = Resource(
    path="oauth2PermissionGrants",
    entity="oAuth2PermissionGrant",
    operations=("list", "get", "create", "update", "delete"),
    select=("clientId", "consentType", "id", "principalId", "resourceId", "scope"),
    required=("clientId", "consentType", "resourceId"),
    quota=False,
    create=create,
    update=update,
    delete=delete,
)

register(GRANTS)
