"""``/servicePrincipals``: learn.microsoft.com/graph/api/resources/serviceprincipal"""

from __future__ import annotations

from entra_sandbox.entra.principals import from_application
from entra_sandbox.graph import access, app_management, credentials, errors, hidden
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Link, Resource, Route
from entra_sandbox.graph.resources.oauth2_permission_grants import list_of
from entra_sandbox.graph.roles import role_id
from entra_sandbox.store import Row

__all__ = ["SERVICE_PRINCIPALS", "delete", "follow"]

_INHERITED = (
    "appRoles",
    "oauth2PermissionScopes",
    "replyUrls",
    "signInAudience",
    "appDisplayName",
    "servicePrincipalNames",
)


def create(call: Call, doc: Document) -> Document:
    """The application's copy in this tenant: one per appId, its own or another tenant's multi-tenant one."""
    if doc.get("passwordCredentials"):
        raise errors.read_only("passwordCredentials")
    app_id = doc["appId"]
    row = _application(call, app_id)
    if row is not None and row.link_from > call.at and call.must_own:
        raise _not_local()
    if row is None or row.link_from > call.at:
        raise errors.bad_request(
            f"The appId '{app_id}' of the service principal does not reference a valid application object.",
            details=[{"code": "NoBackingApplicationObject", "message": "No backing application.", "target": "appId"}],
        )
    _check_caller(call, row)
    if call.store.first("servicePrincipal", call.tenant, deleted=None, appId=app_id):
        message = (
            "The service principal cannot be created, updated, or restored because the service principal name "
            f"{app_id} is already in use."
        )
        detail = {"code": "ObjectConflict", "message": message, "target": "servicePrincipalNames"}
        raise errors.GraphFault(409, "Request_MultipleObjectsWithSameKeyValue", message, details=[detail])
    if not call.caller.app_only or call.must_own:
        call.store.link("servicePrincipal.owners", doc["id"], call.caller.object_id)
    own = {name: value for name, value in doc.items() if name not in _INHERITED and value is not None}
    return {**from_application(row.doc, row.tenant), "createdByAppId": call.caller.app_id or None, **own}


def update(_call: Call, old: Document, changes: Document) -> Document:
    """What the application decides is changed there."""
    if "passwordCredentials" in changes:
        raise errors.bad_request(
            "Update to existing credential is not allowed: use addPassword and removePassword.",
            target="passwordCredentials",
        )
    for name in ("oauth2PermissionScopes", "signInAudience", "appDisplayName"):
        if name in changes and changes[name] != old.get(name):
            raise errors.read_only(name)
    return changes


def delete(call: Call, doc: Document) -> None:
    """Grants and assignments of and to the service principal go with it."""
    ends = {"oAuth2PermissionGrant": ("clientId", "resourceId"), "appRoleAssignment": ("principalId", "resourceId")}
    for kind, names in ends.items():
        for name in names:
            for row in call.store.find(kind, call.tenant, **{name: doc["id"]}):
                call.store.delete(kind, row["id"], call.tenant)


def follow(call: Call, application: Document) -> None:
    """Bring the service principals of the application, in every tenant, up to date."""
    fresh = from_application(application, call.tenant)
    names = ("appDisplayName", "appDescription", "appRoles", "displayName", "info", "oauth2PermissionScopes")
    for row in call.store.rows(
        "servicePrincipal", where="(o.doc ->> '$.\"appId\"') COLLATE NOCASE = ?", args=(application["appId"],)
    ):
        changes = {name: fresh[name] for name in (*names, "replyUrls", "servicePrincipalNames", "signInAudience")}
        call.store.put("servicePrincipal", {**row.doc, **changes}, row.tenant)


def _application(call: Call, app_id: str) -> Row | None:
    where = "(o.doc ->> '$.\"appId\"') COLLATE NOCASE = ?"
    row = next(iter(call.store.rows("application", where=where, args=(app_id,), limit=1)), None)
    if row is not None and row.tenant != call.tenant and row.doc.get("signInAudience") == "AzureADMyOrg":
        return None
    return row


def _check_caller(call: Call, row: Row) -> None:
    if not call.must_own:
        return
    developer = frozenset({role_id("Application Developer")})
    foreign = row.tenant != call.tenant or row.doc.get("signInAudience") != "AzureADMyOrg"
    if not call.caller.app_only and (foreign or not access.holds_role(call, developer)):
        raise errors.denied()
    if call.caller.app_only and row.tenant != call.tenant:
        raise _not_local()
    if not access.owns(call, "application", row.id):
        raise errors.denied()


def _not_local() -> errors.GraphFault:
    """The answer for a foreign application, and for one of which this replica does not know yet whose it is."""
    return errors.GraphFault(
        403,
        "Authorization_RequestDenied",
        "When using this permission, the backing application of the service principal being created must in the "
        "local tenant",
    )


def present(_call: Call, doc: Document) -> Document:
    """Certificates are shown without their value."""
    if doc.get("keyCredentials"):
        doc = {**doc, "keyCredentials": [{**one, "key": None} for one in doc["keyCredentials"]]}
    return doc


SERVICE_PRINCIPALS = Resource(
    path="servicePrincipals",
    entity="servicePrincipal",
    alternate_keys=("appId",),
    upsert="appId",
    required=("appId",),
    read_only=(
        "appOwnerOrganizationId",
        "applicationTemplateId",
        "createdByAppId",
        "servicePrincipalType",
        "verifiedPublisher",
    ),
    create_only=("appId",),
    defaults=lambda: {"addIns": []},
    soft_delete=True,
    create=create,
    update=update,
    delete=delete,
    present=present,
    links=(
        Link("owners", "servicePrincipal.owners", ("user", "servicePrincipal"), writable=True),
        app_management.assigned_policies("servicePrincipal"),
        Link(
            "memberOf",
            "group.members directoryRole.members",
            ("group", "directoryRole"),
            reverse=True,
            visible=hidden.visible,
        ),
        Link(
            "ownedObjects",
            "application.owners servicePrincipal.owners group.owners",
            ("application", "servicePrincipal", "group"),
            reverse=True,
        ),
    ),
    rows=(
        ("appRoleAssignments", "appRoleAssignment", "principalId"),
        ("appRoleAssignedTo", "appRoleAssignment", "resourceId"),
        ("oauth2PermissionGrants", "oAuth2PermissionGrant", "clientId"),
    ),
    routes=(*credentials.ROUTES,),
)


register(
    SERVICE_PRINCIPALS,
    Resource(
        path="servicePrincipals",
        entity="servicePrincipal",
        operations=(),
        routes=(Route("GET", "{}/oauth2PermissionGrants", list_of("clientId", SERVICE_PRINCIPALS)),),
    ),
)
