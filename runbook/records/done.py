"""What writes did to the tenant and to StackOne, folded from the outcomes in a journal and from nothing else.

A section that fails or parks has done what its writes did all the same: every change counts from the moment when its
outcome is in the journal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from runbook import catalog

Did = Literal["created", "updated", "deleted"]
_DID: tuple[Did, ...] = ("created", "updated", "deleted")
_UNKNOWN = "perhaps changed"

# Calls whose path does not say what they do (learn.microsoft.com/graph, docs.stackone.com); None: nothing that stays.
_CALLS: Mapping[str, tuple[Did, str] | None] = {
    "addPassword": ("created", "client secret"),
    "removePassword": ("deleted", "client secret"),
    "connect_sessions": None,
}
_NOUNS = {
    "applications": "application",
    "servicePrincipals": "service principal",
    "oauth2PermissionGrants": "delegated grant",
    "appRoleAssignments": "app role assignment",
    "appRoleAssignedTo": "app role assignment",
}


class Made(NamedTuple):
    """One change: what was done, to what kind of object, its id where the answer gave one, and the call's own note."""

    did: Did
    what: str
    id: str
    note: Mapping[str, Any]


class Done:
    """The changes of some events, in their order. ``unknown`` are writes of which nobody knows whether they were."""

    def __init__(self) -> None:
        self.made: list[Made] = []
        self.unknown: dict[Any, Mapping[str, Any]] = {}
        self._refused: dict[Any, Mapping[str, Any]] = {}

    def counts(self) -> dict[str, int]:
        """How many were created, updated and deleted."""
        found = Counter(change.did for change in self.made)
        return {did: found[did] for did in _DID}

    def words(self) -> dict[str, dict[str, int]]:
        """The same by kind of object: ``{"created": {"application": 1}}``; what was not done is left out.

        A write of which nobody knows whether it was applied stands under ``perhaps changed``.
        """
        unknown = {_noun(str(call.get("path")).partition("?")[0]): 1 for call in self.unknown.values()}
        found = Counter((change.did, change.what) for change in self.made)
        words: dict[str, dict[str, int]] = {
            did: {what: count for (was, what), count in found.items() if was == did} for did in _DID
        }
        return {did: kinds for did, kinds in {**words, _UNKNOWN: unknown}.items() if kinds}

    def add(self, event: Mapping[str, Any]) -> None:
        """Take one event of a journal; kinds that say nothing of a change are passed over."""
        kind = event["event"]
        if kind == "http.intent":
            self.unknown[event["seq"]] = event
        elif kind == "http.outcome":
            call: Mapping[str, Any] = {**self.unknown.pop(event["intent"], {}), **event}
            self.made += _changes(call)
            if not _ok(call.get("status")):
                (self.unknown if call.get("uncertain") else self._refused)[event["intent"]] = call
        elif kind == "http.settled":
            refused = self._refused.pop(event["intent"], {})
            call = self.unknown.pop(event["intent"], refused)
            if call and event["applied"]:
                self.made += _changes({**call, "status": 201 if event.get("created") else 200})
        elif kind == "change.made":
            self.made += [Made(event["did"], event["what"], "", {})] * int(event.get("number", 1))


def _changes(call: Mapping[str, Any]) -> Iterator[Made]:
    """What one write did: one change, those of a batch's parts, or none."""
    if "parts" in call:
        for part in call["parts"]:
            yield from _changes({"service": "graph", **part})
        return
    if not _ok(call.get("status")):
        return
    action = next((one for one in catalog.actions() if one.stackone_id == call.get("action")), None)
    method, path = (action.method, action.path) if action else (str(call.get("method")), str(call.get("path")))
    found = _effect(method, path.partition("?")[0], int(call["status"]), through=bool(action))
    if found is not None:
        yield Made(*found, str(call.get("id") or ""), call)


def _effect(method: str, path: str, status: int, *, through: bool) -> tuple[Did, str] | None:
    last = path.rpartition("/")[2]
    if last in _CALLS:
        return _CALLS[last]
    noun = _noun(path)
    if method == "DELETE":
        # A purge is the second half of a deletion that was counted.
        return None if "deletedItems" in path else ("updated" if last == "$ref" else "deleted", noun)
    # StackOne answers 200 whatever it did; what it made then is a member of the collection that the action names.
    made = status == 201 or (through and method == "POST" and last.endswith("s"))
    return ("created" if made and last != "$ref" else "updated"), noun


def _noun(path: str) -> str:
    """The kind of object that a path ends in, in words."""
    parts = [part.partition("(")[0] for part in path.strip("/").split("/")]
    known = [_NOUNS[part] for part in parts if part in _NOUNS]
    return known[-1] if known else "object"


def _ok(status: Any) -> bool:
    return isinstance(status, int) and 200 <= status < 300
