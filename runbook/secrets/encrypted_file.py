"""One encrypted file for all secrets of the user (Fernet: AES-128-CBC with HMAC-SHA-256).

The key lies in the system's keyring where one works, else in a file of its own, mode 0600, in another folder than the
secrets. With RUNBOOK_SECRETS_DIR both files lie in that folder and no keyring is asked: the folder can then be moved
as it is, and has to be protected as a whole.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import filelock
import platformdirs
from cryptography.fernet import Fernet, InvalidToken

from runbook import whole
from runbook.errors import SecretStoreError
from runbook.secrets.keyring_backend import KeyringBackend, keyring_problem
from runbook.secrets.secret import Secret

_APP = "entra-id-runbook"
_KEY_NAME = f"{_APP}/secrets-file-key"
_LOCK_SECONDS = 20


@dataclass(frozen=True)
class EncryptedFileBackend:
    """Secrets in ``file``; the key in ``key_file``, or in the keyring when that is ``None``."""

    file: Path
    key_file: Path | None

    @classmethod
    def of_user(cls, _place: str = "") -> EncryptedFileBackend:
        """The user's own: in the data folder, the key in the keyring or the config folder."""
        moved = os.environ.get("RUNBOOK_SECRETS_DIR")
        if moved:
            folder = Path(moved).expanduser().absolute()
            return cls(folder / "secrets.enc", folder / "secrets.key")
        file = platformdirs.user_data_path(_APP, appauthor=False) / "secrets.enc"
        key_file = platformdirs.user_config_path(_APP, appauthor=False) / "secrets.key"
        # Once there is a key file it stays the key, also on a day when a keyring works; to look for one takes a while.
        kept = os.path.exists(key_file)  # noqa: PTH110 - pathlib's raises for a path that is too long
        return cls(file, key_file if kept or keyring_problem() is not None else None)

    def place(self, name: str) -> str:
        """As it is."""
        return name

    def put(self, name: str, secret: Secret) -> None:
        """Keep it; the file is written whole, under a lock."""
        with self._locked():
            self._write({**self._read(), name: secret.reveal()})

    def get(self, name: str) -> Secret | None:
        """Read it."""
        with self._in_words():  # without the lock: the file is replaced in one step
            value = self._read().get(name)
        return Secret(value) if value else None

    def names(self) -> list[str]:
        """Every name."""
        with self._in_words():
            return list(self._read())

    def delete(self, name: str) -> bool:
        """Forget it."""
        if not self.file.exists():
            return False
        with self._locked():
            entries = self._read()
            if found := entries.pop(name, None) is not None:
                self._write(entries)
        return found

    def describe(self) -> str:
        """In words."""
        place = self.key_file or "the system's keyring"
        return f"the encrypted file {self.file} (its key: {place})"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._in_words():
            for folder in {self.file.parent, (self.key_file or self.file).parent}:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with filelock.FileLock(self.file.with_name(self.file.name + ".lock"), timeout=_LOCK_SECONDS, mode=0o600):
                yield

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except filelock.Timeout:
            raise SecretStoreError.named("locked", file=self.file, lock_seconds=_LOCK_SECONDS) from None
        except OSError as error:
            raise SecretStoreError.named("secrets_file_unusable", file=self.file, strerror=error.strerror) from None

    def _read(self) -> dict[str, str]:
        if not self.file.exists():
            return {}
        _private(self.file)
        try:
            opened = _opened(self._key(make=False), self.file.read_bytes())
        except (InvalidToken, ValueError):
            opened = None
        if not isinstance(opened, dict):
            raise SecretStoreError.named("not_decrypted", file=self.file)
        return dict(opened)

    def _write(self, entries: dict[str, str]) -> None:
        whole.write(self.file, Fernet(self._key(make=True)).encrypt(json.dumps(entries).encode()), mode=0o600)

    def _key(self, *, make: bool) -> bytes:
        if (kept := self._kept_key()) is not None:
            return kept
        if not make or self.file.exists():
            where = self.key_file or "the keyring"
            raise SecretStoreError.named("key_gone", file=self.file, where=where)
        key = Fernet.generate_key()
        if self.key_file is None:
            KeyringBackend().put(_KEY_NAME, Secret(key.decode()))
        else:
            whole.write(self.key_file, key, mode=0o600)
        return key

    def _kept_key(self) -> bytes | None:
        if self.key_file is None:
            secret = KeyringBackend().get(_KEY_NAME)
            return secret.reveal().encode() if secret else None
        if not self.key_file.exists():
            return None
        _private(self.key_file)
        return self.key_file.read_bytes().strip()


@lru_cache(1)
def _opened(key: bytes, content: bytes) -> object:
    """Worked out once of each state of the file: a fleet's holds the secrets of all its tenants."""
    return json.loads(Fernet(key).decrypt(content))


def _private(path: Path) -> None:
    if not path.is_file():
        raise SecretStoreError.named("secrets_file_unusable", file=path, strerror="it is a folder, or no file at all")
    mode = stat.S_IMODE(path.stat().st_mode)
    if sys.platform != "win32" and mode & 0o077:
        raise SecretStoreError.named("readable_by_others", path=path, mode=mode)
