"""msal, azure-identity and msgraph-sdk with all their defaults, led to the sandbox by the environment alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox.server import running


@pytest.fixture(scope="module")
def saw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What ``defaults.py`` saw through the proxy, with ``tenant`` beside it."""
    folder = tmp_path_factory.mktemp("defaults")
    with running(folder / "state.sqlite3", proxy=True) as ready:
        file = folder / "ready.json"
        file.write_text(json.dumps(ready), encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "RUNBOOK_"))}
        azure = {
            "AZURE_TENANT_ID": ready["tenant_id"],
            "AZURE_CLIENT_ID": ready["client_id"],
            "AZURE_CLIENT_SECRET": Path(ready["client_secret_file"]).read_text(encoding="utf-8"),
        }
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(Path(__file__).with_name("defaults.py")), str(file)],
            env={**kept, **ready["environment"], **azure},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        yield {**json.loads(done.stdout), "tenant": ready["tenant_id"]}


def test_msal_signs_in_at_the_real_address(saw: dict[str, Any]) -> None:
    assert saw[f"msal {saw['tenant']}"] == saw["msal contoso.com"] == "Bearer"
    assert saw["msal wrong"] == [7000215]
    assert saw["msal url"].startswith("https://login.microsoftonline.com/")
    assert saw["msal device"].startswith("http")


def test_azure_identity_signs_in_by_arguments_and_by_environment(saw: dict[str, Any]) -> None:
    assert (saw["identity"], saw["environment"], saw["identity wrong"]) == (True, True, True)


@pytest.mark.parametrize("kind", ["graph", "graph async"])
def test_the_graph_client_reads_pages_and_errors(saw: dict[str, Any], kind: str) -> None:
    assert saw[kind]["next"].startswith("https://graph.microsoft.com/v1.0/users?")
    assert saw[kind]["users"] == 200
    assert saw[kind]["refused"] == "Request_ResourceNotFound"
