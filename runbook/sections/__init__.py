"""The eight sections of the guide, in its order; each is read, plan, apply, verify."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbook.tenant.base import Section

__all__ = ["NAMES", "SECTIONS", "section"]

NAMES = (
    "select_actions",
    "register_application",
    "redirect_uri",
    "api_permissions",
    "client_secret",
    "connector_profile",
    "link_account",
    "verify_actions",
)

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
