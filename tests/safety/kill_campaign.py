"""Kill runs at many seeded moments and tell what became of each: ``python -m tests.safety.kill_campaign``.

Run from the top of a clone. Exit code 0 if every record is readable and honest and every repeated run converges.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.safety.moments import Bench, Moment, Outcome, served


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill -9 of kernel and runner at random moments.")
    parser.add_argument("--moments", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--first", type=int, default=0, help="number of the first moment (default 0)")
    parser.add_argument("--seed", type=int, default=6, help="what the moments are drawn from (default 6)")
    parser.add_argument("--keep", type=Path, help="keep records and sandbox in this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        return campaign(folder.absolute(), given.seed, range(given.first, given.first + given.moments))


def campaign(folder: Path, seed: int, numbers: range) -> int:
    home = folder / "home"
    home.mkdir(parents=True)
    for name in [name for name in os.environ if name.startswith(("XDG_", "RUNBOOK_"))]:
        del os.environ[name]
    os.environ["HOME"] = str(home)
    outcomes: list[Outcome] = []
    with served(home) as ready:
        bench = Bench(folder, ready, f"s{seed}")
        for number in numbers:
            outcomes.append(bench.play(Moment.drawn(seed, number)))
            print(outcomes[-1], flush=True)
    return told(outcomes)


def told(outcomes: list[Outcome]) -> int:
    bad = [outcome for outcome in outcomes if outcome.problems]
    victims = Counter(outcome.moment.victim for outcome in outcomes if outcome.killed)
    states = Counter(outcome.state for outcome in outcomes)
    print(f"{len(outcomes)} moments, seed as given; killed: {dict(victims)}; records: {dict(states)}")
    print(f"{sum(outcome.open_writes for outcome in outcomes)} writes were open when their process was killed")
    print(f"{len(outcomes) - len(bad)} of {len(outcomes)} honest and converged")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
