"""Sign-ins and reads with every library's defaults, as a program of its own; prints what it saw as JSON.

No authority, no address, instance discovery on: run it in an environment that leads to the sandbox. Its argument is a
file with the ready line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msal
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.identity.aio import ClientSecretCredential as AsyncCredential
from msgraph import GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
SCOPE = "https://graph.microsoft.com/.default"


async def read(credential: Any) -> dict[str, Any]:
    client = GraphServiceClient(credential)
    first = await client.users.get()
    assert first is not None
    second = await client.users.with_url(first.odata_next_link).get()
    assert second is not None
    try:
        await client.users.by_user_id("nobody@contoso.com").get()
    except ODataError as error:
        refused = error.error.code
    return {"next": first.odata_next_link, "users": len(first.value) + len(second.value), "refused": refused}


async def read_async(tenant: str, client_id: str, secret: str) -> dict[str, Any]:
    async with AsyncCredential(tenant, client_id, secret) as credential:
        return await read(credential)


def main(ready: dict[str, Any]) -> dict[str, Any]:
    tenant, client_id = ready["tenant_id"], ready["client_id"]
    secret = Path(ready["client_secret_file"]).read_text(encoding="utf-8")
    saw: dict[str, Any] = {}
    for segment in (tenant, "contoso.com"):
        authority = f"https://login.microsoftonline.com/{segment}"
        client = msal.ConfidentialClientApplication(client_id, client_credential=secret, authority=authority)
        saw[f"msal {segment}"] = client.acquire_token_for_client([SCOPE]).get("token_type")
    wrong = msal.ConfidentialClientApplication(client_id, client_credential="wrong", authority=authority)
    saw["msal wrong"] = wrong.acquire_token_for_client([SCOPE])["error_codes"]
    public = msal.PublicClientApplication(AZURE_CLI)
    saw["msal device"] = public.initiate_device_flow(["User.Read"])["verification_uri"]
    saw["msal url"] = client.get_authorization_request_url(["User.Read"])
    credential = ClientSecretCredential(tenant, client_id, secret)
    saw["identity"] = credential.get_token(SCOPE).expires_on > 0
    saw["environment"] = (
        DefaultAzureCredential(exclude_managed_identity_credential=True).get_token(SCOPE).expires_on > 0
    )
    try:
        ClientSecretCredential(tenant, client_id, "wrong").get_token(SCOPE)
    except ClientAuthenticationError as error:
        saw["identity wrong"] = "AADSTS7000215" in str(error)
    saw["graph"] = asyncio.run(read(credential))
    saw["graph async"] = asyncio.run(read_async(tenant, client_id, secret))
    return saw


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
