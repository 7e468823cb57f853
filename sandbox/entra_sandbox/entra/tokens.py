"""Tokens: minted with Entra ID's claims, verified with the published keys.

Claims: learn.microsoft.com/entra/identity-platform/access-token-claims-reference and id-token-claims-reference.
Microsoft Graph's own access tokens are of version 1.0 (``appid``); an API that asks for version 2.0 gets ``azp``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from entra_sandbox.entra import keys, signatures
from entra_sandbox.entra.directory import Client, Tenant, User, roles_of
from entra_sandbox.entra.scopes import Resource
from entra_sandbox.services import Services
from entra_sandbox.store import Document, Store

__all__ = ["Claims", "InvalidToken", "client_info", "mint", "mint_app", "mint_id", "mint_user", "subject", "verify"]

Claims = dict[str, Any]
APP_SECONDS = 3599
USER_SECONDS = 4499
_WID_MEMBER = "b79fbf4d-3ef9-4689-8143-76b194e85509"
_WID_APP = "0997a1d0-0d1d-4acb-b408-d5ca73121e90"
_KNOWN_TOKENS = 4096


class InvalidToken(Exception):
    """A bearer token that is not ours, was changed, or is outside its time. ``expired`` tells the last case."""

    def __init__(self, reason: str, *, expired: bool = False) -> None:
        super().__init__(reason)
        self.expired = expired


def mint(services: Services, claims: Mapping[str, Any], seconds: int) -> str:
    """Sign ``claims`` with the current key, valid from now for ``seconds``."""
    kid, key = keys.signing_key(services)
    now = int(services.store.now())
    times = {"iat": now, "nbf": now, "exp": now + seconds}
    header = {"typ": "JWT", "alg": "RS256", "x5t": kid, "kid": kid}
    return jwt.encode(header, {**claims, **times, "uti": _unique()}, key)


def mint_app(
    services: Services,
    base: str,
    tenant: Tenant,
    client: Client,
    principal: Document,
    resource: Resource,
    roles: Iterable[str],
    *,
    proof: str,
    capabilities: Iterable[str] = (),
) -> str:
    """An app-only access token. ``proof`` is ``1`` for a secret, ``2`` for a certificate or other assertion."""
    claims = _common(base, tenant, client, resource, proof, capabilities)
    claims |= {
        "idtyp": "app",
        "oid": principal["id"],
        "sub": principal["id"],
        "wids": sorted({_WID_APP, *roles_of(services.store, principal["id"])}),
    }
    if names := list(roles):
        claims["roles"] = names
    return mint(services, claims, APP_SECONDS)


def mint_user(
    services: Services,
    base: str,
    user: User,
    client: Client,
    resource: Resource,
    scopes: Iterable[str],
    *,
    proof: str,
    methods: Iterable[str],
    roles: Iterable[str] = (),
    capabilities: Iterable[str] = (),
) -> str:
    """A delegated access token; ``proof`` is ``0`` for a public client, ``methods`` are the ``amr`` of the sign-in."""
    claims = _common(base, user.tenant, client, resource, proof, capabilities)
    document = user.document
    claims |= {
        "acct": 0,
        "acr": "1",
        "amr": list(methods),
        "idtyp": "user",
        "ipaddr": "127.0.0.1",
        "name": document.get("displayName"),
        "given_name": document.get("givenName"),
        "family_name": document.get("surname"),
        "oid": user.id,
        "sub": subject(user, resource.app_id),
        "scp": " ".join(scopes),
        "unique_name": user.name,
        "upn": user.name,
        "wids": sorted(user.roles | {_WID_MEMBER}),
    }
    if names := list(roles):
        claims["roles"] = names
    if claims["ver"] == "2.0":
        claims["preferred_username"] = user.name
    return mint(services, {name: value for name, value in claims.items() if value is not None}, USER_SECONDS)


def mint_id(services: Services, base: str, user: User, client: Client, oidc: Iterable[str], nonce: str | None) -> str:
    """An ID token (v2.0) for the client."""
    claims: Claims = {
        "ver": "2.0",
        "iss": f"{base}/{user.tenant.id}/v2.0",
        "aud": client.app_id,
        "sub": subject(user, client.app_id),
        "oid": user.id,
        "tid": user.tenant.id,
        "name": user.document.get("displayName"),
        "preferred_username": user.name,
    }
    if "email" in oidc:
        claims["email"] = user.document.get("mail")
    if nonce:
        claims["nonce"] = nonce
    return mint(services, {name: value for name, value in claims.items() if value is not None}, APP_SECONDS)


def client_info(user: User) -> str:
    """Who signed in, as MSAL wants it beside the tokens: base64url of ``{"uid", "utid"}``."""
    return _b64(json.dumps({"uid": user.id, "utid": user.tenant.id}).encode())


def subject(user: User, app_id: str) -> str:
    """The pairwise subject: the same person is another ``sub`` for another application."""
    return _b64(hashlib.sha256(f"{user.tenant.id}/{user.id}/{app_id}".encode()).digest())


_verified: OrderedDict[tuple[str, str], Claims] = OrderedDict()
_guard = threading.Lock()


def verify(store: Store, bearer: str) -> Claims:
    """The claims of a token that this sandbox signed and that is valid now; :class:`InvalidToken` otherwise.

    The signature of a token that was seen before is not computed again.
    """
    known = (str(store.path), bearer)
    claims = _verified.get(known)
    if claims is None:
        claims = _signed(store, bearer)
        with _guard:
            _verified[known] = claims
            if len(_verified) > _KNOWN_TOKENS:
                _verified.popitem(last=False)
    now = store.now()
    if now >= claims["exp"]:
        raise InvalidToken("Lifetime validation failed, the token is expired.", expired=True)
    if now < claims["nbf"] - 300:
        raise InvalidToken("Lifetime validation failed, the token is not yet valid.")
    return dict(claims)


def _signed(store: Store, bearer: str) -> Claims:
    try:
        head = bearer.split(".")[0]
        kid = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
        key = keys.public_key(store, str(kid))
        if key is None:
            raise InvalidToken("IDX10511: Signature validation failed. Keys tried: none with this kid.")
        claims = signatures.read(bearer, key, ("RS256",))
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise InvalidToken("IDX14100: JWT is not well formed, or its signature is wrong.") from error
    return claims


def _common(
    base: str, tenant: Tenant, client: Client, resource: Resource, proof: str, capabilities: Iterable[str]
) -> Claims:
    second = resource.token_version == 2
    uris = [name for name in resource.document.get("servicePrincipalNames") or () if "://" in name]
    claims: Claims = {"tid": tenant.id, "app_displayname": client.name}
    if resource.is_graph:
        claims["aud"] = "https://graph.microsoft.com"
    else:
        claims["aud"] = resource.app_id if second or not uris else uris[0]
    if second:
        claims |= {"ver": "2.0", "iss": f"{base}/{tenant.id}/v2.0", "azp": client.app_id, "azpacr": proof}
    else:
        claims |= {"ver": "1.0", "iss": f"{base}/{tenant.id}/", "appid": client.app_id, "appidacr": proof}
        claims["idp"] = claims["iss"]
    if listed := list(capabilities):
        claims["xms_cc"] = listed
    return claims


def _unique() -> str:
    return _b64(uuid.uuid4().bytes)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
