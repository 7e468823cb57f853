"""A sandbox over TLS with an application that has gone through sections 1 to 7, and ways to make it ill."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from entra_sandbox.server import running

from runbook.parameters import parse
from runbook.sections import NAMES, section
from runbook.tenant.base import Context, open_context, run_section

XDG = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")


@dataclass(frozen=True)
class Stage:
    """A sandbox, and a context whose application has gone through sections 1 to 7."""

    ready: Mapping[str, Any]
    state: Path
    ctx: Context

    def control(self, method: str, path: str, document: dict[str, Any] | None = None) -> None:
        token = (self.state.with_name(self.state.name + ".d") / "control-token").read_text()
        context = ssl.create_default_context(cafile=self.ready["ca_file"])
        with httpx.Client(base_url=self.ready["authority"], verify=context, trust_env=False) as client:
            headers = {"Authorization": f"Bearer {token}"}
            client.request(method, f"/_sandbox/{path}", json=document, headers=headers).raise_for_status()

    @contextlib.contextmanager
    def ill(self, *illnesses: dict[str, Any]) -> Iterator[None]:
        self.control("PUT", "faults", {"illnesses": list(illnesses)})
        try:
            yield
        finally:
            self.control("DELETE", "faults")

    def registered(self, name: str, *, principal: bool = True) -> tuple[dict[str, Any], dict[str, Any]]:
        """An application with a secret: the application, and Graph's answer with the secret."""
        made: Any = self.ctx.graph.post("/applications", {"displayName": name})
        if principal:
            self.ctx.graph.post("/servicePrincipals", {"appId": made["appId"]})
        added: Any = self.ctx.graph.post(f"/applications/{made['id']}/addPassword", {"passwordCredential": {}})
        return made, added


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("home")
    state = home / "sandbox.db"
    with pytest.MonkeyPatch.context() as patch, running(state) as ready:
        for name in ("HOME", *XDG):
            patch.setenv(name, str(home))
        file = home / "ready.json"
        file.write_text(json.dumps(ready))
        values = {
            "sandbox_file": str(file),
            "secret_store": "file",
            "actions": ["list_users", "update_user", "update_group"],
            "permission_types": ["delegated", "application"],
        }
        with open_context(parse(values)) as ctx:
            for name in NAMES[:7]:
                assert run_section(ctx, section(name), apply=True).verdict == "passed"
            yield Stage(ready, state, ctx)
