"""What a notebook works with: its choice, one look at the tenant without a record, and a record once it writes."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from runbook import catalog, sections, words
from runbook.catalog import scopes
from runbook.catalog.scopes import Scopes
from runbook.clients import http
from runbook.clients.settle import Progress
from runbook.clients.target import Target
from runbook.errors import HandOver, Parked, RunbookError, SignInError, TransportError
from runbook.notebook.inputs import Inputs
from runbook.parameters import Parameters
from runbook.records import shelf
from runbook.records.journal import Journal, NullJournal
from runbook.runs.provenance import notebook_name
from runbook.runs.run import conclude, need_approval, new_run_id, opening
from runbook.secrets import Secret
from runbook.tenant.base import Context, HandsOver, Section, SectionResult, attended, open_context, run_section
from runbook.tenant.changes import Change, pending, plan_hash
from runbook.tenant.registration import signed_in, tenant
from runbook.tenant.rights import rights
from runbook.widgets.guide import Chapter, GuideList, Header, Place
from runbook.widgets.message import HandOverCard, Message
from runbook.widgets.one_time_page import SECONDS, offer
from runbook.widgets.panel import Panel
from runbook.widgets.plan_table import counts

UNANSWERED = (SignInError, TransportError)
"""After which nothing else is asked of the target."""
_WATCHED = 1.0  # seconds from which a wait is shown
PROOF = "verify_actions"
"""The section that changes nothing and still has to be carried out: it tries what the others prepared."""


class Stopped(Exception):
    """Ends the notebook in one line: the reason was shown above, and a stack would tell nobody anything."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class InputRefused(Stopped):
    """The parameters have mistakes; nothing was sent."""


class SectionFailed(Stopped):
    """The section failed."""


class SectionParked(Stopped):
    """The section waits for a person."""


