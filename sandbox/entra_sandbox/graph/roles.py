"""The built-in directory roles: template ids, names and descriptions, from ``directory_roles.json``.

learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
"""

from __future__ import annotations

import json
import uuid
from functools import cache
from importlib.resources import files

__all__ = ["GLOBAL_ADMINISTRATOR", "ROLE_NAMES_NOT_ASSIGNABLE", "role_id", "templates"]

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
ROLE_NAMES_NOT_ASSIGNABLE = frozenset({"Guest User", "Restricted Guest User", "User"})


@cache
def templates() -> tuple[dict[str, str], ...]:
    """Every template as ``{"id", "displayName", "description"}``; ValueError if the data file is damaged."""
    text = files("entra_sandbox.graph").joinpath("directory_roles.json").read_text(encoding="utf-8")
    rows: list[dict[str, str]] = json.loads(text)
    for row in rows:
        uuid.UUID(row["id"])
        if not row["displayName"] or not row["description"]:
            raise ValueError(f"directory_roles.json: {row['id']} is incomplete")
    return tuple(rows)


@cache
def role_id(name: str) -> str:
    """The template id of the role called ``name``; KeyError if there is none."""
    return {row["displayName"]: row["id"] for row in templates()}[name]
