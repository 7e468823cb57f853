"""How a notebook ends where nobody is there: one line, because the reason was shown above it."""

from __future__ import annotations


class Stopped(Exception):
    """Ends the notebook in one line: the reason was shown above, and a stack would tell nobody anything."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class InputRefused(Stopped):
    """The parameters have mistakes; nothing was sent."""


class SectionFailed(Stopped):
    """The section failed."""


class SectionParked(Stopped):
    """The section waits for a person."""
