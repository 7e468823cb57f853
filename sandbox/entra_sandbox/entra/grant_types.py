"""The grant types of the token endpoint, one function each."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from entra_sandbox.entra import tokens, traces
from entra_sandbox.entra.call import Call
from entra_sandbox.entra.directory import Client, Tenant, User, is_password_of, user_by_id, user_by_name
from entra_sandbox.entra.errors import AadError
from entra_sandbox.entra.redirects import is_public, is_spa
from entra_sandbox.entra.scopes import parse
from entra_sandbox.entra.token_response import REFRESH_KIND, SignIn, application_answer, hashed, user_answer
from entra_sandbox.store import Document

__all__ = ["CODE_KIND", "DEVICE_KIND", "GRANTS", "Grant"]

CODE_KIND = "entra.authorizationCode"
DEVICE_KIND = "entra.deviceCode"
_POLLS_PER_INTERVAL = 3
_INTERVAL = 5.0


@dataclass(frozen=True)
class Grant:
    """A token request whose client is known; ``proof`` is ``0`` for one that presented no credential."""

    call: Call
    tenant: Tenant | None
    client: Client
    proof: str

    def need_proof(self) -> None:
        """AADSTS7000218 unless the client presented a credential."""
        if self.proof == "0":
            raise AadError(7000218)


def client_credentials(grant: Grant) -> dict[str, Any]:
    """RFC 6749 section 4.4: the scope is a resource's ``.default``."""
    if grant.tenant is None:
        raise AadError(50059)
    if grant.proof == "0":
        raise AadError(7000216)
    text = grant.call.need("scope")
    wanted = parse(text, grant.call.own)
    if not wanted.default:
        raise AadError(1002012, scope=text)
    return application_answer(grant.call, grant.tenant, grant.client, wanted, grant.proof)


def authorization_code(grant: Grant) -> dict[str, Any]:
    """RFC 6749 section 4.1.3 with PKCE (RFC 7636). A code serves once."""
    call, store = grant.call, grant.call.store
    code = call.need("code")
    with store.transaction():
        kept = store.get(CODE_KIND, hashed(code))
        if kept is None:
            raise AadError(70000)
        if kept["redeemed"]:
            raise AadError(54005)
        _same_client(grant, kept)
        if store.now() >= kept["expires"]:
            raise AadError(70008)
        if call.get("redirect_uri") != kept["redirectUri"]:
            raise AadError(50011, redirect_uri=call.get("redirect_uri"), app_id=grant.client.app_id)
        _check_platform(grant, kept)
        _check_verifier(call.get("code_verifier"), kept)
        store.update(CODE_KIND, kept["id"], {"redeemed": True})
    wanted = parse(kept["scope"], call.own | {kept["base"]})
    if call.get("scope"):
        asked = parse(call.get("scope"), call.own)
        # OpenID Connect words may be left out when the code is redeemed; what was authorized still holds.
        wanted = type(asked)(asked.resource, asked.names, asked.default, wanted.oidc, asked.prefix)
    return user_answer(call, grant.client, _sign_in(grant, kept), wanted, grant.proof, nonce=kept["nonce"])


def refresh_token(grant: Grant) -> dict[str, Any]:
    """RFC 6749 section 6. The answer has a new refresh token; as at Entra ID the old one stays good until its end.

    learn.microsoft.com/entra/identity-platform/refresh-tokens: one refresh token serves every resource that was
    consented to.
    """
    call, store = grant.call, grant.call.store
    kept = store.get(REFRESH_KIND, hashed(call.need("refresh_token")))
    if kept is None:
        raise AadError(70000)
    _same_client(grant, kept)
    if store.now() >= kept["expires"]:
        raise AadError(700082, issued=_iso(kept["issued"]))
    _check_confidential(grant, kept.get("proof", grant.proof))
    sign_in = _sign_in(grant, kept)
    valid_from = sign_in.user.document.get("signInSessionsValidFromDateTime")
    if valid_from and kept["issued"] < datetime.fromisoformat(valid_from.replace("Z", "+00:00")).timestamp():
        raise AadError(50173, issued=_iso(kept["issued"]), valid_from=valid_from)
    wanted = parse(call.get("scope") or kept["scope"], call.own)
    return user_answer(call, grant.client, sign_in, wanted, grant.proof, keep=True, interactive=False)


