"""The papermill engine of a run: its kernels, how a notebook is stopped, and how it is saved."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from jupyter_client.kernelspec import NATIVE_KERNEL_NAME
from jupyter_core.utils import run_sync
from papermill.clientwrap import PapermillNotebookClient

from runbook.runs.papermill_engine import Engine, ThisInterpreter, kernel_in, looking_often
from runbook.runs.stopping import STOP

_START_TIMEOUT = 120  # seconds until the kernel answers
_SELDOM = 1.0  # seconds between two savings of a notebook at work


class _OfRun(ThisInterpreter):
    # A kernel is interrupted before it is shut down, and would log that as an error on the run's terminal.
    # What somebody typed elsewhere, and what lies in the folder, is no part of a run.
    arguments = (
        "--Application.log_level=CRITICAL",
        "--InteractiveShellApp.ignore_cwd=True",
        "--InteractiveShellApp.exec_PYTHONSTARTUP=False",
        "--HistoryManager.enabled=False",
        "--IPKernelApp.capture_fd_output=False",
    )


class Kernels:
    """The kernels of so many notebooks, ``count``: the next one starts while the one before is at work."""

    def __init__(self, environment: Mapping[str, str], *, warm: bool, count: int) -> None:
        self._warm, self._count, self._begun = warm, count, 0
        self._next: _OfRun | None = None
        self._context = looking_often()
        self._room = TemporaryDirectory(prefix="entra-id-runbook-", ignore_cleanup_errors=True)
        # What IPython runs in a person's own profile is no part of a run, which nobody watches.
        self.environment = {**environment, "IPYTHONDIR": self._room.name}

    def close(self) -> None:
        """End the one that no notebook got, and remove their folder."""
        with self._room, self._context:
            self._end()

    def _end(self) -> None:
        if self._next is not None:
            manager, self._next = self._next, None
            run_sync(manager.shutdown_kernel)(now=True)

    def turn(self) -> _OfRun:
        """The manager of the next notebook's kernel, which was started. Raises ``RuntimeError`` if it cannot be."""
        if self._next and not run_sync(self._next.is_alive)():  # somebody ended it meanwhile
            self._end()
        manager, self._next = self._next or self._begin(), None
        self._count -= 1
        return manager

    def ahead(self) -> None:
        """Have the kernel of the notebook after this one start, if there is one."""
        if self._count:
            with suppress(RuntimeError, OSError):  # the notebook itself will meet it and tell
                self._next = self._begin()

    def _begin(self) -> _OfRun:
        self._begun += 1
        name = f"{self._room.name}/{self._begun}"
        manager = _OfRun(kernel_name=NATIVE_KERNEL_NAME, config=kernel_in(name, warm=self._warm), context=self._context)
        run_sync(manager.start_kernel)(env=self.environment)
        return manager


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Begins no further cell once the run is to end, and passes on what a cell waits for."""

    waits: Callable[[str], None]
    ready: Callable[[], None]

    def process_message(self, msg: Any, *arguments: Any) -> Any:
        if msg.get("msg_type") == "execute_input":
            STOP.cell(running=True)
        if wait := msg.get("content", {}).get("metadata", {}).get("runbook", {}).get("wait"):
            self.waits(wait)
        return super().process_message(msg, *arguments)

    def papermill_execute_cells(self) -> None:
        with STOP.on(self.km.provisioner.pid):
            self.ready()
            super().papermill_execute_cells()
        self.shutdown_kernel = "immediate"  # it has done all, and the system takes back what it holds

    def execute_cell(self, *arguments: Any, **options: Any) -> Any:
        if STOP.asked:
            raise KeyboardInterrupt
        try:
            return super().execute_cell(*arguments, **options)
        finally:
            STOP.cell(running=False)


class EngineOfRun(Engine):
    """Executes a notebook by a kernel of a run."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, output_path: str | None = None, **options: Any) -> Any:
        """As the base does, but for where it saves."""
        return super().execute_notebook(nb, kernel_name, output=output_path, **options)

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        """As the base does, by the next of ``kernels``; ``waits`` is told what a cell waits for."""
        kernels = options["kernels"]
        with _seldom_saved(nb_man, options["output"]):
            about = {"kernel_name": kernel_name, "startup_timeout": _START_TIMEOUT, "timeout": None}
            client = _Client(nb_man, kernels.turn(), **about)
            client.waits, client.ready = options["waits"], kernels.ahead
            # The environment is for one that nbclient starts where that has died since: it would take this process's.
            return client.execute(cleanup_kc=True, env=kernels.environment)


def _completed(nb_man: Any, complete: Callable[..., None], cell: Any, **options: Any) -> None:
    """As papermill does, which looks for the form of the time that it wrote itself in a hundred forms."""
    about, save, nb_man.save = cell.metadata.papermill, nb_man.save, lambda **_: None
    started = about.pop("start_time")
    complete(cell, **options)
    took = datetime.fromisoformat(about["end_time"]) - datetime.fromisoformat(started)
    about.update(start_time=started, duration=took.total_seconds())
    nb_man.save = save
    save()


@contextmanager
def _seldom_saved(nb_man: Any, output: str | None) -> Iterator[None]:
    """Save at most once in some moments within, where papermill would twice a cell, and when what is within fails.

    What came to its end is written by whoever called the engine.
    """
    save, saved, nb_man.output_path = nb_man.save, time.monotonic(), output

    def now_and_then(**options: Any) -> None:
        nonlocal saved
        if time.monotonic() - saved > _SELDOM:
            save(**options)
            saved = time.monotonic()

    nb_man.save, nb_man.cell_complete = now_and_then, partial(_completed, nb_man, nb_man.cell_complete)
    try:
        yield
    except BaseException:
        nb_man.save = save
        raise
    nb_man.output_path = None
