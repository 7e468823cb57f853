"""``summary.json``: what a run came to, folded from its journal and from nothing else.

A run is only as good as its journal says: without a closing event it is ``incomplete``, whatever else was claimed, and
it is never better than the worst of its sections. A section puts what it learned about the tenant under the names
``application``, ``secret``, ``connector_profile``, ``account``, ``permissions`` and ``actions`` of its ``facts``;
what a later section says counts. What writes did (:class:`Done`) counts from the moment when their outcome is in the
journal: a section that fails or parks has done it all the same.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from runbook import catalog, whole
from runbook.records import redaction

SUMMARY = "summary.json"
VERDICTS = ("passed", "failed", "parked", "incomplete")
_OBJECTS = ("application", "secret", "connector_profile", "account")
_COUNTS = ("created", "updated", "deleted", "unchanged")
# A section that only planned, or was never reached, keeps a run from passing: a plan waits for somebody to apply it.
_WORST_FIRST = {"failed": "failed", "incomplete": "incomplete", "not tried": "incomplete"}
_WORST_FIRST |= {"parked": "parked", "planned": "parked"}

Did = Literal["created", "updated", "deleted"]
DID: tuple[Did, ...] = ("created", "updated", "deleted")

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
    "accounts": "linked account",
}


def fold(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The summary of a run, of any sequence of its events however cut short."""
    folded = _Fold()
    for event in events:
        folded.add(event)
    return folded.summary()


def write(folder: str | os.PathLike[str], summary: Mapping[str, Any]) -> Path:
    """Write ``summary.json`` (scrubbed) into a record folder, whole; returns its path. Raises ``OSError``."""
    path = Path(folder) / SUMMARY
    whole.write(path, (json.dumps(redaction.scrub(summary), ensure_ascii=False, indent=2) + "\n").encode())
    return path


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
        return {did: found[did] for did in DID}

    def words(self) -> dict[str, dict[str, int]]:
        """The same by kind of object: ``{"created": {"application": 1}}``; what was not done is left out.

        An object that was updated twice is one. A write of which nobody knows whether it was applied stands under
        ``perhaps changed``.
        """
        unknown = {_noun(str(call.get("path")).partition("?")[0]): 1 for call in self.unknown.values()}
        made = enumerate(self.made)
        once = {(one.did, one.what, (one.did == "updated" and one.note.get("path")) or at): None for at, one in made}
        words = {did: dict(Counter(what for each, what, _ in once if each == did)) for did in DID}
        return {did: kinds for did, kinds in [*words.items(), ("perhaps changed", unknown)] if kinds}

    def add(self, event: Mapping[str, Any]) -> None:
        """Take one event of a journal; kinds that say nothing of a change are passed over."""
        kind = event["event"]
        if kind == "http.intent":
            self.unknown[event["seq"]] = event
        elif kind == "http.outcome":
            call: Mapping[str, Any] = {**self.unknown.pop(event["intent"], {}), **event}
            self.made += _changes(call)
            if not _ok(call.get("status")):
                doubtful = call.get("uncertain") and _CALLS.get(_last(call), ()) is not None
                (self.unknown if doubtful else self._refused)[event["intent"]] = call
        elif kind == "http.settled":
            refused = self._refused.pop(event["intent"], {})
            call = self.unknown.pop(event["intent"], refused)
            if call and event["applied"]:
                self.made += _changes({**call, "status": 201 if event.get("created") else 200})
        elif kind == "change.made":
            self.made += [Made(event["did"], event["what"], "", {})] * int(event.get("number", 1))


def _last(call: Mapping[str, Any]) -> str:
    return str(call.get("path")).partition("?")[0].rpartition("/")[2]


