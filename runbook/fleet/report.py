"""The fleet on one page, and as CSV: a row a tenant, from the last result of each verb; those to look at come first."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from runbook import words
from runbook.errors import InputError, Problem
from runbook.fleet.books import Books
from runbook.fleet.work import VERBS
from runbook.records.publishing import check_text
from runbook.records.shelf import cell

_ORDER = ("failed", "interrupted", "parked", "changed", "done")


@dataclass(frozen=True)
class Row:
    """One tenant. ``drift``: changes pending, as far as plan or status looked; ``days_left`` of its client secret."""

    tenant_id: str
    state: str
    said: str
    drift: str
    days_left: str
    link: str
    record: str
    verb: str
    at: str
    next: str


def write(place: str) -> list[str]:
    """Write ``fleet.html`` and ``fleet.csv`` into ``place``, a folder or an address; their addresses.

    Raises :class:`InputError` where no fleet left anything, :class:`RecordError` when they cannot be written.
    """
    books = Books(place)
    rows = sorted(_rows(books), key=lambda row: (_ORDER.index(row.state), row.tenant_id))
    if not rows:
        raise InputError(Problem(place, "holds nothing of a fleet.", "Name the --records of a fleet run."))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([each.name for each in fields(Row)])
    writer.writerows([cell(value) for value in asdict(row).values()] for row in rows)
    made = {"fleet.html": _page(rows), "fleet.csv": text.getvalue()}
    return [books.write(name, check_text(Path(name), content)) for name, content in made.items()]


def _rows(books: Books) -> Iterator[Row]:
    for tenant_id in sorted({tenant for verb in VERBS for tenant in books.tenants(verb)}):
        results = [found for verb in VERBS if (found := books.last(verb, tenant_id))]
        if results:
            yield _row(books, tenant_id, sorted(results, key=lambda result: str(result.get("at"))))


def _row(books: Books, tenant_id: str, results: list[dict[str, Any]]) -> Row:
    """``results`` of this tenant, the oldest first."""
    last = results[-1]
    newest = {name: value for result in results for name, value in result.items() if value not in ("", None)}
    changed = last.get("verdict") == "changed" or (last["verb"] in ("plan", "status") and last.get("pending"))
    state = "changed" if changed and last["state"] == "done" else str(last["state"])
    return Row(
        tenant_id=tenant_id,
        state=state if state in _ORDER else "failed",
        said=str(last.get("said") or ""),
        drift=_drift(results),
        days_left=_days(newest),
        link=str(last.get("link") or ""),
        record=_record(books, str(newest.get("run_id") or "")),
        verb=str(last["verb"]),
        at=str(last.get("at") or ""),
        next=str(last.get("next") or ""),
    )


def _record(books: Books, run_id: str) -> str:
    """The record's report, as the page finds it: beside itself on this machine."""
    return run_id and (books.where(run_id) if books.remote else f"{run_id}/report.html")


def _drift(results: list[dict[str, Any]]) -> str:
    looked = next(
        (each for each in reversed(results) if each["verb"] in ("plan", "status") and "pending" in each), None
    )
    return "not looked" if looked is None else f"{looked['pending']} pending, {looked['others']} of others"


def _days(newest: Mapping[str, Any]) -> str:
    if ends := newest.get("secret_ends_at"):
        return str((datetime.fromisoformat(str(ends)) - datetime.now(UTC)).days)
    return str(newest.get("days_left", "unknown"))


def _page(rows: list[Row]) -> str:
    loader = PackageLoader("runbook", ".")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    groups = {state: [row for row in rows if row.state == state] for state in _ORDER}
    tones = {state: words.tone({"done": "passed", "interrupted": "incomplete"}.get(state, state)) for state in _ORDER}
    return environment.get_template("fleet/fleet.html.j2").render(
        groups={state: found for state, found in groups.items() if found},
        tones=tones,
        total=words.plural(len(rows), "tenant"),
        now=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
