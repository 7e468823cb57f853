"""What every benchmark shares: work measured in turn, the machine described, a table, a plot, and what is claimed."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Protocol

CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Claim:
    """A bound that the numbers of a run keep or miss; ``value`` is measured."""

    words: str
    value: float
    at_most: float = float("inf")
    at_least: float = float("-inf")

    @property
    def kept(self) -> bool:
        """Whether it holds."""
        return self.at_least <= self.value <= self.at_most

    def __str__(self) -> str:
        bound = f"at most {self.at_most:g}" if self.at_most < float("inf") else f"at least {self.at_least:g}"
        return f"{self.words}: {self.value:.3g} ({bound}, {'kept' if self.kept else 'MISSED'})"


@dataclass(frozen=True)
class Table:
    """What a benchmark found: the first column names a row; the bars of the plot are the column ``plot``."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str | float, ...]]
    plot: str
    claims: tuple[Claim, ...] = ()

    def cells(self) -> list[tuple[str, ...]]:
        """All of it as text, the columns' names first."""
        return [self.columns, *(tuple(map(_text, row)) for row in self.rows)]

    def plain(self) -> str:
        """For a terminal."""
        widths = [max(map(len, column)) for column in zip(*self.cells(), strict=True)]
        lines = [
            "  ".join(cell.rjust(width) if number else cell.ljust(width) for number, (cell, width) in enumerate(pairs))
            for pairs in (list(zip(row, widths, strict=True)) for row in self.cells())
        ]
        return "\n".join([*lines, *map(str, self.claims)])

    def markdown(self) -> str:
        """For the README."""
        first, *others = ("| " + " | ".join(row) + " |" for row in self.cells())
        lines = [first, "|---" + "|---:" * (len(self.columns) - 1) + "|", *others]
        return "\n".join([*lines, "", *(f"- {claim}" for claim in self.claims)]).rstrip()

    def svg(self, title: str) -> str:
        """Bars of the column ``plot``."""
        at = self.columns.index(self.plot)
        values = [(str(row[0]), float(row[at])) for row in self.rows]
        most = max((value for _name, value in values), default=0) or 1
        height = 30 + 24 * len(values)
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" font-family="sans-serif"'
        parts = [
            f'{head} font-size="13">',
            f'<text x="4" y="18" font-weight="bold">{escape(title)}: {self.plot}</text>',
        ]
        for number, (name, value) in enumerate(values):
            y, width = 30 + 24 * number, max(1, round(360 * value / most))
            parts += [
                f'<text x="4" y="{y + 14}">{escape(name)}</text>',
                f'<rect x="300" y="{y}" width="{width}" height="18" fill="#3b6fb6"/>',
                f'<text x="{306 + width}" y="{y + 14}">{_text(value)}</text>',
            ]
        return "\n".join([*parts, "</svg>", ""])


class Measure(Protocol):
    """What every benchmark's module has as ``measure``. ``small``: a size that takes seconds, which proves no claim."""

    def __call__(self, rounds: int, small: bool) -> Table: ...


@dataclass(frozen=True)
class Spent:
    """Seconds: by the clock, and of the processor, here and in children that ended and were waited for."""

    wall: float
    cpu: float


def spent(work: Callable[[], object]) -> Spent:
    """Do ``work`` once."""
    cpu, began = _cpu(), time.perf_counter()
    work()
    return Spent(time.perf_counter() - began, _cpu() - cpu)


def in_turn(rounds: int, works: Mapping[str, Callable[[], object]]) -> dict[str, Spent]:
    """The median of each work; each round does every one of them, so that a ratio tells nothing of the machine."""
    found: dict[str, list[Spent]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(spent(work))
    return {
        name: Spent(statistics.median(one.wall for one in each), statistics.median(one.cpu for one in each))
        for name, each in found.items()
    }


def machine() -> str:
    """Where the numbers were measured, in one line."""
    import papermill

    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    versions = f"Python {platform.python_version()}, papermill {papermill.__version__}"
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, {system}, {versions}"


def alone(measure: Measure) -> None:
    """The command of one module: ``python -m benchmarks.NAME [--rounds N] [--small]``."""
    given = options().parse_args()
    print(measure(given.rounds, given.small).plain())


def options() -> argparse.ArgumentParser:
    """What every benchmark's command takes."""
    parser = argparse.ArgumentParser(prog=Path(sys.argv[0]).stem)
    parser.add_argument("--rounds", type=int, default=5, help="medians of so many rounds (5)")
    parser.add_argument("--small", action="store_true", help="a size that takes seconds, which proves no claim")
    return parser


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.3g}"
