"""The engine beside stock papermill, on the notebooks of the guide.

Each round does the same on fresh tenants of one served sandbox: the eight notebooks by a loop over papermill's own API,
and by `runbook run`, each in a process of its own that has imported nothing yet; then two tenants and ten tenants by
`runbook.run` in one process, whose difference is what 64 further notebooks take once all is warm. Seconds of the
processor, of kernels and of the process that forks them too; the sandbox apart.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.fleet import LOOP, NOTEBOOKS, Provider, providing
from benchmarks.harness import Claim, Spent, Table, alone, spent

WARM = """
import json, sys, runbook
_, choices, _ = json.loads(sys.argv[1])
for choice in choices:
    outcome = runbook.run(runbook.choose(choice))
    assert outcome.exit_code == 0, outcome
"""
KINDS = {"stock papermill": 1, "runbook run": 1, "two tenants in one process": 2, "ten tenants in one process": 10}


def carry_out(kind: str, provider: Provider, place: str) -> None:
    """One kind of execution on tenants of which nothing is done yet, in a process of its own."""
    choices = [{**row, "secret_store": "file"} for row in provider.take(KINDS[kind])]
    told = json.dumps([[str(notebook) for notebook in NOTEBOOKS], choices, place])
    line = [sys.executable, "-c", LOOP if kind == "stock papermill" else WARM, told]
    if kind == "runbook run":
        line = [sys.executable, "-m", "runbook", "run"]
        line += [f"--set={name}={value}" for name, value in choices[0].items()]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(line, cwd=provider.folder, env=provider.environment, check=True, **quiet)  # type: ignore[call-overload]


def measure(rounds: int, small: bool) -> Table:
    """Side by side, kind by kind in each round."""
    rounds = 1 if small else rounds
    found: dict[str, list[Spent]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as place, providing(Path(place), rounds * sum(KINDS.values())) as provider:
        for number in range(rounds):
            for kind, each in found.items():
                each.append(spent(partial(carry_out, kind, provider, f"{place}/{number}")))
    cpu = {kind: statistics.median(one.cpu for one in each) for kind, each in found.items()}
    stock, cold, *_ = cpu.values()
    (less, few), (more, many) = list(KINDS.items())[2:]
    further = statistics.median(
        (long.cpu - short.cpu) / ((many - few) * len(NOTEBOOKS))
        for short, long in zip(found[less], found[more], strict=True)
    )
    rows = [
        (kind, cpu[kind], cpu[kind] / len(NOTEBOOKS) / count, statistics.median(one.wall for one in found[kind]))
        for kind, count in KINDS.items()
    ]
    claims = (
        Claim("a cold run, as a part of stock papermill's", cold / stock, at_most=0.45),
        Claim("each further notebook, as a part of stock papermill's", further / (stock / len(NOTEBOOKS)), at_most=0.1),
    )
    return Table(("what", "CPU s", "CPU s a notebook", "wall s"), rows, "CPU s a notebook", claims)


if __name__ == "__main__":
    alone(measure)
