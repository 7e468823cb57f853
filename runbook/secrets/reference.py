"""The kinds of secret store, and references to secrets: a kind, a colon, and a name, such as ``keyring:service/name``.

A further kind is a module beside this file, and a row here. Whatever has to know the kinds reads this table:
references, the parameter ``secret_store``, the stores themselves, and redaction, which leaves references readable.

A reference may be shown, logged and kept anywhere. So that nobody passes a value where a reference belongs, what looks
like a value is refused, and the refused text is never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runbook.errors import SecretStoreError


@dataclass(frozen=True)
class Kind:
    """One kind: ``name`` is how its references begin.

    ``opener``: module and callable that open it, given what stands after the name in ``secret_store``, or the first
    part of a reference's name. ``place``: the pattern of what must stand there, in words ``shown``; empty for nothing.
    ``kept``: the runbook may keep secrets there; else they are only read.
    """

    name: str
    opener: str
    place: str = ""
    shown: str = ""
    kept: bool = True

    @property
    def spec(self) -> str:
        """The parameter ``secret_store`` of this kind, as words show it."""
        return f"{self.name}:{self.shown}" if self.place else self.name

    def takes(self, spec: str) -> bool:
        """Whether ``spec`` is a value of ``secret_store`` for this kind."""
        if not self.kept:
            return False
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
    Kind("vault", "hashicorp_vault:VaultBackend.of", place=r"[A-Za-z0-9][A-Za-z0-9._-]*", shown="<mount>"),
    Kind("env", "read_only:Environment", kept=False),
    Kind("file-at", "read_only:MountedFile", kept=False),
)
SPECS = ("auto", *(kind.spec for kind in KINDS if kind.kept))
"""What the parameter ``secret_store`` may be, for people."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LOOKS_LIKE_A_VALUE = re.compile(
    r"^eyJ"  # a JSON web token
    r"|^v1\.[a-z0-9]+\.[A-Za-z0-9_-]{16,}"  # a StackOne API key
    r"|^(?=[^/]*[a-z])(?=[^/]*[A-Z])(?=[^/]*\d)[A-Za-z0-9._-]{24,}$"  # a long mixture of small, capital and digits
)


@dataclass(frozen=True)
class Reference:
    """Where a secret is kept: the kind of store, and its name there."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """The reference that ``text`` is. Raises :class:`SecretStoreError`, without repeating the text."""
        kind, colon, name = text.partition(":")
        if colon and any(kind == known.name for known in KINDS):
            root = "/" if kind == "file-at" else ""
            return cls(kind, root + check_name(name[len(root) :] if name.startswith(root) else ""))
        kinds = ", ".join(f"{known.name}:" for known in KINDS)
        raise SecretStoreError.named("not_a_reference", kinds=kinds)


_SURE = re.compile(
    r"^eyJ[\w-]{6,}\."  # a JSON web token
    r"|v1\.[a-z][a-z0-9-]*\.[\w~+/=.-]{12,}"  # a StackOne API key
    r"|[\w.~-]{3}\dQ~[\w.~-]{31,34}"  # a client secret of Entra ID
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def is_secret(value: object) -> bool:
    """Whether ``value`` is, or holds, a text that can be nothing but a secret."""
    if isinstance(value, Mapping):
        return any(map(is_secret, value.values()))
    if isinstance(value, list | tuple | set):
        return any(map(is_secret, value))
    return isinstance(value, str) and _SURE.search(value) is not None


def check_name(name: str) -> str:
    """``name`` if it can name a secret: parts of letters, digits, ``.``, ``_`` and ``-``, with ``/`` between them.

    Raises :class:`SecretStoreError` for anything else and for what looks like a secret itself.
    """
    if len(name) > 250 or _NAME.fullmatch(name) is None or ".." in name:
        raise SecretStoreError.named("name_unusable")
    for part in name.split("/"):
        if _GUID.fullmatch(part) is None and _LOOKS_LIKE_A_VALUE.match(part):
            raise SecretStoreError.named("name_like_a_secret")
    return name
