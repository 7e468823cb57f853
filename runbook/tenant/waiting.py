"""Waiting in a section: the clients' wait helper at the target's pace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from runbook.clients import settle

if TYPE_CHECKING:
    from runbook.tenant.base import Context

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

    ``describe`` completes "waiting until …". Each sighting reads the tenant anew.
    """

    def look() -> T | None:
        ctx.snapshot.forget()
        return check()

    return settle.until(
        look,
        pace=ctx.graph.pace,
        progress=ctx.graph.progress,
        describe=describe,
        deadline=deadline,
        sightings=sightings,
    )


def read_back(ctx: Context, check: Callable[[], T | None], describe: str) -> T:
    """:func:`until` after a section's writes; where none was made, what was read for its plan is the reading back."""
    if not ctx.snapshot.wrote and (value := check()):
        return value
    return until(ctx, check, describe)
