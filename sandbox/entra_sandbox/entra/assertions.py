"""Client assertions (RFC 7523): signed with a registered certificate, or by the issuer of a federated credential.

learn.microsoft.com/entra/identity-platform/certificate-credentials, and the pages on workload identity federation.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from entra_sandbox.entra import keys
from entra_sandbox.entra.call import Call
from entra_sandbox.entra.directory import Client, Tenant, tenant_of
from entra_sandbox.entra.errors import AadError
from entra_sandbox.entra.signatures import read
from entra_sandbox.store import Document

__all__ = ["LEEWAY", "check", "unverified"]

LEEWAY = 300
"""Seconds that the clocks of a client and of Entra ID may differ."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def check(call: Call, client: Client, holders: Iterable[Document], assertion: str, tenant: Tenant | None) -> None:
    """Check an assertion against the certificates of ``holders`` (application, service principal) or the
    application's federated credentials; AADSTS50013, 700024, 700027, 700211, 700212 or 700213."""
    header, claims = unverified(assertion)
    if claims.get("iss") != client.app_id:
        _check_federated(call, client, assertion, header, claims)
        return
    thumbprint = str(header.get("x5t") or header.get("x5t#S256") or "").rstrip("=")  # MSAL keeps the padding
    certificate = _registered(holders, thumbprint)
    if certificate is None:
        raise AadError(700027, reason="The key was not found.", thumbprint=thumbprint)
    public = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = RSAKey.import_key(public)
    try:
        read(assertion, key)
    except (JoseError, ValueError):
        raise AadError(700027, reason="The signature is not valid.", thumbprint=thumbprint) from None
    _check_times(call, claims)
    if claims.get("sub") != client.app_id or not _is_our_endpoint(call, claims.get("aud"), tenant):
        raise AadError(700027, reason="The audience or subject is not valid.", thumbprint=thumbprint)


def _check_federated(
    call: Call, client: Client, assertion: str, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    issuer, subject = str(claims.get("iss", "")), str(claims.get("sub", ""))
    audiences = claims.get("aud")
    audiences = [audiences] if isinstance(audiences, str) else list(audiences or ())
    records = _federated(call, client)
    if not (records := [one for one in records if str(one.get("issuer", "")).rstrip("/") == issuer.rstrip("/")]):
        raise AadError(700211, issuer=issuer)
    if not (records := [one for one in records if one.get("subject") == subject]):
        raise AadError(700213, subject=subject)
    if not any(audience in (one.get("audiences") or ()) for one in records for audience in audiences):
        raise AadError(700212, audience=", ".join(map(str, audiences)))
    try:
        read(assertion, _issuer_keys(call, issuer, str(header.get("kid", ""))))
    except (JoseError, ValueError, httpx.HTTPError) as error:
        raise AadError(
            50013, reason=f"The key of the issuer was not found or does not fit: {type(error).__name__}"
        ) from None
    _check_times(call, claims)


def _federated(call: Call, client: Client) -> list[dict[str, Any]]:
    """The application's federated identity credentials, linked to it or listed in its document."""
    ids = call.store.links("application.federatedIdentityCredentials", client.document["id"])
    linked = [call.store.get("federatedIdentityCredential", one) for one in ids]
    return [*(one for one in linked if one), *(client.document.get("federatedIdentityCredentials") or ())]


def _issuer_keys(call: Call, issuer: str, kid: str) -> RSAKey | KeySet:
    """The issuer's published keys: our own, or those of another issuer on loopback. Nothing leaves the machine."""
    own = keys.public_key(call.store, kid)
    if own is not None:
        return own
    if urlsplit(issuer).hostname not in _LOOPBACK:
        raise ValueError("only issuers on loopback can be asked")
    context = ssl.create_default_context(cafile=str(call.services.ca_file))
    with httpx.Client(verify=context, trust_env=False, timeout=5) as client:
        document = client.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration").raise_for_status().json()
        jwks_uri = str(document["jwks_uri"])
        if urlsplit(jwks_uri).hostname not in _LOOPBACK:
            raise ValueError("only issuers on loopback can be asked")
        return KeySet.import_key_set(client.get(jwks_uri).raise_for_status().json())


def _registered(holders: Iterable[Document], thumbprint: str) -> x509.Certificate | None:
    for entry in (one for holder in holders for one in holder.get("keyCredentials") or ()):
        try:
            certificate = x509.load_der_x509_certificate(_der(str(entry.get("key") or "")))
        except ValueError:
            continue
        der = certificate.public_bytes(Encoding.DER)
        prints = (hashlib.sha1(der, usedforsecurity=False).digest(), hashlib.sha256(der).digest())
        if thumbprint in [base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in prints]:
            return certificate
    return None


def _der(key: str) -> bytes:
    """The certificate of a ``keyCredentials`` entry: base64 of DER, or of the base64 text of DER as some tools send."""
    data = base64.b64decode(key)
    return data if data[:1] == b"\x30" else base64.b64decode(data)


def _check_times(call: Call, claims: dict[str, Any]) -> None:
    now = call.store.now()
    try:
        start, end = float(claims.get("nbf", claims.get("iat", 0))), float(claims["exp"])
    except (KeyError, TypeError, ValueError):
        raise AadError(9002313) from None
    if not start - LEEWAY <= now <= end + LEEWAY:
        raise AadError(700024, now=_iso(now), valid_from=_iso(start), valid_to=_iso(end))


def _is_our_endpoint(call: Call, audience: object, tenant: Tenant | None) -> bool:
    """Whether ``aud`` is this token endpoint, under the tenant's id, its domain, or the segment of the request."""
    if not isinstance(audience, str) or not audience.lower().startswith(call.base.lower() + "/"):
        return False
    segment, _, rest = audience[len(call.base) + 1 :].partition("/")
    if rest not in ("oauth2/v2.0/token", "oauth2/token", "v2.0", ""):
        return False
    if segment.lower() == call.segment.lower():
        return True
    try:
        return tenant is not None and tenant_of(call.store, segment).id == tenant.id
    except AadError:
        return False


def unverified(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims as they are, before anything is checked; AADSTS50013 if it is no JWT."""
    try:
        parts = assertion.split(".")
        if len(parts) != 3:
            raise ValueError("a JWT has three parts")
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except (ValueError, UnicodeDecodeError):
        raise AadError(50013, reason="The assertion is malformed.") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise AadError(50013, reason="The assertion is malformed.")
    return header, claims


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(min(max(seconds, 0), 253402300799), UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
