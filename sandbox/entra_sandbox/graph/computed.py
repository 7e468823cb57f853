"""Lists of what is not kept but made from other objects: filtered, sorted, counted and paged as the kept ones are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing

from entra_sandbox.graph import errors
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.odata.paging import read_token, write_token
from entra_sandbox.graph.odata.sql import filter_sql, orderby_sql
from entra_sandbox.graph.resource import Document, Resource

__all__ = ["page"]

MOST = 999


def page(call: Call, resource: Resource, made: list[Document], shown: Callable[[Document], Document]) -> Answer:
    """One page of those that ``$filter`` names, by ``$orderby``; ``shown`` is an object as the answer has it."""
    found = _asked(call, resource.entity, made)
    top, start = call.options.top, call.options.skip or 0
    if top is not None and not 1 <= top <= MOST:
        raise errors.bad_request(f"Invalid page size specified: '{top}'. Must be between 1 and {MOST} inclusive.")
    if call.options.skiptoken:
        (start,) = read_token(call.store, call.path, call.options.skiptoken)
    end = start + (top or MOST)
    body: Document = {"@odata.context": context(call.base, resource.path, call.options.select)}
    if call.options.count:
        body["@odata.count"] = len(found)
    if len(found) > end:
        following = call.options.link(write_token(call.store, call.path, end))
        body["@odata.nextLink"] = f"{call.base}{call.path}?{following}"
    return Answer(200, {**body, "value": [shown(one) for one in found[start:end]]})


def _asked(call: Call, entity: str, made: list[Document]) -> list[Document]:
    """Those that the query asks for, in its order: the same SQL as over kept objects, over a table for this call."""
    if not call.options.filter and not call.options.orderby:
        return made
    where, args, order = "1", [], "o.seq"
    if call.options.filter:
        found = filter_sql(entity, call.options.filter)
        where, args = found.sql, found.args
    if call.options.orderby:
        order = f"{orderby_sql(entity, call.options.orderby, advanced=True)}, {order}"
    table = "(SELECT key AS seq, value AS doc, value ->> '$.id' AS id FROM json_each(?)) o"
    with closing(sqlite3.connect(":memory:")) as memory:
        rows = memory.execute(f"SELECT o.doc FROM {table} WHERE {where} ORDER BY {order}", [json.dumps(made), *args])
        return [json.loads(doc) for (doc,) in rows]
