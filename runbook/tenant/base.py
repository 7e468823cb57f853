"""What every section shares: a plan of changes, a context, evidence, and the one way to run a section.

A section is a module with ``NAME``, ``NUMBER``, ``TITLE``, ``SUMMARY``, ``PORTAL`` (its texts) and four functions::

    read(ctx) -> observed              asks, never writes
    plan(ctx, observed) -> changes     pure: what is, what is wanted, and the difference
    apply(ctx, changes) -> None        makes the pending changes; what it did is told by its writes in the journal
    verify(ctx) -> Evidence            reads back, several times in a row where Entra ID is eventually consistent
"""

import functools
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import filelock
import platformdirs

from runbook import catalog
from runbook.catalog.scopes import Scopes
from runbook.clients import settle
from runbook.clients.answers import SKEW_SECONDS
from runbook.clients.entra import Administrator, with_id
from runbook.clients.graph import GraphClient
from runbook.clients.stackone import StackOneClient
from runbook.clients.target import Target, open_target
from runbook.errors import HandOver, NotSettled, Parked, PlanRefused, RunbookError
from runbook.parameters import Parameters
from runbook.records.journal import Journal, NullJournal, read
from runbook.records.redaction import scrub_logs
from runbook.records.summary import Done
from runbook.secrets.stores import SecretStore, open_store
from runbook.tenant.changes import Change, Evidence, pending, plan_hash, row
from runbook.tenant.snapshot import Known, Snapshot

T = TypeVar("T")
_TELL_EVERY = 2.0  # seconds

HandsOver = Callable[[HandOver], None]
Attends = Callable[[Target, "Journal | NullJournal"], HandsOver]
Verdict = Literal["passed", "failed", "parked", "planned"]


@dataclass
class Context:
    """What a section works with: clients, not settings for clients. ``tried`` holds what section 8 found so far.

    ``applying`` is set while a section runs with leave to write: proofs that write wait for it. ``known`` is what this
    run made or saw before.
    """

    params: Parameters
    target: Target
    graph: GraphClient
    stackone: StackOneClient
    administrator: Administrator
    store: SecretStore
    journal: Journal | NullJournal
    hand_over: Callable[[HandOver], None]
    scopes: Scopes
    tried: list[dict[str, Any]] = field(default_factory=list)
    applying: bool = False
    asks: Callable[[Mapping[str, Sequence[Change]]], None] = lambda _plan: None
    known: Known = field(default_factory=Known)

    @functools.cached_property
    def snapshot(self) -> Snapshot:
        """What the tenant and StackOne said since the last write; sections read through it."""
        return Snapshot(self.graph, self.stackone)

    def until(
        self,
        check: Callable[[], T | None],
        describe: str,
        *,
        deadline: float | None = None,
        sightings: int | None = None,
    ) -> T:
        """Wait until ``check`` gives a truthy value several times in a row; each time the tenant is read anew.

        ``describe`` completes "waiting until …". Raises :class:`NotSettled` after ``deadline`` s.
        """

        def look() -> T | None:
            with self.snapshot.anew():
                return check()

        pace, progress = self.graph.pace, self.graph.progress
        return settle.until(
            look, pace=pace, progress=progress, describe=describe, deadline=deadline, sightings=sightings
        )

    def past_lag(self, look: Callable[[], T], late: Callable[[T], bool], describe: str) -> T:
        """What ``look`` sees. What may be a late replica's is looked at again for a while, until it is not ``late``."""
        seen = look()
        if late(seen) and not self.snapshot.looking:
            lag = self.graph.pace.lag
            with suppress(NotSettled):
                return self.until(lambda: None if late(new := look()) else new, describe, deadline=lag, sightings=1)
        return seen

    def read_back(self, check: Callable[[], T | None], describe: str) -> T:
        """:meth:`until` after a section's writes; without a write, what was read for its plan is the reading back."""
        if not self.snapshot.wrote and (value := check()):
            return value
        return self.until(check, describe)

    @property
    def allow_writes(self) -> bool:
        """Whether probes may create and delete disposable objects: by default in a rehearsal only."""
        return self.target.rehearsal if self.params.allow_writes is None else self.params.allow_writes


class Section(Protocol):
    """The shape of a section module."""

    NAME: str
    NUMBER: int
    TITLE: str
    SUMMARY: str
    PORTAL: str

    def read(self, ctx: Context, /) -> Any: ...

    def plan(self, ctx: Context, observed: Any, /) -> list[Change]: ...

    def apply(self, ctx: Context, changes: Sequence[Change], /) -> None: ...

    def verify(self, ctx: Context, /) -> Evidence: ...


