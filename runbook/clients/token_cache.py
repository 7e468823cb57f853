"""Where the session of a person who signed in is kept: encrypted by the system, or nowhere.

One cache for each tenant and application through which people sign in, by msal-extensions: DPAPI on Windows, Keychain
on macOS, libsecret on Linux, and there also the keyring that the keyring library finds. No token lies in clear.
"""

import hashlib
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msal_extensions  # type: ignore[import-not-found,import-untyped,unused-ignore]
import platformdirs
from msal_extensions.persistence import PersistenceNotFound  # type: ignore[import-not-found,import-untyped,unused-ignore]

from runbook.clients.target import Target
from runbook.secrets import Secret
from runbook.secrets.keyring_backend import KeyringBackend

_EMPTY = "{}"


class _Keyring(msal_extensions.FilePersistence):  # type: ignore[misc]
    """In the system's keyring; the file is empty and tells by its date when that was changed."""

    is_encrypted = True

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self._keyring, self._name = KeyringBackend(), f"session/{Path(location).stem}"

    def save(self, content: str) -> None:
        self._keyring.put(self._name, Secret(content))
        self.touch()

    def load(self) -> str:
        found = self._keyring.get(self._name)
        if found is None:
            raise PersistenceNotFound(location=self.get_location())
        return found.reveal()


def token_cache(target: Target) -> Any:
    """The cache of this tenant and application; ``None`` where the system encrypts nothing: msal then uses memory."""
    kept = _persistence(target)
    return None if kept is None else msal_extensions.PersistedTokenCache(kept)


def forget(target: Target) -> bool:
    """Remove what is kept; whether there was anything."""
    kept = _persistence(target)
    if kept is None:
        return False
    with suppress(PersistenceNotFound), msal_extensions.CrossPlatLock(f"{kept.get_location()}.lockfile"):
        held = kept.load() != _EMPTY
        kept.save(_EMPTY)
        Path(kept.get_location()).unlink(missing_ok=True)
        return bool(held)
    return False


def _persistence(target: Target) -> Any:
    name = hashlib.sha256("\n".join((target.endpoints.authority, target.tenant_id, target.client_id)).encode())
    folder = platformdirs.user_data_path("entra-id-runbook", appauthor=False) / "sessions"
    location = str(folder / f"{name.hexdigest()[:16]}.bin")
    kinds = (msal_extensions.build_encrypted_persistence, *((_Keyring,) if sys.platform == "linux" else ()))
    for kind in kinds:
        with suppress(Exception):  # any failure of a keychain means: not this one
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return kind(location)
    return None
