"""Processes as the kernel of the operating system shows them: children, command lines, environments, ends."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Watched", "children", "descendants", "kernels", "wait_for_end"]

Watched = tuple[int, int]
"""A process id and a handle (``pidfd``) that becomes readable when that process, and no later one, has ended."""


def children(pid: int) -> list[int]:
    """The processes that ``pid`` started, youngest last; none if it has ended."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except OSError:
        return found
    return found


def descendants(pid: int) -> Iterator[int]:
    """Children, their children, and so on."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def shown(pid: int, name: str) -> bytes:
    """``cmdline`` or ``environ`` of a process; nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def kernels(pid: int) -> list[int]:
    """The notebook kernels of a runner that live now."""
    warm = [child for child in children(pid) if b"runbook.runs.warm" in shown(child, "cmdline")]
    return [kernel for each in warm for kernel in children(each)]


def watched(pids: list[int]) -> list[Watched]:
    """Handles of those processes that still live."""
    found = []
    for pid in pids:
        try:
            found.append((pid, os.pidfd_open(pid)))
        except ProcessLookupError:
            continue
    return found


def wait_for_end(processes: list[Watched], seconds: float) -> list[int]:
    """Wait until all of them have ended; those that have not after ``seconds`` are returned. Closes the handles."""
    left = []
    for pid, handle in processes:
        ended, _, _ = select.select([handle], [], [], seconds)
        if not ended:
            left.append(pid)
        os.close(handle)
    return left
