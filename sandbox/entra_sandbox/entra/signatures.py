"""Reading signed JSON Web Tokens (RFC 7519): ours, and the assertions of clients."""

from __future__ import annotations

from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from joserfc.jws import JWSRegistry

__all__ = ["ALGORITHMS", "read"]

ALGORITHMS = ("RS256", "PS256", "RS384", "RS512", "PS384", "PS512")


class _Registry(JWSRegistry):
    """Room for a certificate chain in the header (``x5c``) and for every permission in the payload."""

    max_header_length = 32768
    max_payload_length = 65536
    max_signature_length = 4096


def read(token: str, key: RSAKey | KeySet, algorithms: tuple[str, ...] = ALGORITHMS) -> dict[str, Any]:
    """The claims, after the signature was checked; joserfc's JoseError or ValueError if it does not hold."""
    registry = _Registry(algorithms=algorithms, strict_check_header=False)
    return dict(jwt.decode(token, key, algorithms=list(algorithms), registry=registry).claims)
