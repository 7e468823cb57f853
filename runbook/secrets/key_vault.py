"""Azure Key Vault, by Microsoft's own libraries (extra ``azure``)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from runbook.errors import SecretStoreError
from runbook.secrets.reference import Kind
from runbook.secrets.secret import Secret

__all__ = ["KeyVaultBackend"]

_PUBLIC = "vault.azure.net"


class KeyVaultBackend:
    """Secrets of one vault, given by its name (public cloud), host or address; sign-in as azure-identity finds it.

    Names in a vault are letters, digits and hyphens only, so other characters become hyphens.
    """

    kind: Kind = "azure-key-vault"

    def __init__(self, vault: str) -> None:
        host = urlsplit(vault).netloc if "://" in vault else vault.strip("/")
        self._host = host if "." in host else f"{host}.{_PUBLIC}"
        try:
            from azure.identity import DefaultAzureCredential
            from azure.keyvault.secrets import SecretClient
        except ImportError:
            raise SecretStoreError(
                "Azure Key Vault needs libraries that are not installed.",
                next_step="pip install 'entra-id-runbook[azure]'",
            ) from None
        self._client: Any = SecretClient(f"https://{self._host}", DefaultAzureCredential())

    def place(self, name: str) -> str:
        """With the vault's host."""
        return f"{self._host}/{self._key(name)}"

    def put(self, name: str, secret: Secret) -> None:
        """Keep it, as a new version of the vault's secret."""
        self._calling("keep", lambda: self._client.set_secret(self._key(name), secret.reveal()))

    def get(self, name: str) -> Secret | None:
        """Read its latest version."""
        found = self._calling("read", lambda: self._client.get_secret(self._key(name)))
        return Secret(found.value) if found is not None and found.value else None

    def delete(self, name: str) -> bool:
        """Delete it; the vault keeps it recoverable for as long as the vault is set to."""
        return self._calling("delete", lambda: self._client.begin_delete_secret(self._key(name))) is not None

    def describe(self) -> str:
        """In words."""
        return f"Azure Key Vault {self._host}"

    def _key(self, name: str) -> str:
        vault, slash, key = name.partition("/")
        return _vault_name(key) if slash and vault in (self._host, self._host.split(".")[0]) else _vault_name(name)

    def _calling(self, verb: str, call: Any) -> Any:
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        reason: str
        try:
            return call()
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            reason = type(error).__name__
        # Raised here and without a cause: the library's objects hold the request with the value.
        raise SecretStoreError(
            f"{self.describe()} did not {verb} the secret ({reason}).",
            next_step="Check the vault's name, your Azure sign-in and your role on the vault.",
        )


def _vault_name(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z-]+", "-", name).strip("-")[:127]
