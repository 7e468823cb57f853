"""The task of a worker: one tenant, by the code of ``runbook run``, ``plan``, ``verify``, ``rotate`` and ``status``.

A task carries references and no secret: the worker reads the secret store itself. What comes back is scrubbed.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runbook import words
from runbook.errors import Interrupted, Parked, RunbookError
from runbook.fleet.books import Books
from runbook.parameters import Parameters, parse
from runbook.records import redaction
from runbook.records.summary import DID
from runbook.runs import run as runs
from runbook.runs.run import PlanReport, Progress, RunOutcome, Span
from runbook.runs.stopping import STOP
from runbook.sections import NAMES

VERBS = ("run", "plan", "verify", "rotate", "status")
TOPIC = "runbook-fleet"
_SPANS: Mapping[str, Span] = {"verify": (len(NAMES), len(NAMES)), "rotate": "rotate_secret"}
# A process carries out one tenant at a time: to stop one, and what is known as secret, are of the process.
_turn = threading.Lock()


@dataclass(frozen=True)
class Task:
    """What a worker is told: ``parameters`` are one tenant's choice, ``records`` is where all goes."""

    tenant_id: str
    verb: str
    parameters: dict[str, Any]
    sections: tuple[int, int]
    records: str
    again: bool = False

    @property
    def choice(self) -> str:
        """The hash of what is to be done; approval and place apart."""
        told = {name: value for name, value in self.parameters.items() if name not in ("approve", "records")}
        return hashlib.sha256(json.dumps([told, self.verb, self.sections], sort_keys=True).encode()).hexdigest()

    @property
    def about(self) -> dict[str, Any]:
        """What every result says of its task."""
        return {"tenant_id": self.tenant_id, "verb": self.verb, "choice": self.choice}

    @property
    def key(self) -> str:
        """The name of the task: a cluster that is still at it, for a client that was killed, does not begin it anew."""
        return f"runbook-{self.verb}-{self.tenant_id}-{self.choice[:16]}"


def carry_out(task: Task) -> dict[str, Any]:
    """Do it; what came of it: ``state`` is ``done``, ``skipped``, ``parked``, ``failed`` or ``interrupted``."""
    with _turn:
        STOP.begin()
        begun, books = time.monotonic(), Books(task.records)
        try:
            if not task.again and (kept := _finished(task, books)):
                return {**kept, "state": "skipped"}
            result = {**task.about, **_result(task, books), "seconds": round(time.monotonic() - begun, 1)}
            result["at"] = datetime.now(UTC).isoformat(timespec="seconds")
            scrubbed: dict[str, Any] = redaction.scrub(result)
            books.note(task.verb, task.tenant_id, scrubbed)
            return scrubbed
        except RunbookError as error:  # the books themselves
            return {**task.about, "state": "failed", "said": error.what, "next": error.next_step}
        finally:
            redaction.forget()  # what one tenant's run knew is not searched for in all that follow


def stop() -> None:
    """Have the run of this process clean up and end."""
    STOP.ask()


def _finished(task: Task, books: Books) -> dict[str, Any]:
    """The result of the same choice, if the record of it still holds; looking again is what the other verbs are for."""
    kept = books.last(task.verb, task.tenant_id) if task.verb in ("run", "verify") else {}
    same = kept.get("state") == "done" and kept.get("choice") == task.choice
    return kept if same and books.holds(str(kept.get("run_id"))) else {}


def _result(task: Task, books: Books) -> dict[str, Any]:
    approval: list[str] = []
    try:
        params = parse(task.parameters)
        if task.verb == "plan":
            return _plan(task, params)
        return _status(params, books) if task.verb == "status" else _run(task, params, books, approval)
    except Interrupted as error:
        return {"state": "interrupted", "said": error.what, "next": error.next_step}
    except Parked as error:
        said, plan_hash = error.hand_over.title, approval[0] if error.hand_over.kind == "approval" else ""
        return {"state": "parked", "said": said, "next": error.next_step, "plan_hash": plan_hash, **_link(error)}
    except RunbookError as error:
        return {"state": "failed", "said": f"{error.what} {error.meaning}".strip(), "next": error.next_step}
    except Exception as error:  # noqa: BLE001 - one tenant's defect is not the fleet's end
        return {"state": "failed", "said": str(RunbookError.named("defect", name=type(error).__name__)), "next": ""}
    finally:
        books.publish(task.tenant_id)


def _run(task: Task, params: Parameters, books: Books, approval: list[str]) -> dict[str, Any]:
    def confirm(report: PlanReport, needed: bool) -> bool:
        approval.append(report.plan_hash)
        return not needed

    span = _SPANS.get(task.verb, task.sections)
    outcome = runs.run(params, span, books.desk(task.tenant_id), _teller(task), None, confirm)
    folded = outcome.summary
    changed = {did: sum(int(each.get(did) or 0) for each in folded["sections"]) for did in DID}
    counted = [f"{count} {did}" for did, count in changed.items() if count]
    proven = [words.proven(folded["actions"])] if folded["actions"] else []
    return {
        "state": {0: "done", 3: "parked"}.get(outcome.exit_code, "failed"),
        "said": outcome.error or "; ".join([*proven, ", ".join(counted) or "nothing changed"]),
        "next": outcome.next_step if outcome.exit_code else "",
        "run_id": folded["run_id"],
        "record": books.where(folded["run_id"]),
        "plan_hash": folded["plan_hash"],
        "secret_ends_at": (folded["secret"] or {}).get("ends_at") or "",
        "writes": folded["http"]["writes"],
        **_link(outcome),
    }


def _link(ended: Parked | RunOutcome) -> dict[str, Any]:
    """Where a person has to act; a link that lets whoever holds it act is named by its reference alone."""
    item = ended.hand_over
    return {} if item is None else {"link": item.kept or item.url, "waits_for": item.title, "who": item.who}


def _plan(task: Task, params: Parameters) -> dict[str, Any]:
    report = runs.plan(params, task.sections)
    said = f"{words.plural(report.pending, 'change')} pending, {len(report.others)} made by others"
    told = {"tenant": report.tenant, "pending": report.pending, "others": len(report.others)}
    return {"state": "done", "said": said, "plan_hash": report.plan_hash, **told}


def _status(params: Parameters, books: Books) -> dict[str, Any]:
    from runbook.operations import status

    # The last proof is in the books; to look through all tenants' records for each of them would take ever longer.
    unread = params.model_copy(update={"records": str(Path(books.place) / "fleet" / "none")})
    findings, facts = status.standing(unread)
    lines = [each for each in findings if each.about != "last proof"]
    wrong = [each for each in lines if each.state in ("failed", "changed")]
    verdict = next((each.state for each in sorted(wrong, key=lambda each: each.state != "failed")), "passed")
    return {
        "state": "failed" if verdict == "failed" else "done",
        "verdict": verdict,
        "said": "; ".join(f"{each.about}: {each.said}" for each in wrong) or "in order",
        "next": next((each.remedy for each in wrong), ""),
        "days_left": facts["days_left"],
        "pending": len(facts["pending"]),
        "others": len(facts["others"]),
    }


def _teller(task: Task) -> Callable[[Progress], None]:
    """Tells the client how far this tenant is, where anybody listens."""
    from distributed import get_worker

    worker = get_worker()

    def tell(news: Progress) -> None:
        label = "reading the tenant" if news.state == "planning" else news.label
        told = asdict(news)
        worker.log_event(TOPIC, {"tenant_id": task.tenant_id, "worker": worker.address, "label": label, **told})

    return tell
