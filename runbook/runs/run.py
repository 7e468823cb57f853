"""A run: the notebooks of the chosen sections in order, one record; and a plan, which is the same without writing."""

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from runbook import run_socket, whole, words
from runbook.catalog import explain
from runbook.errors import HandOver, Interrupted, Parked, RecordError, SecretStoreError
from runbook.operations import section
from runbook.parameters import Parameters, save
from runbook.records import manifest, redaction, report, summary
from runbook.records.journal import Journal, read
from runbook.runs.engine import Execution, execute, kernels, prepare
from runbook.runs.provenance import actor, notebook, notebook_name, notebook_origin, tool
from runbook.runs.stopping import STOP
from runbook.secrets import Secret
from runbook.secrets.hashicorp_vault import VAULT_TOKEN
from runbook.secrets.key_vault import AZURE_CLIENT_SECRET
from runbook.secrets.stores import SecretStore, open_store
from runbook.sections import NAMES
from runbook.tenant import others
from runbook.tenant.base import Attends, Context, Section, check_approved, open_context, plan_sections
from runbook.tenant.changes import Change, pending, plan_hash
from runbook.tenant.others import Other
from runbook.tenant.registration import signed_in, tenant
from runbook.tenant.rights import rights

_PARAMETERS, _SIGNING_KEY = "parameters.json", "signing-key"
_ALL = (1, len(NAMES))
Span = tuple[int, int] | str
"""Sections of the guide by the first and the last number, or one operation by its name."""
_EXIT_CODES: Mapping[str, int] = {"passed": 0, "failed": 1, "incomplete": 1, "parked": 3}


@dataclass(frozen=True)
class PlanReport:
    """What a run would change, by section in the guide's order, with the hash of exactly this plan.

    ``tenant`` and ``signed_in`` in words; ``rights``: what the caller may do of it, and who must do the rest;
    ``price``: what application permissions would let the holder of the client secret do; ``others``: what others made
    on the application, of a plan that nobody is about to carry out.
    """

    plan_hash: str
    changes: Mapping[str, list[Change]]
    titles: Mapping[str, str]
    target: str
    tenant_id: str
    rehearsal: bool
    tenant: str
    signed_in: str
    rights: list[dict[str, Any]]
    price: str = ""
    others: list[Other] = field(default_factory=list)

    @property
    def pending(self) -> int:
        """How many changes a run would make."""
        return sum(change.kind != "same" for changes in self.changes.values() for change in changes)


@dataclass(frozen=True)
class Progress:
    """News of a run: ``state`` is ``planning``, ``started``, ``waiting`` (for ``done``), ``stopping``, ``finished``."""

    state: str
    number: int = 0
    name: str = ""
    title: str = ""
    verdict: str = ""
    seconds: float = 0.0
    done: str = ""

    @property
    def label(self) -> str:
        """Number and title; an operation has no number."""
        return f"{self.number}  {self.title}" if self.number else self.title


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended. ``summary`` is ``summary.json``; ``error`` and ``hand_over`` say why it stopped."""

    exit_code: int
    summary: dict[str, Any]
    record_dir: Path
    error: str = ""
    next_step: str = ""
    hand_over: HandOver | None = None


def new_run_id() -> str:
    """A run id that sorts by time (UTC, to the millisecond) and is unique."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"


def plan(params: Parameters, sections: Span = _ALL, person: Attends | None = None) -> PlanReport:
    """Read the tenant and say what a run would change; writes nothing.

    ``person``: as for :func:`run`. Raises :class:`RunbookError` when the tenant cannot be read.
    """

    with open_context(params, hand_over=person) as ctx:
        return replace(_plan(ctx, _chosen(sections)), others=others.found(ctx))


