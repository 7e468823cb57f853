"""Memory of a fleet of a thousand tenants, planned in one go.

`runbook fleet run --verb plan` with two workers on one served sandbox. The resident set of each process is read as
tenants are finished: once all code is loaded and a fifth of them are planned, it must not grow with their number.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import psutil

from benchmarks.fleet import Provider, providing
from benchmarks.harness import Claim, Table, alone

TENANTS, SMALL, WORKERS = 1_000, 20, 2
MOST = 4.0
"""MiB that a process may gain over four fifths of the tenants; what is kept of each tenant would be a multiple."""


def resident(provider: Provider, tenants: int) -> dict[int, dict[str, float]]:
    """MiB of the command, which holds the scheduler, and of each worker, by how many tenants were finished."""
    finished = provider.folder / "records" / "fleet" / "plan"
    found: dict[int, dict[str, float]] = {}
    process = provider.start("records", tenants, WORKERS, "--verb", "plan")
    command = psutil.Process(process.pid)
    while process.poll() is None:
        done = len(list(finished.glob("*.json"))) if finished.is_dir() else 0
        try:
            workers = [each for each in command.children() if any("spawn_main" in part for part in each.cmdline())]
            sizes = {f"worker {number + 1}": _mib(each) for number, each in enumerate(workers)}
            found[done] = {"command and scheduler": _mib(command), **sizes}
        except psutil.Error:  # it is just ending
            break
        psutil.wait_procs([command], timeout=0.2)
    if code := process.wait():
        raise SystemExit(f"the fleet ended with {code}")
    return found


def _mib(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


def measure(rounds: int, small: bool) -> Table:
    """One go, whatever ``rounds``: a thousand tenants are a median of their own."""
    del rounds
    tenants = SMALL if small else TENANTS
    with tempfile.TemporaryDirectory() as temporary, providing(Path(temporary), tenants) as provider:
        found = resident(provider, tenants)
    whole = {done: sizes for done, sizes in found.items() if len(sizes) > WORKERS}
    first, last = (min(whole, key=lambda done: abs(done - mark)) for mark in (tenants // 5, tenants))
    grown = {name: whole[last][name] - whole[first][name] for name in whole[last]}
    rows = [(name, whole[first][name], whole[last][name], gain) for name, gain in grown.items()]
    return Table(
        ("process", f"MiB at {first:,} tenants", f"MiB at {last:,} tenants", "MiB gained"),
        rows,
        f"MiB at {last:,} tenants",
        tuple(Claim(f"MiB gained, {name}", gain, at_most=MOST) for name, gain in grown.items()),
    )


if __name__ == "__main__":
    alone(measure)
