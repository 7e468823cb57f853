"""Groups with hidden membership: who belongs to them is for those who do, and for ``Member.Read.Hidden``.

learn.microsoft.com/graph/api/group-list-members; the same on every road that leads to the members or back.
"""

from __future__ import annotations

from typing import Any

from entra_sandbox.graph import errors
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.resource import Document

__all__ = ["check_read", "may_see", "visible"]

_BELONGING = ("group.members", "group.owners")


def may_see(call: Call, group: Document) -> bool:
    """Whether the caller may know who belongs to the group."""
    if group.get("visibility") != "HiddenMembership" or "Member.Read.Hidden" in call.caller.granted:
        return True
    return any(call.store.linked(name, group["id"], call.caller.object_id) for name in _BELONGING)


def check_read(call: Call, group: Document) -> None:
    """403 unless :func:`may_see`."""
    if not may_see(call, group):
        raise errors.denied()


def visible(call: Call) -> tuple[str, list[Any]]:
    """The SQL condition for those groups (``o``) of which the caller may know it."""
    if "Member.Read.Hidden" in call.caller.granted:
        return "1", []
    own = "SELECT source FROM link WHERE name IN (?, ?) AND target = ?"
    hidden = "coalesce(o.doc ->> '$.visibility', '') = 'HiddenMembership'"
    return f"NOT (o.kind = 'group' AND {hidden} AND o.id NOT IN ({own}))", [*_BELONGING, call.caller.object_id]
