"""Noticing that a person has acted elsewhere, while the notebook stays usable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Watch:
    """Looks ``every`` few seconds until ``changed()`` is true, then calls ``then()`` once.

    It lives on the kernel's own event loop, so other cells run in between. ``tell`` gets the seconds that are left.
    """

    def __init__(
        self,
        changed: Callable[[], bool],
        then: Callable[[], None],
        tell: Callable[[int], None],
        seconds: float,
        every: float,
    ) -> None:
        self._changed, self._then, self._tell, self._seconds, self._every = changed, then, tell, seconds, every
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look; without a running event loop there is nobody to notice for, and nothing happens."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._task = loop.create_task(self._look(loop))

    def stop(self) -> None:
        """Look no longer."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        end = loop.time() + self._seconds
        while (left := end - loop.time()) > 0:
            self._tell(int(left))
            await asyncio.sleep(self._every)
            if self._changed():
                self._task = None  # what follows may begin a watch of its own
                self._then()
                return
        self._tell(0)
