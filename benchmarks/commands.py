"""How much CPU the quick commands take, beside a bare interpreter: ``python benchmarks/commands.py [--rounds N]``.

Both are measured in turn in one run, so that the ratio tells of the command and not of the machine or of what else runs
on it. CPU is user and system time of the child (seconds); the least of the rounds is the command's own cost.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field

BARE = ("-c", "pass")
COMMANDS = {
    "scopes --all-actions --json": ("-m", "runbook", "scopes", "--all-actions", "--json"),
    "scopes (default choice)": ("-m", "runbook", "scopes"),
    "actions --json": ("-m", "runbook", "actions", "--json"),
    "--version": ("-m", "runbook", "--version"),
}


@dataclass
class Measured:
    """Seconds of each round."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def add(self, arguments: tuple[str, ...]) -> None:
        """Run once."""
        before, started = _of_children(), time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wall.append(time.perf_counter() - started)
        self.cpu.append(_of_children() - before)


def _of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure and print one line a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    bare, found = Measured(), {name: Measured() for name in COMMANDS}
    for _ in range(rounds):
        bare.add(BARE)
        for name, arguments in COMMANDS.items():
            found[name].add(arguments)
    least = max(min(bare.cpu), 0.001)
    print(f"{'command':<30} {'CPU s':>7} {'wall s':>7} {'x bare':>7}   (least of {rounds} rounds)")
    for name, measured in {"python -c pass": bare, **found}.items():
        print(f"{name:<30} {min(measured.cpu):7.3f} {min(measured.wall):7.3f} {min(measured.cpu) / least:7.1f}")


if __name__ == "__main__":
    main()
