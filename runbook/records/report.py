"""``report.html``: the record for people, made from the journal alone, so the same journal gives the same report.

One file without a script, a font or an address to load; it reads on paper and by a screen reader: words stand before
colours, tables have captions and scopes, the picture has a text.
"""

import datetime
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, PackageLoader

from runbook import whole, words
from runbook.errors import RecordError
from runbook.records import summary
from runbook.records.journal import Event, as_written, read
from runbook.records.publishing import check_text
from runbook.records.timeline import TimeLine
from runbook.records.verify import GENESIS, MANIFEST

_REPORT = "report.html"
STAGES = ("wanted", "requested", "granted", "in_token", "used")
_ROADS = ("delegated", "application", "stackone")
_ROAD_TITLES = {"delegated": "Delegated", "application": "Application", "stackone": "Through StackOne"}
_HEADLINES = {
    "passed": "Every section of this run ended as planned.",
    "failed": "The run failed. What it did before stays done; running it again goes on from there.",
    "parked": "The run waits for a person. Running it again goes on from there.",
    "incomplete": "The run did not come to its end. What the journal holds below happened; nothing else is claimed.",
}


def write(folder: str | os.PathLike[str], output: str | os.PathLike[str] | None = None) -> Path:
    """Render the record in ``folder`` to ``output`` (default: its ``report.html``); returns the path.

    A sealed record is not written to: a report that differs from the sealed one needs another ``output``. Raises
    :class:`RecordError` then, and if the journal cannot be read or a secret is found in the report.
    """
    record = Path(folder)
    target = record / _REPORT if output is None else Path(output)
    with as_written(record):
        html = check_text(target, render(read(record)))
    if target.parent.resolve() == record.resolve() and (record / MANIFEST).exists():
        if target.exists() and target.read_text(encoding="utf-8") == html:
            return target
        raise RecordError.named("report_sealed", record=record)
    try:
        whole.write(target, html)
    except OSError as error:
        raise RecordError.named("report_not_written", target=target, reason=error.strerror or error) from error
    return target


def render(events: Sequence[Event]) -> str:
    """The report of a run, as HTML."""
    return _environment().get_template("report.html.j2").render(**_view(events))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("runbook.records", "."),
        autoescape=True,
        undefined=ChainableUndefined,  # a journal cut short lacks things; the report of it must still be possible
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(moment=_moment, lines=_lines, cell=_cell, word=words.word, tone=words.tone)
    environment.filters.update(tally=words.tally, plural=words.plural)
    return environment


def _view(events: Sequence[Event]) -> dict[str, Any]:
    """Everything that the template shows."""
    folded = summary.fold(events)
    opening: Mapping[str, Any] = next((event for event in events if event["event"] == "run.started"), {})
    actions = [_action(row) for row in folded["actions"]]
    counts = Counter(action["verdict"] for action in actions)
    return {
        "summary": folded,
        "headline": _headline(folded["verdict"], counts),
        "duration": _duration(folded["started_at"], folded["finished_at"] or folded["last_event_at"]),
        "opening": opening,
        "sections": [_section(section, events) for section in folded["sections"]],
        "actions": actions,
        "roads": [road for road in _ROADS if any(road in action["cells"] for action in actions)],
        "counts": counts,
        "stages": STAGES,
        "pictures": {kind: _picture(rows) for kind, rows in folded["permissions"].items() if rows},
        "calls": _calls_by_section(events, folded["sections"]),
        "head": events[-1]["hash"] if events else GENESIS,
        "events": events,
    }


def _headline(verdict: str, counts: Mapping[str, int]) -> str:
    """One sentence, which claims no more than was proven."""
    if verdict != "passed" or not counts:
        return _HEADLINES[verdict]
    if set(counts) == {"passed"}:
        return "Everything that was chosen is set up, and every action was proven by using it."
    proven = f"{counts.get('passed', 0)} of {sum(counts.values())} actions were proven by using them"
    return f"Everything that was chosen is set up; {proven}."


def _section(section: Mapping[str, Any], events: Iterable[Event]) -> dict[str, Any]:
    """A section with its plan and evidence; of several plans the last that changed something, else the last."""
    own = [event for event in events if event.get("section") == section["name"]]
    plans = [event["changes"] for event in own if event["event"] == "section.plan"]
    pending = [plan for plan in plans if any(change["kind"] != "same" for change in plan)]
    evidence = next((event for event in reversed(own) if event["event"] == "section.evidence"), {})
    begun = next((event for event in own if event["event"] == "section.started"), {})
    finished = next((event for event in reversed(own) if event["event"] == "section.finished"), {})
    return {
        **section,
        **{name: begun.get(name, "") for name in ("about", "portal")},
        "plan": words.plan_table((pending or plans or [[]])[-1]),
        "changed": bool(pending),
        "evidence": evidence.get("rows", []),
        "notes": evidence.get("notes", []),
        "line": TimeLine.of(finished.get("facts") or {}),
    }


