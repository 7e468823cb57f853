"""The eight sections of the guide, in its order; each is read, plan, apply, verify."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from runbook.data import table

if TYPE_CHECKING:
    from runbook.tenant.base import Section

__all__ = ["NAMES", "SECTIONS", "section"]


class About(NamedTuple):
    """What is said of a section: name, number in the guide, title, what it does, and where the portal has it."""

    name: str
    number: int
    title: str
    summary: str
    portal: str


_TEXTS: dict[str, dict[str, str]] = table("sections/texts.json")
NAMES = tuple(_TEXTS)


def about(name: str) -> About:
    """The texts of the section called ``name`` (``texts.json``, in the guide's order)."""
    return About(name, NAMES.index(name) + 1, **_TEXTS[name])


SECTIONS: tuple[Section, ...]


def section(name: str) -> Section:
    """The section module called ``name`` (a slug of :data:`NAMES`); KeyError if there is none."""
    if name not in NAMES:
        raise KeyError(name)
    module: Section = import_module(f"runbook.sections.{name}")
    return module


def __getattr__(name: str) -> tuple[Section, ...]:
    # The modules bring httpx; the parameters import this package for the redirect rules alone.
    if name == "SECTIONS":
        return tuple(section(name) for name in NAMES)
    raise AttributeError(name)
