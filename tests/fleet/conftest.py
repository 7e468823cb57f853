"""A sandbox with customers' tenants, served from this process: its books can be read and a process struck at a call."""

from __future__ import annotations

import asyncio
import csv
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox import server
from entra_sandbox.store import Store
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.conftest import environment
from tests.safety.stand import killed

TENANTS = 7
UNIQUE = "stackone-entra-id-connector"


class Striking:
    """Stands around the sandbox; counts calls, and strikes once, when a call of an ending was carried out.

    What strikes gives the process to kill, before its answer is sent; 0: none.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ending = ""
        self._victim: Callable[[], int] = os.getpid
        self.calls = 0

    def arm(self, ending: str, victim: Callable[[], int]) -> None:
        self._ending, self._victim = ending, victim

    @property
    def struck(self) -> bool:
        return not self._ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self.calls += 1
        if not self._ending or not scope["path"].endswith(self._ending):
            await self._app(scope, receive, send)
            return
        self._ending = ""

        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, keep)
        if victim := await asyncio.to_thread(self._victim):
            await asyncio.to_thread(killed, victim)
            return  # whoever asked is gone
        for message in answer:
            await send(message)


@dataclass(frozen=True)
class Provider:
    """A service provider's machine, and the sandbox that plays its customers."""

    ready: Mapping[str, Any]
    gate: Striking
    store: Store
    home: Path
    folder: Path

    @property
    def tenants(self) -> list[str]:
        return list(self.ready["tenants"])

    def table(self, name: str, *tenants: int, **columns: Mapping[int, str]) -> Path:
        """A table of these tenants, by number, with further columns that only some have."""
        path = self.folder / name
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("tenant_id", *columns))
            for number in tenants:
                writer.writerow((self.tenants[number], *(of.get(number, "") for of in columns.values())))
        return path

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """``runbook fleet …`` as a user starts it."""
        line = [sys.executable, "-m", "runbook", "fleet", *arguments]
        names = {"RUNBOOK_SANDBOX": str(self.folder / "ready.json"), **variables}
        told = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        return subprocess.Popen(line, cwd=self.folder, env=environment(self.home, **names), **told)  # type: ignore[call-overload,no-any-return]

    def fleet(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Its JSON document; it must end with ``code``."""
        process = self.start(*arguments, "--json")
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, out + err
        found: dict[str, Any] = json.loads(out)
        return found

    def made(self, number: int) -> dict[str, int]:
        """What the sandbox's books hold of the runbook's application in a tenant, bins included."""
        tenant = self.tenants[number]
        applications = self.store.find("application", tenant, deleted=None, uniqueName=UNIQUE)
        secrets = sum(len(each["passwordCredentials"]) for each in applications)
        known = {each["appId"] for each in applications}
        principals = self.store.find("servicePrincipal", tenant, deleted=None)
        ours = sum(each["appId"] in known for each in principals)
        return {"application": len(applications), "secret": secrets, "principal": ours}


ONE_OF_EACH = {"application": 1, "secret": 1, "principal": 1}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder, gates = tmp_path_factory.mktemp("fleet"), list[Striking]()

    def gated(app: ASGIApp) -> ASGIApp:
        gates.append(Striking(app))
        return gates[-1]

    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # answers that are never sent are the purpose
    server.observers.append(gated)
    try:
        with server.running(folder / "state.sqlite3", tenants=TENANTS) as ready:
            (folder / "ready.json").write_text(json.dumps(ready))
            store = Store(folder / "state.sqlite3")
            yield Provider(ready, gates[-1], store, tmp_path_factory.mktemp("home"), folder)
            store.close()
    finally:
        server.observers.remove(gated)
