"""The permissions that the sandbox publishes, brought up to date from a service principal of Microsoft Graph's.

    python -m tests.sandbox_house.published_permissions FILE

FILE is an answer of Microsoft Graph's with ``appRoles`` and ``oauth2PermissionScopes``, or a list of such: what
``GET /servicePrincipals(appId='00000003-0000-0000-c000-000000000000')`` gives in any tenant. Ids, names and consent
rules are taken, texts are not; an id that differs from a known one is an error, and nothing is taken away.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FACTS = Path(__file__).parents[2] / "sandbox" / "entra_sandbox" / "facts" / "permissions.json"
GRAPH = "00000003-0000-0000-c000-000000000000"

Rows = dict[str, dict[str, Any]]


def merged(known: Mapping[str, Mapping[str, Any]], principal: Mapping[str, Any]) -> Rows:
    """The rows by name with what the service principal publishes besides; ValueError for another id of a known one."""
    rows: Rows = {name: dict(row) for name, row in known.items()}
    for kind, listed in (("delegated", "oauth2PermissionScopes"), ("application", "appRoles")):
        for one in principal[listed]:
            row = rows.setdefault(one["value"], {"delegated": None, "application": None, "admin": True})
            if row[kind] not in (None, one["id"]):
                raise ValueError(f"{one['value']}, {kind}: {row[kind]} is known, {one['id']} is published")
            row[kind] = one["id"]
            if kind == "delegated":
                row["admin"] = one["type"] == "Admin"
    return dict(sorted(rows.items()))


def main(file: Path) -> None:
    """Write the facts again, and say what is new."""
    given = json.loads(file.read_text(encoding="utf-8"))
    principal = next(one for one in given.get("value", [given]) if one["appId"] == GRAPH)
    kept = json.loads(FACTS.read_text(encoding="utf-8"))
    rows = merged(kept["permissions"], principal)
    for name in rows:
        if rows[name] != kept["permissions"].get(name):
            print(f"{name}: {rows[name]}")
    text = ",\n".join(f" {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    FACTS.write_text(f'{{"about": {json.dumps(kept["about"])},\n"permissions": {{\n{text}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
