"""What the parts of one running sandbox share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entra_sandbox.folder import Folder
from entra_sandbox.store import Store
from entra_sandbox.vault import Vault

__all__ = ["Addresses", "Services"]


@dataclass(frozen=True)
class Addresses:
    """Base addresses without a trailing slash: ``api`` is https, ``pages`` is plain http for people's browsers."""

    api: str
    pages: str

    @property
    def ports(self) -> tuple[int, int]:
        """(https, http)"""
        return int(self.api.rsplit(":", 1)[1]), int(self.pages.rsplit(":", 1)[1])


@dataclass(frozen=True)
class Services:
    """What every part of one running sandbox shares.

    ``addresses`` are those of the listeners; an answer that names an address follows the Host header instead.
    ``plain_pages``: discovery names the plain http pages whichever way it is read. ``extras`` holds what one part
    offers to another by name (``faults``: the illnesses).
    """

    store: Store
    vault: Vault
    folder: Folder
    addresses: Addresses
    ca_file: Path
    extras: dict[str, Any] = field(default_factory=dict)
    plain_pages: bool = False
