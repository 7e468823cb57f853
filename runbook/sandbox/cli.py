"""``runbook sandbox serve`` and ``runbook sandbox shell``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    name="sandbox",
    help="A local Entra ID, Microsoft Graph and StackOne to rehearse on. Nothing real is touched.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

State = Annotated[Path | None, typer.Option("--state", help="State file; the user's own if left out.")]
Faults = Annotated[Path | None, typer.Option("--faults", help="Illnesses to play, as YAML or JSON.")]
Proxy = Annotated[bool, typer.Option("--proxy", help="Also a CONNECT proxy for tools with fixed hosts.")]


@app.callback()
def sandbox() -> None:
    """A local Entra ID, Microsoft Graph and StackOne to rehearse on. Nothing real is touched."""


@app.command()
def serve(
    port: Annotated[int, typer.Option("--port", help="https port; 0 keeps the port of this state.")] = 0,
    state: State = None,
    faults: Faults = None,
    proxy: Proxy = False,
    leased: Annotated[bool, typer.Option("--leased", hidden=True)] = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; prints one JSON line when ready."""
    from runbook.sandbox import server
    from runbook.sandbox.faults import BadFaults
    from runbook.sandbox.settings import default_state
    from runbook.sandbox.store import UnsafeStateFile

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        served = server.Sandbox(state or default_state(), port=port, faults=faults, proxy=proxy)
    except (UnsafeStateFile, BadFaults) as error:
        _refuse(str(error))
    except server.AlreadyServed as error:
        _refuse(f"{error}. Stop it first, or name another file with --state.")
    server.serve(served, leased=leased)


def _refuse(why: str) -> None:
    typer.echo(f"Refused: {why}", err=True)
    raise typer.Exit(2)
