"""Where secrets are kept: ``open_store`` takes what the parameter ``secret_store`` holds.

Every store answers references of every kind, so that, say, the StackOne API key may lie in the keyring while client
secrets go into a vault.
"""

from importlib import import_module
from operator import attrgetter
from typing import Protocol

from runbook.errors import SecretStoreError
from runbook.secrets.reference import KINDS, SPECS, Kind, Reference, check_name
from runbook.secrets.secret import Secret


class Backend(Protocol):
    """One kind of store."""

    def place(self, name: str) -> str:
        """The name in references of what is kept under ``name``; it is its own place."""

    def put(self, name: str, secret: Secret) -> None:
        """Keep it."""

    def get(self, name: str) -> Secret | None:
        """Read it; ``None`` when there is none."""

    def names(self) -> list[str]:
        """What is kept."""

    def delete(self, name: str) -> bool:
        """Forget it; ``False`` when there was none."""

    def describe(self) -> str:
        """In words."""


class SecretStore:
    """Keeps secrets under names and gives references out: a backend to write to, and the others to read from.

    Every method raises :class:`SecretStoreError`.
    """

    def __init__(self, kind: Kind, backend: Backend) -> None:
        self._kind, self._backend = kind, backend

    def put(self, name: str, secret: Secret) -> str:
        """Keep ``secret`` under ``name``, in place of an earlier one; returns its reference."""
        self._backend.put(check_name(name), secret)
        return self.reference(name)

    def set(self, ref: str, secret: Secret) -> None:
        """Keep ``secret`` under a reference of any kind that keeps secrets."""
        backend, name = self._found(ref, kept=True)
        backend.put(name, secret)

    def references(self) -> list[str]:
        """What this store keeps."""
        return sorted(map(self.reference, self._backend.names()))

    def get(self, ref: str) -> Secret:
        """The secret of a reference of any kind."""
        backend, name = self._found(ref)
        secret = backend.get(name)
        if secret is None:
            raise SecretStoreError.named("no_secret_under", reference=Reference.parse(ref))
        return secret

    def has(self, ref: str) -> bool:
        """Whether there is a secret under ``ref``."""
        backend, name = self._found(ref)
        return backend.get(name) is not None

    def reference(self, name: str) -> str:
        """The reference that ``put`` gives or would give for ``name``."""
        return str(Reference(self._kind.name, self._backend.place(check_name(name))))

    def delete(self, ref: str) -> bool:
        """Forget the secret of ``ref``; ``False`` when there was none."""
        backend, name = self._found(ref, kept=True)
        return backend.delete(name)

    def describe(self) -> str:
        """Where secrets go, in words for a person."""
        return self._backend.describe()

    def _found(self, ref: str, *, kept: bool = False) -> tuple[Backend, str]:
        reference = Reference.parse(ref)
        if reference.kind == self._kind.name:
            return self._backend, reference.name
        kind = next(kind for kind in KINDS if kind.name == reference.kind)
        if kept and not kind.kept:
            raise SecretStoreError(f"{ref} is only read.", next_step="change it where it is provided.")
        return _open(kind, reference.name.split("/")[0]), reference.name

    def __repr__(self) -> str:
        return f"<secret store: {self.describe()}>"


def open_store(spec: str) -> SecretStore:
    """The store of ``spec``: ``auto``, or a kind (:data:`runbook.secrets.reference.KINDS`) with its place.

    ``auto`` is the system's keyring where one works, else the encrypted file. Raises :class:`SecretStoreError` when
    the store cannot be used here.
    """
    if spec == "auto":
        from runbook.secrets.keyring_backend import keyring_problem

        spec = "keyring" if keyring_problem() is None else "file"
    name, colon, place = spec.partition(":")
    for kind in KINDS:
        if kind.name == name and bool(place) == bool(kind.place) == bool(colon):
            return SecretStore(kind, _open(kind, place))
    raise SecretStoreError("There is no such kind of secret store.", next_step=f"Use one of {', '.join(SPECS)}.")


def _open(kind: Kind, place: str) -> Backend:
    module, _, opener = kind.opener.partition(":")
    backend: Backend = attrgetter(opener)(import_module(f"runbook.secrets.{module}"))(place)
    return backend
