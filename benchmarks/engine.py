"""The engine beside stock papermill, on the notebooks of the guide.

Each round does the same on fresh tenants of one served sandbox: the eight notebooks by a loop over papermill's own API,
and by `runbook run`, each in a process of its own that has imported nothing yet; then two tenants and four tenants by
`runbook.run` in one process, whose difference is what sixteen further notebooks take once all is warm. Seconds of the
processor, of kernels and of the process that forks them too; the sandbox apart.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness import Claim, Table, alone, spent

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("0[1-8]_*.ipynb"))
LOOP = """
import json, sys
from papermill import execute_notebook
notebooks, (choice, *_) = json.loads(sys.argv[1])
for notebook in notebooks:
    execute_notebook(notebook, notebook.rpartition("/")[2], choice, kernel_name="python3", progress_bar=False)
"""
WARM = """
import json, sys, runbook
_, choices = json.loads(sys.argv[1])
for choice in choices:
    outcome = runbook.run(runbook.choose(choice))
    assert outcome.exit_code == 0, outcome
"""
KINDS = {"stock papermill": 1, "runbook run": 1, "two tenants in one process": 2, "four tenants in one process": 4}


def served(folder: Path, tenants: int) -> tuple[subprocess.Popen[bytes], list[str], str]:
    """A sandbox with so many customers: its process, their ids, and the file with its line."""
    ready = folder / "ready.json"
    with ready.open("wb") as line:
        command = [sys.executable, "-m", "entra_sandbox", "serve", "--tenants", str(tenants)]
        process = subprocess.Popen(
            [*command, "--state", str(folder / "state.sqlite3")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        line.write(process.stdout.readline())
    return process, list(json.loads(ready.read_bytes())["tenants"]), str(ready)


def carry_out(kind: str, choices: list[dict[str, Any]], folder: Path) -> None:
    """One kind of execution, in a process of its own."""
    folder.mkdir()
    told = json.dumps([[str(notebook) for notebook in NOTEBOOKS], choices])
    command = [sys.executable, "-c", LOOP if kind == "stock papermill" else WARM, told]
    if kind == "runbook run":
        chosen = [f"--set={name}={value}" for name, value in choices[0].items()]
        command = [sys.executable, "-m", "runbook", "run", *chosen]
    environment = {**os.environ, "HOME": str(folder)}
    subprocess.run(
        command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def measure(rounds: int, small: bool) -> Table:
    """Side by side, kind by kind in each round."""
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    walls: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as place:
        for number in range(1 if small else rounds):
            folder = Path(place) / str(number)
            folder.mkdir()
            process, tenants, ready = served(folder, sum(KINDS.values()))
            try:
                for kind, count in KINDS.items():
                    taken = [tenants.pop() for _ in range(count)]
                    choices = [{"sandbox_file": ready, "secret_store": "file", "tenant_id": each} for each in taken]
                    took = spent(partial(carry_out, kind, choices, folder / kind))
                    found[kind].append(took.cpu)
                    walls[kind].append(took.wall)
            finally:
                process.terminate()
                process.wait()
    cpu = {kind: statistics.median(values) for kind, values in found.items()}
    stock, cold, *_ = cpu.values()
    further = statistics.median(
        (more - less) / (2 * len(NOTEBOOKS)) for less, more in zip(*list(found.values())[2:], strict=True)
    )
    each = stock / len(NOTEBOOKS)
    rows = [
        (kind, cpu[kind], cpu[kind] / len(NOTEBOOKS) / count, statistics.median(walls[kind]))
        for kind, count in KINDS.items()
    ]
    claims = (
        Claim("a cold run, as a part of stock papermill's", cold / stock, at_most=0.45),
        Claim("each further notebook, as a part of stock papermill's", further / each, at_most=0.1),
    )
    return Table(("what", "CPU s", "CPU s a notebook", "wall s"), rows, "CPU s a notebook", claims)


if __name__ == "__main__":
    alone(measure)
