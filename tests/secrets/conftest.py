"""A home of its own for every test, and a keyring that lives in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.errors
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail

CANARY = "abc8Q~canary.Value_that-must-not-show~0"


class MemoryKeyring(KeyringBackend):
    """A real keyring backend of ours, whose place is a dict."""

    priority = -1  # type: ignore[assignment]  # never chosen by itself, whatever else runs in this process
    name = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def _check(self) -> None:
        if self.locked:
            raise keyring.errors.KeyringLocked("locked, and the value is " + CANARY)

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._check()
        del self.kept[service, username]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; nothing of the machine's own stores is touched."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "RUNBOOK_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def no_keyring() -> Iterator[None]:
    """A system without a keyring, as on a server."""
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def memory_keyring() -> MemoryKeyring:
    """A system with a keyring."""
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    return backend
