"""One list query: its options checked against the rules of the collection, its rows, its page and its next link."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from entra_sandbox.graph import errors
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.odata.paging import read_token, write_token
from entra_sandbox.graph.odata.sql import filter_sql, orderby_sql, search_sql
from entra_sandbox.store import Row

__all__ = ["Query"]

_EVERYTHING = 1_000_000


@dataclass
class Query:
    """The SQL of one list request. ``size`` is the page's; ``more`` is set when another page follows; ``names``
    are the properties that it filters by."""

    where: list[str] = field(default_factory=list)
    args: list[Any] = field(default_factory=list)
    order: str = ""
    size: int = _EVERYTHING
    start: int = 0
    counted: bool = False
    more: int | None = None
    tenant: str | None = None
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, call: Call, entity: str, *, page: int, page_max: int, advanced: bool, counting: bool = False) -> Query:
        """Read the options of the call; :class:`GraphFault` 400 for what the collection does not do.

        ``advanced`` collections want ConsistencyLevel and ``$count`` for some queries
        (learn.microsoft.com/graph/aad-advanced-queries).
        """
        options = call.options
        query = cls(tenant=call.tenant)
        eventual = call.eventual and (options.count or counting)
        query.counted = options.count and (call.eventual or not advanced)
        if advanced and counting and not call.eventual:
            raise errors.bad_request("$count is not currently supported.")
        if advanced and options.skip is not None:
            raise errors.bad_request("'$skip' is not supported by the service.")
        if options.filter:
            found = filter_sql(entity, options.filter)
            query.where.append(found.sql)
            query.names = found.names
            query.args += found.args
            if advanced and found.advanced and not eventual:
                raise errors.unsupported_query(
                    f"{found.advanced} Try adding $count=true query parameter and ConsistencyLevel:eventual header. "
                    "Refer to https://aka.ms/graph-docs/advanced-queries for more information"
                )
        if options.search:
            if advanced and not call.eventual:
                raise errors.unsupported_query(
                    "Request with $search query parameter only works through MSGraph with a special request header: "
                    "'ConsistencyLevel: eventual'"
                )
            sql, args = search_sql(entity, options.search)
            query.where.append(sql)
            query.args += args
        if options.orderby:
            if advanced and (options.filter or options.search) and not eventual:
                raise errors.unsupported_query("Sorting not supported for current query.")
            query.order = orderby_sql(entity, options.orderby, advanced=eventual or not advanced)
        if advanced and options.expand and (options.search or (eventual and options.filter)):
            raise errors.unsupported_query("$expand is not supported with advanced queries.")
        query._size(call, page, page_max)
        return query

    def _size(self, call: Call, page: int, page_max: int) -> None:
        top = call.options.top
        if page:
            self.size = page if top is None else top
            if top is not None and not 1 <= top <= page_max:
                raise errors.unsupported_query(
                    f"Invalid page size specified: '{top}'. Must be between 1 and {page_max} inclusive."
                )
        if call.options.skiptoken:
            (self.start,) = read_token(call.store, call.path, call.options.skiptoken)
        elif call.options.skip:
            self.start = call.options.skip
            self.order = self.order or "o.seq"

    def restrict(self, sql: str, *args: Any) -> None:
        """Narrow the query to a part of the kind."""
        self.where.insert(0, sql)
        self.args[:0] = args

    def rows(self, call: Call, kind: str | None, *, deleted: bool = False) -> list[Row]:
        """The rows of this page. By ``seq``, or by offset where the caller sorts."""
        position = {"offset": self.start} if self.order else {"after": self.start}
        rows = call.store.rows(
            kind,
            self.tenant,
            where=" AND ".join(f"({one})" for one in self.where),
            args=self.args,
            order=self.order,
            limit=self.size + 1,
            deleted=deleted,
            at=call.at,
            **position,
        )
        if len(rows) > self.size:
            rows = rows[: self.size]
            self.more = self.start + self.size if self.order else rows[-1].seq
        return rows

    def total(self, call: Call, kind: str | None, *, deleted: bool = False) -> int:
        """How many rows there are on all pages."""
        where = " AND ".join(f"({one})" for one in self.where)
        return call.store.count(kind, self.tenant, where=where, args=self.args, deleted=deleted, at=call.at)

    def page(
        self, call: Call, collection: str, shown: list[Any], kind: str | None, *, deleted: bool = False
    ) -> dict[str, Any]:
        """The body of the answer: context, count on the first page, next link, value."""
        body: dict[str, Any] = {"@odata.context": context(call.base, collection, call.options.select)}
        if self.counted and not call.options.skiptoken:
            body["@odata.count"] = self.total(call, kind, deleted=deleted)
        if self.more is not None:
            token = write_token(call.store, call.path, self.more)
            body["@odata.nextLink"] = f"{call.base}{call.path}?{call.options.link(token)}"
        body["value"] = shown
        return body
