"""Requests of a run, by how many actions are chosen.

On tenants of which nothing is done yet: a plan, the sections 2 to 5 with both kinds of permission, the same again, the
whole guide, and the whole guide again; counted by the sandbox as they arrive, a batch of Microsoft Graph as one.
Besides stands what a program would need that creates and never looks: application, service principal, redirect URI,
requested permissions, Microsoft Graph's service principal, a delegated grant, a secret, and twenty app role assignments
a batch. The runbook reads before it writes, and reads back until several replicas agree; how much of that there is does
not grow with the actions, and that is what is claimed.
"""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from entra_sandbox import server
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.harness import Claim, Table, alone

CHOSEN = (1, 10, 67)
WHAT = {
    "plan": ("plan",),
    "sections 2 to 5": ("run", "--sections=2..5"),
    "2 to 5 again": ("run", "--sections=2..5"),
    "the guide": ("run",),
    "the guide again": ("run",),
}


class Counting:
    """Stands around the sandbox and counts what arrives, by service."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.found: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            first = scope["path"].split("/")[1]
            self.found["graph" if first in ("v1.0", "beta") else "stackone" if first in STACKONE else "entra"] += 1
        await self._app(scope, receive, send)


STACKONE = ("accounts", "actions", "connect_sessions", "connector_profiles", "connectors", "unified")


def measure(rounds: int, small: bool) -> Table:
    """Once, whatever ``rounds``: what is counted does not vary with the machine."""
    del rounds
    chosen, gates = CHOSEN[:1] if small else CHOSEN, list[Counting]()
    names = [each["slug"] for each in json.loads(_runbook(Path(), "actions"))]

    def counted(app: ASGIApp) -> ASGIApp:
        gates.append(Counting(app))
        return gates[-1]

    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    server.observers.append(counted)
    rows: list[tuple[str | float, ...]] = []
    calls: dict[tuple[str, int], int] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with server.running(folder / "state.sqlite3", tenants=2 * len(chosen)) as ready:
            (folder / "ready.json").write_text(json.dumps(ready))
            tenants = iter(ready["tenants"])
            for count in chosen:
                tenant = next(tenants)
                for what, (verb, *more) in WHAT.items():
                    tenant = next(tenants) if what == "the guide" else tenant
                    gates[-1].found.clear()
                    about = [f"--actions={','.join(names[:count])}", "--permission-types=delegated,application", *more]
                    _runbook(folder, verb, *about, f"--set=tenant_id={tenant}", "--sandbox=ready.json")
                    found = gates[-1].found
                    least = 7 + math.ceil(count / 20) if what == "sections 2 to 5" else ""
                    cells = (found["graph"], least, found["entra"], found["stackone"], found.total())
                    rows.append((f"{what}, {count}", *cells))
                    calls[what, count] = found["graph"]
    server.observers.remove(counted)
    columns = ("what, actions", "Graph", "without a look", "Entra ID and pages", "StackOne", "all")
    claims = [
        Claim(f"calls of Graph, {what}, {chosen[-1]} actions by 1", calls[what, chosen[-1]] / calls[what, 1], at_most=1)
        for what in ("plan", "sections 2 to 5", "2 to 5 again")
    ]
    return Table(columns, rows, "Graph", (*claims, Claim("calls of Graph, plan", calls["plan", 1], at_most=5)))


def _runbook(folder: Path, *arguments: str) -> bytes:
    line: Any = [sys.executable, "-m", "runbook", *arguments, "--json"]
    environment = {**os.environ, "HOME": str(folder.absolute())}
    return subprocess.run(line, cwd=folder, env=environment, check=True, capture_output=True).stdout


if __name__ == "__main__":
    alone(measure)
