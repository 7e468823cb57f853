"""One writer at a time on an open file, among processes; the lock goes with the process that held it.

The lock is on the journal itself: a lock file beside it would be a stray file in every record.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import IO

if sys.platform == "win32":
    import msvcrt

    # Windows locks are mandatory: a byte far behind the end is locked, so that readers are not kept out.
    _FAR = 1 << 40

    def _lock(file: IO[bytes]) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)

    def _unlock(file: IO[bytes]) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)


@contextlib.contextmanager
def locked(file: IO[bytes]) -> Iterator[None]:
    """Hold the exclusive lock on ``file``; waits for whoever holds it. Raises ``OSError`` if it cannot be had."""
    _lock(file)
    try:
        yield
    finally:
        _unlock(file)