def run(
    params: Parameters,
    sections: Span = _ALL,
    records: Path = Path("records"),
    progress: Callable[[Progress], None] | None = None,
    person: Attends | None = None,
    confirm: Callable[[PlanReport, bool], bool] | None = None,
) -> RunOutcome:
    """Execute the notebooks of ``sections`` and leave a record in ``records``.

    The same choice on an unchanged tenant writes nothing in sections 1 to 6. Stops at the first section that failed
    or parked. ``person(target, journal)`` gives the way to hand over while the run itself signs in; default: it parks.
    On a real tenant nothing is written that was not approved: by its hash, by the kinds of its changes (``unasked``),
    or by ``confirm(plan, needed)``, which shows the plan and may ask a person; else it raises :class:`Parked`.
    Raises :class:`RecordError` when the record cannot be written and :class:`Interrupted` on SIGINT or
    SIGTERM; the record then has no closing event and counts as incomplete.
    """

    tell = progress or (lambda _news: None)
    chosen = _chosen(sections)
    # Papermill and what kernels need take seconds to import; that goes on while the tenant is read.
    threading.Thread(target=prepare, args=(params.engine == "warm",), daemon=True).start()
    with STOP.by_signals(lambda: tell(Progress("stopping"))), open_context(params, hand_over=person) as ctx:
        tell(Progress("planning"))
        report = _plan(ctx, chosen)
        if not report.rehearsal:
            _ask(ctx, report, confirm)
        check_approved(ctx, report.changes)
        about = opening(ctx, chosen, report.plan_hash)
        STOP.recorded = STOP.over = True  # until what is begun would be closed as well
        journal = Journal.create(records, new_run_id(), **about)
        ctx.administrator.record(journal)
        asked, ca_file = ctx.administrator, ctx.target.endpoints.ca_file
        answers: run_socket.Answers = {"token": asked.obtain, "discovery": asked.discovery}
        answers = {**answers, "secret": partial(_of_environment, params), "published": lambda: ctx.snapshot.held}
        with _room_for(journal), run_socket.offered(answers, trusted=ca_file) as way:
            save(ctx.params, journal.folder / _PARAMETERS)
            try:
                last = _sections(journal, chosen, tell, {**way, **_keyring()}, warm=params.engine == "warm")
            except RecordError:
                conclude(journal, {"verdict": "failed"})
                raise
            except KeyboardInterrupt:
                last = {"verdict": "incomplete"}
            outcome = conclude(journal, last)
            if STOP.asked:
                left = outcome.summary["left_behind"]
                said = f" {words.left_behind(left)}" if left else ""
                verdict = outcome.summary["verdict"]
                raise Interrupted.named("stopped", record=journal.folder, verdict=verdict, left=said)
            return _with_link(outcome, ctx.store)


def _chosen(span: Span) -> list[Section]:
    names = (span,) if isinstance(span, str) else NAMES[span[0] - 1 : span[1]]
    return [section(name) for name in names]


def _plan(ctx: Context, chosen: list[Section]) -> PlanReport:

    changes = plan_sections(ctx, chosen)
    return PlanReport(
        plan_hash=plan_hash(ctx.target.tenant_id, changes),
        changes=changes,
        titles={each.NAME: each.TITLE for each in chosen},
        target=ctx.target.description,
        tenant_id=ctx.target.tenant_id,
        rehearsal=ctx.target.rehearsal,
        tenant=tenant(ctx),
        signed_in=signed_in(ctx),
        rights=rights(ctx, {name for name, of_section in changes.items() if pending(of_section)}),
        price=explain.price(ctx.scopes),
    )


def _ask(ctx: Context, report: PlanReport, confirm: Callable[[PlanReport, bool], bool] | None) -> None:
    needed = _to_approve(ctx, report.changes)
    if not (confirm(report, needed) if confirm else not needed):
        raise _unapproved(report.tenant, report.plan_hash)
    if needed:
        ctx.params = ctx.params.model_copy(update={"approve": report.plan_hash})


def need_approval(ctx: Context, plan: Mapping[str, Sequence[Change]]) -> None:
    """Raise :class:`Parked` where a notebook by itself would write to a real tenant what a run would ask for."""
    if not ctx.target.rehearsal and _to_approve(ctx, plan):
        raise _unapproved(tenant(ctx), plan_hash(ctx.target.tenant_id, plan))


