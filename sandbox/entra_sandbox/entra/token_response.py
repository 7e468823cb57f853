"""What a token request is answered with, for a person and for an application."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from entra_sandbox.entra import consents, tokens, traces
from entra_sandbox.entra.call import Call
from entra_sandbox.entra.directory import Client, Tenant, User, service_principal
from entra_sandbox.entra.errors import AadError
from entra_sandbox.entra.policy import check_application, check_sign_in
from entra_sandbox.entra.scopes import Resource, Wanted, resource_of
from entra_sandbox.store import Document, Store, value_of

__all__ = [
    "REFRESH_SECONDS",
    "SignIn",
    "application_answer",
    "capabilities",
    "hashed",
    "new_code",
    "sweep",
    "user_answer",
]

REFRESH_SECONDS = 90 * 86400
REFRESH_KIND = "entra.refreshToken"


@dataclass(frozen=True)
class SignIn:
    """A person who signed in: how (``amr``) and when (epoch seconds)."""

    user: User
    methods: tuple[str, ...]
    at: float


def new_code(store: Store, kind: str, document: Document, seconds: float, prefix: str = "") -> str:
    """Make a one-time code for ``document``; the state holds its hash only."""
    code = prefix + secrets.token_urlsafe(48)
    now = store.now()
    sweep(store, kind)
    store.put(kind, {**document, "id": hashed(code), "issued": now, "expires": now + seconds})
    return code


def sweep(store: Store, kind: str) -> None:
    """Forget what expired more than a day ago; until then "expired" can be told from "unknown"."""
    old = store.rows(kind, where=f"{value_of('expires')} < ?", args=[store.now() - 86400], limit=50)
    for row in old:
        store.delete(kind, row.id)


def hashed(code: str) -> str:
    """The id under which a code is kept."""
    return hashlib.sha256(code.encode()).hexdigest()


def capabilities(call: Call) -> list[str]:
    """Client capabilities (``xms_cc``) of the ``claims`` parameter; AADSTS9002313 if it is not a JSON object."""
    text = call.get("claims")
    if not text:
        return []
    try:
        claims = json.loads(text)
        wanted = (claims.get("access_token") or {}).get("xms_cc") or {}
        values = wanted.get("values") or ([wanted["value"]] if "value" in wanted else [])
        return [str(value) for value in values]
    except (ValueError, AttributeError, TypeError):
        raise AadError(9002313) from None


def application_answer(call: Call, tenant: Tenant, client: Client, wanted: Wanted, proof: str) -> dict[str, Any]:
    """The answer to client credentials: every app role that is assigned, none if there is none."""
    principal = service_principal(call.store, tenant, client.app_id)
    if principal is None:
        raise AadError(7000229, app_id=client.app_id, tenant=tenant.name)
    check_application(client, principal)
    resource = resource_of(call.store, tenant, wanted.resource)
    roles = consents.application_roles(call.store, principal["id"], resource)
    if illness := call.services.extras.get("faults"):
        roles = illness.settled(principal["id"], resource.id, roles)
    token = tokens.mint_app(
        call.services,
        call.base,
        tenant,
        client,
        principal,
        resource,
        roles,
        proof=proof,
        capabilities=capabilities(call),
    )
    return _bearer(token, tokens.APP_SECONDS)


def user_answer(
    call: Call,
    client: Client,
    sign_in: SignIn,
    wanted: Wanted,
    proof: str,
    *,
    nonce: str | None = None,
    keep: bool | None = None,
    device_code: bool = False,
    interactive: bool = True,
) -> dict[str, Any]:
    """Access token, ID token and refresh token for a person, as far as wanted and consented to.

    ``keep`` gives a refresh token whatever the scope says (an answer to a refresh always has one); ``interactive`` says
    which kind of sign-in ``signInActivity`` shows. AADSTS65001
    without consent; everything of :func:`~entra_sandbox.entra.policy.check_sign_in`.
    """
    user, store = sign_in.user, call.store
    principal = service_principal(store, user.tenant, client.app_id)
    resource = resource_of(store, user.tenant, wanted.resource)
    with traces.watched(call, user, client):
        check_sign_in(store, user, client, principal, resource.app_id, sign_in.methods, device_code=device_code)
        names = _consented(call, client, principal, user, resource, wanted)
    token = tokens.mint_user(
        call.services,
        call.base,
        user,
        client,
        resource,
        names,
        proof=proof,
        methods=sign_in.methods,
        roles=consents.application_roles(store, user.id, resource),
        capabilities=capabilities(call),
    )
    traces.signed_in(call, user, client, resource.document, interactive=interactive, methods=sign_in.methods)
    answer = _bearer(token, tokens.USER_SECONDS)
    answer["scope"] = " ".join(_words(wanted, names))
    if keep or wanted.offline:
        document = {
            "client": client.app_id,
            "user": user.id,
            "methods": list(sign_in.methods),
            "at": sign_in.at,
            "scope": call.get("scope") or " ".join(_words(wanted, names)),
        }
        answer["refresh_token"] = new_code(store, REFRESH_KIND, document, REFRESH_SECONDS, "1.")
    if wanted.openid:
        answer["id_token"] = tokens.mint_id(call.services, call.base, user, client, wanted.oidc, nonce)
    if call.get("client_info") == "1":
        answer["client_info"] = tokens.client_info(user)
    return answer


def _consented(
    call: Call, client: Client, principal: Document | None, user: User, resource: Resource, wanted: Wanted
) -> list[str]:
    """Names for ``scp``: what was asked for and consented to, in the spelling of the resource."""
    store = call.store
    granted = consents.delegated_scopes(store, principal, resource, user.id) if principal else set()
    if principal and (illness := call.services.extras.get("faults")):
        granted = set(illness.settled(principal["id"], resource.id, granted))
    open_to = principal is not None and consents.any_grant(store, principal, user.id)
    words = [word for word in wanted.oidc if word != "offline_access" and (open_to or word in granted)]
    if wanted.default:
        names = sorted(granted - {"offline_access"})
    else:
        known = [resource.delegated(name, client.name) for name in wanted.names]
        names = [name for name in known if name in granted]
    if (wanted.names and not names) or not (names or words or open_to):
        raise AadError(65001, app_id=client.app_id, app_name=client.name)
    return list(dict.fromkeys([*names, *(words if resource.is_graph else ())]))


def _words(wanted: Wanted, names: list[str]) -> list[str]:
    words = [name if name in wanted.oidc else wanted.prefix + name for name in names]
    words += [word for word in wanted.oidc if word not in words and word != "offline_access"]
    return [*words, f"{wanted.prefix}.default"] if wanted.default else words


def _bearer(token: str, seconds: int) -> dict[str, Any]:
    return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}
