"""Who carries out the tasks of a fleet: workers of this machine, or a cluster of dask.distributed that is there.

The embedded cluster is this process's: its scheduler and workers talk on loopback, by TLS with certificates that exist
in their memory alone, and a worker ends with whoever started it, as its kernels end with the worker.
"""

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from runbook.errors import RunbookError
from runbook.fleet.work import TOPIC, Task, carry_out, stop
from runbook.runs.engine import SAFE_PATH
from runbook.runs.stopping import ending_signals

if TYPE_CHECKING:
    from distributed import Client

_PATIENCE = 10  # seconds for a scheduler to answer
_QUIET: Mapping[str, Any] = {
    "logging": dict.fromkeys(
        ("distributed", "distributed.client", "distributed.worker", "distributed.nanny", "tornado.application"),
        "critical",
    ),
    # What dask keeps for its own dashboard grows for hours: of each worker 0.1 MiB a second of work.
    "distributed.admin.low-level-log-length": 100,
    "distributed.admin.log-length": 100,
    "distributed.admin.system-monitor.log-length": 100,
    "distributed.worker.profile.enabled": False,
}


class Cluster:
    """Workers, each of which carries out one tenant at a time."""

    def __init__(self, client: "Client", dashboard: str) -> None:
        self.client, self.dashboard = client, dashboard

    @property
    def size(self) -> int:
        """How many tenants may go at once; where workers come and go, at least one."""
        return max(1, len(self.client.nthreads()))

    def begin(self, task: Task) -> Any:
        """Give the task to a worker; another one gets it if that dies."""
        return self.client.submit(carry_out, task, key=task.key)

    def listen(self, heard: Callable[[dict[str, Any]], None]) -> None:
        """``heard`` is told how far each tenant is, from another thread."""
        self.client.subscribe_topic(TOPIC, lambda event: heard(event[1]))

    def stop(self) -> None:
        """Have what runs clean up and end; what is gone already has ended."""
        with suppress(OSError):
            self.client.run(stop)


@contextmanager
def opened(scheduler: str, workers: int) -> Iterator[Cluster]:
    """The cluster at ``scheduler``, or one of this machine with so many ``workers``; 0: one for each core.

    Raises :class:`RunbookError` when no scheduler answers.
    """
    import dask

    with ExitStack() as stack:
        dask.config.set(_QUIET)  # for good: what dask imports after it would be forgotten with it
        from distributed import Client

        if scheduler:
            try:
                client = stack.enter_context(Client(scheduler, timeout=_PATIENCE, name="runbook-fleet"))
            except (OSError, ValueError, RuntimeError) as error:
                raise RunbookError.named("no_scheduler", address=scheduler, reason=error) from None
            yield Cluster(client, client.dashboard_link)
            return
        client = stack.enter_context(Client(stack.enter_context(_embedded(workers))))
        yield Cluster(client, client.dashboard_link if find_spec("bokeh") else "")


@contextmanager
def _embedded(workers: int) -> Iterator[Any]:
    from dask.system import CPU_COUNT
    from distributed import LocalCluster
    from distributed.security import Security

    os.environ.update(SAFE_PATH)
    board = "127.0.0.1:0"  # by default a port that another cluster of this machine may have
    with tempfile.TemporaryDirectory(prefix="runbook-") as folder:
        # A signal waits until there is a cluster that can be closed. What it starts does not hear this process's.
        signal.pthread_sigmask(signal.SIG_BLOCK, ending_signals())
        resource_tracker.ensure_running()  # which lets some of them through again
        signal.pthread_sigmask(signal.SIG_BLOCK, ending_signals())
        try:
            made = LocalCluster(
                n_workers=workers or CPU_COUNT,
                threads_per_worker=1,
                host="127.0.0.1",
                protocol="tls://",
                security=Security.temporary(),
                dashboard_address=board,
                worker_dashboard_address=board,
                memory_limit=0,  # of a worker that waits for its kernel nothing is to be said by its memory
                local_directory=folder,
                preload=__name__,
            )
            with made:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, ending_signals())
                yield made
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ending_signals())


def dask_setup(_worker: Any) -> None:
    """Called by dask in each embedded worker: signals are the client's to hear, which then stops workers in order."""
    if threading.current_thread() is threading.main_thread():
        os.setsid()
        for number in ending_signals():
            before = signal.signal(number, signal.SIG_IGN)  # what waited is forgotten
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
            signal.signal(number, before)
        signal.signal(signal.SIGINT, lambda *_: None)
