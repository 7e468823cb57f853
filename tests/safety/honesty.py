"""A record is readable, honest and made of whole files, however its writer ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat

from runbook.records import report, summary, verify
from runbook.records.journal import read, verify_chain
from runbook.whole import is_leftover

__all__ = ["judged", "state"]


def state(record: Path) -> str:
    """``sealed``, ``ended, not sealed`` or ``incomplete``."""
    if verify.verify(record).ok:
        return "sealed"
    events = read(record)
    return "ended, not sealed" if events and events[-1]["event"] == "run.finished" else "incomplete"


def judged(record: Path) -> Iterator[str]:
    """What is wrong with the record."""
    events = read(record)
    folded = summary.fold(events)
    checked = verify.verify(record)
    ended = bool(events) and events[-1]["event"] == "run.finished"
    yield from verify_chain(events)
    if not ended and (folded["verdict"] != "incomplete" or checked.complete or checked.ok):
        yield f"a run that did not end calls itself {folded['verdict']}"
    if not any("never ended" in problem for problem in checked.problems) and not checked.ok:
        yield f"the check does not say that the run never ended: {checked.problems}"
    if any(word in problem for problem in checked.problems for word in ("changed", "follow", "added", "cut")):
        yield f"the check takes the kill for a tampering: {checked.problems}"
    # A proof tries anew with other objects; it names what may have been made.
    passed = {each["name"] for each in folded["sections"] if each["verdict"] == "passed"} - {"verify_actions"}
    if dangling := [write for write in folded["writes_without_outcome"] if write["section"] in passed]:
        yield f"a section passed with writes of unknown outcome: {dangling}"
    if not report.render(events):
        yield "no report can be made"
    yield from _not_whole(record, folded)


def _not_whole(record: Path, folded: Mapping[str, Any]) -> Iterator[str]:
    """Files that are torn, or claim more than the journal."""
    for path in record.iterdir():
        if is_leftover(path) or path.name == "journal.jsonl":
            continue
        try:
            if path.suffix == ".ipynb":
                nbformat.validate(nbformat.read(path, 4))
            elif path.suffix == ".json":
                document = json.loads(path.read_bytes())
                if path.name == "summary.json" and document["verdict"] != folded["verdict"]:
                    yield f"summary.json says {document['verdict']}, the journal {folded['verdict']}"
            elif not path.read_text().strip():
                yield f"{path.name} is empty"
        except (ValueError, LookupError, nbformat.ValidationError) as error:
            yield f"{path.name} is torn: {type(error).__name__}"
