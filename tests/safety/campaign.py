"""The campaigns, from the top of a clone: ``python -m tests.safety.campaign kills|faults|pairs [--seed N]``.

``--verb rotate|teardown``: kills and faults not of a run but of what comes after it, on a connection that stands.

``kills``: SIGKILL before and after every call of a run (``--command``: of the real command's kernel or runner, at a
moment of its journal), then one more run. ``faults``: seeded mixtures of illnesses. ``pairs``: two runs at once.
``--cases A..B`` plays those, ``--case K`` one; ``--keep DIR`` keeps records and sandbox. Exit code 0 if nothing that
must not be was found.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

DEFAULT = {"faults": 300, "pairs": 50}
SEED = 6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaign", choices=("kills", "faults", "pairs"))
    parser.add_argument("--seed", type=int, default=SEED, help=f"what the cases are drawn from (default {SEED})")
    parser.add_argument("--cases", default="", help="A..B, both included (default all)")
    parser.add_argument("--case", type=int, help="one case by its number")
    parser.add_argument("--verb", choices=("rotate", "teardown"), help="kills, faults: of this instead of a run")
    parser.add_argument("--command", action="store_true", help="kills: of the real command with its kernels")
    parser.add_argument("--keep", type=Path, help="keep records and sandbox in this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.keep or Path(temporary)).absolute()
        from tests.safety.stand import own_home

        own_home(os.environ, folder / "home")
        numbers = [given.case] if given.case is not None else _span(given.cases)
        begin = _command if given.command else _CAMPAIGNS[given.campaign]
        if given.verb:
            begin = partial(_verb, given.verb, given.campaign)
        return told(begin(folder, given.seed, numbers))


def _span(text: str) -> list[int] | None:
    if not text:
        return None
    first, _, last = text.partition("..")
    return list(range(int(first), int(last or first) + 1))


def _kills(folder: Path, seed: int, numbers: list[int] | None) -> Iterator[Any]:
    from tests.safety import kills
    from tests.safety.stand import standing

    with standing(folder / "stand") as stand:
        if numbers is None:
            count = len(kills.calls(stand, "calm"))
            print(f"{count} calls in a calm run, {2 * count} cases", flush=True)
            numbers = list(range(2 * count))
        for number in numbers:
            # Every third adopts an application with a life of its own.
            yield (kills.adopt if number % 3 == 2 else kills.play)(stand, number, f"s{seed}")


def _command(folder: Path, seed: int, numbers: list[int] | None) -> Iterator[Any]:
    from tests.safety.moments import Bench, Moment, served

    with served(folder / "home") as ready:
        bench = Bench(folder, ready, f"s{seed}")
        for number in range(200) if numbers is None else numbers:
            yield bench.play(Moment.drawn(seed, number))


def _faults(folder: Path, seed: int, numbers: list[int] | None) -> Iterator[Any]:
    from tests.safety import faults
    from tests.safety.mixtures import drawn
    from tests.safety.stand import standing

    with standing(folder / "stand") as stand:
        for number in range(DEFAULT["faults"]) if numbers is None else numbers:
            yield faults.play(stand, drawn(seed, number), f"s{seed}")


def _pairs(folder: Path, seed: int, numbers: list[int] | None) -> Iterator[Any]:
    from tests.safety import pairs
    from tests.safety.stand import standing

    with standing(folder / "stand") as stand:
        for number in range(DEFAULT["pairs"]) if numbers is None else numbers:
            yield pairs.play(stand, pairs.Pair.drawn(seed, number), f"s{seed}")


def _verb(verb: str, campaign: str, folder: Path, seed: int, numbers: list[int] | None) -> Iterator[Any]:
    from tests.safety import verbs
    from tests.safety.mixtures import drawn
    from tests.safety.stand import standing

    with standing(folder / "stand") as stand:
        if campaign == "faults":
            mixtures = (drawn(seed, number) for number in (range(DEFAULT["faults"]) if numbers is None else numbers))
            for mixture in mixtures:
                if not mixture.lethal:
                    yield verbs.in_weather(stand, verb, mixture, f"s{seed}")
            return
        if numbers is None:
            count = len(verbs.calls(stand, verb, f"calm-{verb}"))
            print(f"{count} calls of a calm {verb}, {2 * count} cases", flush=True)
            numbers = list(range(2 * count))
        for number in numbers:
            yield verbs.play(stand, verb, number, f"s{seed}")


_CAMPAIGNS: dict[str, Callable[[Path, int, list[int] | None], Iterator[Any]]] = {
    "kills": _kills,
    "faults": _faults,
    "pairs": _pairs,
}


def told(outcomes: Iterator[Any]) -> int:
    """Print each case and the figures."""
    begun, bad, verdicts, count = time.monotonic(), [], Counter[str](), 0
    for outcome in outcomes:
        print(outcome, flush=True)
        count += 1
        verdicts.update(outcome.verdicts())
        if outcome.problems:
            bad.append(outcome.number)
    minutes = (time.monotonic() - begun) / 60
    print(f"{count} cases in {minutes:.1f} minutes: {', '.join(f'{n} {v}' for v, n in verdicts.most_common())}")
    print(f"{count - len(bad)} of {count} as they must be" + (f"; not so: {bad}" if bad else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