class Workbench:
    """Opens the tenant when it is first looked at; closes everything when the notebook begins anew or ends."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.params = inputs.params
        self._stack = ExitStack()
        self._looking: Context | None = None
        self._journal: Journal | None = None
        self._own_record = False
        self._observed: Any = None  # the tenant's permissions, read once: each click plans against them anew
        self._states: dict[str, tuple[str, str]] = {}
        self.unanswered: RunbookError | None = None
        """Why the states of the steps could not be asked for."""
        self._parked: int | None = None
        self.chosen = inputs.chosen
        """Whether the parameters file holds a choice of actions."""
        self.watcher: Callable[[str, Context | None], None] = self._show_wait
        """Who shows what is waited for, told in words about once a second."""
        self._wait_id = ""
        self.shows_code: Callable[[HandOver], None] = self._show_code
        """Who shows a code to sign in with."""
        self._code_id = ""
        http.listeners[:] = [lambda text: self.watcher(text, self._looking)]

    def close(self) -> None:
        """Close clients, and the target with them."""
        self._looking = None
        self._stack.close()

    @property
    def apply_allowed(self) -> bool:
        """Whether a plan is applied where nobody is there to press a button."""
        return self._look().target.rehearsal if self.params.apply is None else self.params.apply

    @property
    def scopes(self) -> Scopes:
        """The permissions of the choice."""
        return scopes.compute(self.params.actions, self.params.permission_types, self.params.permission_source)

    def choose(self, params: Parameters) -> None:
        """Go on with another choice on the same tenant."""
        self.params, self.chosen = params, True
        if self._looking is not None:
            self._looking.params = params
            self._looking.scopes = self.scopes

    def plan(self, section: Section) -> Sequence[Change]:
        """What the section would change now."""
        ctx = self._look()
        ctx.snapshot.forget()
        with ctx.journal.section(section.NAME):
            return section.plan(ctx, section.read(ctx))

    def preview(self) -> Sequence[Change]:
        """What the present choice of actions would change among the permissions (section 4)."""
        section, ctx = sections.section("api_permissions"), self._look()
        if self._observed is None:
            with ctx.journal.section(section.NAME):
                self._observed = section.read(ctx)
        return section.plan(ctx, self._observed)

    def run(self, section: Section, besides: Mapping[str, Any], *, apply: bool, play: bool = False) -> SectionResult:
        """Read, plan, apply if that is meant, read back. A record is kept, except where nothing is to be applied.

        ``besides``: what the record says more at its beginning. ``play``: let the rehearsal's attendant act for the
        person of a hand-over.
        """
        if not apply or self.inputs.record is not None:
            return run_section(self._look(), section, apply=apply, shown=not self.inputs.attended)
        self._journal = self._new_record(section, besides)
        self._own_record = True
        person = self._to_the_person if self.inputs.attended and not play else None
        with open_context(self.params, self._journal, person, self._look().administrator) as ctx:
            self._watch(ctx)
            if not self.inputs.attended:
                ctx.asks = partial(need_approval, ctx)
            return run_section(ctx, section, apply=True)

    def finish(self, section: Section, result: SectionResult | None, error: RunbookError | None) -> None:
        """Close the record of this notebook, if it keeps one of its own; say in a run's record why nothing was run."""
        if self._own_record and self._journal is not None:
            conclude(self._journal, {"verdict": result.verdict if result else "incomplete"})
            self._own_record = False
        elif self.inputs.record is not None and result is None and error is not None:
            verdict = "parked" if isinstance(error, Parked) else "failed"
            data = {"section": section.NAME, "verdict": verdict, "error": str(error), "next_step": error.next_step}
            Journal.open(self.inputs.record).event("section.finished", **data)

    @property
    def can_play(self) -> bool:
        """Whether the target can play the person of a hand-over."""
        return self._look().target.attend is not None

    @property
    def confirmed_by(self) -> tuple[str, str]:
        """The target in words, and what is typed before something there is removed; nothing in a rehearsal."""
        ctx = self._look()
        return ctx.target.description, "" if ctx.target.rehearsal else tenant(ctx).split(", ")[0]

    def secret_page(self, reference: str) -> str:
        """Offer the secret behind ``reference`` on a page that shows it once; says where."""
        store = self._look().store
        return _page(lambda: {"Client secret": store.get(reference)})

    def passwords_page(self) -> str:
        """Offer the passwords with which one acts by hand in a rehearsal, likewise."""
        return _page(self._look().target.passwords)

    @property
    def record(self) -> Path | None:
        """The record that this notebook keeps, or that of the run; None while there is none."""
        return self.inputs.record or (self._journal.folder if self._journal else None)

    def header(self, number: int | None, title: str = "", *, parked: bool = False, anew: bool = False) -> Panel:
        """Who and where; with a person there also the state of every step, asked ``anew`` after something was done.

        ``number``: the step of the guide, 0 on its front page, None for an operation beside it. ``parked``: it waits.
        """
        ctx = self._look()
        self._parked = number if parked else None
        if anew:
            self._states.clear()
        if number == 0 or (number and self.inputs.attended):
            self._ask_states()
        place = Place(
            steps=self._chapters() if number is not None else (),
            current=number or 0,
            target=ctx.target.description,
            tenant=ctx.target.tenant_id if self.unanswered else tenant(ctx),
            signed_in=f"nobody: {self.unanswered.what}" if self.unanswered else signed_in(ctx),
            rehearsal=ctx.target.rehearsal,
            choice=self._choice if number is not None else "",
        )
        if self._code_id:
            Message("Signed in", "good", place.signed_in).display(self._code_id, again=True)
            self._code_id = ""
        return Header(place, title)

    @property
    def _choice(self) -> str:
        if self.chosen:
            return f"{len(self.params.actions)} chosen"
        return f"nothing is chosen in {self.inputs.file}: the {len(self.params.actions)} default ones count"

    def guide(self) -> Panel:
        """The eight steps with their state and notebook."""
        self._ask_states()
        missing = [why for state, why in self._states.values() if state == "unknown"]
        undone = {name for name, (state, _) in self._states.items() if state != "done"}
        for each in () if self.unanswered else rights(self._look(), undone):
            if not each["may"] and each["without"] != "not tried":
                missing.append(f"This sign-in may not {each['what']}. Who may: {each['who']}.")
        return GuideList(self._chapters(), [*dict.fromkeys(missing)])

    def _chapters(self) -> tuple[Chapter, ...]:
        first = self._first
        chapters = []
        for each in sections.SECTIONS:
            state, why = self._states.get(each.NAME, ("", ""))
            if each.NUMBER == 1 and state and not self.chosen:
                state, why = "open", f"nothing is chosen in {self.inputs.file} yet"
            state = "next" if state == "open" and first == each.NAME else state
            state = "parked" if state in ("open", "next") and self._parked == each.NUMBER else state
            chapters.append(Chapter(each.NUMBER, each.TITLE, state, why, notebook_name(each.NAME)))
        return tuple(chapters)

    def next_notebook(self) -> str:
        """The notebook of the first step that is not done; empty when all are."""
        self._ask_states()
        return notebook_name(self._first) if self._first else ""

    @property
    def _first(self) -> str:
        """The first step that is not done."""
        undone = [name for name, (state, _) in self._states.items() if state != "done"]
        return sections.NAMES[0] if self._states and not self.chosen else next(iter(undone), "")

    def following(self, number: int | None) -> str:
        """What to do after this step has passed."""
        if number is None:
            return "nothing."
        if number == len(sections.NAMES):
            return "nothing; the connection is proven."
        return f"open {notebook_name(sections.NAMES[number])}."

    def _look(self) -> Context:
        """The tenant, opened once; in a run its reads are in the run's journal."""
        if self._looking is None:
            journal = Journal.open(self.inputs.record) if self.inputs.record else None
            person = self._to_the_person if self.inputs.attended else None
            self._looking = self._stack.enter_context(open_context(self.params, journal, person))
            self._watch(self._looking)
        return self._looking

    def _watch(self, ctx: Context) -> None:
        others = ctx.graph.progress

        def tell(news: Progress) -> None:
            if others is not None:
                others(news)
            if news.waited >= _WATCHED or ctx.tried:
                limit = f" of {news.deadline:.0f}" if news.deadline else ""
                seen = f"seen {news.seen} of {news.wanted}, {news.waited:.0f}{limit} s"
                self.watcher(f"waiting until {news.awaited}: {seen}", ctx)

        ctx.graph.progress = tell

    def _show_wait(self, text: str, _ctx: Context | None) -> None:
        """One line in the cell that runs; each line takes the place of the one before, so that the last one stays."""
        begun, self._wait_id = bool(self._wait_id), self._wait_id or uuid4().hex
        Message("Waited", "none", text).display(self._wait_id, again=begun, wait=text)

    def _show_code(self, item: HandOver) -> None:
        """In the cell that runs, until somebody is signed in."""
        self._code_id = uuid4().hex
        HandOverCard(item).display(self._code_id)

    def _new_record(self, section: Section, besides: Mapping[str, Any]) -> Journal:
        hashed = plan_hash(self._look().target.tenant_id, {section.NAME: self.plan(section)})
        begun = {**opening(self._look(), [] if besides else [section], hashed), **besides}
        return Journal.create(self.inputs.home / self.params.records, new_run_id(), **begun)

    def _to_the_person(self, target: Target, journal: Journal | NullJournal) -> HandsOver:
        """Where a person is there, the person acts; only a sign-in by code is played in a rehearsal."""
        return attended(target, journal, lambda item: self.shows_code(item), by_hand=True)

    def _ask_states(self) -> None:
        if self._states:
            return
        ctx, self.unanswered = self._look(), None
        ctx.snapshot.forget()
        for section in sections.SECTIONS:
            try:
                with ctx.journal.section(section.NAME):
                    changes = section.plan(ctx, section.read(ctx))
            except Parked as error:
                self._states[section.NAME] = ("parked", error.hand_over.title)
            except RunbookError as error:
                self._states[section.NAME] = ("unknown", f"{error.what} Next: {error.next_step}")
                if isinstance(error, UNANSWERED):  # nor would it answer the others
                    self.unanswered = error
                    self._states = dict.fromkeys(sections.NAMES, self._states[section.NAME])
                    return
            else:
                self._states[section.NAME] = _state_of(changes)
        self._states[PROOF] = self._proof(ctx)

    def _proof(self, ctx: Context) -> tuple[str, str]:
        """Proven is what a record that holds proves of the present choice, while nothing else is to be done."""
        found = shelf.last_proof(self.inputs.home / self.params.records, ctx.target.tenant_id, self.params.unique_name)
        if found is None:
            return "open", "no record of a proof yet"
        last, passed = found
        said = f"{last.proven} of {words.plural(last.actions, 'action')} proven, {last.finished_at}, {last.folder}"
        chosen = {catalog.action(slug).name for slug in self.params.actions}
        others = {state for name, (state, _) in self._states.items() if name != PROOF}
        return ("done" if self.chosen and last.holds and chosen == passed and others == {"done"} else "open"), said


def _page(fetch: Callable[[], Mapping[str, Secret]]) -> str:
    return f"Open {offer(fetch)} within {SECONDS / 60:.0f} minutes; it works once."


def _state_of(changes: Sequence[Change]) -> tuple[str, str]:
    waiting = pending(changes)
    asked = next((change.note for change in waiting if change.asked), "")
    return ("parked", asked) if asked else ("open", f"to do: {counts(waiting)}") if waiting else ("done", "as wanted")
