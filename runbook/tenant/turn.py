"""Sections that write take turns on one machine: two runs of one application, notebooks and operations included.

The lock is the operating system's and goes with the process that holds it, however that ends. Two machines have no
lock in common: there the unique name and looking before each create keep things from being made twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import filelock
import platformdirs

from runbook.errors import RunbookError
from runbook.tenant.registration import fingerprint

if TYPE_CHECKING:
    from runbook.tenant.base import Context

__all__ = ["turn"]


@contextmanager
def turn(ctx: Context) -> Iterator[None]:
    """Wait until no other section writes to this application from this machine, and keep others waiting meanwhile.

    Raises :class:`RunbookError` when the other has not ended before the deadline of a step.
    """
    name = fingerprint(ctx.target.endpoints.graph, ctx.target.tenant_id, ctx.params.unique_name)
    folder = platformdirs.user_data_path("entra-id-runbook", appauthor=False) / "turns"
    lock = filelock.FileLock(folder / f"{name}.lock", timeout=ctx.graph.pace.deadline, mode=0o600)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire()
    except filelock.Timeout:
        raise RunbookError(
            f"Another run is at work on the application {ctx.params.unique_name!r} from this machine, and has been for "
            f"{lock.timeout:.0f} s.",
            meaning="Two at once would get in each other's way, so this one has changed nothing.",
            next_step="let the other one end (or stop it), then run again.",
        ) from None
    except OSError:
        # Where nothing can be written (a read-only HOME) a lock is no reason not to run; who needs the disk says so.
        yield
        return
    try:
        yield
    finally:
        lock.release()
