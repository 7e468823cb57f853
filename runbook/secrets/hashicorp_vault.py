"""HashiCorp Vault, its key/value secrets engine in version 2, by hvac (extra ``vault``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from runbook.errors import SecretStoreError
from runbook.secrets.read_only import Environment
from runbook.secrets.secret import Secret

_VALUE = "value"
VAULT_TOKEN = "VAULT_TOKEN"
"""The variable that holds the token, as for Vault's own command line."""


@dataclass(frozen=True)
class VaultBackend:
    """Secrets of the engine at ``mount``, each at a path of its own under the key ``value``."""

    mount: str
    engine: Any = field(repr=False)
    address: str

    @classmethod
    def of(cls, mount: str) -> VaultBackend:
        """As Vault's own command line: VAULT_ADDR, VAULT_TOKEN or ~/.vault-token, VAULT_NAMESPACE, VAULT_CACERT."""
        try:
            from hvac import Client
        except ImportError:
            raise SecretStoreError.named("libraries_missing", what="HashiCorp Vault", extra="vault") from None
        token = Environment("").get(VAULT_TOKEN)
        client = Client(token=token and token.reveal(), namespace=os.environ.get("VAULT_NAMESPACE"))
        return cls(mount.split("/")[0], client.secrets.kv.v2, client.url)

    def place(self, name: str) -> str:
        """With its mount."""
        return f"{self.mount}/{self._path(name)}"

    def put(self, name: str, secret: Secret) -> None:
        """Keep it, as a new version."""
        self._calling("keep", self.engine.create_or_update_secret, name, secret={_VALUE: secret.reveal()})

    def get(self, name: str) -> Secret | None:
        """Read its latest version."""
        found = self._calling("read", self.engine.read_secret_version, name, raise_on_deleted_version=True)
        value = found and found["data"]["data"].get(_VALUE)
        return Secret(value) if value else None

    def names(self) -> list[str]:
        """Every name at this mount."""
        return list(self._below(""))

    def delete(self, name: str) -> bool:
        """Delete it with all its versions."""
        if self.get(name) is None:
            return False
        self._calling("delete", self.engine.delete_metadata_and_all_versions, name)
        return True

    def describe(self) -> str:
        """In words."""
        return f"HashiCorp Vault {self.address}, mount {self.mount}"

    def _below(self, folder: str) -> Iterator[str]:
        listed = self._calling("list", self.engine.list_secrets, folder)
        for key in listed["data"]["keys"] if listed else ():
            yield from self._below(folder + key) if key.endswith("/") else (folder + key,)

    def _path(self, name: str) -> str:
        mount, _, rest = name.partition("/")
        return rest if rest and mount == self.mount else name

    def _calling(self, verb: str, call: Callable[..., Any], name: str, **more: Any) -> Any:
        """What ``call`` gives; ``None`` for what is not there."""
        from hvac.exceptions import InvalidPath, VaultError
        from requests.exceptions import RequestException

        try:
            return call(path=self._path(name), mount_point=self.mount, **more)
        except InvalidPath:
            return None
        except (VaultError, RequestException) as error:
            reason = type(error).__name__
        # Raised here and without a cause: the library's frames hold the token and the value.
        raise SecretStoreError.named("vault_refused", place=self.describe(), verb=verb, reason=reason)
