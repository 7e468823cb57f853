"""The state of the sandbox: JSON documents and links between them in one SQLite file.

A *document* is a dict with an ``id``; its *kind* is a Microsoft Graph entity type (``user``, ``application``) or a
name of one of the other services (``entra.refreshToken``, ``stackone.account``). A *link* is a named arrow between
two ids (``group.members``). Every row belongs to a tenant; several tenants live side by side.

Replication is part of the data: a row has two times from which it is visible, one for reads and one for being
referred to; what is changed or removed :meth:`Store.behind` is kept as it was for replicas that still show it. Callers
that play a replica pass ``at`` (seconds since the epoch); everybody else sees the newest.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from entra_sandbox.errors import SandboxError
from entra_sandbox.tables import (
    ALTERNATE_KEYS,
    COLUMNS,
    SEEN,
    SEEN_LINKS,
    Change,
    Row,
    condition,
    name_of,
    of_tenant,
    prepare,
    row_of,
    value_of,
)

__all__ = ["ALTERNATE_KEYS", "Document", "Row", "Store", "UnsafeStateFile", "value_of"]

Document = dict[str, Any]

skew: ContextVar[float] = ContextVar("skew", default=0.0)
"""How far the clock of the service that answers the current request is off from the sandbox's, in seconds."""


class UnsafeStateFile(SandboxError):
    """The state file can be read by others than its owner."""


