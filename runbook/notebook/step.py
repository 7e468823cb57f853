"""What a notebook calls: ``step = notebook.open("redirect_uri", globals())``, then one method a cell.

``header``, ``choose``, ``plan``, ``apply``, ``result``, ``evidence`` and ``verdict`` each return something that shows
itself. Where a person is there, ``apply`` is a button and the cells below it fill after the click. Where nobody is, the
plan is applied at once if the parameters allow it, and a step that fails or parks shows why and stops the notebook.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from typing import Any

from runbook.errors import HandOver, Interrupted, Parked, RunbookError
from runbook.notebook import inputs
from runbook.notebook.bench import PROOF, UNANSWERED, SectionFailed, SectionParked, Workbench
from runbook.notebook.opening import Opened, begin
from runbook.notebook.subject import Guided, Subject, read_order
from runbook.operations import order as orders
from runbook.tenant.base import Context, SectionResult
from runbook.tenant.changes import Change
from runbook.widgets import message, states
from runbook.widgets.apply_button import ApplyButton, Offer, Question, Watch
from runbook.widgets.message import HandOverCard
from runbook.widgets.panel import Area, Panel, Several
from runbook.widgets.plan_table import PlanTable, counts
from runbook.widgets.states import ActionMatrix

_ASK_NO_MORE = (Interrupted, *UNANSWERED)
_LOOKS = 4.0  # seconds between two looks whether a person has acted


_step: Step | None = None
"""The one of this kernel: what is shown of it says nothing any more once the notebook is opened anew."""


def open(name: str, namespace: MutableMapping[str, Any]) -> Step:
    """Begin the notebook of a section or an operation with the parameters in its globals.

    Raises :class:`InputRefused`, after showing every mistake, before any request.
    """
    global _step
    if _step is not None:
        _step.close()
        _step = None
    if name == "run_action":
        bench, ordered = begin(
            namespace, orders.ARGUMENTS, lambda values: read_order(values, attended=inputs.somebody_there())
        )
        _step = Step(ordered, bench)
    else:
        bench, _ = begin(namespace, (), dict)
        _step = Step(Guided(name), bench)
    return _step


class Step(Opened):
    """One section or operation in its notebook."""

    def __init__(self, subject: Subject, bench: Workbench) -> None:
        self._subject, self._bench = subject, bench
        self._attended = bench.inputs.attended
        self._changes: Sequence[Change] = ()
        self._planned = False
        self._unanswered: RunbookError | None = None  # why nothing could be planned before this press
        self._agreed: frozenset[str] = frozenset()  # what a person agreed to have removed
        self._result: SectionResult | None = None
        self._error: RunbookError | None = None
        self._areas: dict[str, Area] = {}
        self._buttons: ApplyButton | None = None
        self._watch: Watch | None = None

    def close(self) -> None:
        """The notebook is opened anew: what it showed, and its buttons, belong to parameters of before."""
        for name in self._areas:
            self._show(name, states.closed())
        if self._buttons is not None:
            self._buttons.close()

    def header(self) -> Area:
        """Where one is in the guide, on which tenant, signed in as whom."""
        try:
            return self._place("header", self._shown_header())
        except RunbookError as error:
            self._error = error
            return self._place("header", message.failure(error))

    def _shown_header(self, *, anew: bool = False) -> Panel:
        about, waits = self._subject, self._asked is not None
        return self._bench.header(about.number, about.title, parked=waits, anew=anew)

    def choose(self) -> Panel:
        """The action picker (section 1) or the form of one action; where nobody is there, the choice as a table."""
        return self._subject.choose(self._bench, self._chosen)

    def plan(self) -> Area:
        """What is, what is wanted, and the difference; for section 1 also what the choice would change."""
        asked = self._attended and self._subject.by_hand
        return self._place("plan", self._subject.unplanned() if asked else self._shown_plan())

    def apply(self) -> Panel:
        """A button where a person is there; else the plan is applied now, if the parameters allow it."""
        if self._error is not None:
            return states.not_reached("Apply")
        if not self._attended:
            allowed = self._bench.apply_allowed
            self._run(apply=allowed or self._subject.reads)
            return states.applied(self._result, self._error, self._said(), allowed=allowed)
        if self._subject.looks:
            self._run(apply=False)
            return states.kept(self._bench.inputs.file)
        return self._by_hand()

    def result(self) -> Area:
        """What was answered: a list as a table, or one object; ``.panel.value`` is the DataFrame."""
        return self._place("result", self._subject.result())

    def evidence(self) -> Area:
        """What was read back after applying, and from where."""
        return self._place("evidence", self._shown_evidence())

    def verdict(self) -> Area:
        """One line: passed, failed, parked or planned, and the next thing to do.

        Where nobody is there, a failed step raises :class:`SectionFailed` and a parked one :class:`SectionParked`
        after the verdict has been shown.
        """
        area = self._place("verdict", self._shown_verdict())
        if self._attended:
            return area
        self._finish()
        verdict = self._result.verdict if self._result else "failed"
        if self._error is None and verdict in ("passed", "planned"):
            return area
        area.panel.display()
        reason = self._error.what if self._error else self._subject.title
        raise SectionParked(f"{reason}: a person must act") if verdict == "parked" else SectionFailed(reason)

    def _place(self, name: str, panel: Panel) -> Area:
        self._areas[name] = Area(panel)
        return self._areas[name]

    def _chosen(self) -> None:
        """The choice changed: what was planned and read before does not count any more, and the cells below follow."""
        self._planned, self._result, self._error, self._agreed = False, None, None, frozenset()
        asked = self._subject.by_hand
        self._show("plan", self._subject.unplanned() if asked else self._shown_plan())
        if self._subject.looks and "header" in self._areas:
            self._show("header", self._shown_header())
        if self._subject.looks and "evidence" in self._areas:
            self._run(apply=False)
        self._fill()
        if self._buttons is not None:
            self._buttons.renew(self._subject.hint)

    def _shown_plan(self) -> Panel:
        section = self._subject.section
        if self._error is not None:
            return states.not_reached("Plan")
        if section is None:
            return self._subject.unplanned()
        try:
            self._changes = self._bench.plan(section)
            shown = self._subject.planned(self._bench, self._changes)
        except RunbookError as error:
            if not (self._attended and self._subject.by_hand):
                self._error = error
            return HandOverCard(error.hand_over) if isinstance(error, Parked) else message.failure(error)
        self._planned = True
        return shown

    def _by_hand(self) -> Panel:
        hint = self._subject.hint
        if not hint:
            pending = [change for change in self._changes if change.kind != "same"]
            hint = counts(pending)
            if not pending:
                # Nothing would be written, so what is there is proven at once and without a record.
                self._run(apply=False)
                hint = "nothing to apply, everything is as wanted"
        buttons = self._buttons = ApplyButton(self._offers, hint)
        # What a button's press displays, JupyterLab shows nowhere.
        self._bench.shows_code = lambda item: buttons.below.show(HandOverCard(item))
        return buttons

    def _offers(self) -> list[Offer]:
        """What can be done now: plan, apply; or, where a person must act elsewhere, say so or have it played."""
        asked = self._asked
        if asked is None:
            proven = self._result is not None and self._result.verdict == "passed" and not self._subject.by_hand
            label = "Check again" if proven else self._subject.label
            plan = [Offer("Plan", self._press_plan)] if self._subject.by_hand else []
            return [*plan, Offer(label, self._pressed, self._asks)]
        offers = [Offer("I have done it", self._pressed, self._asks)]
        if self._bench.can_play:
            offers.append(Offer("Let the rehearsal do it", lambda: self._pressed(play=True), self._asks))
            offers.append(Offer("Show the rehearsal's passwords", self._bench.passwords_page))
        if ref := _secret_reference(asked):
            offers.append(Offer("Show the secret once", lambda: self._bench.secret_page(ref)))
        return offers

    @property
    def _asked(self) -> HandOver | None:
        """What a person has to do elsewhere before this step can go on."""
        return self._result.hand_over if self._result else None

    def _asks(self) -> Question | None:
        """Nothing is removed that nobody was asked about: by the tenant's name, in a rehearsal by one more click."""
        section, self._unanswered = self._subject.section, None
        if section is None or (self._subject.by_hand and not self._planned):
            return None
        try:
            self._changes = self._bench.plan(section)
        except UNANSWERED as error:
            self._unanswered = error
            return None
        except RunbookError:
            return None  # the press comes upon it too, and shows it
        gone = [change.what for change in self._changes if change.kind == "removed" and change.what not in self._agreed]
        if not gone:
            return None
        self._show("plan", self._subject.planned(self._bench, self._changes))

        def agreed() -> None:
            self._agreed |= {*gone}

        target, name = self._bench.confirmed_by
        how = f"type the tenant's name, {name}, and press Remove" if name else "press Remove"
        listed = ", ".join(gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
        return Question(f"This removes {listed}. Target: {target}. If that is meant, {how}.", name, agreed)

    def _press_plan(self) -> str:
        self._planned, self._result, self._error = False, None, None  # what was sent before says nothing of this plan
        self._show("plan", self._shown_plan())
        self._fill()
        return f"planned; {self._subject.label} does exactly this." if self._planned else "not planned; see the plan."

    def _pressed(self, *, play: bool = False) -> str:
        """What the button does; returns the words that stand beside it afterwards."""
        if self._subject.by_hand and not self._planned:
            return "plan it first."
        if self._bench.inputs.outdated:
            self._chosen()
            self._show("verdict", states.outdated(self._bench.inputs.file))
            return "nothing was done; see the verdict."
        if self._watch is not None:
            self._watch.stop()
        self._run(apply=True, play=play)
        self._planned = False  # another sending needs another plan
        if self._asked is None:
            self._agreed = frozenset()
        self._finish()
        if self._subject.label == "Apply" and not self._unanswered:
            self._show("plan", self._plan_afterwards())
        self._fill()
        if "header" in self._areas and self._subject.number and not isinstance(self._error, _ASK_NO_MORE):
            with suppress(RunbookError):
                self._show("header", self._shown_header(anew=True))
        if self._asked is not None:
            self._notice()
        return states.beside_button(self._result, self._error, self._said())

    def _plan_afterwards(self) -> Panel:
        """What was applied; or, as some of it may have been written, what is left. Who interrupts waits for nothing."""
        if self._result is not None and self._result.verdict == "passed":
            return PlanTable(self._result.changes, "Plan that was applied")
        with suppress(RunbookError):
            if not isinstance(self._error, _ASK_NO_MORE) and (section := self._subject.section):
                return self._subject.planned(self._bench, self._bench.plan(section))
        return PlanTable(self._changes, "Plan before this was tried")

    def _notice(self) -> None:
        """Go on by itself once the tenant or StackOne shows that the person has acted."""

        def seen() -> list[tuple[str, str]]:
            section = self._subject.section
            return [(change.what, change.now) for change in self._bench.plan(section)] if section else []

        def then() -> None:
            if self._buttons is not None:
                self._buttons.press(self._offers()[0])

        def tell(left: int) -> None:
            if self._buttons is not None:
                waiting = f"Waiting for the person, {left // 60}:{left % 60:02d} left"
                self._buttons.wait(waiting if left else "Nobody acted yet; press the button when it is done")

        before, params = seen(), self._bench.params
        self._watch = Watch(lambda: seen() != before, then, tell, params.link_timeout_seconds, _LOOKS)
        self._watch.start()

    def _show(self, name: str, panel: Panel) -> None:
        if name in self._areas:
            self._areas[name].show(panel)

    def _fill(self) -> None:
        if self._buttons is not None:
            asked = self._asked
            self._buttons.below.show(HandOverCard(asked) if asked is not None else Several([]))
        self._show("result", self._subject.result())
        self._show("evidence", self._shown_evidence())
        self._show("verdict", self._shown_verdict())

    def _run(self, *, apply: bool, play: bool = False) -> None:
        section = self._subject.section
        if section is None:
            return
        self._result, self._error = None, self._unanswered
        if self._attended:
            self._bench.watcher = self._waits
        if self._error:
            return
        try:
            self._result = self._bench.run(section, self._subject.opening(), apply=apply, play=play)
            self._error = self._result.error
        except RunbookError as error:
            self._error = error
        except KeyboardInterrupt:
            if not (self._attended and apply):
                raise
            self._error = Interrupted.named("interrupted", record=self._bench.record)
        except Exception as error:
            self._error = RunbookError.named("defect_here", name=type(error).__name__)
            self._finish()
            self._fill()
            raise

    def _waits(self, text: str, ctx: Context | None) -> None:
        """While a button is at work: what is waited for beside it, and the matrix as far as it is filled."""
        if self._buttons is not None:
            self._buttons.say(text)
        if ctx is not None and (tried := ctx.tried):
            self._show("evidence", ActionMatrix(tried))

    def _finish(self) -> None:
        if self._subject.section is not None:
            self._bench.finish(self._subject.section, self._result, self._error)

    def _said(self) -> str:
        return self._subject.done(self._result) if self._result else ""

    def _shown_evidence(self) -> Panel:
        record = self._bench.record if self._result and self._result.section == PROOF else None
        waiting, scopes = self._waiting, self._bench.scopes
        return states.evidence(self._result, self._error, scopes, record, attended=self._attended, waiting=waiting)

    @property
    def _waiting(self) -> str:
        """What has to be done before anything can be read back."""
        if self._subject.looks:
            return "tick actions above"
        return "press the button above" if self._attended else "nothing was applied"

    def _shown_verdict(self) -> Panel:
        following = self._bench.following(self._subject.number)
        if self._asked is not None and self._attended and self._result is not None:
            return states.parked_here(self._result)
        return states.verdict(self._subject.title, self._result, self._error, self._said(), following, self._waiting)


def _secret_reference(asked: HandOver) -> str:
    """Under which name the secret is kept that the person has to put in; empty if none is asked for."""
    return next((value for name, value in asked.fields.items() if HandOverCard.is_secret(name)), "")
