"""Secrets that a platform provides and that are only read: a variable of the environment, a mounted file."""

import os

from runbook import run_socket, whole
from runbook.errors import SecretStoreError
from runbook.secrets.secret import Secret


class Environment:
    """A variable; a kernel does not get it into its own environment and asks its run for the value."""

    def __init__(self, _place: str) -> None: ...

    def get(self, name: str) -> Secret | None:
        """Read it."""
        value = os.environ.get(name)
        if value is None and run_socket.VARIABLE in os.environ:
            value = run_socket.ask("secret", name=name)["value"]
        return Secret(value) if value else None


class MountedFile:
    """A file that holds nothing but the secret, such as ``/run/secrets/api-key``."""

    def __init__(self, _place: str) -> None: ...

    def get(self, name: str) -> Secret | None:
        """Read it, without the line end that an editor leaves."""
        try:
            text = whole.text(name).rstrip("\r\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SecretStoreError.named("secret_file_unread", name=name, why=error.strerror) from None
        return Secret(text) if text else None
