"""``/applications``: learn.microsoft.com/graph/api/resources/application"""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

from entra_sandbox.graph import app_management, credentials, errors, objects, schema
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.redirects import check_redirects
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Link, Resource
from entra_sandbox.graph.resources import service_principals

__all__ = ["APPLICATIONS", "defaults"]

_AUDIENCES = ("AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount")
_MOST_APIS, _MOST_PERMISSIONS, _MOST_PERSONAL, _MOST_PER_API_PERSONAL = 50, 400, 200, 30
_LONGEST_NAME, _LONGEST_NAME_PERSONAL, _LONGEST_TAG = 120, 90, 256
_MOST_URIS_PERSONAL, _LONGEST_URI_PERSONAL, _LONGEST_SCOPE_PERSONAL = 50, 120, 40
_MOST_SCOPES_PERSONAL, _MOST_CLIENTS_PERSONAL, _MOST_PER_CLIENT_PERSONAL, _MOST_AUTHORIZED_PERSONAL = 100, 100, 30, 500


def create(call: Call, doc: Document) -> Document:
    """A registration with a new appId; a person, or an app that may only touch its own, becomes the owner."""
    given = doc.pop("passwordCredentials", [])
    domain = call.store.first("domain", call.tenant, isDefault=True)
    doc = {
        **doc,
        "appId": str(uuid.uuid4()),
        "publisherDomain": domain["id"] if domain else None,
        "signInAudience": doc.get("signInAudience") or "AzureADMyOrg",
        "createdDateTime": schema.timestamp(call.now),
        "createdByAppId": call.caller.app_id or None,
        "keyCredentials": credentials.check_keys(call, doc, doc.get("keyCredentials") or []),
    }
    if _personal(doc):
        doc["api"] = {**doc["api"], "requestedAccessTokenVersion": doc["api"]["requestedAccessTokenVersion"] or 2}
    _check(call, doc, None)
    made = [credentials.new_password(call, doc, one) for one in given]
    if not call.caller.app_only or call.must_own:
        call.store.link("application.owners", doc["id"], call.caller.object_id)
    return {**doc, "passwordCredentials": made}


def created(call: Call, doc: Document) -> Document:
    """The answer shows secrets made with the application this once; what is kept does not."""
    if doc["passwordCredentials"]:
        kept = [{**one, "secretText": None} for one in doc["passwordCredentials"]]
        call.store.update("application", doc["id"], {"passwordCredentials": kept}, call.tenant)
    return doc


def update(call: Call, old: Document, changes: Document) -> Document:
    """Rules of the whole registration, then the service principal in the same tenant follows."""
    if "passwordCredentials" in changes:
        raise errors.bad_request(
            "Update to existing credential is not allowed: use addPassword and removePassword.",
            target="passwordCredentials",
        )
    if old.get("uniqueName") and changes.get("uniqueName", old["uniqueName"]) != old["uniqueName"]:
        raise errors.read_only("uniqueName")
    if "keyCredentials" in changes:
        changes["keyCredentials"] = _keys(call, old, changes["keyCredentials"])
    new = objects.merged(old, changes)
    _check(call, new, old["id"])
    _check_disabled_first(old, new)
    service_principals.follow(call, new)
    return changes


def delete(call: Call, doc: Document) -> None:
    """The service principal in the same tenant goes to the bin with it."""
    for principal in call.store.find("servicePrincipal", call.tenant, appId=doc["appId"]):
        service_principals.delete(call, principal)
        changes = {"deletedDateTime": schema.timestamp(call.now)}
        call.store.bury("servicePrincipal", principal["id"], changes, call.tenant)


def _check(call: Call, doc: Document, own_id: str | None) -> None:
    audience = doc.get("signInAudience")
    if audience not in _AUDIENCES:
        raise errors.invalid_value("signInAudience", "Application")
    personal = _personal(doc)
    if personal and (doc.get("api") or {}).get("requestedAccessTokenVersion") != 2:
        message = "Property api.requestedAccessTokenVersion is invalid."
        detail = {"code": "InvalidValue", "message": message, "target": "api.requestedAccessTokenVersion"}
        raise errors.bad_request(message, details=[detail])
    longest = _LONGEST_NAME_PERSONAL if personal else _LONGEST_NAME
    if not 1 <= len(doc.get("displayName") or "") <= longest:
        raise errors.invalid_value("displayName", "Application")
    _check_tags(doc.get("tags") or [])
    check_redirects(doc)
    app_management.check_audience(call, doc)
    _check_required_access(doc.get("requiredResourceAccess") or [], personal)
    _check_identifier_uris(call, doc, own_id)
    _check_published(doc)
    if personal:
        _check_personal(doc)
    name = doc.get("uniqueName")
    if name is not None:
        taken = call.store.first("application", call.tenant, deleted=None, uniqueName=name)
        if not name or (taken is not None and taken["id"] != own_id):
            raise errors.conflict("uniqueName")


