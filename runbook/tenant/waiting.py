"""Waiting in a section: the clients' wait helper at the target's pace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from runbook.clients import settle

if TYPE_CHECKING:
    from runbook.tenant.base import Context

__all__ = ["until"]

T = TypeVar("T")


def until(
    ctx: Context,
    check: Callable[[], T | None],
    describe: str,
    *,
    deadline: float | None = None,
    sightings: int | None = None,
) -> T:
    """Call ``check`` until it gives a truthy value several times in a row; :class:`NotSettled` after ``deadline`` s.

    ``describe`` completes "waiting until …".
    """
    return settle.until(check, pace=ctx.graph.pace, describe=describe, deadline=deadline, sightings=sightings)
