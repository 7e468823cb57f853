"""Every benchmark by one command: ``python -m benchmarks [NAME …] [--rounds N] [--small] [--write]``.

``--write`` puts what was found between the markers of ``benchmarks/README.md``, with a plot beside it. Exit code 1
when a claim was missed.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from benchmarks.harness import Table, machine, options

HERE = Path(__file__).parent
README = HERE / "README.md"
OWN = ("__init__", "__main__", "harness")


def names() -> list[str]:
    """The modules that measure something."""
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in OWN)


def write(name: str, title: str, table: Table, rounds: int) -> None:
    """Put the table of ``name`` into the README, at its place or at the end, and its plot beside it."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    about = f"{rounds} rounds, {datetime.now(UTC):%Y-%m-%d}, {machine()}: `python -m benchmarks {name}`."
    parts = (begin, f"### {title}", about, f"![{title}]({name}.svg)", table.markdown(), end)
    whole = README.read_text(encoding="utf-8")
    place = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    section = "\n\n".join(parts)
    done = place.sub(lambda _found: section, whole) if place.search(whole) else f"{whole.rstrip()}\n\n{section}\n"
    README.write_text(done, encoding="utf-8")
    (HERE / f"{name}.svg").write_text(table.svg(title), encoding="utf-8")


def main() -> int:
    """Measure what was asked for, all by default."""
    parser = options()
    parser.prog = "python -m benchmarks"
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    parser.add_argument("--write", action="store_true", help="into benchmarks/README.md, with plots")
    given = parser.parse_args()
    if unknown := set(given.names) - set(names()):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    if given.write and given.small:
        parser.error("a small size proves nothing, so it is not written")
    print(machine())
    missed = 0
    for name in given.names or names():
        module = import_module(f"benchmarks.{name}")
        title = (module.__doc__ or name).splitlines()[0].split(":")[0].rstrip(".")
        table: Table = module.measure(given.rounds, given.small)
        print(f"\n{title}\n{table.plain()}", flush=True)
        if given.write:
            write(name, title, table, given.rounds)
        missed += not given.small and sum(not claim.kept for claim in table.claims)
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())
