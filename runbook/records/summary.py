"""``summary.json``: what a run came to, folded from its journal and from nothing else.

A run is only as good as its journal says: without a closing event it is ``incomplete``, whatever else was claimed, and
it is never better than the worst of its sections. A section puts what it learned about the tenant under the names
``application``, ``secret``, ``connector_profile``, ``account``, ``permissions`` and ``actions`` of its ``facts``;
what a later section says counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from runbook import whole
from runbook.records import redaction
from runbook.records.done import Done

SUMMARY = "summary.json"
VERDICTS = ("passed", "failed", "parked", "incomplete")
_OBJECTS = ("application", "secret", "connector_profile", "account")
_COUNTS = ("created", "updated", "deleted", "unchanged")
# A section that only planned, or was never reached, keeps a run from passing: a plan waits for somebody to apply it.
_WORST_FIRST = {
    "failed": "failed",
    "incomplete": "incomplete",
    "not tried": "incomplete",
    "parked": "parked",
    "planned": "parked",
}


def fold(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The summary of a run, of any sequence of its events however cut short."""
    folded = _Fold()
    for event in events:
        folded.add(event)
    return folded.summary()


def _to_bytes(summary: Mapping[str, Any]) -> bytes:
    """``summary.json`` as it is written: two-space indent, UTF-8, scrubbed of secrets."""
    return (json.dumps(redaction.scrub(summary), ensure_ascii=False, indent=2) + "\n").encode()


def write(folder: str | os.PathLike[str], summary: Mapping[str, Any]) -> Path:
    """Write ``summary.json`` into a record folder, whole; returns its path. Raises ``OSError``."""
    path = Path(folder) / SUMMARY
    whole.write(path, _to_bytes(summary))
    return path


class _Http:
    """Requests, writes and retries, in all and by host. A write whose outcome is not known counts as a write."""

    def __init__(self) -> None:
        self.total = {"requests": 0, "writes": 0, "retries": 0}
        self.by_host: dict[str, dict[str, int]] = {}

    def add(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        retries = int(event.get("retries") or 0)
        host = self.by_host.setdefault(str(event.get("host") or ""), {"requests": 0, "writes": 0, "retries": 0})
        for counts in (self.total, host):
            counts["requests"] += retries + (0 if kind == "http.outcome" else 1)
            counts["writes"] += 1 if kind == "http.intent" else 0
            counts["retries"] += retries

    def as_dict(self) -> dict[str, Any]:
        return {**self.total, "by_host": {host: dict(counts) for host, counts in sorted(self.by_host.items())}}


class _Fold:
    def __init__(self) -> None:
        self.started: Mapping[str, Any] = {}
        self.finished: Mapping[str, Any] | None = None
        self.last_at: str | None = None
        self.sections: dict[str, dict[str, Any]] = {}
        self.section_http: dict[str, _Http] = {}
        self.http = _Http()
        self.done: dict[str, Done] = {}
        self.objects: dict[str, dict[str, Any]] = {name: {} for name in _OBJECTS}
        self.permissions: dict[str, Any] = {"delegated": [], "application": []}
        self.actions: list[Any] = []
        self.hand_overs: list[dict[str, Any]] = []

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
            "run_id": self.started.get("run_id", ""),
            "target": self.started.get("target", ""),
            "tenant_id": self.started.get("tenant_id", ""),
            "actor": self.started.get("actor") or {},
            "tool": self.started.get("tool") or {},
            "started_at": self.started.get("at"),
            "finished_at": self.finished.get("at") if self.finished else None,
            "last_event_at": self.last_at,
            "plan_hash": (self.finished or {}).get("plan_hash") or self.started.get("plan_hash", ""),
            "verdict": self._verdict(),
            "reason": (self.finished or {}).get("reason", ""),
            "sections": sections,
            "permissions": self._permissions(),
            "actions": self.actions,
            **self.objects,
            "http": self.http.as_dict(),
            "hand_overs": self.hand_overs,
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
        if self.finished is None:
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
