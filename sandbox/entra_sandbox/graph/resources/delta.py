"""``/users/delta``, ``/groups/delta`` and so on: what changed since the last time.

learn.microsoft.com/graph/api/user-delta, group-delta, application-delta, …; graph/delta-query-overview. Tokens name a
moment by the number of a change, and are good for seven days; delta is read from where the newest is.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from entra_sandbox.graph import errors, hidden, objects
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.odata.paging import read_token, write_token
from entra_sandbox.graph.odata.sql import filter_sql
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Resource, Route
from entra_sandbox.graph.resources.administrative_units import UNITS
from entra_sandbox.graph.resources.applications import APPLICATIONS
from entra_sandbox.graph.resources.devices import DEVICES
from entra_sandbox.graph.resources.groups import GROUPS
from entra_sandbox.graph.resources.oauth2_permission_grants import GRANTS
from entra_sandbox.graph.resources.service_principals import SERVICE_PRINCIPALS
from entra_sandbox.graph.resources.users import USERS
from entra_sandbox.store import Row

_PAGE = 200
_MEMBERS = "group.members"
_DAYS = 7
_NOT_HERE = ("orderby", "search", "top", "skip")


class _Place(NamedTuple):
    """Where a page begins: changes after ``since`` (below 0: everything there is) up to ``until``, after ``last``."""

    since: int
    until: int
    last: int


def _routes(source: Resource) -> Resource:
    def delta(call: Call, _resource: Resource) -> Answer:
        place = _place(call)
        if place.since < 0:
            shown, last = _everything(call, source, place)
        else:
            shown, last = _changed(call, source, place)
        body: Document = {"@odata.context": context(call.base, source.path, call.options.select)}
        if last:
            token = write_token(call.store, call.path, place.since, place.until, last)
            body["@odata.nextLink"] = f"{call.base}{call.path}?{call.options.link(token)}"
        else:
            token = write_token(call.store, call.path, place.until, int(call.now))
            body["@odata.deltaLink"] = f"{call.base}{call.path}?{call.options.link(token, '$deltatoken')}"
        return Answer(200, {**body, "value": shown})

    routes = (Route("GET", "delta", delta, f"GET /{source.path}"),)
    return Resource(path=source.path, entity=source.entity, operations=(), routes=routes)


def _place(call: Call) -> _Place:
    options = call.options
    for name in _NOT_HERE:
        if getattr(options, name):
            raise errors.bad_request(f"The query option '${name}' is not supported in delta queries.")
    if options.skiptoken:
        return _Place(*read_token(call.store, call.path, options.skiptoken))
    newest = call.store.last_change()
    if options.deltatoken == "latest":
        return _Place(newest, newest, 0)
    if options.deltatoken:
        return _Place(_since(call, newest), newest, 0)
    return _Place(-1, newest, 0)


def _since(call: Call, newest: int) -> int:
    """Where the round of the token begins; :class:`GraphFault` 400 for an old one, 410 where all must begin anew."""
    since, *issued = read_token(call.store, call.path, call.options.deltatoken)
    if not issued or call.now - issued[0] > _DAYS * 86400:
        raise errors.expired_sync_state()
    if since > newest:  # the sandbox was put back to an earlier state
        raise errors.resync_required(f"{call.base}{call.path}?{call.options.link('', '$deltatoken')}")
    return since


def _everything(call: Call, source: Resource, place: _Place) -> tuple[list[Document], int]:
    where, args = _condition(call, source)
    rows = call.store.rows(source.entity, call.tenant, where=where, args=args, limit=_PAGE + 1, after=place.last)
    shown = [_shown(call, source, row, None) for row in rows[:_PAGE]]
    return shown, rows[_PAGE - 1].seq if len(rows) > _PAGE else 0


def _changed(call: Call, source: Resource, place: _Place) -> tuple[list[Document], int]:
    kinds = (source.entity, _MEMBERS) if source is GROUPS and _wants_members(call) else (source.entity,)
    changes = call.store.changes(kinds, call.tenant, place.since, place.until)
    numbers = {one.id: number for number, one in changes}  # the last one of each object
    following = [(number, key) for key, number in sorted(numbers.items(), key=lambda item: item[1])]
    following = [(number, key) for number, key in following if number > place.last]
    page = following[:_PAGE]
    where, args = _condition(call, source)
    where = f"o.id IN (SELECT value FROM json_each(?)) AND ({where or '1'})"
    args = [json.dumps([key for _, key in page]), *args]
    rows = {row.id: row for row in call.store.rows(source.entity, call.tenant, where=where, args=args, deleted=None)}
    members = [(one.id, one.other) for _, one in changes if one.kind == _MEMBERS]
    shown = []
    for _, key in page:
        row = rows.get(key)
        if row is not None and not row.deleted:
            shown.append(_shown(call, source, row, list(dict.fromkeys(other for one, other in members if one == key))))
        elif row is not None or not call.options.filter:
            shown.append({"id": key, "@removed": {"reason": "changed" if row else "deleted"}})
    return shown, page[-1][0] if len(following) > _PAGE else 0


def _condition(call: Call, source: Resource) -> tuple[str, list[object]]:
    if not call.options.filter:
        return "", []
    found = filter_sql(source.entity, call.options.filter)
    if found.names != {"id"} or found.advanced:
        raise errors.unsupported_query("A delta query can be filtered by id alone.")
    return found.sql, found.args


def _wants_members(call: Call) -> bool:
    asked = {*call.options.select, *(one.link for one in call.options.expand)}
    return "members" in {one.lower() for one in asked}


def _shown(call: Call, source: Resource, row: Row, touched: list[str] | None) -> Document:
    """The object; with members those that came or went (``touched``), or all of them."""
    shown = {"id": row.id, **objects.show(call, source, row.doc)}
    if source is GROUPS and _wants_members(call) and hidden.may_see(call, row.doc):
        now = call.store.links(_MEMBERS, row.id)
        kinds = call.store.resolve([*now, *(touched or [])], deleted=None)
        found = []
        for key in now if touched is None else touched:
            member = kinds.get(key.lower())
            one = {"@odata.type": f"#microsoft.graph.{member.kind if member else 'directoryObject'}", "id": key}
            found.append(one if key in now else {**one, "@removed": {"reason": "deleted"}})
        if found:
            shown["members@delta"] = found
    return shown


register(*map(_routes, (USERS, GROUPS, APPLICATIONS, SERVICE_PRINCIPALS, DEVICES, UNITS, GRANTS)))
