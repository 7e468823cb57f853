"""The tables of the store, their indexes, and the conditions that are put to them.

``change`` numbers what delta queries tell of: each change of a user, a group or another kind that they ask for, and
of a membership. (The triggers that are dropped are those of states made before there were more kinds than two.)
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = [
    "ALTERNATE_KEYS",
    "COLUMNS",
    "SECURITY_ATTRIBUTES",
    "SEEN",
    "SEEN_LINKS",
    "Change",
    "Row",
    "condition",
    "name_of",
    "of_tenant",
    "prepare",
    "row_of",
    "value_of",
]

ALTERNATE_KEYS: Mapping[str, tuple[str, ...]] = {
    "user": ("userPrincipalName", "mail", "displayName"),
    "group": ("uniqueName", "displayName", "mailNickname"),
    "application": ("appId", "uniqueName", "displayName"),
    "servicePrincipal": ("appId", "displayName"),
    "device": ("deviceId", "displayName"),
    "directoryRole": ("roleTemplateId",),
    "oAuth2PermissionGrant": ("clientId", "resourceId"),
    "appRoleAssignment": ("principalId", "resourceId"),
}
"""Properties that :meth:`Store.find` and ``$filter`` look up through an index, by kind."""

SECURITY_ATTRIBUTES = "graph.customSecurityAttributes"
"""The kind that holds ``{"id": object id, "attributes": {"Set_Name": [values]}}`` of users and service principals."""

_TRACKED = (
    *("user", "group", "application", "servicePrincipal", "device"),
    *("administrativeUnit", "oAuth2PermissionGrant"),
)
_TABLES = """
CREATE TABLE IF NOT EXISTS object (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL, id TEXT NOT NULL COLLATE NOCASE, tenant TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  read_from REAL NOT NULL DEFAULT 0, link_from REAL NOT NULL DEFAULT 0,
  doc TEXT NOT NULL,
  UNIQUE (kind, id, tenant)
);
CREATE INDEX IF NOT EXISTS object_id ON object (id);
CREATE INDEX IF NOT EXISTS object_list ON object (kind, tenant, deleted, seq);
CREATE TABLE IF NOT EXISTS link (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL, source TEXT NOT NULL COLLATE NOCASE, target TEXT NOT NULL COLLATE NOCASE,
  read_from REAL NOT NULL DEFAULT 0,
  UNIQUE (name, source, target)
);
CREATE INDEX IF NOT EXISTS link_target ON link (name, target);
CREATE TABLE IF NOT EXISTS past (
  number INTEGER PRIMARY KEY AUTOINCREMENT, until REAL NOT NULL,
  seq INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL COLLATE NOCASE, tenant TEXT NOT NULL,
  deleted INTEGER NOT NULL, read_from REAL NOT NULL, link_from REAL NOT NULL, doc TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS past_seq ON past (seq, until);
CREATE TABLE IF NOT EXISTS past_link (
  until REAL NOT NULL, seq INTEGER NOT NULL,
  name TEXT NOT NULL, source TEXT NOT NULL COLLATE NOCASE, target TEXT NOT NULL COLLATE NOCASE
);
CREATE TABLE IF NOT EXISTS change (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL, id TEXT NOT NULL, tenant TEXT NOT NULL, other TEXT NOT NULL DEFAULT ''
);
DROP TRIGGER IF EXISTS object_made;
DROP TRIGGER IF EXISTS object_changed;
DROP TRIGGER IF EXISTS object_gone;
CREATE TRIGGER IF NOT EXISTS tracked_made AFTER INSERT ON object WHEN new.kind IN (TRACKED) BEGIN
  INSERT INTO change (kind, id, tenant) VALUES (new.kind, new.id, new.tenant);
END;
CREATE TRIGGER IF NOT EXISTS tracked_changed AFTER UPDATE ON object WHEN new.kind IN (TRACKED)
  AND (old.deleted <> new.deleted
       OR json_remove(old.doc, '$.signInActivity') <> json_remove(new.doc, '$.signInActivity')) BEGIN
  INSERT INTO change (kind, id, tenant) VALUES (new.kind, new.id, new.tenant);
END;
CREATE TRIGGER IF NOT EXISTS tracked_gone AFTER DELETE ON object WHEN old.kind IN (TRACKED) BEGIN
  INSERT INTO change (kind, id, tenant) VALUES (old.kind, old.id, old.tenant);
END;
CREATE TRIGGER IF NOT EXISTS link_made AFTER INSERT ON link WHEN new.name = 'group.members' BEGIN
  INSERT INTO change (kind, id, tenant, other)
  SELECT new.name, new.source, tenant, new.target FROM object WHERE id = new.source AND kind = 'group';
END;
CREATE TRIGGER IF NOT EXISTS link_gone AFTER DELETE ON link WHEN old.name = 'group.members' BEGIN
  INSERT INTO change (kind, id, tenant, other)
  SELECT old.name, old.source, tenant, old.target FROM object WHERE id = old.source AND kind = 'group';
END;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
""".replace("TRACKED", ", ".join(f"'{kind}'" for kind in _TRACKED))
SEEN = """(
  SELECT seq, kind, id, tenant, deleted, read_from, link_from, doc FROM object c
   WHERE NOT EXISTS (SELECT 1 FROM past WHERE seq = c.seq AND until > ?1)
  UNION ALL
  SELECT seq, kind, id, tenant, deleted, read_from, link_from, doc FROM past p
   WHERE until > ?1 AND NOT EXISTS (SELECT 1 FROM past WHERE seq = p.seq AND until > ?1 AND number < p.number)
)"""
"""What a replica sees that knows of changes up to the first argument: of each object the oldest version left."""

SEEN_LINKS = """(
  SELECT seq, name, source, target FROM link WHERE read_from <= ?
  UNION ALL SELECT seq, name, source, target FROM past_link WHERE until > ?
)"""
"""The same for the arrows between objects; the moment is wanted twice."""

_NAME = re.compile(r"[A-Za-z_@][A-Za-z0-9_.@]*\Z")


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables and indexes unless they are there."""
    connection.executescript(_TABLES)
    names = [(kind, name) for kind, properties in ALTERNATE_KEYS.items() for name in properties]
    for kind, name in names:
        connection.execute(
            f"CREATE INDEX IF NOT EXISTS {kind}_{name} ON object ({value_of(name, 'doc')} COLLATE NOCASE) "
            f"WHERE kind = '{kind}'"
        )
    # The planner is told what the indexes are like at full size; it would else list a kind to find one key.
    connection.execute("PRAGMA analysis_limit = 1")
    connection.execute("ANALYZE")
    connection.execute("DELETE FROM sqlite_stat1")
    statistics = [("object", "object_list", "100000 20000 20000 20000 1"), ("object", "object_id", "100000 1")]
    statistics += [("object", f"{kind}_{name}", "100000 3") for kind, name in names]
    connection.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", statistics)
    connection.execute("ANALYZE sqlite_schema")


def value_of(path: str, column: str = "o.doc") -> str:
    """The SQL for one property of the document, such as ``displayName`` or ``web.homePageUrl``; ValueError if odd."""
    steps = [name_of(step) for step in path.split(".")]
    return f"({column} ->> '$." + ".".join(f'"{step}"' for step in steps) + "')"


def name_of(text: str) -> str:
    """The text, if it may stand in SQL as a name; ValueError otherwise."""
    if not _NAME.match(text):
        raise ValueError(f"not a name: {text!r}")
    return text


def of_tenant(where: str, args: list[Any], tenant: str | None) -> tuple[str, list[Any]]:
    """The condition narrowed to a tenant, unless that is None."""
    return (where, args) if tenant is None else (f"{where} AND tenant = ?", [*args, tenant])


def condition(
    kind: str | None, tenant: str | None, where: str, args: Sequence[Any], deleted: bool | None, at: float | None
) -> tuple[str, list[Any]]:
    """``WHERE`` over the table ``o``, and its arguments."""
    found, values = of_tenant("1" if kind is None else f"o.kind = '{name_of(kind)}'", [], tenant)
    if deleted is not None:
        found += f" AND o.deleted = {int(deleted)}"
    if at is not None:
        found += " AND o.read_from <= ?"
        values.append(at)
    if where:
        found += f" AND ({where})"
        values += args
    return found, values


@dataclass(frozen=True)
class Row:
    """A stored document with what the store knows of it."""

    seq: int
    kind: str
    id: str
    tenant: str
    deleted: bool
    read_from: float
    link_from: float
    text: str

    @property
    def doc(self) -> dict[str, Any]:
        """The document, a fresh copy on each access."""
        document: dict[str, Any] = json.loads(self.text)
        return document


class Change(NamedTuple):
    """What changed: the object, and for a membership the member."""

    kind: str
    id: str
    other: str


COLUMNS = "o.seq, o.kind, o.id, o.tenant, o.deleted, o.read_from, o.link_from, o.doc"


def row_of(record: tuple[Any, ...]) -> Row:
    """A record of ``COLUMNS``."""
    return Row(record[0], record[1], record[2], record[3], bool(record[4]), record[5], record[6], record[7])