class _Http:
    """Requests, writes and retries, in all and by host. A write whose outcome is not known counts as a write."""

    def __init__(self) -> None:
        self.total = {"requests": 0, "writes": 0, "retries": 0}
        self.by_host: dict[str, dict[str, int]] = {}

    def add(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        retries = int(event.get("retries") or 0)
        host = self.by_host.setdefault(str(event.get("host") or ""), dict.fromkeys(self.total, 0))
        for counts in (self.total, host):
            counts["requests"] += retries + (0 if kind == "http.outcome" else 1)
            counts["writes"] += 1 if kind == "http.intent" else 0
            counts["retries"] += retries

    def as_dict(self) -> dict[str, Any]:
        return {**self.total, "by_host": {host: dict(counts) for host, counts in sorted(self.by_host.items())}}


class _Fold:
    def __init__(self) -> None:
        self.started: Mapping[str, Any] = {}
        self.finished: Mapping[str, Any] = {}
        self.last_at: str | None = None
        self.sections: dict[str, dict[str, Any]] = {}
        self.section_http: dict[str, _Http] = {}
        self.http = _Http()
        self.done: dict[str, Done] = {}
        self.objects: dict[str, dict[str, Any]] = {name: {} for name in _OBJECTS}
        self.permissions: dict[str, Any] = {"delegated": [], "application": []}
        self.actions: list[Any] = []
        self.clock_offsets: dict[str, Any] = {}
        self.hand_overs: list[dict[str, Any]] = []
        self.disposable: dict[str, bool] = {}

    def add(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        self.last_at = event.get("at")
        if kind == "run.started":
            self.started = event
            for section in event.get("sections") or ():
                self._section(section["name"]).update(_named(section))
        elif kind == "run.finished":
            self.finished = event
        elif kind == "section.started":
            self._section(event["section"]).update(_named(event), verdict="incomplete")
        elif kind == "section.finished":
            self._finish_section(event)
        elif kind in ("http.call", "http.intent", "http.outcome"):
            self._call(event)
        elif kind in ("http.settled", "change.made"):
            self._done(event)
        elif kind == "secret.kept":
            self.objects["secret"].update(event["secret"])
        elif kind == "disposable":
            self.disposable[event["what"]] = event["there"]
        elif kind == "hand_over":
            self.hand_overs.append({**_data(event), "done": False})
        elif kind == "hand_over.done":
            for hand_over in self.hand_overs:
                if hand_over.get("kind") == event.get("kind"):
                    hand_over["done"] = True

    def _section(self, name: str) -> dict[str, Any]:
        fresh = {"name": name, "notebook": "", "title": name, "verdict": "not tried", **dict.fromkeys(_COUNTS, 0)}
        return self.sections.setdefault(name, fresh)

    def _finish_section(self, event: Mapping[str, Any]) -> None:
        section = self._section(event["section"])
        section.update(_named(event), verdict=event["verdict"])
        section.update({key: event[key] for key in ("error", "next_step") if event.get(key)})
        section["unchanged"] = int(event.get("unchanged") or 0)
        facts = event.get("facts") or {}
        for name in _OBJECTS:
            self.objects[name].update(facts.get(name) or {})
        self.permissions.update(facts.get("permissions") or {})
        self.actions = list(facts.get("actions") or self.actions)
        self.clock_offsets.update(facts.get("clock_offsets") or {})

    def _call(self, event: Mapping[str, Any]) -> None:
        self._done(event)
        self.http.add(event)
        self.section_http.setdefault(event.get("section") or "", _Http()).add(event)

    def _done(self, event: Mapping[str, Any]) -> None:
        self.done.setdefault(event.get("section") or "", Done()).add(event)

    def summary(self) -> dict[str, Any]:
        sections = list(self.sections.values())
        for section in sections:
            done = self.done.get(section["name"], Done())
            section.update({**done.counts(), "done": done.words()})
            section["http"] = self.section_http.get(section["name"], _Http()).total
        return {
            **{name: self.started.get(name, "") for name in ("run_id", "target", "tenant_id")},
            **{name: self.started.get(name) or {} for name in ("actor", "tool")},
            "started_at": self.started.get("at"),
            "finished_at": self.finished.get("at"),
            "last_event_at": self.last_at,
            "plan_hash": self.finished.get("plan_hash") or self.started.get("plan_hash", ""),
            "verdict": self._verdict(),
            "reason": self.finished.get("reason", ""),
            "sections": sections,
            "permissions": self._permissions(),
            "actions": self.actions,
            "clock_offsets": self.clock_offsets,
            **self.objects,
            "http": self.http.as_dict(),
            "hand_overs": self.hand_overs,
            "left_behind": [what for what, there in self.disposable.items() if there],
            "writes_without_outcome": [
                {"seq": seq, **{key: call.get(key, "") for key in ("section", "service", "method", "path")}}
                for done in self.done.values()
                for seq, call in done.unknown.items()
            ],
        }

    def _permissions(self) -> dict[str, list[dict[str, Any]]]:
        """As the last section that read them says; until then, as the run's own writes say."""
        if any(self.permissions.values()):
            return self.permissions
        rows: dict[str, dict[str, dict[str, Any]]] = {"delegated": {}, "application": {}}
        for change in (change for done in self.done.values() for change in done.made):
            for stage in ("requested", "granted"):
                for kind, names in (change.note.get(stage) or {}).items():
                    for name in names:
                        unknown = {"name": name, "wanted": True, **dict.fromkeys(("requested", "granted", "in_token"))}
                        rows[kind].setdefault(name, unknown)[stage] = True
        return {kind: [of_kind[name] for name in sorted(of_kind)] for kind, of_kind in rows.items()}

    def _verdict(self) -> str:
        if not self.finished:
            return "incomplete"
        claimed = self.finished.get("verdict")
        found = {section["verdict"] for section in self.sections.values()}
        if claimed in ("failed", "parked", "incomplete"):
            # A run that parked did not reach its later sections: that is no reason to call it incomplete.
            return "failed" if "failed" in found else str(claimed)
        worst = next((verdict for name, verdict in _WORST_FIRST.items() if name in found), claimed)
        return worst if worst in VERDICTS else "incomplete"


def _named(event: Mapping[str, Any]) -> dict[str, Any]:
    named = {key: str(event[key]) for key in ("notebook", "title") if event.get(key)}
    if "notebook" in named:
        named["notebook"] = named["notebook"].removesuffix(".ipynb") + ".ipynb"
    return named


def _data(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("seq", "event", "prev", "hash")}


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