def _action(row: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the matrix: ``cells`` and ``probes`` by road, and the ``reasons`` of what did not pass."""
    found = {road: row[road] for road in _ROADS if row.get(road) not in (None, "—")}
    cells = {road: value if isinstance(value, Mapping) else {"used": value} for road, value in found.items()}
    probes = row.get("probes") or {"": row.get("probe") or {}}
    explained = row.get("explanations") or {"": row.get("explanation") or {}}
    return {
        **row,
        "cells": cells,
        "verdict": row.get("verdict") or "not tried",
        "probes": [{"road": _ROAD_TITLES.get(road, road), **probe} for road, probe in probes.items()],
        "reasons": [_reason(road, given, probes.get(road) or {}) for road, given in explained.items() if given],
    }


def _reason(road: str, given: Any, probe: Mapping[str, Any]) -> dict[str, Any]:
    """An explanation (:mod:`runbook.clients.answers`, or a text) with the request that showed it."""
    explanation = given if isinstance(given, Mapping) else {"cause": given}
    facts = {key: value for key, value in explanation.items() if key not in ("cause", "who", "remedy", "answer")}
    return {"road": _ROAD_TITLES.get(road, road), **explanation, "facts": facts, "probe": probe}


def _picture(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Permissions and the stages that the template draws, and the same in words."""
    stages = STAGES[:4]
    counts = {stage: sum(row.get(stage) is True for row in rows) for stage in stages}
    unknown = sum(row.get(stage) is None for row in rows for stage in stages)
    reached = ", ".join(f"{count} {stage.replace('_', ' ')}" for stage, count in counts.items())
    return {
        "rows": [{**row, "number": number} for number, row in enumerate(rows, 1)],
        "stages": stages,
        "words": f"Of {words.plural(len(rows), 'permission')}: {reached}{f'; {unknown} unknown' if unknown else ''}.",
    }


def _calls_by_section(events: Iterable[Event], sections: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every call, in the order of its answer, by section; a write whose outcome is not known says so."""
    calls: list[dict[str, Any]] = []
    open_writes: dict[int, dict[str, Any]] = {}
    for event in events:
        if event["event"] == "http.intent":
            open_writes[event["seq"]] = {**event, "status": None, "error": "outcome not known"}
            calls.append(open_writes[event["seq"]])
        elif event["event"] == "http.outcome":
            open_writes.setdefault(event["intent"], {}).update({"error": "", **event, "seq": event["intent"]})
        elif event["event"] == "http.call":
            calls.append({"error": "", **event})
    titles = {section["name"]: section["title"] for section in sections}
    grouped: dict[str, list[dict[str, Any]]] = {}
    for call in calls:
        grouped.setdefault(call.get("section") or "", []).append(call)
    return [
        {
            "title": titles.get(name, name or "Between the sections (sign-in, reading the plan)"),
            "calls": members,
            "writes": sum(call.get("effect") == "write" or call["event"] != "http.call" for call in members),
            "retries": sum(int(call.get("retries") or 0) for call in members),
        }
        for name, members in grouped.items()
    ]


def _moment(value: str | None) -> str:
    """``2026-01-02T03:04:05.678Z`` as ``2026-01-02 03:04:05 UTC``."""
    return f"{value[:10]} {value[11:19]} UTC" if value else "not ended"


def _duration(start: str | None, end: str | None) -> str:
    if not start or not end:
        return "unknown"
    seconds = int((datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(start)).total_seconds())
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s" if seconds else "under a second"


def _cell(cells: Mapping[str, Any], stage: str) -> str:
    """A stage of an action; what was not looked at is a dash."""
    return words.word(cells[stage]) if stage in cells else "—"


def _lines(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested data as rows of name and value."""
    if isinstance(value, Mapping):
        return [row for key, member in value.items() for row in _lines(member, f"{prefix} {key}".strip())]
    if isinstance(value, list):
        return [(prefix, ", ".join(map(words.word, value)) or "none")]
    return [(prefix, "not set" if value in ("", None) else words.word(value))]
