"""Where a sandbox keeps what.

Next to the state file ``state.sqlite3`` lies its folder ``state.sqlite3.d`` (mode 0700) with everything that must
not be read by others: the CA and leaf with their keys, the key of the vault, the secrets of the ready line, the
control token, the lease and the log. A state file that is moved takes its folder along.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from entra_sandbox.errors import SandboxError

__all__ = ["Folder", "default_state", "write_private"]

_HEAD = b"SQLite format 3\0"
T = TypeVar("T")


def default_state() -> Path:
    """The user's own state file: ``ENTRA_SANDBOX_STATE`` or the user's data folder."""
    moved = os.environ.get("ENTRA_SANDBOX_STATE")
    if moved:
        return Path(moved).expanduser().absolute()
    import platformdirs

    return platformdirs.user_data_path("entra-sandbox", appauthor=False) / "state.sqlite3"


def write_private(path: Path, content: bytes | str) -> Path:
    """Write the file whole, readable by its owner alone, by a temporary name in the same folder."""
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def _is_state(path: Path) -> bool:
    """Whether this is a database, or empty as one is at first. A pipe is not opened."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_HEAD)) in (_HEAD, b"")


@dataclass(frozen=True)
class Folder:
    """The private folder of one state file. Making it sets its mode to 0700.

    Raises :class:`~entra_sandbox.SandboxError` where it cannot be made or is another user's.
    """

    state: Path

    def __post_init__(self) -> None:
        try:
            if self.state.exists() and not _is_state(self.state):
                reason = "is no file" if not self.state.is_file() else "is a file of something else"
                raise SandboxError(f"{self.state} {reason}; ENTRA_SANDBOX_STATE names another state file")
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.chmod(0o700)
        except OSError as error:
            reason = f"the sandbox cannot keep its state in {self.path}: {error.strerror}"
            raise SandboxError(f"{reason}; ENTRA_SANDBOX_STATE names another state file") from None

    @property
    def path(self) -> Path:
        """``state.sqlite3.d``"""
        return self.state.with_name(self.state.name + ".d")

    def file(self, name: str) -> Path:
        """The path of a file in the folder, there or not."""
        return self.path / name

    def load(self, name: str, read: Callable[[bytes], T]) -> T:
        """What ``read`` makes of a file of the folder. Raises :class:`SandboxError` for what was not written here."""
        try:
            return read(self.file(name).read_bytes())
        except (OSError, TypeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "the sandbox did not write it"
            remedy = f"move {self.state} and {self.path} away, and a sandbox is made anew"
            raise SandboxError(f"{self.file(name)} cannot be used: {reason}; {remedy}") from None

    def read_json(self, name: str) -> dict[str, Any] | None:
        """A JSON object kept in the folder; None if it is not there or not whole."""
        try:
            value = json.loads(self.file(name).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def write_json(self, name: str, value: dict[str, Any]) -> Path:
        """Keep a JSON object, mode 0600."""
        return write_private(self.file(name), json.dumps(value, indent=2) + "\n")
