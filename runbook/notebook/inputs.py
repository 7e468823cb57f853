"""The parameters of a notebook: the simple-valued names that exist when it first calls the runbook.

Papermill writes its parameters as assignments and only warns of unknown ones; here every name counts, so a mistyped
parameter is refused before the first request, with every other mistake.
"""

from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook import mapping_file
from runbook.errors import InputError, Problem
from runbook.parameters import Parameters, parse, typed

_DEFAULT_FILE = "parameters.yaml"
OPTIONS = ("parameters_file", "record")
# What a fresh kernel of IPython holds besides names with an underscore, and what papermill's --inject-paths tells.
_NOT_OURS = frozenset(
    {"In", "Out", "exit", "quit", "open", "get_ipython", "PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH"}
)
_SIMPLE = (str, int, float, list, tuple, dict, set, frozenset, bytes, Path)


@dataclass(frozen=True)
class Inputs:
    """The choice, the file that keeps it, the record to join (or None), and whether a person is there."""

    params: Parameters
    file: Path
    record: Path | None
    home: Path
    """Where the guide's notebooks, their parameters file and their records lie: of an operation one folder up."""
    attended: bool
    explicit: frozenset[str]
    """Names that the notebook sets itself; they win over the file."""
    chosen: bool
    """Whether somebody chose the actions, in the file or in the notebook; else they are the default ones."""
    stamp: bytes = b""

    @property
    def outdated(self) -> bool:
        """Whether the parameters file says something else now than when the notebook read it."""
        return _content(self.file) != self.stamp


_FIRST = "_runbook_first_names"
"""Where the names of the first call are kept: in the notebook's own globals, which end with the kernel."""


def read(namespace: MutableMapping[str, Any], besides: Collection[str] = ()) -> Inputs:
    """Read and check the parameters of the notebook whose globals are ``namespace``.

    A name that is None or absent is taken from ``parameters_file`` (default ``parameters.yaml`` if it is there), then
    from the defaults. ``besides``: further names that the notebook takes and that somebody else checks. Raises
    :class:`InputError` with every mistake at once.
    """
    first = namespace.setdefault(_FIRST, _names_in(namespace))
    # On a second call in the same kernel the notebook has variables of its own: those without a type are no parameters.
    annotated = namespace.get("__annotations__") or ()
    names = _names_in(namespace) & {*first, *annotated, *Parameters.model_fields, *OPTIONS}
    given = {name: namespace[name] for name in sorted(names - set(besides)) if namespace[name] is not None}
    options = {name: given.pop(name, "") for name in OPTIONS}
    problems = _option_problems(options)
    home = Path("..") if Path("../00_start.ipynb").is_file() else Path()
    file, from_file = _file(options["parameters_file"], home, problems)
    params = _parsed({**from_file, **{name: _plain(name, value) for name, value in given.items()}}, problems)
    if problems or params is None:
        for name in {*given} - {*Parameters.model_fields}:  # a name that is corrected in its cell would still be there
            del namespace[name]
        raise InputError(problems)
    record = Path(options["record"]) if options["record"] else None
    chosen = "actions" in {*given, *from_file}
    return Inputs(params, file, record, home, somebody_there(), frozenset(given), chosen, _content(file))


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def _names_in(namespace: Mapping[str, Any]) -> frozenset[str]:
    """The names in ``namespace`` with simple values, without those of IPython and papermill."""
    return frozenset(
        name
        for name, value in namespace.items()
        if not name.startswith("_") and name not in _NOT_OURS and (value is None or isinstance(value, _SIMPLE))
    )


def somebody_there() -> bool:
    """Whether a person sees the notebook: the frontend that runs the cell accepts input (papermill's does not)."""
    from IPython import get_ipython

    return bool(getattr(getattr(get_ipython(), "kernel", None), "_allow_stdin", False))


def _option_problems(options: dict[str, Any]) -> list[Problem]:
    wrong = [name for name, value in options.items() if not isinstance(value, str | Path)]
    return [Problem(name, "must be text.", "Leave it empty for the default.") for name in wrong]


def _file(given: Any, home: Path, problems: list[Problem]) -> tuple[Path, dict[str, Any]]:
    """The parameters file and what is in it; one that was named must exist, the default one may."""
    file = Path(given) if isinstance(given, str | Path) and given else home / _DEFAULT_FILE
    if not given and not file.is_file():
        return file, {}
    try:
        return file, mapping_file.read(file)
    except InputError as error:
        problems += error.problems
        return file, {}


def _parsed(values: dict[str, Any], problems: list[Problem]) -> Parameters | None:
    try:
        return parse(values)
    except InputError as error:
        problems += error.problems
        return None


def _plain(name: str, value: Any) -> Any:
    """A path is its text; a text for a number or a switch (papermill -r) is read as from a file."""
    return typed(name, value) if isinstance(value, str) else str(value) if isinstance(value, Path) else value
