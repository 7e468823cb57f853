"""The catalogue against Microsoft's own table of permissions, for whoever keeps the catalogue.

    python -m tests.catalog.microsoft FILE

FILE is ``permissions/new/permissions.json`` of github.com/microsoftgraph/microsoft-graph-devx-content. Privilege
levels are compared with the catalogue's, marks of least privilege with those of the day when it was made.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runbook import catalog
from runbook.catalog.model import PermissionType
from runbook.catalog.sources import path_key

MARKS: Mapping[str, Mapping[PermissionType, list[str]]] = json.loads(
    Path(__file__).with_name("microsoft_table.json").read_text(encoding="utf-8")
)["least"]
SCHEMES: dict[str, PermissionType] = {"DelegatedWork": "delegated", "Application": "application"}


def changes(rows: Mapping[str, Any]) -> Iterator[str]:
    """What the table has another way, a line each."""
    for name, permission in catalog.permissions().items():
        if name not in rows:
            if permission.delegated_level or permission.application_level:
                yield f"removed: {name}"
            continue
        for field, newer in _levels(rows[name]["schemes"]).items():
            ours = getattr(permission, field)
            if ours is not None and newer != ours:
                yield f"changed: {name}, {field}: {ours} -> {newer}"
    least = _least(rows)
    for action in catalog.actions():
        now = least.get((action.method, path_key(action.path)), {})
        for kind, _ in action.accesses():
            before, newer = (
                ", ".join(sorted(names)) or "none" for names in (MARKS[action.slug][kind], now.get(kind, ()))
            )
            if before != newer:
                yield f"changed: {action.name}, {kind}, marked least privileged: {before} -> {newer}"


def _levels(schemes: Mapping[str, Any]) -> dict[str, Any]:
    levels = {f"{kind}_level": schemes.get(scheme, {}).get("privilegeLevel") for scheme, kind in SCHEMES.items()}
    return {**levels, "delegated_admin_consent": schemes.get("DelegatedWork", {}).get("requiresAdminConsent")}


def _least(rows: Mapping[str, Any]) -> dict[tuple[str, str], dict[PermissionType, set[str]]]:
    least: dict[tuple[str, str], dict[PermissionType, set[str]]] = {}
    for name, row in rows.items():
        for group in row.get("pathSets", ()):
            for path, marks in group["paths"].items():
                marked = re.search(r"least=([\w,]+)", marks or "")
                for scheme in set(marked[1].split(",")) & set(SCHEMES) if marked else ():
                    for method in group["methods"]:
                        found = least.setdefault((method.upper(), path_key(path)), {})
                        found.setdefault(SCHEMES[scheme], set()).add(name)
    return least


if __name__ == "__main__":
    found = list(changes(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["permissions"]))
    print("\n".join(found) or "No difference.")
    sys.exit(bool(found))