class Store:
    """One SQLite file (WAL, mode 0600). Safe for several threads; writers take turns.

    Never ``await`` inside :meth:`transaction`: it belongs to the thread that opened it.
    """

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        """Open or make the file at ``path``; :class:`UnsafeStateFile` if group or others may read it."""
        self.path = Path(path)
        self._clock = clock
        self._local = threading.local()
        self._writer = threading.RLock()
        self._connections: list[sqlite3.Connection] = []
        self._offset = 0.0
        _make_private(self.path)
        with self._writer:
            prepare(self._connection())
        self._offset = float(self.setting("clock.offset") or 0.0)

    # time

    def now(self) -> float:
        """Seconds since the epoch by the clock of the service that answers, which an illness may put off."""
        return self.steady() + skew.get()

    def steady(self) -> float:
        """Seconds since the epoch by the sandbox's clock, which no illness puts off: for when something is seen."""
        return self._clock() + self._offset

    def shift_clock(self, seconds: float) -> None:
        """Set the sandbox's clock off from the machine's by ``seconds``, for good."""
        self.set_setting("clock.offset", seconds)
        self._offset = seconds

    # transactions

    def close(self) -> None:
        """Close every connection; the store is of no use afterwards."""
        with self._writer:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen together or not at all. Nested ones join the outermost."""
        with self._writer:
            connection = self._connection()
            if connection.in_transaction:
                yield
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def behind(self, seconds: float) -> Iterator[None]:
        """Slow replicas see what this thread changes inside only ``seconds`` later; the old is theirs until then."""
        self._local.behind = seconds
        try:
            yield
        finally:
            self._local.behind = 0.0

    # documents

    def get(self, kind: str, id: str, tenant: str | None = None, *, deleted: bool | None = False) -> Document | None:
        """The document, or None. ``deleted=True`` looks in the bin, ``None`` in both."""
        row = self.row(kind, id, tenant, deleted=deleted)
        return row.doc if row else None

    def row(self, kind: str, id: str, tenant: str | None = None, *, deleted: bool | None = False) -> Row | None:
        """Like :meth:`get`, with the columns."""
        return next(iter(self.rows(kind, tenant, where="o.id = ?", args=(id,), deleted=deleted, limit=1)), None)

    def put(
        self,
        kind: str,
        doc: Mapping[str, Any],
        tenant: str = "",
        *,
        read_from: float | None = None,
        link_from: float | None = None,
    ) -> Document:
        """Insert the document, or replace the one of the same kind, id and tenant (its times stay unless given)."""
        self.put_many(kind, [doc], tenant, read_from=read_from, link_from=link_from)
        return dict(doc)

    def put_many(
        self,
        kind: str,
        docs: Iterable[Mapping[str, Any]],
        tenant: str = "",
        *,
        read_from: float | None = None,
        link_from: float | None = None,
    ) -> None:
        """:meth:`put` for many documents in one transaction."""
        rows = [(name_of(kind), doc["id"], tenant, read_from or 0.0, link_from or 0.0, _dump(doc)) for doc in docs]
        with self.transaction():
            for _, id_, *_rest in rows if self._behind else ():
                self._remember(kind, id_, tenant)
            self._connection().executemany(
                "INSERT INTO object (kind, id, tenant, read_from, link_from, doc) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (kind, id, tenant) DO UPDATE SET doc = excluded.doc, "
                f"read_from = {'read_from' if read_from is None else 'excluded.read_from'}, "
                f"link_from = {'link_from' if link_from is None else 'excluded.link_from'}",
                rows,
            )

    def update(self, kind: str, id: str, changes: Mapping[str, Any], tenant: str | None = None) -> Document:
        """Set some properties of a document; KeyError if it is not there."""
        with self.transaction():
            row = self.row(kind, id, tenant, deleted=None)
            if row is None:
                raise KeyError(id)
            return self.put(kind, {**row.doc, **changes}, row.tenant)

    def delete(self, kind: str, id: str, tenant: str | None = None) -> bool:
        """Remove the document for good, with every link from and to it; False if it was not there."""
        with self.transaction():
            self._remember(kind, id, tenant)
            where, args = of_tenant("kind = ? AND id = ?", [kind, id], tenant)
            removed = self._connection().execute(f"DELETE FROM object WHERE {where}", args).rowcount
            if removed and "." not in kind:  # other services' documents may bear the id of an object that stays
                self._connection().execute("DELETE FROM link WHERE source = ?1 OR target = ?1", (id,))
            return removed > 0

    def bury(self, kind: str, id: str, changes: Mapping[str, Any], tenant: str | None = None) -> Document:
        """Move the document to the bin with ``changes`` applied (links stay, and come back with it)."""
        with self.transaction():
            doc = self.update(kind, id, changes, tenant)
            self._connection().execute("UPDATE object SET deleted = 1 WHERE kind = ? AND id = ?", (kind, id))
            return doc

    def exhume(self, kind: str, id: str, changes: Mapping[str, Any], tenant: str | None = None) -> Document:
        """Bring the document back from the bin with ``changes`` applied."""
        with self.transaction():
            doc = self.update(kind, id, changes, tenant)
            self._connection().execute("UPDATE object SET deleted = 0 WHERE kind = ? AND id = ?", (kind, id))
            return doc

    def find(
        self, kind: str, tenant: str | None = None, *, deleted: bool | None = False, **equals: Any
    ) -> list[Document]:
        """Documents whose properties equal the given values (strings in any casing), oldest first."""
        where = " AND ".join(f"{value_of(name)} COLLATE NOCASE IS ?" for name in equals)
        values = [int(value) if isinstance(value, bool) else value for value in equals.values()]
        return [row.doc for row in self.rows(kind, tenant, where=where, args=values, deleted=deleted)]

    def first(
        self, kind: str, tenant: str | None = None, *, deleted: bool | None = False, **equals: Any
    ) -> Document | None:
        """The oldest document that :meth:`find` would give, or None."""
        return next(iter(self.find(kind, tenant, deleted=deleted, **equals)), None)

    def rows(
        self,
        kind: str | None,
        tenant: str | None = None,
        *,
        where: str = "",
        args: Sequence[Any] = (),
        order: str = "",
        limit: int | None = None,
        offset: int = 0,
        after: int = 0,
        deleted: bool | None = False,
        at: float | None = None,
    ) -> list[Row]:
        """One page of rows, oldest first or by ``order``. ``where`` and ``order`` are SQL over the table ``o``.

        ``kind`` None takes every kind, for a ``where`` that names the objects by id.
        ``after`` is the ``seq`` of the last row of the page before; ``at`` hides what is not visible then.
        """
        clause, values = condition(kind, tenant, where, args, deleted, at)
        if after:
            clause += " AND o.seq > ?"
            values.append(after)
        source, seen = self._seen(at)
        values = [*seen, *values]
        sql = f"SELECT {COLUMNS} FROM {source} o WHERE {clause} ORDER BY {order + ', ' if order else ''}o.seq"
        if limit is not None:
            sql += " LIMIT ? OFFSET ?"
            values += [limit, offset]
        return [row_of(record) for record in self._connection().execute(sql, values)]

    def count(
        self,
        kind: str | None,
        tenant: str | None = None,
        *,
        where: str = "",
        args: Sequence[Any] = (),
        deleted: bool | None = False,
        at: float | None = None,
    ) -> int:
        """How many rows :meth:`rows` would give without a limit."""
        clause, values = condition(kind, tenant, where, args, deleted, at)
        source, seen = self._seen(at)
        sql = f"SELECT count(*) FROM {source} o WHERE {clause}"
        return int(self._connection().execute(sql, [*seen, *values]).fetchone()[0])

    def resolve(self, ids: Sequence[str], *, deleted: bool | None = False) -> dict[str, Row]:
        """Rows of any kind of Microsoft Graph by id (lower case keys); kinds of other services share its ids."""
        found: dict[str, Row] = {}
        for start in range(0, len(ids), 500):
            part = list(ids[start : start + 500])
            state = "" if deleted is None else f" AND o.deleted = {int(deleted)}"
            marks = ", ".join("?" * len(part))
            sql = f"SELECT {COLUMNS} FROM object o WHERE o.id IN ({marks}) AND instr(o.kind, '.') = 0{state}"
            for record in self._connection().execute(sql, part):
                found[record[2].lower()] = row_of(record)
        return found

    # links

    def link(self, name: str, source: str, target: str, *, read_from: float = 0.0) -> bool:
        """Draw the arrow; False if it was there."""
        with self.transaction():
            sql = "INSERT OR IGNORE INTO link (name, source, target, read_from) VALUES (?, ?, ?, ?)"
            return self._connection().execute(sql, (name_of(name), source, target, read_from)).rowcount > 0

    def link_many(self, name: str, pairs: Iterable[tuple[str, str]]) -> None:
        """Draw many arrows, given as (source, target)."""
        with self.transaction():
            self._connection().executemany(
                "INSERT OR IGNORE INTO link (name, source, target) VALUES (?, ?, ?)",
                ((name_of(name), source, target) for source, target in pairs),
            )

    def unlink(self, name: str, source: str, target: str) -> bool:
        """Take the arrow away; False if it was not there."""
        with self.transaction():
            if self._behind:
                until = self.steady() + self._behind
                remember = "SELECT ?, seq, name, source, target FROM link WHERE name = ? AND source = ? AND target = ?"
                self._connection().execute(f"INSERT INTO past_link {remember}", (until, name, source, target))
            sql = "DELETE FROM link WHERE name = ? AND source = ? AND target = ?"
            return self._connection().execute(sql, (name, source, target)).rowcount > 0

    def linked(self, name: str, source: str, target: str) -> bool:
        """Whether the arrow is there."""
        sql = "SELECT 1 FROM link WHERE name = ? AND source = ? AND target = ?"
        return self._connection().execute(sql, (name, source, target)).fetchone() is not None

    def links(self, name: str, source: str, *, at: float | None = None) -> list[str]:
        """Ids that the arrows from ``source`` point to, oldest first."""
        table, seen = self.seen_links(at)
        sql = f"SELECT target FROM {table} WHERE name = ? AND source = ? ORDER BY seq"
        return [target for (target,) in self._connection().execute(sql, (*seen, name, source))]

    def links_to(self, name: str, target: str, *, at: float | None = None) -> list[str]:
        """Ids that have an arrow to ``target``, oldest first."""
        table, seen = self.seen_links(at)
        sql = f"SELECT source FROM {table} WHERE name = ? AND target = ? ORDER BY seq"
        return [source for (source,) in self._connection().execute(sql, (*seen, name, target))]

    def seen_links(self, at: float | None) -> tuple[str, list[float]]:
        """The table of arrows as a replica sees it, to stand after ``FROM``, and its arguments."""
        return ("link", []) if at is None else (SEEN_LINKS, [at, at])

    # changes

    def last_change(self) -> int:
        """The number of the newest change; 0 if there is none."""
        return int(self._connection().execute("SELECT coalesce(max(number), 0) FROM change").fetchone()[0])

    def changes(self, kinds: Sequence[str], tenant: str, since: int, until: int) -> list[tuple[int, Change]]:
        """Changes of these kinds after one number and up to another, oldest first."""
        marks = ", ".join("?" * len(kinds))
        sql = f"SELECT number, kind, id, other FROM change WHERE kind IN ({marks}) AND tenant = ? AND number > ?"
        found = self._connection().execute(f"{sql} AND number <= ? ORDER BY number", (*kinds, tenant, since, until))
        return [(number, Change(*rest)) for number, *rest in found]

    # settings

    def setting(self, name: str, default: Any = None) -> Any:
        """A value of the sandbox itself (JSON), not of a tenant."""
        record = self._connection().execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return default if record is None else json.loads(record[0])

    def set_setting(self, name: str, value: Any) -> None:
        """Keep a JSON value under ``name``; None removes it."""
        with self.transaction():
            if value is None:
                self._connection().execute("DELETE FROM setting WHERE name = ?", (name,))
            else:
                self._connection().execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, _dump(value)))

    # inside

    @property
    def _behind(self) -> float:
        return float(getattr(self._local, "behind", 0.0))

    def _remember(self, kind: str, id: str, tenant: str | None) -> None:
        """Keep the object of Microsoft Graph as it is now for slow replicas, which get changes in their order."""
        if not self._behind or "." in kind:
            return
        now = self.steady()
        where, args = of_tenant("kind = ? AND id = ?", [kind, id], tenant)
        self._connection().execute("DELETE FROM past WHERE until <= ?", (now,))
        self._connection().execute(
            "INSERT INTO past (until, seq, kind, id, tenant, deleted, read_from, link_from, doc) "
            "SELECT max(?, coalesce((SELECT max(until) FROM past WHERE seq = object.seq), 0)), "
            f"seq, kind, id, tenant, deleted, read_from, link_from, doc FROM object WHERE {where}",
            (now + self._behind, *args),
        )

    def _seen(self, at: float | None) -> tuple[str, list[float]]:
        """The table of objects as a replica sees it, and its arguments; the table itself while nothing is behind."""
        if at is None:
            return "object", []
        left = self._connection().execute("SELECT 1 FROM past WHERE until > ? LIMIT 1", (at,)).fetchone()
        return (SEEN, [at]) if left else ("object", [])

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA temp_store = MEMORY")  # no TMPDIR is needed
            self._local.connection = connection
            with self._writer:
                self._connections.append(connection)
        return connection


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise UnsafeStateFile(f"{path} has mode {mode:04o}; it must be readable by its owner alone (chmod 600)")


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