def device_code(grant: Grant) -> dict[str, Any]:
    """RFC 8628 section 3.4; the code comes as ``device_code`` or ``code``."""
    call, store = grant.call, grant.call.store
    if grant.proof == "0" and not grant.client.public:
        raise AadError(7000218)
    code = call.get("device_code") or call.need("code")
    with store.transaction():
        kept = store.get(DEVICE_KIND, hashed(code))
        if kept is None:
            raise AadError(70019)
        _same_client(grant, kept)
        now = store.now()
        if now >= kept["expires"]:
            raise AadError(70020)
        if kept["status"] == "declined":
            raise AadError("70016_declined")
        polls = [at for at in kept["polls"] if at > now - _INTERVAL]
        store.update(DEVICE_KIND, kept["id"], {"polls": [*polls, now]})
        if kept["status"] == "redeemed":
            raise AadError(54005)
        approved = kept["status"] == "approved"
        if approved:
            store.update(DEVICE_KIND, kept["id"], {"status": "redeemed"})
    if not approved:
        raise AadError("70016_slow" if len(polls) >= _POLLS_PER_INTERVAL else "70016")
    wanted = parse(kept["scope"], call.own | {kept["base"]})
    return user_answer(call, grant.client, _sign_in(grant, kept), wanted, grant.proof, device_code=True)


def on_behalf_of(grant: Grant) -> dict[str, Any]:
    """An API asks for a token to the next API with the token it was called with."""
    call, client = grant.call, grant.client
    if call.need("requested_token_use") != "on_behalf_of":
        raise AadError(9002313)
    grant.need_proof()
    try:
        claims = tokens.verify(call.store, call.need("assertion"))
    except tokens.InvalidToken as error:
        raise AadError(500133) if error.expired else AadError(50013, reason=str(error)) from None
    names = {client.app_id, *(client.document.get("identifierUris") or ())}
    if claims["aud"] not in names:
        raise AadError(500131, audience=str(claims["aud"]), app_id=client.app_id)
    user = user_by_id(call.store, str(claims["oid"])) if "scp" in claims else None
    if user is None:
        raise AadError(50013, reason="The assertion is not a token of a user.")
    sign_in = SignIn(user, tuple(claims.get("amr") or ("pwd",)), float(claims["iat"]))
    wanted = parse(call.need("scope"), call.own)
    return user_answer(call, client, sign_in, wanted, grant.proof, interactive=False)


def password(grant: Grant) -> dict[str, Any]:
    """RFC 6749 section 4.3: no page, so whatever asks the person for more is an error."""
    call = grant.call
    if grant.proof == "0" and not grant.client.public:
        raise AadError(7000218)
    user = user_by_name(call.store, call.need("username"), grant.tenant.name if grant.tenant else call.segment)
    with traces.watched(call, user, grant.client):
        if not is_password_of(call.store, user, call.need("password")):
            raise AadError(50126)
    _check_tenant(grant, user)
    sign_in = SignIn(user, ("pwd",), call.store.now())
    return user_answer(call, grant.client, sign_in, parse(call.get("scope"), call.own), grant.proof)


GRANTS: dict[str, Callable[[Grant], dict[str, Any]]] = {
    "client_credentials": client_credentials,
    "authorization_code": authorization_code,
    "refresh_token": refresh_token,
    "urn:ietf:params:oauth:grant-type:device_code": device_code,
    "device_code": device_code,
    "urn:ietf:params:oauth:grant-type:jwt-bearer": on_behalf_of,
    "password": password,
}


def _sign_in(grant: Grant, kept: Document) -> SignIn:
    user = user_by_id(grant.call.store, kept["user"])
    if user is None:
        raise AadError(70000)
    _check_tenant(grant, user)
    return SignIn(user, tuple(kept["methods"]), kept["at"])


def _check_tenant(grant: Grant, user: User) -> None:
    if grant.tenant is not None and grant.tenant.id != user.tenant.id:
        raise AadError(
            50020,
            user=user.name,
            provider=f"{grant.call.base}/{user.tenant.id}/",
            tenant=grant.tenant.name,
            app_id=grant.client.app_id,
            app_name=grant.client.name,
        )


def _same_client(grant: Grant, kept: Document) -> None:
    if kept["client"].lower() != grant.client.app_id.lower():
        raise AadError(70000)


def _check_platform(grant: Grant, kept: Document) -> None:
    """A redirect URI of a public platform goes without a credential, one of the web platform only with one; a page of
    another origin may redeem for a single-page application alone, and such an application must."""
    origin = grant.call.headers.get("origin", "")
    if is_spa(grant.client, kept["redirectUri"]):
        if not origin:
            raise AadError(9002327)
    elif origin:
        raise AadError(9002326, origin=origin)
    if is_public(grant.client, kept["redirectUri"]):
        if grant.proof != "0":
            raise AadError(700025)
    else:
        grant.need_proof()


def _check_confidential(grant: Grant, proof: str) -> None:
    if proof != "0" and grant.proof == "0":
        raise AadError(7000218)


def _check_verifier(verifier: str, kept: Document) -> None:
    challenge = kept["challenge"]
    if not challenge and not verifier:
        return
    found = verifier
    if kept["challengeMethod"] == "S256":
        found = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    if not challenge or not hmac.compare_digest(found.encode(), challenge.encode()):
        raise AadError(501481)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