def _check_personal(doc: Document) -> None:
    """What an audience with personal accounts allows less: …/entra/identity-platform/supported-accounts-validation"""
    uris, api = doc.get("identifierUris") or [], doc.get("api") or {}
    if len(uris) > _MOST_URIS_PERSONAL or not all(_is_personal_uri(uri) for uri in uris):
        raise errors.invalid_value("identifierUris", "Application")
    scopes = _scopes(doc)
    if len(scopes) > _MOST_SCOPES_PERSONAL or any(
        len(one.get("value") or "") > _LONGEST_SCOPE_PERSONAL for one in scopes
    ):
        raise errors.invalid_value("api.oauth2PermissionScopes", "Application")
    clients = [one.get("delegatedPermissionIds") or [] for one in api.get("preAuthorizedApplications") or []]
    crowded = any(len(one) > _MOST_PER_CLIENT_PERSONAL for one in clients)
    if crowded or len(clients) > _MOST_CLIENTS_PERSONAL or sum(map(len, clients)) > _MOST_AUTHORIZED_PERSONAL:
        raise errors.invalid_value("api.preAuthorizedApplications", "Application")
    if _roles(doc):
        raise errors.invalid_value("appRoles", "Application")


def _is_personal_uri(uri: str) -> bool:
    split = urlsplit(uri)
    return len(uri) <= _LONGEST_URI_PERSONAL and split.scheme in ("api", "https") and not split.query + split.fragment


def _personal(doc: Document) -> bool:
    return "Personal" in str(doc.get("signInAudience") or "")


def _check_tags(tags: list[str]) -> None:
    """learn.microsoft.com/entra/identity-platform/supported-accounts-validation: short, without blanks, none twice."""
    bad = any(not 1 <= len(tag) <= _LONGEST_TAG or any(map(str.isspace, tag)) for tag in tags)
    if bad or len(set(tags)) < len(tags):
        raise errors.invalid_value("tags", "Application")


def _check_required_access(listed: list[Document], personal: bool) -> None:
    total = sum(len(entry.get("resourceAccess") or []) for entry in listed)
    most = _MOST_PERSONAL if personal else _MOST_PERMISSIONS
    crowded = personal and any(len(entry.get("resourceAccess") or []) > _MOST_PER_API_PERSONAL for entry in listed)
    if len(listed) > _MOST_APIS or total > most or crowded:
        raise errors.bad_request(
            "The limit of required permissions has been exceeded.", target="requiredResourceAccess"
        )
    seen: set[str] = set()
    for entry in listed:
        if not entry.get("resourceAppId") or entry["resourceAppId"].lower() in seen:
            raise errors.invalid_value("requiredResourceAccess", "Application")
        seen.add(entry["resourceAppId"].lower())
        for access in entry.get("resourceAccess") or []:
            if not access.get("id") or access.get("type") not in ("Scope", "Role"):
                raise errors.invalid_value("requiredResourceAccess", "Application")


def _check_identifier_uris(call: Call, doc: Document, own_id: str | None) -> None:
    for uri in doc.get("identifierUris") or []:
        if ":" not in uri or uri.endswith("/") or " " in uri or "*" in uri:
            raise errors.bad_request(f"Values of identifierUris property must be valid absolute URIs: '{uri}'.")
        if not _verified(call, doc, uri):
            message = (
                "Values of identifierUris property must use a verified domain of the organization or its subdomain: "
                f"'{uri}'"
            )
            detail = {"code": "HostNameNotOnVerifiedDomain", "message": message, "target": "identifierUris"}
            raise errors.bad_request(message, details=[detail])
        where = "EXISTS (SELECT 1 FROM json_each(o.doc, '$.identifierUris') e WHERE e.value = ? COLLATE NOCASE)"
        rows = call.store.rows("application", call.tenant, where=where, args=(uri,), limit=2, deleted=None)
        if any(row.id != own_id for row in rows):
            raise errors.conflict("identifierUris")


def _verified(call: Call, doc: Document, uri: str) -> bool:
    """Whether the URI is made of the application's or tenant's id, or of a verified domain.

    learn.microsoft.com/entra/identity-platform/identifier-uri-restrictions; only ``api`` and ``https`` are looked at.
    """
    split = urlsplit(uri.lower())
    if split.scheme not in ("api", "http", "https"):
        return True
    parts = {split.netloc, *split.path.split("/")}
    if split.scheme == "api" and parts & {doc["appId"].lower(), call.tenant.lower()}:
        return True
    verified = [one["id"].lower() for one in call.store.find("domain", call.tenant, isVerified=True)]
    return any(split.hostname == one or str(split.hostname).endswith(f".{one}") for one in verified)


