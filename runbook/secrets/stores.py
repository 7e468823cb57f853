"""Where secrets are kept: the system's keyring, one encrypted file, or Azure Key Vault.

``open_store`` takes what the parameter ``secret_store`` holds: ``auto``, ``keyring``, ``file`` or
``azure-key-vault:<vault>``. Every store answers references of every kind, so that, say, the StackOne API key may lie in
the keyring while client secrets go into a vault.
"""

from __future__ import annotations

from typing import Protocol

from runbook.errors import SecretStoreError
from runbook.secrets.reference import Kind, Reference, check_name
from runbook.secrets.secret import Secret

__all__ = ["SecretStore", "open_store"]


class SecretStore(Protocol):
    """Keeps secrets under names and gives references out. Every method raises :class:`SecretStoreError`."""

    def put(self, name: str, secret: Secret) -> str:
        """Keep ``secret`` under ``name``, in place of an earlier one; returns its reference."""

    def get(self, ref: str) -> Secret:
        """The secret of a reference of any kind."""

    def has(self, ref: str) -> bool:
        """Whether there is a secret under ``ref``."""

    def reference(self, name: str) -> str:
        """The reference that ``put`` gives or would give for ``name``."""

    def delete(self, ref: str) -> bool:
        """Forget the secret of ``ref``; ``False`` when there was none."""

    def describe(self) -> str:
        """Where secrets go, in words for a person."""


class Backend(Protocol):
    """One kind of store."""

    @property
    def kind(self) -> Kind:
        """The kind, as references begin."""

    def place(self, name: str) -> str:
        """The name in references of what is kept under ``name``; it is its own place."""

    def put(self, name: str, secret: Secret) -> None:
        """Keep it."""

    def get(self, name: str) -> Secret | None:
        """Read it; ``None`` when there is none."""

    def delete(self, name: str) -> bool:
        """Forget it; ``False`` when there was none."""

    def describe(self) -> str:
        """In words."""


class _Store:
    """A backend to write to, and the others to read from."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def put(self, name: str, secret: Secret) -> str:
        self._backend.put(check_name(name), secret)
        return self.reference(name)

    def has(self, ref: str) -> bool:
        reference = Reference.parse(ref)
        return self._for(reference).get(reference.name) is not None

    def reference(self, name: str) -> str:
        return str(Reference(self._backend.kind, self._backend.place(check_name(name))))

    def get(self, ref: str) -> Secret:
        reference = Reference.parse(ref)
        secret = self._for(reference).get(reference.name)
        if secret is None:
            raise SecretStoreError(
                f"There is no secret under {reference}.",
                next_step="Put it there, or name another reference in the parameters.",
            )
        return secret

    def delete(self, ref: str) -> bool:
        reference = Reference.parse(ref)
        return self._for(reference).delete(reference.name)

    def describe(self) -> str:
        return self._backend.describe()

    def _for(self, reference: Reference) -> Backend:
        if reference.kind == self._backend.kind:
            return self._backend
        if reference.kind == "azure-key-vault":
            from runbook.secrets.key_vault import KeyVaultBackend

            return KeyVaultBackend.of(reference.name.split("/")[0])
        return _backend(reference.kind)

    def __repr__(self) -> str:
        return f"<secret store: {self.describe()}>"


def open_store(spec: str) -> SecretStore:
    """The store of ``auto``, ``keyring``, ``file`` or ``azure-key-vault:<vault>``.

    ``auto`` is the system's keyring where one works, else the encrypted file. Raises :class:`SecretStoreError` when
    the store cannot be used here.
    """
    return _Store(_backend(spec))


def _backend(spec: str) -> Backend:
    from runbook.secrets.encrypted_file import EncryptedFileBackend
    from runbook.secrets.keyring_backend import KeyringBackend, keyring_problem

    kind, _, rest = spec.partition(":")
    if spec == "auto":
        return KeyringBackend() if keyring_problem() is None else EncryptedFileBackend.of_user()
    if spec == "keyring":
        return KeyringBackend()
    if spec == "file":
        return EncryptedFileBackend.of_user()
    if kind == "azure-key-vault" and rest:
        from runbook.secrets.key_vault import KeyVaultBackend

        return KeyVaultBackend.of(rest)
    raise SecretStoreError(
        "There is no such kind of secret store.",
        next_step="Use auto, keyring, file or azure-key-vault:<vault url>.",
    )
