"""The keys that sign tokens: one current, one next that is published before it is used, and the retired ones.

A client that caches the key set (learn.microsoft.com/entra/identity-platform/signing-key-rollover) therefore knows a
key before it meets it, and tokens signed before a rotation stay valid until they expire.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from joserfc.jwk import RSAKey

from entra_sandbox.services import Services
from entra_sandbox.store import Document, Store

__all__ = ["key_set", "public_key", "rotate", "signing_key"]

_KIND = "entra.signingKey"
_KEPT_SECONDS = 2 * 86400


def signing_key(services: Services) -> tuple[str, RSAKey]:
    """The current key and its ``kid``; the first call makes the first two keys."""
    store = services.store
    current = store.first(_KIND, state="current")
    if current is None:
        with store.transaction():
            if store.first(_KIND, state="current") is None:
                _make(services, "current")
                _make(services, "next")
        return signing_key(services)
    loaded: dict[str, RSAKey] = services.extras.setdefault("entra.keys", {})
    if current["id"] not in loaded:
        loaded[current["id"]] = RSAKey.import_key(services.vault.open_(current["private"]))
    return current["id"], loaded[current["id"]]


def rotate(services: Services) -> str:
    """The next key becomes the current one, a new one is announced; gives the ``kid`` that signs now."""
    store = services.store
    signing_key(services)
    with store.transaction():
        for old in store.find(_KIND, state="old"):
            if old["retired"] + _KEPT_SECONDS < store.now():
                store.delete(_KIND, old["id"])
        for current in store.find(_KIND, state="current"):
            store.update(_KIND, current["id"], {"state": "old", "retired": store.now(), "private": ""})
        following = store.first(_KIND, state="next") or _make(services, "next")
        store.update(_KIND, following["id"], {"state": "current"})
        _make(services, "next")
    return str(following["id"])


def key_set(services: Services) -> dict[str, Any]:
    """The JSON Web Key Set (RFC 7517), with ``x5t`` and ``x5c`` as Entra ID has them."""
    signing_key(services)
    return {"keys": [document["public"] for document in services.store.find(_KIND)]}


def public_key(store: Store, kid: str) -> RSAKey | None:
    """The published key with this id, or None."""
    document = store.get(_KIND, kid)
    return RSAKey.import_key({name: document["public"][name] for name in ("kty", "n", "e")}) if document else None


def _make(services: Services, state: str) -> Document:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accounts.accesscontrol.windows.net")])
    now = datetime.fromtimestamp(services.store.now(), UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1825))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    kid = _b64(hashlib.sha1(certificate, usedforsecurity=False).digest())
    numbers = key.public_key().public_numbers()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = {
        "kty": "RSA",
        "use": "sig",
        "kid": kid,
        "x5t": kid,
        "n": _b64(numbers.n.to_bytes(256, "big")),
        "e": _b64(numbers.e.to_bytes(3, "big")),
        "x5c": [base64.b64encode(certificate).decode()],
    }
    document = {"id": kid, "state": state, "public": public, "private": services.vault.seal(private.decode())}
    return services.store.put(_KIND, document)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
