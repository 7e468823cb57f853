"""What is known of the 67 actions from Microsoft's reference pages, stated a second time beside the catalogue."""

from __future__ import annotations

import csv
from pathlib import Path

FACTS = {row["name"]: row for row in csv.DictReader((Path(__file__).parent / "facts.csv").open(encoding="utf-8"))}
"""By name, of the actions that the guide had when this was written; a later one the emulator's facts alone hold."""
GUID = "11111111-2222-4333-8444-555555555555"
VALUES = {
    "guid": GUID,
    "guid-or-upn": "ada.berg@contoso.com",
    "domain-name": "contoso.com",
    "opaque": "q7Yx3kB2v0mT9sQ1eLhG4aRzWcUd8fJn",
}
