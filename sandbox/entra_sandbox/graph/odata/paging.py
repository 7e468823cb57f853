"""Opaque page tokens: where the next page begins, signed so that nobody else can make one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets

from entra_sandbox.graph.errors import GraphFault
from entra_sandbox.store import Store

__all__ = ["read_token", "write_token"]

_SETTING = "graph.pageKey"


def write_token(store: Store, path: str, *place: int) -> str:
    """A token for the page of ``path`` that begins at a place: numbers that mean something to whoever reads them."""
    body = json.dumps([path.lower(), *place], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_sign(store, body) + body).decode().rstrip("=")


def read_token(store: Store, path: str, token: str) -> tuple[int, ...]:
    """Where the page begins; :class:`GraphFault` 400 for a token of another list or of somebody else."""
    try:
        raw = base64.urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        raise _refused() from None
    signature, body = raw[:16], raw[16:]
    if not hmac.compare_digest(signature, _sign(store, body)):
        raise _refused()
    written_for, *place = json.loads(body)
    if written_for != path.lower():
        raise _refused()
    return tuple(place)


def _sign(store: Store, body: bytes) -> bytes:
    key = store.setting(_SETTING)
    if key is None:
        with store.transaction():
            key = store.setting(_SETTING) or secrets.token_hex(16)
            store.set_setting(_SETTING, key)
    return hmac.new(bytes.fromhex(key), body, hashlib.sha256).digest()[:16]


def _refused() -> GraphFault:
    return GraphFault(
        400,
        "Directory_ExpiredPageToken",
        "The specified page token value has expired and can no longer be included in your request.",
    )
