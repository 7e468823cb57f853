"""Sign-ins that the machine brings along: a managed identity, and whatever azure-identity finds."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.disguise.conftest import Desk, Tenant

HEADER = "a header that only this machine's programs know"
USER_ASSIGNED = "99999999-0000-4000-8000-000000000001"

Begin = Callable[..., Desk]


@dataclass
class Platform:
    """App Service's endpoint for tokens (learn.microsoft.com/azure/app-service/overview-managed-identity)."""

    token: str
    environment: dict[str, str]
    asked: list[dict[str, list[str]]] = field(default_factory=list)


@pytest.fixture
def platform(tenant: Tenant) -> Iterator[Platform]:
    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            found.asked.append(query)
            known = query.get("client_id", [USER_ASSIGNED]) == [USER_ASSIGNED]
            right = self.headers["X-IDENTITY-HEADER"] == HEADER and known
            body = {"access_token": found.token, "expires_on": str(int(time.time()) + 3000), "token_type": "Bearer"}
            refused = {"statusCode": 400, "message": "No managed identity of that client id here."}
            self.send_response(200 if right else 400)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body if right else refused).encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as service:
        threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True).start()
        address = f"http://127.0.0.1:{service.server_port}/msi/token"
        token = str(tenant.graph().headers["authorization"]).removeprefix("Bearer ")
        found = Platform(token, {"IDENTITY_ENDPOINT": address, "IDENTITY_HEADER": HEADER})
        yield found
        service.shutdown()


def az(at: Desk, tenant: Tenant) -> dict[str, str]:
    """A machine on which somebody ran ``az login``: the program that azure-identity asks for a token."""
    token = str(tenant.graph().headers["authorization"]).removeprefix("Bearer ")
    ends = int(time.time()) + 3000
    program = at.folder / "bin" / "az"
    program.parent.mkdir()
    (at.folder / "answer.json").write_text(json.dumps({"accessToken": token, "expires_on": ends}))
    log, answer = at.folder / "asked.txt", at.folder / "answer.json"
    program.write_text(f"#!/bin/sh\necho \"$*\" >> '{log}'\ncat '{answer}'\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin"}


def by_variables(tenant: Tenant) -> dict[str, str]:
    secret = Path(tenant.ready["client_secret_file"]).read_text(encoding="utf-8").strip()
    of = {"AZURE_TENANT_ID": tenant.ready["tenant_id"], "AZURE_CLIENT_ID": tenant.ready["client_id"]}
    return {**of, "AZURE_CLIENT_SECRET": secret}


def ambient(desk: Begin, sign_in: str, **values: object) -> Desk:
    return desk(sign_in=sign_in, **{"client_id": "", "client_secret_ref": "", **values})


@pytest.mark.parametrize("client_id", ["", USER_ASSIGNED])
def test_a_command_signs_in_by_the_managed_identity_of_its_platform_and_asks_no_proxy(
    desk: Begin, platform: Platform, client_id: str
) -> None:
    at = ambient(desk, "managed-identity", client_id=client_id)
    done = at.call("plan", "--json", "--sections", "2", **platform.environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["signed_in"].startswith("application ")
    assert [query.get("client_id", [""]) for query in platform.asked] == [[client_id]] * len(platform.asked)
    assert {query["resource"][0] for query in platform.asked} == {"https://graph.microsoft.com"}


@pytest.mark.parametrize("found", ["variables", "az", "managed identity"])
def test_azure_identity_signs_in_by_whatever_the_machine_has(
    desk: Begin, tenant: Tenant, platform: Platform, found: str
) -> None:
    at = ambient(desk, "azure-identity", client_id=USER_ASSIGNED if found == "managed identity" else "")
    if found == "variables":
        variables = by_variables(tenant)
    elif found == "az":
        variables = az(at, tenant)
    else:
        variables = platform.environment | {"NO_PROXY": "127.0.0.1"}
    done = at.call("plan", "--json", "--sections", "2", **variables)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["signed_in"].startswith("application ")
    assert bool(platform.asked) is (found == "managed identity")
    if found == "az":
        assert f"--tenant {tenant.ready['tenant_id']}" in (at.folder / "asked.txt").read_text()
    assert platform.token not in done.stdout + done.stderr


def test_what_is_not_there_is_said_with_what_was_tried(desk: Begin, platform: Platform) -> None:
    unknown = ambient(desk, "managed-identity", client_id=platform.token and "99999999-0000-4000-8000-000000000002")
    said = unknown.call("plan", "--sections", "2", **platform.environment).stderr
    assert "No managed identity of that client id here" in said
    nothing = ambient(desk, "azure-identity").call("plan", "--sections", "2", PATH="/nowhere")
    assert nothing.returncode == 1
    assert "EnvironmentCredential: " in nothing.stderr
    assert "az login --tenant" in nothing.stderr


@pytest.mark.parametrize("sign_in", ["managed-identity", "azure-identity"])
def test_a_token_of_another_tenant_is_not_used(desk: Begin, tenant: Tenant, platform: Platform, sign_in: str) -> None:
    at = ambient(desk, sign_in, tenant_id=tenant.another)
    variables = platform.environment if sign_in == "managed-identity" else az(at, tenant)
    done = at.call("plan", "--sections", "2", **variables)
    assert done.returncode == 1
    assert f"is one of tenant {tenant.ready['tenant_id']}, and {tenant.another} is to be worked on" in done.stderr