def _to_approve(ctx: Context, plan: Mapping[str, Sequence[Change]]) -> bool:
    writing = [each for name, of in plan.items() if name != NAMES[-1] for each in pending(of)]
    allowed = {*ctx.params.unasked, "unknown"} if "changed" in ctx.params.unasked else set(ctx.params.unasked)
    asked = any(each.others or each.kind not in allowed for each in writing)
    return asked and ctx.params.approve != plan_hash(ctx.target.tenant_id, plan)


def _unapproved(name: str, hashed: str) -> Parked:
    parked = Parked(HandOver.named("approval", {"tenant": name}, url=""))
    given = f"--approve {hashed} (a notebook by itself: approve: {hashed})"
    parked.next_step = f"read the plan; to carry out exactly this one, run again with {given}."
    return parked


def opening(ctx: Context, chosen: list[Section], plan_hash: str) -> dict[str, Any]:
    """The data of ``run.started``. Raises :class:`SecretStoreError` if the key that is to sign cannot be had."""

    parameters = ctx.params.model_dump(mode="json")
    if not parameters["signing_key_ref"]:
        parameters["signing_key_ref"] = _own_key(ctx.store)
    _signing_key(parameters)
    return {
        "target": ctx.target.name,
        "tenant_id": ctx.target.tenant_id,
        "parameters": parameters,
        "plan_hash": plan_hash,
        "sections": [
            {"name": each.NAME, "title": each.TITLE, **notebook_origin(notebook_name(each.NAME))} for each in chosen
        ],
        "actor": actor(ctx.administrator.identity, ctx.target.client_id),
        "tool": tool(),
        "known": {**asdict(ctx.known), "tenant": tenant(ctx)},
    }


def _of_environment(params: Parameters, name: str) -> dict[str, str]:
    """A secret that the choice names, or what opens a vault that it names; kernels have no variables with secrets."""
    told = [str(value) for value in params.model_dump().values()]
    vault = {VAULT_TOKEN: "vault:", AZURE_CLIENT_SECRET: "azure-key-vault:"}.get(name, f"env:{name}")
    named = f"env:{name}" in told or any(value.startswith(vault) for value in told)
    return {"value": os.environ.get(name, "") if named else ""}


def _keyring() -> dict[str, str]:
    from runbook.secrets.keyring_backend import chosen

    return chosen()


def _sections(
    journal: Journal, chosen: list[Section], tell: Callable[[Progress], None], way: Mapping[str, str], *, warm: bool
) -> Mapping[str, Any]:
    """Execute one notebook after the other until one does not pass; how the last one ended.

    ``way``: the variables by which their kernels find the run's sign-in.
    """

    choice = {"parameters_file": str(journal.folder / _PARAMETERS), "record": str(journal.folder)}
    STOP.over = False
    with closing(kernels(way, warm=warm, count=len(chosen))) as given:
        for each in chosen:
            if STOP.asked:
                raise KeyboardInterrupt
            tell(Progress("started", each.NUMBER, each.NAME, each.TITLE))
            begun = time.monotonic()
            source = notebook(each.NAME)
            execution = execute(source, journal.folder / source.name, choice, partial(_waits, tell, each), given)
            finished = _finished(journal, each, execution)
            STOP.over = each is chosen[-1]  # before anybody hears of it
            tell(_news(each, finished, time.monotonic() - begun))
            if finished["verdict"] != "passed":
                if STOP.asked:
                    raise KeyboardInterrupt
                break
    STOP.over = True
    return finished


def _waits(tell: Callable[[Progress], None], each: Section, text: str) -> None:
    tell(Progress("waiting", each.NUMBER, each.NAME, each.TITLE, done=text))


def _finished(journal: Journal, each: Section, execution: Execution) -> dict[str, Any]:
    """What the journal says of the section: neither papermill's stamps nor a notebook's outputs are believed."""

    events = read(journal.path)
    found = next(one for one in summary.fold(events)["sections"] if one["name"] == each.NAME)
    for event in reversed(events):
        if event["event"] == "section.finished" and event["section"] == each.NAME:
            return {**event, **found}
    raised = f": {execution.error}: {execution.message}" if execution.error else "."
    said = f"{each.TITLE} did not come to an end{': its kernel died' if execution.died else raised}"
    return {**found, "verdict": "incomplete", "error": said, "next_step": "run the same command again."}


