"""Azure Key Vault, by Microsoft's own libraries (extra ``azure``)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from runbook.errors import SecretStoreError
from runbook.secrets.read_only import Environment
from runbook.secrets.secret import Secret

AZURE_CLIENT_SECRET = "AZURE_CLIENT_SECRET"
"""The variable from which azure-identity takes a service principal's secret."""
_PUBLIC = "vault.azure.net"
_TAKEN = object()


@dataclass(frozen=True)
class KeyVaultBackend:
    """Secrets of the vault at ``host``, through azure-keyvault-secrets' ``SecretClient``.

    Names in a vault are letters, digits and hyphens only, so other characters become hyphens.
    """

    host: str
    client: Any = field(repr=False)

    @classmethod
    def of(cls, vault: str) -> KeyVaultBackend:
        """The vault of that name (public cloud), host or address; signs in as azure-identity finds it."""
        host = urlsplit(vault).netloc if "://" in vault else vault.strip("/")
        host = host if "." in host else f"{host}.{_PUBLIC}"
        try:
            from azure.keyvault.secrets import SecretClient

            return cls(host, SecretClient(f"https://{host}", _credential()))
        except ImportError:
            raise SecretStoreError.named("libraries_missing", what="Azure Key Vault", extra="azure") from None

    def place(self, name: str) -> str:
        """With the vault's host."""
        return f"{self.host}/{self._key(name)}"

    def put(self, name: str, secret: Secret) -> None:
        """Keep it, as a new version; a deleted secret of that name is recovered first, as the vault demands."""
        key = self._key(name)
        if self._calling("keep", lambda: self.client.set_secret(key, secret.reveal())) is _TAKEN:
            self._calling("recover", lambda: self.client.begin_recover_deleted_secret(key).wait())
            self._calling("keep", lambda: self.client.set_secret(key, secret.reveal()))

    def get(self, name: str) -> Secret | None:
        """Read its latest version."""
        found = self._calling("read", lambda: self.client.get_secret(self._key(name)))
        return Secret(found.value) if found is not None and found.value else None

    def names(self) -> list[str]:
        """Every name in the vault."""
        return self._calling("list", lambda: [each.name for each in self.client.list_properties_of_secrets()]) or []

    def delete(self, name: str) -> bool:
        """Delete it; the vault keeps it recoverable for as long as the vault is set to."""
        return self._calling("delete", lambda: self.client.begin_delete_secret(self._key(name))) is not None

    def describe(self) -> str:
        """In words."""
        return f"Azure Key Vault {self.host}"

    def _key(self, name: str) -> str:
        vault, slash, rest = name.partition("/")
        key = rest if slash and vault in (self.host, self.host.split(".")[0]) else name
        return re.sub(r"[^0-9A-Za-z-]+", "-", key).strip("-")[:127]

    def _calling(self, verb: str, call: Callable[[], Any]) -> Any:
        """What ``call`` gives; ``None`` for 404, ``_TAKEN`` for 409."""
        from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError

        try:
            return call()
        except ResourceNotFoundError:
            return None
        except ResourceExistsError:
            return _TAKEN
        except AzureError as error:
            reason = type(error).__name__
        # Raised here and without a cause: the library's objects hold the request with the value.
        raise SecretStoreError.named("vault_refused", place=self.describe(), verb=verb, reason=reason)


def _credential() -> Any:
    """What azure-identity finds; in a kernel, which has no variables with secrets, first what the run's would give."""
    from azure.identity import ClientSecretCredential, DefaultAzureCredential

    tenant, client = os.environ.get("AZURE_TENANT_ID", ""), os.environ.get("AZURE_CLIENT_ID", "")
    secret = Environment("").get(AZURE_CLIENT_SECRET) if tenant and client else None
    return ClientSecretCredential(tenant, client, secret.reveal()) if secret else DefaultAzureCredential()
