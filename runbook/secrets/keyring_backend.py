"""The system's keyring (Windows, macOS, Secret Service, KWallet) by the keyring library."""

from contextlib import suppress
from typing import Any

import keyring
from keyring.backends import fail, null
from keyring.errors import KeyringError

from runbook import late
from runbook.errors import SecretStoreError
from runbook.secrets.secret import Secret

_SERVICE = "entra-id-runbook"
_BROKEN = (ImportError, AttributeError, TypeError, ValueError, OSError, RuntimeError, KeyringError)


def keyring_problem() -> str | None:
    """Why the system's keyring cannot be used; ``None`` when it can.

    A backend that keeps nothing (null), fails always (fail) or keeps secrets in clear is not a keyring.
    """
    late.macos()
    try:
        backend: Any = keyring.get_keyring()
    except _BROKEN as error:
        return f"PYTHON_KEYRING_BACKEND or keyringrc.cfg names a backend that cannot be loaded ({error})"
    if isinstance(backend, fail.Keyring):
        return "this system offers no keyring (no desktop session, or no Secret Service)"
    if isinstance(backend, null.Keyring):
        return "the keyring is switched off (the null backend keeps nothing)"
    if "plaintext" in type(backend).__name__.lower():
        return "the configured keyring keeps secrets in clear"
    chained = getattr(backend, "backends", None)
    if chained is not None and not list(chained):
        return "no keyring backend works on this system"
    return None


def chosen() -> dict[str, str]:
    """The variable by which a kernel has the backend that was found here, and does not look through all of them anew.

    Of the library's own alone: others may need what ``keyringrc.cfg`` says of their place.
    """
    with suppress(*_BROKEN):
        found = type(keyring.get_keyring())
        if found.__module__.startswith("keyring.backends.") and "chainer" not in found.__module__:
            return {"PYTHON_KEYRING_BACKEND": f"{found.__module__}.{found.__qualname__}"}
    return {}


class KeyringBackend:
    """Secrets under service and user name; a name without service goes to the service ``entra-id-runbook``."""

    def __init__(self, _place: str = "") -> None:
        problem = keyring_problem()
        if problem is not None:
            raise SecretStoreError.named("keyring_unusable", problem=problem)

    def place(self, name: str) -> str:
        """With its service."""
        return "/".join(self._place(name))

    def put(self, name: str, secret: Secret) -> None:
        """Keep it."""
        service, user = self._place(name)
        _calling("keep", lambda: keyring.set_password(service, user, secret.reveal()))

    def get(self, name: str) -> Secret | None:
        """Read it."""
        service, user = self._place(name)
        value = _calling("read", lambda: keyring.get_password(service, user))
        return Secret(value) if value else None

    def names(self) -> list[str]:
        """No keyring library can list what it keeps."""
        raise SecretStoreError("The system's keyring cannot be listed.", next_step="look with the system's own tool.")

    def delete(self, name: str) -> bool:
        """Forget it."""
        service, user = self._place(name)
        if not _calling("read", lambda: keyring.get_password(service, user)):
            return False
        _calling("delete", lambda: keyring.delete_password(service, user))
        return True

    def describe(self) -> str:
        """In words."""
        return f"the system's keyring ({keyring.get_keyring().name})"

    @staticmethod
    def _place(name: str) -> tuple[str, str]:
        service, slash, user = name.partition("/")
        return (service, user) if slash else (_SERVICE, service)


def _calling(verb: str, call: Any) -> Any:
    try:
        return call()
    except KeyringError as error:
        reason = type(error).__name__
    # Raised here and without a cause: the backend's frames hold the value.
    raise SecretStoreError.named("keyring_refused", verb=verb, reason=reason)
