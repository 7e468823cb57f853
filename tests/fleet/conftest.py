"""A sandbox with customers' tenants, served from this process: its books can be read and a process struck at a call."""

from __future__ import annotations

import asyncio
import csv
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client
from entra_sandbox import server
from entra_sandbox.store import Store
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.conftest import environment
from tests.safety.processes import wait_for_end, watched
from tests.safety.stand import killed

TENANTS = 12
UNIQUE = "stackone-entra-id-connector"


class Striking:
    """Stands around the sandbox; counts calls, and strikes once, before or after a call is carried out.

    Which call: the next of an ending, or the one of a number, counted from now. What strikes gives the process to
    kill; 0: none. Who asked is answered, unless it is gone with that process.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._awaited: str | int = ""
        self._victim: Callable[[], int] = os.getpid
        self._before = False
        self._since = self.calls = 0

    def arm(self, awaited: str | int, victim: Callable[[], int], *, before: bool = False) -> None:
        self._awaited, self._victim, self._before, self._since = awaited, victim, before, self.calls

    @property
    def struck(self) -> bool:
        return not self._awaited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self.calls += 1
        if not self._is_awaited(scope["path"]):
            await self._app(scope, receive, send)
            return
        self._awaited = ""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        if not self._before:
            await self._app(scope, receive, keep)
        if victim := await asyncio.to_thread(self._victim):
            await asyncio.to_thread(killed, victim)
            if await asyncio.to_thread(is_gone, scope["client"][1]):
                return
        if self._before:
            await self._app(scope, receive, keep)
        for message in answer:
            await send(message)

    def _is_awaited(self, path: str) -> bool:
        if isinstance(self._awaited, int):
            return self.calls - self._since == self._awaited
        return bool(self._awaited) and path.endswith(self._awaited)


def is_gone(port: int) -> bool:
    """Whether whoever asked from this port ends with what was killed, which takes some milliseconds."""
    for _ in range(20):
        asking = [each.pid for each in psutil.net_connections("tcp") if each.laddr and each.laddr.port == port]
        left = watched([pid for pid in asking if pid and pid != os.getpid()])
        if not left or not wait_for_end(left, 0.1):
            return True
    return False


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
        told["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # one of the background ignores it
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


@contextmanager
def providing(folder: Path, home: Path, tenants: int) -> Iterator[Provider]:
    """A provider with so many customers."""
    gates = list[Striking]()

    def gated(app: ASGIApp) -> ASGIApp:
        gates.append(Striking(app))
        return gates[-1]

    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # answers that are never sent are the purpose
    server.observers.append(gated)
    try:
        with server.running(folder / "state.sqlite3", tenants=tenants) as ready:
            (folder / "ready.json").write_text(json.dumps(ready))
            store = Store(folder / "state.sqlite3")
            yield Provider(ready, gates[-1], store, home, folder)
            store.close()
    finally:
        server.observers.remove(gated)


@contextmanager
def a_cluster(provider: Provider, name: str, workers: int = 1) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler with workers of its own; its address, and its process."""
    file = provider.folder / f"{name}.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    variables = environment(provider.home, RUNBOOK_SANDBOX=str(provider.folder / "ready.json"))
    with ExitStack() as stack:

        def start(part: str, *more: str) -> subprocess.Popen[bytes]:
            line = [sys.executable, "-m", f"distributed.cli.dask_{part}", "--scheduler-file", str(file), *more]
            process = subprocess.Popen(line, cwd=provider.folder, env=variables, **quiet)  # type: ignore[call-overload]
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process  # type: ignore[no-any-return]

        scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        for _ in range(workers):
            start("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "5")
        with Client(scheduler_file=str(file), timeout=30) as client:
            client.wait_for_workers(workers, timeout=60)
            address = client.scheduler.address
        yield address, scheduler


@pytest.fixture(scope="package")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with providing(tmp_path_factory.mktemp("fleet"), tmp_path_factory.mktemp("home"), TENANTS) as served:
        yield served


@pytest.fixture(scope="module")
def at(provider: Provider) -> Iterator[tuple[str, str]]:
    """The options by which a fleet goes to one warm worker, where the embedded cluster is not what is asked about."""
    with a_cluster(provider, "warm") as (address, _):
        yield ("--scheduler", address)
