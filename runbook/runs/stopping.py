"""How a run is ended by a signal: whatever works now is interrupted once, and may clean up."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


def ending_signals() -> list[signal.Signals]:
    """Those that end what runs. What is ignored already stays so, as by nohup."""
    known = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    return [number for number in known if signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def on_signals(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Within, ``handler`` hears the signals that end what runs."""
    before = {number: signal.signal(number, handler) for number in ending_signals()}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


class _Stop:
    """Whether a run is to end: asked once, the kernel that works now is interrupted and may clean up.

    ``recorded``: a record was begun. ``over``: what is left of the run only closes it, and is not interrupted.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Of a new run, nobody has asked anything."""
        self.asked = self.recorded = self.over = self._running = self._sent = False
        self._kernel: int | None = None

    @contextmanager
    def on(self, kernel: int | None) -> Iterator[None]:
        """``kernel`` is the process that is to be interrupted."""
        self._kernel = kernel
        try:
            yield
        finally:
            self._kernel = None

    def cell(self, *, running: bool) -> None:
        """A cell runs now, or none does. A kernel without one ignores interrupts: they are passed on as it begins."""
        self._running = running
        self._pass_on()

    def ask(self) -> bool:
        """Interrupt what runs, as the stop button of JupyterLab does; False if nothing runs that could clean up."""
        self.asked = True
        self._pass_on()
        return self._kernel is not None

    @contextmanager
    def by_signals(self, told: Callable[[], None]) -> Iterator[None]:
        """The first SIGINT, SIGTERM or SIGHUP lets the kernel clean up, the second ends it; the record is honest."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(_signal: int, _frame: object) -> None:
            if self.over:
                self.asked = True
            elif self.asked or not self.ask():
                self.over = self.recorded
                raise KeyboardInterrupt
            else:
                told()

        self.begin()
        with on_signals(stop):
            yield

    def _pass_on(self) -> None:
        if self.asked and self._running and self._kernel is not None and not self._sent:
            self._sent = True
            with suppress(ProcessLookupError):
                os.kill(self._kernel, signal.SIGINT)


STOP = _Stop()
"""Of this process: signals are its own too."""
