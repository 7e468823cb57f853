"""A run without notebooks: sections or an operation in one process, with the record, the locks and the end of a run."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook.errors import RunbookError
from runbook.operations import rotate_secret, section, teardown  # noqa: F401
from runbook.parameters import parse
from runbook.records.journal import Journal, read
from runbook.runs import warm
from runbook.runs.run import conclude, new_run_id, opening
from runbook.sections import NAMES
from runbook.tenant.base import open_context, plan_sections, run_section
from runbook.tenant.changes import plan_hash

__all__ = ["Child", "Ended", "carried_out", "in_child"]

PATIENCE = 240

warm.load()  # once, before a child is forked


@dataclass(frozen=True)
class Ended:
    """How it ended. ``record`` is None when it did not get as far as that; ``error`` has all that a person reads."""

    verdict: str
    error: str = ""
    seconds: float = 0.0
    record: Path | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)


What = int | str
"""Sections 1 to a number, or the operation of a name."""


def carried_out(values: Mapping[str, Any], records: Path, what: What = 8) -> Ended:
    """Plan, then carry out, as :func:`runbook.runs.run.run` does."""
    begun = time.monotonic()
    record: Path | None = None
    try:
        params = parse(values)
        chosen = [section(name) for name in ((what,) if isinstance(what, str) else NAMES[:what])]
        with open_context(params) as ctx:
            planned = plan_hash(ctx.target.tenant_id, plan_sections(ctx, chosen))
            journal = Journal.create(records, new_run_id(), **opening(ctx, chosen, planned))
            record = journal.folder
        with open_context(params, journal) as ctx:
            for each in chosen:
                if run_section(ctx, each, apply=True).verdict != "passed":
                    break
        finished = [event for event in read(journal.path) if event["event"] == "section.finished"][-1]
        outcome = conclude(journal, finished)
    except RunbookError as error:
        return Ended("failed", str(error), time.monotonic() - begun, record)
    said = f"{outcome.error}\n{outcome.next_step}\n{_explained(outcome.summary)}" if outcome.exit_code else ""
    return Ended(outcome.summary["verdict"], said.strip(), time.monotonic() - begun, record, outcome.summary)


def _explained(summary: Mapping[str, Any]) -> str:
    return "\n".join(action["explanation"] for action in summary["actions"] if action["explanation"])


class Child:
    """:func:`carried_out` in a process of its own, which has everything loaded and whose environment is given."""

    def __init__(
        self, values: Mapping[str, Any], records: Path, environment: Mapping[str, str] | None = None, what: What = 8
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.safety.carried_out"])
        self._answer, theirs = context.Pipe(duplex=False)
        given = (values, records, dict(os.environ if environment is None else environment), what, theirs)
        self.process = context.Process(target=_in_child, args=given, daemon=True)
        self.process.start()
        theirs.close()

    def ended(self, seconds: float = PATIENCE) -> Ended:
        """Wait for its end; one that was killed, or had to be, is ``incomplete``."""
        try:
            ended = self._answer.recv() if self._answer.poll(seconds) else Ended("incomplete", f"no end in {seconds} s")
        except EOFError:
            ended = Ended("incomplete", "the process ended without a word")
        self.process.kill()
        self.process.join()
        assert isinstance(ended, Ended)
        return ended


def in_child(values: Mapping[str, Any], records: Path, what: What = 8) -> Ended:
    """Carry out in a child, and wait for it."""
    return Child(values, records, what=what).ended()


def _in_child(
    values: Mapping[str, Any], records: Path, environment: Mapping[str, str], what: What, answer: Any
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.stderr = sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for the life of the process
    try:
        ended = carried_out(values, records, what)
    except Exception as error:  # noqa: BLE001 - a defect is a finding, and told as one
        ended = Ended("incomplete", "defect: " + "".join(traceback.format_exception(error)[-6:]))
    answer.send(ended)
    answer.close()
