"""Programs whose hosts are fixed, unmodified, at the services' own names: a Graph MCP server and a tenant auditor."""

from __future__ import annotations

import asyncio
import csv
import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import httpx
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.strangers.conftest import Proxied

INES = "ines.moreau@contoso.com"


def test_lokka_answers_an_agents_questions_about_the_tenant(proxied: Proxied, node_folder: Path) -> None:
    """@merill/lokka, an MCP server for Microsoft Graph: pages, advanced queries, a group's life, and a refusal."""
    variables = {
        **proxied.environment,
        "TENANT_ID": proxied.ready["tenant_id"],
        "CLIENT_ID": proxied.ready["client_id"],
        "CLIENT_SECRET": proxied.secret,
        "USE_GRAPH_BETA": "false",
    }
    program = str(node_folder / "node_modules" / "@merill" / "lokka" / "build" / "main.js")
    through = str(node_folder / "through_proxy.mjs")
    server = StdioServerParameters(command="node", args=["--import", through, program], env=variables)
    people, guests, group, gone = asyncio.run(questions(server))
    assert people >= 300
    assert 0 < guests < people
    assert group["securityEnabled"] is True
    assert gone["statusCode"] == 404


async def questions(server: StdioServerParameters) -> tuple[int, int, dict[str, Any], dict[str, Any]]:
    """What an agent learns and does: (people, guests, a new group, what is said of it when it is gone)."""
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        assert "Lokka-Microsoft" in {one.name for one in (await session.list_tools()).tools}

        async def ask(method: str, path: str, **more: Any) -> dict[str, Any]:
            arguments = {"apiType": "graph", "method": method, "path": path, **more}
            (said,) = (await session.call_tool("Lokka-Microsoft", arguments)).content
            assert said.type == "text"
            found: dict[str, Any] = json.loads(said.text[said.text.index("{") : said.text.rindex("}") + 1])
            return found

        # Page by page, as its "fetchAll" adds to the very list that it walks, and never ends.
        page = await ask("get", "/users", queryParams={"$select": "id", "$top": "120"})
        people = page["value"]
        while link := page.get("@odata.nextLink"):
            page = await ask("get", link)
            people += page["value"]
        advanced = {"$filter": "userType ne 'Member'", "$count": "true", "$select": "id"}
        guests = await ask("get", "/users", queryParams=advanced, consistencyLevel="eventual")
        name = f"lokka-{uuid.uuid4()}"
        body = {"displayName": name, "mailNickname": name, "mailEnabled": False, "securityEnabled": True}
        group = await ask("post", "/groups", body=body)
        await ask("delete", f"/groups/{group['id']}")
        gone = await ask("get", f"/groups/{group['id']}")
    return len(people), guests["@odata.count"], group, gone


def test_an_auditor_of_stale_accounts_tells_who_has_not_signed_in(
    proxied: Proxied, python_folder: Path, tmp_path: Path
) -> None:
    """entra-stale-accounts: sign-in activity by pages of 120, with the names of licences."""
    with proxied.graph() as graph:
        signs_in(proxied, graph)
        enabled = graph.get("users/$count?$filter=accountEnabled eq true", headers={"ConsistencyLevel": "eventual"})
    file = tmp_path / "env"
    file.touch(mode=0o600)
    told = {"ENTRA_TENANT_ID": "tenant_id", "ENTRA_CLIENT_ID": "client_id"}
    lines = [f"{name}={proxied.ready[key]}" for name, key in told.items()]
    file.write_text("\n".join([*lines, f"ENTRA_CLIENT_SECRET={proxied.secret}"]))
    options = ("--output", "csv", "--licenses", "--env-file", str(file))
    done = subprocess.run(
        [sys.executable, "-m", "entra_stale_accounts.cli", "check", *options],
        env={**proxied.environment, "PYTHONPATH": str(python_folder / "packages")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    stale = {row["userPrincipalName"] for row in rows}
    assert len(stale) == len(rows) == int(enabled.text) - 1
    assert INES not in stale


def signs_in(proxied: Proxied, graph: httpx.Client) -> None:
    """Let one person sign in, so that of those who are enabled she alone is not stale."""
    ids = [
        graph.get(f"servicePrincipals(appId='{app_id}')").json()["id"]
        for app_id in (proxied.ready["client_id"], "00000003-0000-0000-c000-000000000000")
    ]
    grant = {"clientId": ids[0], "resourceId": ids[1], "consentType": "AllPrincipals", "scope": "openid"}
    assert graph.post("oauth2PermissionGrants", json=grant).status_code == 201
    password = proxied.ready["users"][INES]["password"]
    assert proxied.token(graph, grant_type="password", username=INES, password=password, scope="openid")
