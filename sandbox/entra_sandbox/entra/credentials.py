"""Passwords of users and secrets of applications: kept as hashes, apart from the Graph documents that name them.

A secret is known by the ``keyId`` of its ``passwordCredentials`` entry, which holds its dates and hint. The hash lies
in a kind of its own, so no listing, filter or dump of an application can ever show it.
"""

from __future__ import annotations

from entra_sandbox import vault
from entra_sandbox.store import Store

__all__ = ["forget_secret", "is_password", "is_secret", "keep_password", "keep_secret"]

_SECRET = "entra.clientSecret"
_PASSWORD = "entra.password"


def keep_secret(store: Store, key_id: str, text: str, *, usable_from: float = 0.0) -> None:
    """Remember the client secret ``key_id``; the token endpoint takes it from ``usable_from`` (epoch seconds) on."""
    store.put(_SECRET, {"id": key_id, "hash": vault.digest(text), "usableFrom": usable_from})


def forget_secret(store: Store, key_id: str) -> None:
    """After ``removePassword``."""
    store.delete(_SECRET, key_id)


def is_secret(store: Store, key_id: str, text: str) -> bool:
    """Whether ``text`` is the secret ``key_id``, and old enough to be known to the token endpoint."""
    kept = store.get(_SECRET, key_id)
    return kept is not None and store.steady() >= kept["usableFrom"] and vault.matches(text, kept["hash"])


def keep_password(store: Store, user_id: str, text: str, *, hashed: str = "") -> None:
    """Remember the password of a user (object id). ``hashed``: its digest, where many people have the same."""
    store.put(_PASSWORD, {"id": user_id, "hash": hashed or vault.digest(text)})


def is_password(store: Store, user_id: str, text: str) -> bool:
    """Whether ``text`` is the user's password."""
    kept = store.get(_PASSWORD, user_id)
    return kept is not None and vault.matches(text, kept["hash"])
