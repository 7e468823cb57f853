"""Sections that write take turns on one machine: two runs of one application, notebooks and operations included.

The lock is the operating system's and goes with the process that holds it, however that ends. Two machines have no
lock in common: there the unique name and looking before each create keep things from being made twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import filelock
import platformdirs

from runbook.errors import RunbookError


@contextmanager
def turn(service: str, tenant_id: str, unique_name: str, *, patience: float) -> Iterator[None]:
    """Wait until no other section writes to this application from this machine, and keep others waiting meanwhile.

    ``service`` is Graph's address. Raises :class:`RunbookError` when the other has not ended after ``patience`` s.
    """
    name = hashlib.sha256("\n".join((service, tenant_id, unique_name)).encode()).hexdigest()[:16]
    folder = platformdirs.user_data_path("entra-id-runbook", appauthor=False) / "turns"
    lock = filelock.FileLock(folder / f"{name}.lock", timeout=patience, mode=0o600)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire()
    except filelock.Timeout:
        raise RunbookError(
            f"Another run has been at work on the application {unique_name!r} from this machine for {patience:.0f} s.",
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