@dataclass(frozen=True)
class SectionResult:
    """How one section ended. ``error`` is set for ``failed``, ``hand_over`` for ``parked`` where a person must act.

    ``done``: what its writes did, whatever became of it: ``{"created": {"application": 1}}``. ``calls``: its latest.
    """

    section: str
    number: int
    title: str
    verdict: Verdict
    changes: list[Change]
    evidence: Evidence | None = None
    error: RunbookError | None = None
    hand_over: HandOver | None = None
    done: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unchanged: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    next_step: str = ""
    calls: Sequence[Mapping[str, Any]] = ()


def plan_sections(ctx: Context, sections: Iterable[Section]) -> dict[str, list[Change]]:
    """Read and plan, section by section; writes nothing and works on an empty tenant."""
    ctx.snapshot.forget()
    return {section.NAME: section.plan(ctx, section.read(ctx)) for section in sections}


def run_section(ctx: Context, section: Section, *, apply: bool, shown: bool = False) -> SectionResult:
    """Read, plan, apply if allowed and needed, read back; every step is in the journal before the next begins.

    ``shown``: the plan was shown a moment ago, and what was read for it still counts while it is young.
    A :class:`RunbookError` ends the section as ``failed`` and a missing person as ``parked``; both are returned, not
    raised. Anything else is a defect: it is recorded as failed and raised.
    """
    ctx.journal.done, ctx.applying = Done(), apply
    ctx.journal.calls.clear()
    about = {"title": section.TITLE, "about": section.SUMMARY, "portal": section.PORTAL}
    ctx.journal.event("section.started", section=section.NAME, notebook=_notebook(section), **about)
    changes: list[Change] = []
    evidence: Evidence | None = None
    failure: BaseException | None = None
    begun = time.monotonic()
    try:
        with _turn(ctx) if apply else nullcontext(), _told(ctx):
            if not shown or time.monotonic() - begun > 1:  # another run was at work meanwhile
                ctx.snapshot.forget()
            changes = section.plan(ctx, section.read(ctx))
            ctx.journal.event("section.plan", section=section.NAME, changes=[change.shown() for change in changes])
            if apply and pending(changes):
                ctx.asks({section.NAME: changes})
                check_approved(ctx, {section.NAME: changes})
                section.apply(ctx, changes)
            if apply or not pending(changes):
                evidence = section.verify(ctx)
                _note_clocks(ctx, evidence)
                ctx.journal.event("section.evidence", section=section.NAME, rows=evidence.rows, notes=evidence.notes)
    except RunbookError as error:
        failure = error
    except Exception as error:
        _finish(ctx, section, changes, evidence, error)
        raise
    return _finish(ctx, section, changes, evidence, failure)


def check_approved(ctx: Context, plan: Mapping[str, Sequence[Change]]) -> None:
    """Raise :class:`PlanRefused` where a plan changes what others made or did, and exactly this was not approved.

    The parameter ``approve`` holds the hash of a whole plan: of a run, which notes what that approves section by
    section before its first write (:attr:`Known.approved`), or of one section by itself.
    """
    touched = {name: [change for change in pending(changes) if change.others] for name, changes in plan.items()}
    hash_of = functools.partial(plan_hash, ctx.target.tenant_id)
    hashes = {name: hash_of({name: changes}) for name, changes in touched.items() if changes}
    if ctx.params.approve == hash_of(plan):
        ctx.known.approved = hashes
    elif any(ctx.known.approved.get(name) != approved for name, approved in hashes.items()):
        listed = "; ".join(f"{each.what}: {each.now} -> {each.wanted}" for of in touched.values() for each in of)
        raise PlanRefused.named("not_approved", changes=listed, plan_hash=hash_of(plan))


def _note_clocks(ctx: Context, evidence: Evidence) -> None:
    """How far the services' clocks are from this machine's; explained where it is more than Entra ID tolerates."""
    sessions = (ctx.graph.session, ctx.stackone.session)
    offsets = {each.service: round(each.clock_offset) for each in sessions if each.clock_offset is not None}
    evidence.facts["clock_offsets"] = offsets
    for service, seconds in offsets.items():
        if abs(seconds) > SKEW_SECONDS:
            off = RunbookError.named("clock_off", service=service, seconds=seconds)
            evidence.notes.append(f"{off.what} {off.next_step}")
            evidence.rows.append(row(f"clock of {service}", f"{seconds:+d} s", "Date of its answers"))


@contextmanager
def _told(ctx: Context) -> Iterator[None]:
    """Waits of more than a second are in the journal too, so that another process can show them."""
    before, last = ctx.graph.progress, -_TELL_EVERY

    def tell(progress: settle.Progress) -> None:
        nonlocal last
        if before is not None:
            before(progress)
        if progress.waited >= 1 and time.monotonic() - last >= _TELL_EVERY:
            last = time.monotonic()
            ctx.journal.event("waiting", **asdict(progress))

    ctx.graph.progress = tell
    try:
        yield
    finally:
        ctx.graph.progress = before


