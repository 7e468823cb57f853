"""The kinds of secret store. A further one is a module beside this file, and a row here.

Whatever has to know the kinds reads this table: references, the parameter ``secret_store``, the stores themselves, and
redaction, which leaves references readable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind: ``name`` is how its references begin.

    ``opener``: module and callable that open it, given what stands after the name in ``secret_store``, or the first
    part of a reference's name. ``place``: the pattern of what must stand there, in words ``shown``; empty for nothing.
    """

    name: str
    opener: str
    place: str = ""
    shown: str = ""

    @property
    def spec(self) -> str:
        """The parameter ``secret_store`` of this kind, as words show it."""
        return f"{self.name}:{self.shown}" if self.place else self.name

    def takes(self, spec: str) -> bool:
        """Whether ``spec`` is a value of ``secret_store`` for this kind."""
        pattern = re.escape(self.name) + (f":{self.place}" if self.place else "")
        return re.fullmatch(pattern, spec) is not None


KINDS = (
    Kind("keyring", "keyring_backend:KeyringBackend"),
    Kind("file", "encrypted_file:EncryptedFileBackend.of_user"),
    Kind(
        "azure-key-vault",
        "key_vault:KeyVaultBackend.of",
        place=r"https://[a-z0-9-]+\.vault\.[a-z.]+/?",
        shown="https://<vault>.vault.azure.net",
    ),
)
SPECS = ("auto", *(kind.spec for kind in KINDS))
"""What the parameter ``secret_store`` may be, for people."""