def _check_published(doc: Document) -> None:
    scopes = (doc.get("api") or {}).get("oauth2PermissionScopes") or []
    ids: set[str] = set()
    for one in [*scopes, *(doc.get("appRoles") or [])]:
        if not one.get("id") or one["id"] in ids:
            raise errors.bad_request("Every scope and app role needs an id of its own.", target="appRoles")
        ids.add(one["id"])
    for name, listed in (("api.oauth2PermissionScopes", scopes), ("appRoles", doc.get("appRoles") or [])):
        values = [one["value"] for one in listed if one.get("value")]
        if len(set(values)) < len(values):
            raise errors.GraphFault(400, "DuplicateValue", "It contains duplicate value.", target=name)
    for role in doc.get("appRoles") or []:
        members = role.get("allowedMemberTypes") or []
        if not members or set(members) - {"User", "Application"} or not role.get("displayName"):
            raise errors.invalid_value("appRoles", "Application")


def _check_disabled_first(old: Document, new: Document) -> None:
    for before, after in ((_scopes(old), _scopes(new)), (_roles(old), _roles(new))):
        kept = {one["id"] for one in after}
        if any(one.get("isEnabled", True) and one["id"] not in kept for one in before):
            raise errors.GraphFault(
                400,
                "CannotDeleteOrUpdateEnabledEntitlement",
                "Permission (scope or role) cannot be deleted or updated unless disabled first.",
            )


def _keys(call: Call, old: Document, keys: list[Document]) -> list[Document]:
    known = {one["keyId"]: one for one in old.get("keyCredentials", [])}
    return credentials.check_keys(
        call, old, [known[one["keyId"]] if not one.get("key") and one.get("keyId") in known else one for one in keys]
    )


def _scopes(doc: Document) -> list[Document]:
    return (doc.get("api") or {}).get("oauth2PermissionScopes") or []


def _roles(doc: Document) -> list[Document]:
    return doc.get("appRoles") or []


def present(_call: Call, doc: Document) -> Document:
    """Certificates are shown without their value, as in lists."""
    if doc.get("keyCredentials"):
        doc = {**doc, "keyCredentials": [{**one, "key": None} for one in doc["keyCredentials"]]}
    return doc


def defaults() -> Document:
    """The properties of a registration that nobody set, as Graph answers them."""
    return {
        "addIns": [],
        "api": {
            "acceptMappedClaims": None,
            "knownClientApplications": [],
            "requestedAccessTokenVersion": None,
            "oauth2PermissionScopes": [],
            "preAuthorizedApplications": [],
        },
        "appRoles": [],
        "identifierUris": [],
        "info": {
            "logoUrl": None,
            "marketingUrl": None,
            "privacyStatementUrl": None,
            "supportUrl": None,
            "termsOfServiceUrl": None,
        },
        "isFallbackPublicClient": None,
        "parentalControlSettings": {"countriesBlockedForMinors": [], "legalAgeGroupRule": "Allow"},
        "publicClient": {"redirectUris": []},
        "requiredResourceAccess": [],
        "servicePrincipalLockConfiguration": None,
        "spa": {"redirectUris": []},
        "tags": [],
        "uniqueName": None,
        "verifiedPublisher": {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None},
        "web": {
            "homePageUrl": None,
            "logoutUrl": None,
            "redirectUris": [],
            "implicitGrantSettings": {"enableAccessTokenIssuance": False, "enableIdTokenIssuance": False},
            "redirectUriSettings": [],
        },
    }


APPLICATIONS = Resource(
    path="applications",
    entity="application",
    alternate_keys=("appId", "uniqueName"),
    upsert="uniqueName",
    required=("displayName",),
    read_only=(
        "appId",
        "applicationTemplateId",
        "certification",
        "createdByAppId",
        "createdDateTime",
        "disabledByMicrosoftStatus",
        "publisherDomain",
        "verifiedPublisher",
    ),
    select=tuple(
        name
        for name in schema.entity("application").properties
        if name not in ("logo", "managerApplications", "authenticationBehaviors", "oauth2RequirePostResponse")
    ),
    defaults=defaults,
    soft_delete=True,
    create=create,
    created=created,
    update=update,
    delete=delete,
    present=present,
    links=(
        Link("owners", "application.owners", ("user", "servicePrincipal"), writable=True, most=100),
        app_management.assigned_policies("application"),
    ),
    routes=credentials.ROUTES,
)

register(APPLICATIONS)