@contextmanager
def _turn(ctx: Context) -> Iterator[None]:
    """Wait until no other section writes to this application from this machine, and keep others waiting meanwhile.

    Two runs of one application take turns, notebooks and operations included. The lock is the operating system's and
    goes with the process that holds it, however that ends. Two machines have no lock in common: there the unique name
    and looking before each create keep things from being made twice. Raises :class:`RunbookError` when the other has
    not ended after the target's patience.
    """
    ours, patience = ctx.params.unique_name, ctx.graph.pace.deadline
    place = (ctx.target.endpoints.graph, ctx.target.tenant_id, ours)
    name = hashlib.sha256("\n".join(place).encode()).hexdigest()[:16]
    folder = platformdirs.user_data_path("entra-id-runbook", appauthor=False) / "turns"
    lock = filelock.FileLock(folder / f"{name}.lock", timeout=patience, mode=0o600)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire()
    except filelock.Timeout:
        raise RunbookError.named("another_run", unique_name=ours, seconds=patience) from None
    except OSError:
        # Where nothing can be written (a read-only HOME) a lock is no reason not to run; who needs the disk says so.
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _notebook(section: Section) -> str:
    # An operation beside the guide has no number.
    return f"{section.NUMBER:02d}_{section.NAME}" if section.NUMBER else section.NAME


def _verdict(evidence: Evidence | None, failure: BaseException | None) -> Verdict:
    if isinstance(failure, Parked):
        return "parked"
    if failure is not None:
        return "failed"
    if evidence is None:
        return "planned"
    return "parked" if evidence.ok is None else ("passed" if evidence.ok else "failed")


def _finish(
    ctx: Context, section: Section, changes: list[Change], evidence: Evidence | None, failure: BaseException | None
) -> SectionResult:
    next_step = failure.next_step if isinstance(failure, RunbookError) else (evidence.next_step if evidence else "")
    result = SectionResult(
        section=section.NAME,
        number=section.NUMBER,
        title=section.TITLE,
        verdict=_verdict(evidence, failure),
        changes=changes,
        evidence=evidence,
        error=failure if isinstance(failure, RunbookError) and not isinstance(failure, Parked) else None,
        hand_over=failure.hand_over if isinstance(failure, Parked) else None,
        unchanged=sum(change.kind == "same" for change in changes),
        facts=evidence.facts if evidence else {},
        next_step=next_step,
        done=ctx.journal.done.words(),
        calls=[*ctx.journal.calls],
    )
    told = {name: getattr(result, name) for name in ("section", "verdict", "facts", "next_step")}
    error_text = None if result.error is None else str(result.error)
    ctx.journal.event("section.finished", **told, unchanged=result.unchanged, error=error_text)
    return result


def attended(
    target: Target, journal: Journal | NullJournal, show: HandsOver | None = None, *, by_hand: bool = False
) -> HandsOver:
    """How a run hands over: to the rehearsal's attendant, or by parking.

    ``show``: tells a person a code to sign in with; whoever asked for the code goes on asking whether it was entered.
    ``by_hand``: all but the sign-in is left to the person, also in a rehearsal.
    """

    def hand_over(item: HandOver) -> None:
        if show is not None and item.kind == "device_sign_in" and target.attend is None:
            show(item)
            return
        shown = asdict(item) | {"url": "" if item.kept else item.url, "steps": list(item.steps)}
        journal.event("hand_over", **shown)
        theirs = by_hand and item.kind != "device_sign_in"
        if theirs or target.attend is None or not target.attend(item):
            raise Parked(item)
        journal.event("hand_over.done", kind=item.kind)

    return hand_over


@contextmanager
def open_context(
    params: Parameters,
    journal: Journal | NullJournal | None = None,
    hand_over: Attends | None = None,
    like: Administrator | None = None,
) -> Iterator[Context]:
    """Open target, secret store and clients for ``params`` and close them again.

    ``hand_over(target, journal)`` gives the way to hand over where a person is at the screen; default :func:`attended`.
    ``like``: whose sign-in serves here too.

    Raises :class:`SecretStoreError`, :class:`SignInError` or :class:`TransportError` when they cannot be opened.
    """

    scrub_logs()
    record = NullJournal() if journal is None else journal
    store = open_store(params.secret_store)
    with ExitStack() as stack:
        target = with_id(stack.enter_context(open_target(params, store)), record)
        params = params.model_copy(update={"tenant_id": params.tenant_id and target.tenant_id})
        asks = (hand_over or attended)(target, record)
        administrator = Administrator(target, params, record, on_code=asks, like=like)
        stack.callback(administrator.close)
        yield Context(
            params=params,
            target=target,
            graph=stack.enter_context(GraphClient(target, administrator, record)),
            stackone=stack.enter_context(StackOneClient(target, record)),
            administrator=administrator,
            store=store,
            journal=record,
            hand_over=asks,
            scopes=catalog.compute(params.actions, params.permission_types, params.permission_source),
            known=Known.of(read(record.path)) if isinstance(record, Journal) else Known(),
        )
