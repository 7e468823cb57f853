"""Papermill with an engine and an output of our own.

The kernel is the running interpreter, whatever kernel specs the machine has; it gets an environment without secrets;
the notebook appears whole or not at all, scrubbed, at each save; what papermill puts around an error is taken out.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from runbook import late
from runbook.records import publishing, redaction

if TYPE_CHECKING:
    from runbook.runs.run_engine import Kernels

_ENGINE = "entra-id-runbook-run"
_SCHEME = "whole:"
_MARKER = "papermill-error-cell-tag"
SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""The folder one stands in is not code: no Python that is started here looks for modules there."""

_TELLING = re.compile(
    r"(SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)", re.IGNORECASE
)
_REFERENCE = re.compile(r"(_FILE|_PATH|_REF|_DIR|_URL)$", re.IGNORECASE)


@dataclass(frozen=True)
class Execution:
    """How a notebook ended: ``ok``, or the name and words of the exception; ``died`` when its kernel went away."""

    ok: bool
    error: str = ""
    message: str = ""
    died: bool = False


def kernels(environment: Mapping[str, str] = MappingProxyType({}), *, warm: bool = True, count: int = 1) -> "Kernels":
    """The kernels of so many notebooks, ``count``; ``environment`` is what each gets besides.

    ``warm``: they are forked from a process that has imported what notebooks import, where the system can.
    """
    _register()
    from runbook.runs.run_engine import Kernels

    return Kernels({**_child_environment(os.environ), **SAFE_PATH, **environment}, warm=warm, count=count)


def execute(
    source: Path,
    output: Path,
    parameters: Mapping[str, Any],
    waits: Callable[[str], None] = lambda _text: None,
    of: "Kernels | None" = None,
) -> Execution:
    """Execute ``source`` with ``parameters`` and write it whole to ``output`` at each step.

    ``waits`` is told in words what the notebook waits for. ``of``: the kernels of the run that it is part of.

    Raises ``OSError`` when ``output`` cannot be written; a failing cell or a dying kernel is returned, not raised.
    """
    _register()
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    how = {"parameters": dict(parameters), "engine_name": _ENGINE, "progress_bar": False, "waits": waits}
    try:
        with nullcontext(of) if of else closing(kernels()) as given:
            papermill.execute_notebook(_literal(str(source)), _literal(_SCHEME + str(output)), kernels=given, **how)
    except PapermillExecutionError as error:
        return Execution(False, error.ename, error.evalue)
    except (DeadKernelError, RuntimeError) as error:
        return Execution(False, type(error).__name__, str(error), died=True)
    return Execution(True)


def prepare(warm: bool) -> None:
    """Import what the first notebook would wait for."""
    if warm:
        from runbook.runs.warm import warm_up

        warm_up()
    _register()


def _literal(path: str) -> str:
    """Papermill formats paths like a template; a brace in a folder's name is no field."""
    return path.replace("{", "{{").replace("}", "}}")


class _WholeFiles:
    """Papermill's output handler: the file is replaced in one step, and no secret is in it."""

    @classmethod
    def read(cls, path: str) -> str:
        return Path(path.removeprefix(_SCHEME)).read_text(encoding="utf-8")

    @classmethod
    def listdir(cls, path: str) -> list[str]:
        return [str(entry) for entry in Path(path.removeprefix(_SCHEME)).iterdir()]

    @classmethod
    def write(cls, text: str, path: str) -> None:
        publishing.write_notebook(Path(path.removeprefix(_SCHEME)), _tidied(json.loads(text)))

    @classmethod
    def pretty_path(cls, path: str) -> str:
        return path.removeprefix(_SCHEME)


def _tidied(book: dict[str, Any]) -> dict[str, Any]:
    """The notebook without papermill's markers around an error, and without paths of this machine."""
    book["cells"] = [cell for cell in book["cells"] if _MARKER not in cell["metadata"].get("tags", [])]
    stamp = book["metadata"].get("papermill", {})
    for name in ("input_path", "output_path"):
        if isinstance(stamp.get(name), str):
            stamp[name] = Path(stamp[name].removeprefix(_SCHEME)).name
    return book


@cache
def _register() -> None:
    late.grammar()
    from papermill.engines import papermill_engines
    from papermill.iorw import papermill_io

    from runbook.runs.run_engine import EngineOfRun

    papermill_engines.register(_ENGINE, EngineOfRun)
    papermill_io.register(_SCHEME, _WholeFiles)


def _child_environment(parent: Mapping[str, str]) -> dict[str, str]:
    """A copy of ``parent`` without variables whose name says that they hold a secret, or whose value is a known one.

    Names that end in ``_FILE``, ``_PATH``, ``_REF``, ``_DIR`` or ``_URL`` hold a reference and stay.
    """
    return {
        name: value
        for name, value in parent.items()
        if (not _TELLING.search(name) or _REFERENCE.search(name)) and not redaction.find(value)
    }
