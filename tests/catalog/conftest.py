"""What is known of the 67 actions from Microsoft's reference pages, stated a second time beside the catalogue."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from runbook.catalog import action
from runbook.catalog.model import PermissionType

FACTS = {row["name"]: row for row in csv.DictReader((Path(__file__).parent / "facts.csv").open(encoding="utf-8"))}
"""By name, of the actions that the guide had when this was written; a later one the emulator's facts alone hold."""


def enables(slug: str, held: Iterable[str], kind: PermissionType) -> str:
    """What these permissions make of an action: ``full``, ``limited`` (it answers, but reaches less) or ``no``."""
    access, have = action(slug).access(kind), set(held)
    met = [permissions for permissions in access.alternatives if have.issuperset(permissions)]
    if any(access.limit_of(permissions) is None for permissions in met):
        return "full"
    return "limited" if met else "no"


GUID = "11111111-2222-4333-8444-555555555555"
VALUES = {
    "guid": GUID,
    "guid-or-upn": "ada.berg@contoso.com",
    "domain-name": "contoso.com",
    "opaque": "q7Yx3kB2v0mT9sQ1eLhG4aRzWcUd8fJn",
}
