"""What a sign-in leaves behind: ``signInActivity`` of the user, and an entry in the log of interactive sign-ins.

learn.microsoft.com/graph/api/resources/signinactivity, signin
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from entra_sandbox import trail
from entra_sandbox.entra.call import Call
from entra_sandbox.entra.directory import Client, User
from entra_sandbox.entra.errors import AadError
from entra_sandbox.store import Document

__all__ = ["assigned", "consented", "failed", "granted", "signed_in", "watched"]

_ACTIVITY = (
    *("lastSignInDateTime", "lastSignInRequestId"),
    *("lastNonInteractiveSignInDateTime", "lastNonInteractiveSignInRequestId"),
    *("lastSuccessfulSignInDateTime", "lastSuccessfulSignInRequestId"),
)
_KIND = "signIn"
_OF_CONDITIONAL_ACCESS = frozenset({50076, 53000, 53001, 53003})
_LOCAL = "127.0.0.1"


def signed_in(
    call: Call, user: User, client: Client, resource: Document, *, interactive: bool, methods: tuple[str, ...]
) -> None:
    """Note a success; of the sign-ins that took no act of the person only ``signInActivity`` tells."""
    at = _moment(call)
    kinds = ("lastSignIn" if interactive else "lastNonInteractiveSignIn", "lastSuccessfulSignIn")
    request = str(uuid.uuid4())
    new = {f"{kind}{part}": value for kind in kinds for part, value in (("DateTime", at), ("RequestId", request))}
    with call.store.transaction():
        row = call.store.row("user", user.id, user.tenant.id)
        if row is not None:
            known = row.doc.get("signInActivity") or dict.fromkeys(_ACTIVITY)
            call.store.put("user", {**row.doc, "signInActivity": {**known, **new}}, row.tenant)
        if interactive:
            access = "success" if "mfa" in methods else "notApplied"
            more = {"conditionalAccessStatus": access, "resourceId": resource.get("appId")}
            _keep(call, user, client, request, {**more, "resourceDisplayName": resource.get("displayName")})


def failed(call: Call, user: User, client: Client, error: AadError) -> None:
    """Note that somebody did not get in."""
    access = "failure" if error.code in _OF_CONDITIONAL_ACCESS else "notApplied"
    status = {"errorCode": error.code, "failureReason": error.text, "additionalDetails": None}
    _keep(call, user, client, str(uuid.uuid4()), {"conditionalAccessStatus": access, "status": status})


def consented(call: Call, user: User, principal: Document, names: list[str], *, everybody: bool) -> None:
    """Note a consent in the directory's audit log: learn.microsoft.com/graph/api/resources/directoryaudit"""
    said = {
        "ConsentContext.IsAdminConsent": str(everybody),
        "ConsentContext.OnBehalfOfAll": str(everybody),
        "ConsentAction.Permissions": " ".join(names),
    }
    _told(call, user, "Consent to application", [trail.target("servicePrincipal", principal, trail.modified(said, {}))])


def granted(call: Call, user: User, before: Document | None, after: Document | None) -> None:
    """Note what a consent changed of a delegated grant, if anything."""
    if before != after:
        targets = trail.of_grant(call.store, user.tenant.id, before, after)
        _told(call, user, "Add delegated permission grant", targets)


def assigned(call: Call, user: User, assignment: Document) -> None:
    """Note an app role that a consent gave."""
    targets = trail.of_assignment(call.store, user.tenant.id, assignment)
    _told(call, user, "Add app role assignment to service principal", targets)


def _told(call: Call, user: User, activity: str, targets: list[Document]) -> None:
    trail.keep(
        call.store,
        user.tenant.id,
        activity=activity,
        category="ApplicationManagement",
        operation="Assign",
        correlation_id=call.correlation_id,
        initiated_by=trail.by_user(user.document),
        targets=targets,
    )


@contextmanager
def watched(call: Call, user: User, client: Client) -> Iterator[None]:
    """Note whatever refuses the person inside."""
    try:
        yield
    except AadError as error:
        failed(call, user, client, error)
        raise


def _keep(call: Call, user: User, client: Client, request: str, more: Document) -> None:
    document = {
        "id": request,
        "appDisplayName": client.name,
        "appId": client.app_id,
        "appliedConditionalAccessPolicies": [],
        "clientAppUsed": "Mobile Apps and Desktop clients" if client.public else "Browser",
        "correlationId": call.correlation_id,
        "createdDateTime": _moment(call),
        "deviceDetail": {"deviceId": "", "displayName": "", "browser": "", "operatingSystem": ""},
        "ipAddress": _LOCAL,
        "isInteractive": True,
        "location": None,
        "resourceDisplayName": None,
        "resourceId": None,
        "riskDetail": "none",
        "riskEventTypes_v2": [],
        "riskLevelAggregated": "none",
        "riskLevelDuringSignIn": "none",
        "riskState": "none",
        "status": {"errorCode": 0, "failureReason": "Other.", "additionalDetails": None},
        "userDisplayName": user.document.get("displayName") or "",
        "userId": user.id,
        "userPrincipalName": user.name,
        **more,
    }
    call.store.put(_KIND, document, user.tenant.id)


def _moment(call: Call) -> str:
    return datetime.fromtimestamp(call.store.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
