"""A fleet on its way: canaries first, as many tenants at once as there are workers, and when to begin no more."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from runbook.errors import RunbookError
from runbook.fleet.cluster import Cluster
from runbook.fleet.work import Task
from runbook.runs.stopping import on_signals

_EXIT_CODES = {"failed": 1, "not begun": 1, "parked": 3, "changed": 4}


@dataclass
class Fleet:
    """``canaries`` go before ``others``; after ``stop_after`` failures (0: never), or one canary's, none is begun."""

    canaries: Sequence[Task]
    others: Sequence[Task]
    stop_after: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    interrupted: bool = False

    @property
    def total(self) -> int:
        return len(self.canaries) + len(self.others)

    @property
    def exit_code(self) -> int:
        """130 interrupted, 1 some failed or were not begun, 3 some are parked, 4 some are not in order, else 0."""
        found = (code for state, code in _EXIT_CODES.items() if self.counts[state])
        return 130 if self.interrupted else next(found, 0)

    def results(self, cluster: Cluster) -> Iterator[dict[str, Any]]:
        """What came of each tenant, as it comes. The first Ctrl-C lets those at work clean up, the second ends all.

        Raises :class:`RunbookError` when the scheduler is lost.
        """
        with self._stoppable(cluster):
            yield from self._of(cluster, self.canaries, 1)
            if not self.counts["failed"]:
                yield from self._of(cluster, self.others, self.stop_after)
        if left := self.total - self.counts.total():
            self.counts["not begun"] = left

    def _of(self, cluster: Cluster, tasks: Sequence[Task], most: int) -> Iterator[dict[str, Any]]:
        from distributed import as_completed

        running, waiting = as_completed(), iter(tasks)
        held: dict[str, Task] = {}
        while True:
            while len(held) < cluster.size and not self._ends(most) and (task := next(waiting, None)) is not None:
                held[task.key] = task
                running.add(cluster.begin(task))
            if not held:
                return
            future = next(running)
            result = _outcome(held.pop(future.key), future)
            future.release()
            self.counts[str(result.get("verdict") if result.get("verdict") == "changed" else result["state"])] += 1
            yield result

    def _ends(self, most: int) -> bool:
        return self.interrupted or 0 < most <= self.counts["failed"]

    @contextmanager
    def _stoppable(self, cluster: Cluster) -> Iterator[None]:
        def stop(_signal: int, _frame: object) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True
            threading.Thread(target=cluster.stop, daemon=True).start()

        with on_signals(stop):
            yield


def _outcome(task: Task, future: Any) -> dict[str, Any]:
    if future.status == "finished":
        result: dict[str, Any] = future.result()
        return result
    if future.status != "error":
        raise RunbookError.named("scheduler_lost")
    lost = RunbookError.named("worker_lost", name=type(future.exception()).__name__)
    return {
        "tenant_id": task.tenant_id,
        "verb": task.verb,
        "state": "failed",
        "said": lost.what,
        "next": lost.next_step,
    }
