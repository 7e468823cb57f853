"""A fleet beside a loop of stock papermill.

Each tenant: the eight notebooks of the guide with its default actions, on one served sandbox, to the proof that each
action works. The loop calls papermill's own API for one notebook after the other, as a script would, a few tenants
before the fleets and a few after; the fleets are `runbook fleet run` with one worker and with two, of 1, 10 and 100
tenants, the start of the command and of its workers included. Sandbox and all processes share the machine.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Claim, Table, alone

TENANTS, WORKERS = 100, 2
NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("0[1-8]_*.ipynb"))
LOOP = """
import json, sys
from papermill import execute_notebook
notebooks, choices, place = json.loads(sys.argv[1])
for number, choice in enumerate(choices):
    for notebook in notebooks:
        out = f"{place}-{number}-{notebook.rpartition('/')[2]}"
        execute_notebook(notebook, out, choice, kernel_name="python3", progress_bar=False)
"""


@dataclass
class Provider:
    """A service provider's machine: a folder, a HOME of its own, and customers of which each is carried out once."""

    folder: Path
    rows: list[dict[str, str]]

    def take(self, count: int) -> list[dict[str, str]]:
        """So many customers of whom nothing is done yet."""
        taken, self.rows = self.rows[:count], self.rows[count:]
        return taken

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RUNBOOK_", "XDG_"))}
        return {**kept, "HOME": str(self.folder / "home")}

    def start(self, name: str, tenants: int, workers: int, *more: str) -> subprocess.Popen[bytes]:
        """``runbook fleet run`` of so many customers; records, and what it prints, under ``name``."""
        table = self.folder / f"{name}.csv"
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.rows[0])
            writer.writeheader()
            writer.writerows(self.take(tenants))
        line = [sys.executable, "-m", "runbook", "fleet", "run", str(table), "--records", name, "--json"]
        line += ["--workers", str(workers), "--set", "secret_store=file", *more]
        with (self.folder / f"{name}.out").open("wb") as out, (self.folder / f"{name}.err").open("wb") as err:
            return subprocess.Popen(line, cwd=self.folder, env=self.environment, stdout=out, stderr=err)

    def fleet(self, tenants: int, workers: int) -> float:
        """Seconds of a fleet; all of its tenants must be done, with every action proven."""
        name, begun = f"of-{tenants}-by-{workers}", time.perf_counter()
        self.start(name, tenants, workers).wait()
        took = time.perf_counter() - begun
        told = json.loads((self.folder / f"{name}.out").read_text(encoding="utf-8"))
        proven = sum("8 of 8 actions proven" in each["said"] for each in told["tenants"])
        if told["counts"] != {"done": tenants} or proven != tenants:
            raise SystemExit(f"{told['counts']}, {proven} proven")
        return took

    def loop(self, tenants: int) -> float:
        """Seconds of stock papermill's loop; papermill raises where a notebook fails."""
        choices = [{**row, "secret_store": "file"} for row in self.take(tenants)]
        given = json.dumps([[str(path) for path in NOTEBOOKS], choices, str(self.folder / f"loop-{len(self.rows)}")])
        begun = time.perf_counter()
        line = [sys.executable, "-c", LOOP, given]
        done = subprocess.run(line, cwd=self.folder, env=self.environment, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        return time.perf_counter() - begun


@contextmanager
def providing(folder: Path, tenants: int) -> Iterator[Provider]:
    """A sandbox with so many customers in a process of its own, as a person serves it."""
    provider = Provider(folder, [])
    (folder / "home").mkdir()
    runbook = [sys.executable, "-m", "runbook", "sandbox"]
    line = [*runbook, "serve", "--tenants", str(tenants)]
    told = {"env": provider.environment, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(line, cwd=folder, **told) as serving:  # type: ignore[call-overload]
        try:
            assert serving.stdout is not None
            (folder / "ready.json").write_text(serving.stdout.readline(), encoding="utf-8")
            named = {**provider.environment, "RUNBOOK_SANDBOX": str(folder / "ready.json")}
            table = subprocess.run([*runbook, "tenants"], env=named, check=True, capture_output=True, text=True).stdout
            provider.rows = list(csv.DictReader(table.splitlines()))
            yield provider
        finally:
            serving.terminate()


def measure(rounds: int, small: bool) -> Table:
    """Each fleet once, whatever ``rounds``: a hundred tenants are a median of their own."""
    del rounds
    sizes, few = ((1, 4), 1) if small else ((1, 10, TENANTS), 2)
    most = sizes[-1]
    with (
        tempfile.TemporaryDirectory() as temporary,
        providing(Path(temporary), 2 * few + sum(sizes) + sizes[-2]) as provider,
    ):
        before = provider.loop(few)
        one = provider.fleet(sizes[-2], 1)
        two = {size: provider.fleet(size, WORKERS) for size in sizes}
        stock = (before + provider.loop(few)) / (2 * few)
    found = {"stock papermill, a loop": (2 * few, stock), "1 worker": (sizes[-2], one / sizes[-2])}
    found |= {f"{WORKERS} workers, {size}": (size, took / size) for size, took in two.items()}
    rows = [(name, count, each, 60 / each, stock / each) for name, (count, each) in found.items()]
    each = two[most] / most
    return Table(
        ("carried out by", "tenants", "s a tenant", "tenants a minute", "× the loop"),
        rows,
        "tenants a minute",
        (
            Claim(
                f"times the tenants a minute of the loop, {most} tenants, {WORKERS} workers", stock / each, at_least=10
            ),
            Claim(f"s a tenant of {most} ÷ of {sizes[-2]}", each / (two[sizes[-2]] / sizes[-2]), at_most=1.1),
        ),
    )


if __name__ == "__main__":
    alone(measure)
