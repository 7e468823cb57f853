"""How an application proves itself at the token endpoint: secret, certificate assertion, or federated credential.

RFC 6749 section 2.3.1, RFC 7523; learn.microsoft.com/entra/identity-platform/certificate-credentials
and the pages on workload identity federation.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_plus

from entra_sandbox.entra import assertions
from entra_sandbox.entra.call import Call
from entra_sandbox.entra.credentials import is_secret
from entra_sandbox.entra.directory import Client, Tenant, service_principal
from entra_sandbox.entra.errors import AadError
from entra_sandbox.store import Document

__all__ = ["Credential", "authenticate", "presented"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class Credential:
    """What the request carries: at most one of a secret and an assertion."""

    client_id: str
    secret: str = ""
    assertion: str = ""

    def __bool__(self) -> bool:
        return bool(self.secret or self.assertion)


def presented(call: Call) -> Credential:
    """The client id and credential of a token request, from the form or from HTTP Basic."""
    authorization = call.headers.get("authorization", "")
    if authorization.lower().startswith("basic "):
        try:
            name, _, secret = base64.b64decode(authorization[6:], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise AadError(9002313) from None
        return Credential(unquote_plus(name), unquote_plus(secret))
    assertion = call.get("client_assertion")
    if assertion and call.get("client_assertion_type") != ASSERTION_TYPE:
        raise AadError(9002313)
    client_id = call.get("client_id")
    if not client_id and assertion:
        client_id = str(assertions.unverified(assertion)[1].get("sub", ""))
    if not client_id:
        raise AadError(900144, name="client_id")
    return Credential(client_id, call.get("client_secret"), assertion)


def authenticate(call: Call, client: Client, credential: Credential, tenant: Tenant | None) -> str:
    """Check the credential: of the application or of its service principal in the tenant.

    Gives how the client proved itself (claim ``appidacr``): ``0`` not at all, ``1`` by a secret, ``2`` by an assertion.
    AADSTS7000215, 7000222, or those of :func:`assertions.check`.
    """
    principal = service_principal(call.store, tenant, client.app_id) if tenant else None
    holders = [client.document] + ([principal] if principal else [])
    if credential.assertion:
        assertions.check(call, client, holders, credential.assertion, tenant)
        return "2"
    if credential.secret:
        _check_secret(call, client, holders, credential.secret)
        return "1"
    return "0"


def _check_secret(call: Call, client: Client, holders: Sequence[Document], secret: str) -> None:
    now = call.store.now()
    expired = False
    for entry in (one for holder in holders for one in holder.get("passwordCredentials") or ()):
        if not is_secret(call.store, str(entry["keyId"]), secret):
            continue
        start, end = _seconds(entry.get("startDateTime"), 0), _seconds(entry.get("endDateTime"), 9e99)
        if start <= now + assertions.LEEWAY and now < end:
            return
        expired = now >= end
    raise AadError(7000222 if expired else 7000215, app_id=client.app_id)


def _seconds(text: str | None, otherwise: float) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else otherwise
