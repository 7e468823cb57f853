"""A sandbox served from this process for many cases: its calls can be held, its weather changed, its books read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import select
import signal
import ssl
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
from entra_sandbox import server
from entra_sandbox.control import TOKEN_FILE
from entra_sandbox.store import Store
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Gate", "Stand", "own_home", "standing"]

ACTIONS = ("list_users", "create_group", "get_organization")
_PATIENCE = 60


Strike = Callable[[int], bool]
"""What befalls the process of this id; whether it lives on, so that its call is answered."""


class Gate:
    """Stands around the sandbox's services, counts calls, and strikes a process before or after a chosen one.

    ``before``: the call has reached the service and is not carried out yet. ``after``: it is, and not answered yet.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._place: Literal["before", "after"] = "before"
        self._number = 0
        self._victim = 0
        self._dead = False
        self._strike: Strike = killed
        self.calls: list[str] = []
        self.struck = ""

    def arm(self, number: int, place: Literal["before", "after"], strike: Strike | None = None) -> None:
        """Strike (default: SIGKILL) at call ``number``, from 1, counted from now; 0 only counts."""
        self._strike = strike or killed
        self.calls, self.struck, self._dead = [], "", False
        self._number, self._place, self._victim = number, place, 0

    def aim(self, pid: int) -> None:
        """Whom to strike."""
        self._victim = pid

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self._app(scope, receive, send)
            return
        call = f"{scope['method']} {scope['path']}"
        self.calls.append(call)
        if self._dead:
            return  # whoever asked is
        if len(self.calls) != self._number:
            await self._app(scope, receive, send)
            return
        self.struck = f"{self._place} call {self._number}, {call}"
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        if self._place == "after":
            await self._app(scope, receive, keep)
        while not self._victim:
            await asyncio.sleep(0.001)
        place, calls = self._place, self.calls
        lives = await asyncio.to_thread(self._strike, self._victim)
        # The case may have gone on, and armed anew, as soon as the process was dead.
        self._dead = not lives and self.calls is calls
        if lives and place == "before":
            await self._app(scope, receive, keep)
        for message in answer if lives else []:
            await send(message)


def killed(pid: int) -> bool:
    """Kill the process and wait until it has ended."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            os.kill(pid, signal.SIGKILL)
            select.select([handle], [], [], _PATIENCE)
        finally:
            os.close(handle)
    return False


@dataclass(frozen=True)
class Stand:
    """One served sandbox. ``store`` are its own books; ``folder`` takes the records of its cases."""

    folder: Path
    ready: Mapping[str, Any]
    gate: Gate
    store: Store
    control: httpx.Client
    struck: list[tuple[dict[str, Any], int]] = field(default_factory=list)
    """The illnesses of the last weather, and how often each struck."""

    def values(self, name: str, **more: Any) -> dict[str, Any]:
        """A choice of which nothing is there yet."""
        return {
            "sandbox_file": str(self.folder / "ready.json"),
            "application_name": f"Case {name}",
            "unique_name": f"case-{name}",
            "connector_profile_name": f"Case {name}",
            "account_owner_id": f"case-{name}",
            "secret_store": "file",
            "actions": list(ACTIONS),
            "permission_types": ["delegated", "application"],
            **more,
        }

    @contextlib.contextmanager
    def weather(self, course: Mapping[str, Any]) -> Iterator[None]:
        """Illnesses for as long as the context lasts."""
        self.control.put("/_sandbox/faults", json=course).raise_for_status()
        try:
            yield
        finally:
            self.struck[:] = self.strikes()
            self.control.delete("/_sandbox/faults").raise_for_status()

    def strikes(self) -> list[tuple[dict[str, Any], int]]:
        """The illnesses of now, and how often each has struck."""
        report = self.control.get("/_sandbox/faults").json()
        return [(one, count["strikes"]) for one, count in zip(report["illnesses"], report["counts"], strict=True)]


def own_home(environment: MutableMapping[str, str], home: Path) -> None:
    """Have ``environment`` belong to a user whose HOME is ``home``, with nothing of the runbook's there."""
    for name in [name for name in environment if name.startswith(("XDG_", "RUNBOOK_"))]:
        del environment[name]
    home.mkdir(parents=True, exist_ok=True)
    environment["HOME"] = str(home)


@contextlib.contextmanager
def standing(folder: Path) -> Iterator[Stand]:
    """Serve a fresh sandbox from this process, whose HOME is already set."""
    gates: list[Gate] = []

    def gated(app: ASGIApp) -> ASGIApp:
        gates.append(Gate(app))
        return gates[-1]

    folder.mkdir(parents=True, exist_ok=True)
    # Answers that are never sent are the purpose here, and no news.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    state = folder / "state.sqlite3"
    server.observers.append(gated)
    try:
        with contextlib.ExitStack() as stack:
            ready = stack.enter_context(server.running(state))
            (folder / "ready.json").write_text(json.dumps(ready))
            token = (state.with_name(state.name + ".d") / TOKEN_FILE).read_text()
            control = httpx.Client(
                base_url=ready["graph"],
                verify=ssl.create_default_context(cafile=ready["ca_file"]),
                headers={"authorization": f"Bearer {token}"},
                trust_env=False,
            )
            store = Store(state)
            stack.callback(store.close)
            yield Stand(folder, ready, gates[-1], store, stack.enter_context(control))
    finally:
        server.observers.remove(gated)
