"""Sign-ins that the machine brings along, for which the runbook is given no secret: ambient credentials.

``managed-identity``: the platform's, by msal (App Service, Functions, Container Apps, Automation, Azure Arc, virtual
machines). ``azure-identity``: the first that ``DefaultAzureCredential`` finds, such as the variables ``AZURE_…``, a
workload identity, a managed identity, or what ``az login`` left. ``client_id`` names a user-assigned identity.
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from runbook.clients.http import Session
from runbook.clients.msal_apps import ANSWERS_CHALLENGES, Response, guarded
from runbook.clients.target import Target
from runbook.errors import SignInError, TransportError
from runbook.records.redaction import scrub

Source = Callable[[str | None], Mapping[str, Any]]
"""Gives msal's answer (RFC 6749 section 5.1 or 5.2), or a new one to a claims challenge."""

# Whether the endpoint of the instance metadata is there shows at once, or never.
_PATIENCE = {"attempts": 3, "connect": 2.0}
_TRIED = re.compile(r"^\s+(\w+): (.+)$", re.MULTILINE)


def managed_identity(target: Target) -> Source:
    """Tokens of this machine's managed identity. The source raises :class:`SignInError` where there is none."""
    import msal

    pace = target.pace.model_copy(update=_PATIENCE)
    # The endpoint is the machine's own, which no proxy can reach.
    session = Session("", "managed identity", pace=pace, pinned=False, direct=True)
    of_user = {"client_id": target.client_id} if target.client_id else None
    which = msal.UserAssignedManagedIdentity(**of_user) if of_user else msal.SystemAssignedManagedIdentity()
    client = msal.ManagedIdentityClient(which, http_client=_Endpoint(session), client_capabilities=ANSWERS_CHALLENGES)

    def obtain(claims: str | None) -> Mapping[str, Any]:
        about = {"resource": target.endpoints.graph, "claims_challenge": claims}
        try:
            return guarded(lambda: dict(client.acquire_token_for_client(**about)))
        except (TransportError, ValueError) as error:
            reason = error.what if isinstance(error, TransportError) else f"its endpoint's answer is none ({error})"
        raise SignInError.named("no_managed_identity", reason=scrub(reason).rstrip("."))

    return obtain


class _Endpoint:
    """``http_client=`` for msal's managed identity, which only asks by GET."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, url: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        answer = self._session.request("GET", url, params=params, headers=headers)
        return Response(answer.status, answer.text, answer.headers)


def azure_identity(target: Target) -> Source:
    """Tokens by azure-identity's own chain and transport, of the target's tenant where a credential can choose.

    Raises :class:`SignInError` where the library is not installed; the source, where no credential gives a token.
    """
    try:
        from azure.core.exceptions import ClientAuthenticationError
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise SignInError.named("libraries_missing", what="sign_in: azure-identity", extra="azure") from None
    at, more = target.endpoints, dict[str, Any]()
    if target.client_id:
        more["managed_identity_client_id"] = target.client_id
    if at.ca_file is not None:
        more |= {"connection_verify": str(at.ca_file), "use_env_settings": False}
    credential = DefaultAzureCredential(
        authority=at.authority, disable_instance_discovery=True, additionally_allowed_tenants=[target.tenant_id], **more
    )

    def obtain(claims: str | None) -> Mapping[str, Any]:
        scope, tenant = f"{at.graph}/.default", target.tenant_id
        try:
            found = credential.get_token(scope, claims=claims, tenant_id=tenant, enable_cae=True)
            return {"access_token": found.token, "expires_in": found.expires_on - int(time.time())}
        except ClientAuthenticationError as error:
            said = scrub(str(error.message))
        tried = [f"{name}: {reason.rstrip('.')}" for name, reason in _TRIED.findall(said)]
        raise SignInError.named("nothing_ambient", tried="; ".join(tried) or said, tenant=tenant)

    return obtain
