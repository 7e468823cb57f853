"""Secrets at rest: sealed with the folder's key where the value is needed again, hashed where it is only compared."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken

from entra_sandbox.folder import Folder, write_private

__all__ = ["SealBroken", "Vault", "digest", "matches"]

_COST = {"n": 2**12, "r": 8, "p": 1}


class SealBroken(ValueError):
    """The text was sealed with another key, was changed, or is older than allowed."""


class Vault:
    """Seals texts with a Fernet key (``vault.key``, mode 0600) that never leaves the sandbox's folder."""

    def __init__(self, folder: Folder) -> None:
        path = folder.file("vault.key")
        if not path.exists():
            write_private(path, Fernet.generate_key())
        self._fernet = folder.load("vault.key", Fernet)

    def seal(self, text: str) -> str:
        """The text, encrypted and authenticated, as URL-safe ASCII."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def open_(self, sealed: str, *, seconds: int | None = None) -> str:
        """The text again. :class:`SealBroken` if it is not ours or was sealed longer than ``seconds`` ago."""
        try:
            return self._fernet.decrypt(sealed.encode(), ttl=seconds).decode()
        except (InvalidToken, UnicodeError) as error:
            raise SealBroken("not sealed with this sandbox's key, or too old") from error


def digest(text: str) -> str:
    """A salted hash to keep instead of a password or client secret (scrypt, RFC 7914)."""
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${_derived(text, salt).hex()}"


def matches(text: str, kept: str) -> bool:
    """Whether ``kept`` is the :func:`digest` of ``text``; compared in constant time."""
    scheme, salt, value = kept.split("$")
    if scheme != "scrypt":
        raise ValueError(f"unknown hash {scheme!r}")
    return hmac.compare_digest(_derived(text, bytes.fromhex(salt)).hex(), value)


@lru_cache(maxsize=1024)
def _derived(text: str, salt: bytes) -> bytes:
    """Dear by design, so that each is worked out once: a client shows its secret with every request for a token."""
    return hashlib.scrypt(text.encode(), salt=salt, dklen=32, **_COST)
