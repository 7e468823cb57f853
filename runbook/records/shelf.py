"""Many records: a row for each, and what differs between two of one tenant.

Everything is read from the records alone. What a record that does not hold says of itself is shown beside that verdict.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from runbook.errors import InputError, Problem, RecordError
from runbook.records.journal import as_written, read
from runbook.records.summary import DID, SUMMARY, fold
from runbook.records.verify import JOURNAL, verify
from runbook.words import visible

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PLAIN = ("application", "secret", "connector_profile", "account")
# What differs in every run, and says nothing about the tenant.
_OF_THE_RUN = frozenset({"proven_at", "updated_at"})


@dataclass(frozen=True)
class Entry:
    """One record. Times are ISO 8601, UTC; ``signature``: who signed it, if anybody; ``holds``: nothing was changed."""

    run_id: str = ""
    tenant_id: str = ""
    tenant: str = ""
    target: str = ""
    application: str = ""
    verdict: str = ""
    started_at: str = ""
    finished_at: str = ""
    who: str = ""
    created: int = 0
    updated: int = 0
    deleted: int = 0
    proven: int = 0
    actions: int = 0
    signature: str = ""
    holds: bool = False
    folder: str = ""


_COLUMNS = tuple(each.name for each in fields(Entry))


def entries(folder: Path) -> list[Entry]:
    """The records in ``folder``, the newest first. Raises :class:`InputError` if it is no folder."""
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "is not a folder.", "Name the folder that holds the records."))
    places = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    found = [_row(place) for place in places if (place / JOURNAL).is_file()]
    return sorted(found, key=lambda entry: (entry.started_at, entry.run_id), reverse=True)


def last_proof(folder: Path, tenant_id: str, application: str) -> tuple[Entry, frozenset[str]] | None:
    """The latest record in ``folder`` that tried actions of this application, and the names of those that passed.

    What cannot be read is passed over: it proves nothing.
    """
    places = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []  # run ids begin with their moment
    for place in places:
        with suppress(RecordError), as_written(place):
            summary = _summary(place) if (place / JOURNAL).is_file() else {}
            if summary.get("actions") and summary.get("tenant_id") == tenant_id:
                entry = _entry(place)
                if entry.application == application:
                    passed = (str(each.get("name")) for each in summary["actions"] if each.get("verdict") == "passed")
                    return entry, frozenset(passed)
    return None


def _row(place: Path) -> Entry:
    try:
        return _entry(place)
    except RecordError:
        return Entry(run_id=place.name, verdict="unreadable", folder=str(place))


def _entry(place: Path) -> Entry:
    with as_written(place):
        report, summary, opening = verify(place), _summary(place), _opening(place)
        actor, actions = summary.get("actor") or {}, summary.get("actions") or []
        sections = summary.get("sections") or ()
        values: dict[str, Any] = {did: sum(int(each.get(did) or 0) for each in sections) for did in DID}
        values |= {name: str(summary.get(name) or "") for name in ("tenant_id", "target", "started_at", "finished_at")}
        return Entry(
            run_id=report.run_id or place.name,
            tenant=str((opening.get("known") or {}).get("tenant") or ""),
            application=str((opening.get("parameters") or {}).get("unique_name") or ""),
            verdict=report.verdict,
            who=str(actor.get("name") or ""),
            proven=sum(action.get("verdict") == "passed" for action in actions),
            actions=len(actions),
            signature=report.signer or "unsigned",
            holds=report.ok,
            folder=str(place),
            **values,
        )


def _summary(place: Path) -> Mapping[str, Any]:
    """``summary.json``; of a run that never ended, what its journal comes to."""
    try:
        found = json.loads((place / SUMMARY).read_bytes())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        return fold(read(place))


def _opening(place: Path) -> Mapping[str, Any]:
    return next((event for event in read(place) if event["event"] == "run.started"), {})


def as_csv(listed: Iterable[Entry]) -> str:
    """The rows as CSV (RFC 4180) with a header; no cell is a formula for a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows(map(cell, asdict(entry).values()) for entry in listed)
    return text.getvalue()


def cell(value: object) -> str:
    """A value as text that no spreadsheet takes for a formula."""
    shown = visible(str(value))
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def difference(before: Path, after: Path) -> list[tuple[str, str, str]]:
    """What is not the same in two records: what, before, after.

    Raises :class:`InputError` if one is no record, or they are of two tenants or two applications.
    """
    problems = [
        Problem(str(place), "is not a record: it has no journal.jsonl.", "Name records/<run-id>.")
        for place in (before, after)
        if not (place / JOURNAL).is_file()
    ]
    if problems:
        raise InputError(problems)
    one, other = _entry(before), _entry(after)
    if (one.tenant_id, one.application) != (other.tenant_id, other.application):
        what = f"is of {other.application} on {other.tenant_id}; {before} is of {one.application} on {one.tenant_id}."
        raise InputError(Problem(str(after), what, "Compare two records of one application."))
    said, now = dict(_said(before)), dict(_said(after))
    names = list(dict.fromkeys((*said, *now)))
    return [
        (name, said.get(name, "absent"), now.get(name, "absent")) for name in names if said.get(name) != now.get(name)
    ]


def _said(place: Path) -> Iterator[tuple[str, str]]:
    with as_written(place):
        summary = _summary(place)
        yield "verdict", str(summary.get("verdict"))
        for name, value in ((_opening(place).get("parameters")) or {}).items():
            yield f"parameter {name}", _text(value)
        for about in _PLAIN:
            for name, value in (summary.get(about) or {}).items():
                if name not in _OF_THE_RUN:
                    yield f"{about.replace('_', ' ')}: {name.replace('_', ' ')}", _text(value)
        for kind, rows in (summary.get("permissions") or {}).items():
            for row in rows:
                stages = [stage for stage in ("wanted", "requested", "granted", "in_token") if row.get(stage)]
                yield (f"permission {row['name']} ({kind})", ", ".join(stages).replace("_", " ") or "absent")
        for action in summary.get("actions") or ():
            yield f"action {action['name']}", str(action.get("verdict"))


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
