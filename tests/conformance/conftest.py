"""A served sandbox with 5,000 users, and Microsoft's own Graph client on it, unmodified."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from entra_sandbox.server import running
from entra_sandbox.store import Store

USERS = 5_000


@dataclass
class Tenant:
    """The ready line, and what the client sent: ``(method, path below the version)`` in order."""

    ready: dict[str, Any]
    store: Store
    sent: list[tuple[str, str]] = field(default_factory=list)

    def run(self, work: Callable[[Any], Awaitable[Any]], **credential: Any) -> Any:
        """Run ``work(client)`` in a loop of its own; the client is the administrator's app by default."""
        return asyncio.run(self._run(work, credential))

    async def _run(self, work: Callable[[Any], Awaitable[Any]], given: dict[str, Any]) -> Any:
        from azure.identity import ClientSecretCredential
        from kiota_authentication_azure.azure_identity_authentication_provider import (
            AzureIdentityAuthenticationProvider,
        )
        from msgraph import GraphRequestAdapter, GraphServiceClient
        from msgraph.graph_request_adapter import options
        from msgraph_core import GraphClientFactory

        base = self.ready["graph"]
        secret = given.get("secret") or Path(self.ready["client_secret_file"]).read_text(encoding="utf-8")
        credential = ClientSecretCredential(
            self.ready["tenant_id"],
            given.get("client_id", self.ready["client_id"]),
            secret,
            authority=base,
            disable_instance_discovery=True,
            connection_verify=self.ready["ca_file"],
        )

        async def note(request: httpx.Request) -> None:
            self.sent.append((request.method, request.url.path.removeprefix("/v1.0")))

        context = ssl.create_default_context(cafile=self.ready["ca_file"])
        async with httpx.AsyncClient(verify=context, trust_env=False, event_hooks={"request": [note]}) as http:
            scopes = ["https://graph.microsoft.com/.default"]
            provider = AzureIdentityAuthenticationProvider(credential, scopes=scopes, allowed_hosts=["localhost"])
            client = GraphClientFactory.create_with_default_middleware(client=http, options=options)
            adapter = GraphRequestAdapter(provider, client=client)
            adapter.base_url = f"{base}/v1.0"
            return await work(GraphServiceClient(request_adapter=adapter))


@pytest.fixture(scope="session", autouse=True)
def _no_foreign_ca() -> Iterator[None]:
    """These would win over what a client is given."""
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy")
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    state = tmp_path_factory.mktemp("conformance") / "state.sqlite3"
    with running(state) as ready:
        store = Store(state)
        tenant_id = ready["tenant_id"]
        missing = USERS - store.count("user", tenant_id)
        store.put_many("user", (_user(number) for number in range(missing)), tenant_id)
        yield Tenant(ready, store)
        store.close()


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


def _user(number: int) -> dict[str, Any]:
    login = f"extra{number}@contoso.com"
    return {
        "id": str(uuid.uuid4()),
        "accountEnabled": True,
        "displayName": f"Extra {number}",
        "userPrincipalName": login,
    }
