"""CPU of the quick commands, beside a bare interpreter.

CPU is user and system time of the child (seconds), both measured in turn.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from benchmarks.harness import Claim, Table, alone, in_turn

BARE = "python -c pass"
COMMANDS = {
    BARE: ("-c", "pass"),
    "import runbook": ("-c", "import runbook"),
    "runbook --version": ("-m", "runbook", "--version"),
    "runbook actions": ("-m", "runbook", "actions"),
    "runbook actions --json": ("-m", "runbook", "actions", "--json"),
    "runbook scopes": ("-m", "runbook", "scopes"),
    "runbook scopes --all-actions --json": ("-m", "runbook", "scopes", "--all-actions", "--json"),
}


def started(*arguments: str) -> Callable[[], object]:
    """A child of Python with ``arguments``."""
    quiet = subprocess.DEVNULL
    return lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=quiet, stderr=quiet)


def measure(rounds: int, small: bool) -> Table:
    """Each command once a round."""
    found = in_turn(1 if small else rounds, {name: started(*arguments) for name, arguments in COMMANDS.items()})
    bare = max(found[BARE].cpu, 0.001)
    return Table(
        ("command", "CPU s", "wall s", "× bare"),
        [(name, one.cpu, one.wall, one.cpu / bare) for name, one in found.items()],
        "CPU s",
        (
            Claim("CPU seconds of `import runbook`", found["import runbook"].cpu, at_most=0.3),
            Claim("CPU seconds of `runbook actions`", found["runbook actions"].cpu, at_most=0.5),
        ),
    )


if __name__ == "__main__":
    alone(measure)
