"""``entra-sandbox serve`` and ``entra-sandbox shell``."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

__all__ = ["app", "main"]

app = typer.Typer(
    name="sandbox",
    help="A local Entra ID, Microsoft Graph and StackOne to develop and rehearse against. Nothing real is touched.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

State = Annotated[Path | None, typer.Option("--state", help="State file; the user's own if left out.")]
Faults = Annotated[Path | None, typer.Option("--faults", help="Illnesses to play, as YAML or JSON.")]
Proxy = Annotated[bool, typer.Option("--proxy", help="Also a CONNECT proxy for tools with fixed hosts.")]


@app.callback()
def sandbox() -> None:
    """A local Entra ID, Microsoft Graph and StackOne to develop and rehearse against. Nothing real is touched."""


@app.command()
def serve(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="https port; 0 keeps the port of this state.")
    ] = 0,
    state: State = None,
    faults: Faults = None,
    proxy: Proxy = False,
    plain_pages: Annotated[
        bool, typer.Option("--plain-pages", help="Discovery names the http pages: browsers need no certificate.")
    ] = False,
    tenants: Annotated[int, typer.Option("--tenants", min=0, help="Also so many tenants of customers.")] = 0,
    leased: Annotated[bool, typer.Option("--leased", hidden=True)] = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; prints one JSON line when ready."""
    # Httpx imports a command line of its own, for longer than all the rest of it, and goes without.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    from entra_sandbox import server
    from entra_sandbox.errors import SandboxError
    from entra_sandbox.folder import default_state

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    for talkative in ("uvicorn.error", "httpx"):  # httpx logs whole addresses, with what their queries hold
        logging.getLogger(talkative).setLevel(logging.WARNING)
    try:
        served = server.Sandbox(
            state or default_state(), port=port, faults=faults, proxy=proxy, plain_pages=plain_pages, tenants=tenants
        )
    except SandboxError as error:
        _refuse(str(error))
    server.serve(served, leased=leased)


@app.command()
def tenants(state: State = None) -> None:
    """The tenants of customers that `serve --tenants` made, as CSV: id and file of the ready line, for a fleet."""
    from entra_sandbox.errors import SandboxError
    from entra_sandbox.folder import Folder, default_state
    from entra_sandbox.seed.customers import TABLE

    try:
        table = Folder((state or default_state()).expanduser().absolute()).file(TABLE)
    except SandboxError as error:
        _refuse(str(error))
    if not table.exists():
        _refuse("this state has none; `serve --tenants N` makes them")
    typer.echo(table.read_text(encoding="utf-8"), nl=False)


@app.command()
def shell(state: State = None, faults: Faults = None) -> None:
    """A shell in which any tool's own commands reach the sandbox and nothing else."""
    from entra_sandbox import server
    from entra_sandbox.errors import SandboxError
    from entra_sandbox.folder import Folder, default_state
    from entra_sandbox.proxy import shell_environment

    path = state or default_state()
    try:
        with server.running(path, faults=faults, proxy=True) as ready:
            file = Folder(path.expanduser().absolute()).write_json("ready.json", ready)
            program = os.environ.get("SHELL") or "/bin/sh"
            typer.echo(_WELCOME.format(**ready, ready_file=file), err=True)
            ended = subprocess.run([program], env=shell_environment(ready, file), check=False).returncode
            file.unlink(missing_ok=True)
    except SandboxError as error:
        _refuse(str(error))
    raise typer.Exit(ended)


_WELCOME = """\
login.microsoftonline.com, graph.microsoft.com, api and app.stackone.com lead to the sandbox in this shell; every other
host is refused by its proxy (a tool that ignores HTTPS_PROXY is not held back). Leave with "exit".
  tenant     {tenant_id}
  client     {client_id}, secret in {client_secret_file}
  people     in {ready_file}, under "users"
"""


def _refuse(why: str) -> NoReturn:
    typer.echo(f"Refused: {why}", err=True)
    raise typer.Exit(2)


def main() -> None:
    """Entry point of the console script ``entra-sandbox``."""
    app(prog_name="entra-sandbox")
