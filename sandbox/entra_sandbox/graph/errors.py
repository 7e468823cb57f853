"""What Microsoft Graph answers when it refuses: one exception, its texts, and its body.

Body and headers: learn.microsoft.com/graph/errors. Clients may match a prefix of a message, so the texts of the
directory service are given in full here, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

__all__ = ["GraphFault"]

NOT_EMULATED = "Sandbox_NotEmulated"

Detail = Mapping[str, str]


class GraphFault(Exception):
    """An error answer: HTTP status, Graph's code and message, optional details and extra headers."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Detail] = (),
        target: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.target = target
        self.headers = dict(headers or {})

    def body(self, *, now: float, request_id: str, client_request_id: str) -> dict[str, Any]:
        """``{"error": {...}}`` as the directory service writes it; the date has no zone suffix."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target:
            error["target"] = self.target
        if self.details:
            error["details"] = [dict(detail) for detail in self.details]
        error["innerError"] = {
            "date": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": request_id,
            "client-request-id": client_request_id,
        }
        return {"error": error}


# requests


def bad_request(message: str, *, details: Sequence[Detail] = (), target: str | None = None) -> GraphFault:
    """400 of the directory service."""
    return GraphFault(400, "Request_BadRequest", message, details=details, target=target)


def bad_gateway_request(message: str) -> GraphFault:
    """400 of the front door, which reads addresses and JSON before a service sees them."""
    return GraphFault(400, "BadRequest", message)


def unsupported_query(message: str) -> GraphFault:
    """400 for a query that the directory does not answer."""
    return GraphFault(400, "Request_UnsupportedQuery", message)


def not_implemented() -> GraphFault:
    """501, the service's own: learn.microsoft.com/graph/api/user-list, properties that no collection can show."""
    return GraphFault(501, "NotImplemented", "This operation target is not yet supported.")


def expired_sync_state() -> GraphFault:
    """400 for a delta token that is too old: learn.microsoft.com/graph/delta-query-overview, token duration."""
    message = "The sync state generation is not found. The delta token is expired and data must be synchronized again."
    return GraphFault(400, "syncStateNotFound", message)


def resync_required(location: str) -> GraphFault:
    """410 with the address of a full round: learn.microsoft.com/graph/delta-query-overview, synchronization reset."""
    message = "Resync required. Restart the enumeration without a token."
    return GraphFault(410, "resyncRequired", message, headers={"Location": location})


def unknown_segment(segment: str) -> GraphFault:
    """400 for an address that leads nowhere."""
    return bad_gateway_request(f"Resource not found for the segment '{segment}'.")


def not_emulated(address: str, version: str = "v1.0") -> GraphFault:
    """501, the sandbox's own: what Microsoft documents and the sandbox lacks is no mistake of the caller's."""
    message = f"Microsoft Graph v1.0 has '{address}', and this sandbox does not emulate it."
    if version == "beta":
        message = f"Of beta this sandbox has what it has of v1.0, and '{address}' is not in that."
    return GraphFault(501, NOT_EMULATED, message, target=address)


def method_not_allowed() -> GraphFault:
    """405"""
    return GraphFault(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")


def bad_json() -> GraphFault:
    """400"""
    return bad_gateway_request(
        "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON "
        "format."
    )


# bodies


def invalid_identifier(key: str) -> GraphFault:
    """400 for what is no id."""
    return bad_request(f"Invalid object identifier '{key}'.")


def unknown_property(name: str) -> GraphFault:
    """400"""
    return bad_request(f"Invalid property '{name}'.", details=[_detail("InvalidProperty", name)], target=name)


def invalid_value(name: str, resource: str) -> GraphFault:
    """400"""
    message = f"Invalid value specified for property '{name}' of resource '{resource}'."
    return bad_request(message, details=[{**_detail("InvalidValue", name), "message": message}], target=name)


def missing_value(name: str, resource: str) -> GraphFault:
    """400"""
    message = f"A value is required for property '{name}' of resource '{resource}'."
    return bad_request(message, details=[{**_detail("MissingValue", name), "message": message}], target=name)


def read_only(name: str) -> GraphFault:
    """400"""
    return bad_request(f"Property '{name}' is read-only and cannot be set.", target=name)


def conflict(name: str) -> GraphFault:
    """400 for a value that another object has."""
    message = f"Another object with the same value for property {name} already exists."
    return bad_request(message, details=[{"code": "ObjectConflict", "message": message, "target": name}])


# objects


def not_found(key: str) -> GraphFault:
    """404"""
    message = f"Resource '{key}' does not exist or one of its queried reference-property objects are not present."
    return GraphFault(404, "Request_ResourceNotFound", message)


def missing_reference() -> GraphFault:
    """400 for a link to an object that is not there (yet)."""
    return bad_request(
        "The source resource object or one of the objects being referenced don't exist. One or more of the reference "
        "or source objects have not been replicated yet."
    )


def existing_reference(property_name: str) -> GraphFault:
    """400 for a link that is there."""
    return bad_request(
        f"One or more added object references already exist for the following modified properties: '{property_name}'."
    )


def synced() -> GraphFault:
    """400 for a change of what is mastered on-premises."""
    return bad_request(
        "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects "
        "currently undergoing migration."
    )


def mail_enabled(verb: str) -> GraphFault:
    """400 for a change (``Update``, ``Delete``) of a group that Exchange keeps."""
    return bad_request(f"Cannot {verb} a mail-enabled security groups and or distribution list.")


# callers


def unauthorized(message: str) -> GraphFault:
    """401 with the challenge that Graph sends."""
    challenge = (
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
        'client_id="00000003-0000-0000-c000-000000000000"'
    )
    return GraphFault(401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": challenge})


def denied() -> GraphFault:
    """403 of the directory service: a permission or a role is missing, and it does not say which."""
    return GraphFault(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def scopes_missing() -> GraphFault:
    """403 of the conditional access service."""
    return GraphFault(
        403, "AccessDenied", "You cannot perform the requested operation, required scopes are missing in the token."
    )


def not_licensed() -> GraphFault:
    """403 of the conditional access service in a tenant without Entra ID P1."""
    return GraphFault(
        403,
        "AccessDenied",
        "Your tenant is not licensed for this feature. Please upgrade your subscription to access it.",
    )


def no_premium() -> GraphFault:
    """403 of the sign-in logs in a tenant without Entra ID P1."""
    code = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
    return GraphFault(403, code, "Neither tenant is B2C or tenant doesn't have premium license")


def identity_not_found() -> GraphFault:
    """403 for an app-only token without a service principal."""
    return GraphFault(
        403, "Authorization_IdentityNotFound", "The identity of the calling application could not be established."
    )


def quota_exceeded() -> GraphFault:
    """403"""
    return GraphFault(
        403,
        "Directory_QuotaExceeded",
        "The directory object quota limit for the Principal has been exceeded. Please ask your administrator to "
        "increase the quota limit or delete objects to reduce the used quota.",
    )


def _detail(code: str, target: str) -> dict[str, str]:
    return {"code": code, "message": f"Invalid property '{target}'.", "target": target}