def _news(each: Section, finished: Mapping[str, Any], seconds: float) -> Progress:
    verdict, done = str(finished["verdict"]), words.done(finished)
    return Progress("finished", each.NUMBER, each.NAME, each.TITLE, verdict, seconds, done)


def conclude(journal: Journal, last: Mapping[str, Any]) -> RunOutcome:
    """Close the journal, unless its last section did not come to an end, and write what is folded from it.

    ``last`` says how that section ended: ``verdict``, and ``error`` and ``next_step`` if there are.
    """

    if last["verdict"] != "incomplete":
        journal.event("run.finished", verdict=last["verdict"])
    events = read(journal.path)
    summary = publish(journal.folder)
    stopped = summary["verdict"] != "passed"
    parked = last["verdict"] == "parked"
    return RunOutcome(
        exit_code=_EXIT_CODES[str(summary["verdict"])],
        summary=summary,
        record_dir=journal.folder,
        error=str(last.get("error") or "") if stopped else "",
        next_step=str(last.get("next_step") or ""),
        hand_over=next(map(_asked, (e for e in reversed(events) if e["event"] == "hand_over")), None)
        if parked
        else None,
    )


def _asked(event: Mapping[str, Any]) -> HandOver:
    return HandOver(**{each.name: event[each.name] for each in fields(HandOver)})


def _with_link(outcome: RunOutcome, store: SecretStore) -> RunOutcome:
    """With the link to which the record only refers."""
    item = outcome.hand_over
    if item is None or not item.kept:
        return outcome
    return replace(outcome, hand_over=replace(item, url=store.get(item.kept).reveal()))


@contextmanager
def _room_for(journal: Journal) -> Iterator[None]:
    """A file of the record that cannot be written ends the run in words; what can still be published is."""

    try:
        yield
    except OSError as error:
        with suppress(RecordError, OSError):
            publish(journal.folder)
        raise RecordError.named("record_unwritable", record=journal.folder, reason=error.strerror or error) from None


def publish(folder: Path) -> dict[str, Any]:
    """Write summary, report and manifest of the record in ``folder``; the summary is returned.

    The manifest is signed with the key that the run began with; its public half lies beside the folder of the records,
    as ``<its name>.signing-key.pem``, or in it where there is no writing beside it. Raises :class:`RecordError` or
    ``OSError`` when something cannot be written, :class:`SecretStoreError` when the key cannot be read any more.
    """
    events = read(folder)
    folded = summary.fold(events)
    summary.write(folder, folded)
    report.write(folder)
    if (key := _signing_key(events[0].get("parameters") or {})) is not None:
        public, records = manifest.public_key(key).encode(), Path(os.path.normpath(folder.absolute())).parent
        try:
            whole.write(records.with_name(f"{records.name}.{_SIGNING_KEY}.pem"), public)
        except (OSError, ValueError):  # ``/`` has no name, and nothing lies beside it
            whole.write(records / f"{_SIGNING_KEY}.pem", public)
    manifest.seal(folder, key)
    return folded


def _own_key(store: SecretStore) -> str:
    """The reference of this store's own signing key, made on first use; empty where the store takes none."""
    reference = store.reference(f"records/{_SIGNING_KEY}")
    try:
        return reference if store.has(reference) else store.put(f"records/{_SIGNING_KEY}", manifest.new_key())
    except SecretStoreError:
        return ""  # such a record is called unsigned, and a run that keeps no secret needs no store


def _signing_key(parameters: Mapping[str, Any]) -> Secret | None:
    """The Ed25519 key that records are to be signed with, or None if they are not.

    Raises :class:`SecretStoreError` if it is not in the store or is no such key.
    """
    reference = parameters.get("signing_key_ref")
    if not reference:
        return None
    key = open_store(parameters["secret_store"]).get(reference)
    redaction.register(key, *(line for line in key.reveal().splitlines() if not line.startswith("-----")))
    manifest.public_key(key)  # refuses what is not a key
    return key
