"""What a notebook calls: ``step = notebook.open("redirect_uri", globals())``, then one method a cell.

``header``, ``plan``, ``apply``, ``evidence`` and ``verdict`` each return something that shows itself. Where a person
is there, ``apply`` is a button and the cells below it fill after the click. Where nobody is, the plan is applied at
once if the parameters allow it, and a section that fails or parks shows why and then stops the notebook.
"""

from __future__ import annotations

import atexit
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from runbook import sections
from runbook.errors import HandOver, InputError, Parked, RunbookError
from runbook.notebook import inputs
from runbook.notebook.bench import PROOF
from runbook.notebook.stopped import InputRefused, SectionFailed, SectionParked
from runbook.widgets import message, states
from runbook.widgets.panel import Area, Panel
from runbook.widgets.plan_table import PlanTable, counts

if TYPE_CHECKING:
    from runbook.notebook.bench import Workbench
    from runbook.tenant.base import Change, SectionResult
    from runbook.widgets.apply_button import ApplyButton, Offer
    from runbook.widgets.choice import Choice
    from runbook.widgets.watch import Watch

__all__ = ["Front", "InputRefused", "SectionFailed", "SectionParked", "Step", "open", "start"]


_bench: Workbench | None = None


def open(section: str, namespace: MutableMapping[str, Any]) -> Step:
    """Begin the notebook of ``section`` with the parameters that stand in its globals.

    Raises :class:`InputRefused`, after showing every mistake, before any request.
    """
    return Step(section, _workbench(namespace))


def start(namespace: MutableMapping[str, Any]) -> Front:
    """Begin the front page. Raises :class:`InputRefused` as :func:`open` does."""
    return Front(_workbench(namespace))


def _workbench(namespace: MutableMapping[str, Any]) -> Workbench:
    global _bench
    from runbook.notebook.bench import Workbench

    try:
        given = inputs.read(namespace)
    except InputError as error:
        message.failure(error).display()
        raise InputRefused(f"{len(error.problems)} mistakes in the parameters; nothing was sent") from None
    if _bench is not None:
        atexit.unregister(_bench.close)
        _bench.close()
    _bench = Workbench(given, tell)
    atexit.register(_bench.close)
    return _bench


def tell(asked: HandOver) -> None:
    """Show a hand-over in the running cell; a person enters a code while the cell waits."""
    from runbook.widgets.hand_over import HandOverCard

    HandOverCard(asked).display()


class Front:
    """The front page: the guide as a list, the target, and what is missing before one can begin."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._error: RunbookError | None = None

    def header(self) -> Panel:
        """Target, tenant, and who is signed in."""
        try:
            return self._bench.header(None)
        except RunbookError as error:
            self._error = error
            return message.failure(error)

    def guide(self) -> Panel:
        """The eight steps with their state, as the tenant says."""
        if self._error is not None:
            return states.not_reached("The guide")
        return self._bench.guide()

    def verdict(self) -> Panel:
        """Whether one can begin, and with what."""
        if self._error is None:
            first = self._bench.next_notebook()
            sentence = "the tenant answers, one can begin." if first else "every step is as wanted."
            return message.verdict("passed", sentence, f"open {first}." if first else "nothing.")
        shown = message.verdict("failed", self._error.what, self._error.next_step)
        if not self._bench.inputs.attended:
            shown.display()
            raise SectionFailed(self._error.what)
        return shown


class Step:
    """One section in its notebook."""

    def __init__(self, name: str, bench: Workbench) -> None:
        self._section = sections.section(name)
        self._bench = bench
        self._changes: Sequence[Change] = ()
        self._result: SectionResult | None = None
        self._error: RunbookError | None = None
        self._areas: dict[str, Area] = {}
        self._undecided = False
        self._buttons: ApplyButton | None = None
        self._watch: Watch | None = None

    def header(self) -> Panel:
        """Where one is in the guide, on which tenant, signed in as whom; what this step does."""
        try:
            return self._bench.header(self._section)
        except RunbookError as error:
            self._error = error
            return message.failure(error)

    def choose(self) -> Panel:
        """The action picker (section 1); the choice goes into the parameters file and into the plan below it."""
        from runbook.widgets.picker import Picker

        given = self._bench.inputs
        if not given.attended:
            return Picker(given.params, given.file).still()
        picker = Picker(given.params, given.file, chosen=given.chosen, overridden="actions" in given.explicit)
        picker.observe(self._chosen)
        self._undecided = not given.chosen
        return picker

    def plan(self) -> Area:
        """What is, what is wanted, and the difference; for section 1 also what the choice would change."""
        return self._place("plan", self._planned())

    def apply(self) -> Panel:
        """A button where a person is there; else the plan is applied now, if the parameters allow it."""
        if self._error is not None:
            return states.not_reached("Apply")
        if self._section.NUMBER == 1 and self._bench.inputs.attended:
            if not self._undecided:
                self._run(look_only=True)
            return states.kept(self._bench.inputs.file)
        if self._bench.inputs.attended:
            return self._by_hand()
        self._run()
        return states.applied(self._result, self._error, allowed=self._bench.apply_allowed)

    def evidence(self) -> Area:
        """What was read back after applying, and from where."""
        return self._place("evidence", self._shown_evidence())

    def verdict(self) -> Area:
        """One line: passed, failed, parked or planned, and the next thing to do.

        Where nobody is there, a failed section raises :class:`SectionFailed` and a parked one :class:`SectionParked`
        after the verdict has been shown.
        """
        area = self._place("verdict", self._shown_verdict())
        if self._bench.inputs.attended:
            return area
        self._bench.finish(self._section, self._result, self._error)
        reason = self._error.what if self._error else (self._result.title if self._result else self._section.TITLE)
        if self._result is not None and self._result.verdict == "parked":
            area.panel.display()
            raise SectionParked(f"{reason}: a person must act")
        if self._error is not None or (self._result is not None and self._result.verdict == "failed"):
            area.panel.display()
            raise SectionFailed(reason)
        return area

    def _place(self, name: str, panel: Panel) -> Area:
        self._areas[name] = Area(panel)
        return self._areas[name]

    def _planned(self) -> Panel:
        if self._error is not None:
            return states.not_reached("Plan")
        if self._undecided:
            return states.undecided()
        try:
            self._changes = self._bench.plan(self._section)
            preview = self._bench.preview() if self._section.NUMBER == 1 else None
        except Parked as parked:
            return self._parked_early(parked)
        except RunbookError as error:
            self._error = error
            return message.failure(error)
        return PlanTable(self._changes) if preview is None else PlanTable(preview, "What this choice would do")

    def _parked_early(self, parked: Parked) -> Panel:
        from runbook.widgets.hand_over import HandOverCard

        self._error = parked
        return HandOverCard(parked.hand_over)

    def _chosen(self, choice: Choice) -> None:
        """The picker changed: the cells below follow."""
        self._undecided = not choice.complete
        if choice.complete:
            self._bench.choose(choice.parameters())
        if "plan" in self._areas:
            self._areas["plan"].show(self._planned())
        if "evidence" in self._areas:
            self._result = None
            if not self._undecided:
                self._run(look_only=True)
            self._fill()

    def _by_hand(self) -> Panel:
        from runbook.widgets.apply_button import ApplyButton

        pending = [change for change in self._changes if change.kind != "same"]
        hint = counts(pending)
        if self._section.NAME == PROOF:
            hint = "each action is tried now, writes on disposable objects"
        elif not pending:
            # Nothing would be written, so what is there is proven at once and without a record.
            self._run(look_only=True)
            hint = "nothing to apply, everything is as wanted"
        self._buttons = ApplyButton(self._offers, hint)
        return self._buttons

    def _offers(self) -> list[Offer]:
        """What can be done now: apply; or, where a person must act elsewhere, say so or have it played."""
        from runbook.widgets.apply_button import Offer

        asked = self._result.hand_over if self._result else None
        if asked is None:
            done = self._result is not None and self._result.verdict == "passed"
            label = "Prove" if self._section.NAME == PROOF else "Apply"
            return [Offer("Check again" if done else label, self._pressed)]
        offers = [Offer("I have done it", self._pressed)]
        if self._bench.can_play:
            offers.append(Offer("Let the rehearsal do it", self._played))
        if ref := _secret_reference(asked):
            offers.append(Offer("Show the secret once", lambda: self._bench.secret_page(ref)))
        return offers

    @property
    def _waits(self) -> bool:
        return self._result is not None and self._result.hand_over is not None

    def _played(self) -> str:
        return self._pressed(play=True)

    def _pressed(self, *, play: bool = False) -> str:
        """What the button does; returns the words that stand beside it afterwards."""
        if self._watch is not None:
            self._watch.stop()
        self._error = None
        self._run(play=play)
        self._changes = self._result.changes if self._result else self._changes
        self._bench.finish(self._section, self._result, self._error)
        self._fill()
        if self._waits:
            self._notice()
        return states.beside_button(self._result, self._error)

    def _notice(self) -> None:
        """Go on by itself once the tenant or StackOne shows that the person has acted."""
        from runbook.widgets.watch import Watch

        before = [(change.what, change.now) for change in self._bench.plan(self._section)]

        def changed() -> bool:
            return before != [(change.what, change.now) for change in self._bench.plan(self._section)]

        def then() -> None:
            if self._buttons is not None:
                self._buttons.press(self._offers()[0])

        def tell(left: int) -> None:
            if self._buttons is not None:
                waiting = f"waiting for the person, {left // 60}:{left % 60:02d} left"
                self._buttons.say(waiting if left else "nobody acted yet; press the button when it is done")

        self._watch = Watch(changed, then, tell, self._bench.params.link_timeout_seconds)
        self._watch.start()

    def _fill(self) -> None:
        if "plan" in self._areas and self._result is not None and self._section.NUMBER != 1:
            self._areas["plan"].show(PlanTable(self._result.changes, "Plan that was applied"))
        if "evidence" in self._areas:
            self._areas["evidence"].show(self._shown_evidence())
        if "verdict" in self._areas:
            self._areas["verdict"].show(self._shown_verdict())

    def _run(self, *, look_only: bool = False, play: bool = False) -> None:
        try:
            self._result = self._bench.run(self._section, look_only=look_only, play=play)
            self._error = self._result.error
        except RunbookError as error:
            self._error = error

    def _shown_evidence(self) -> Panel:
        given = self._bench
        return states.evidence(self._result, self._error, attended=given.inputs.attended, scopes=given.scopes)

    def _shown_verdict(self) -> Panel:
        following = self._bench.following(self._section)
        shown = states.verdict(self._section.TITLE, self._result, self._error, following)
        if self._waits and self._bench.inputs.attended and self._result is not None:
            return states.parked_here(self._result)
        return shown


def _secret_reference(asked: HandOver) -> str:
    """Under which name the secret is kept that the person has to put in; empty if none is asked for."""
    named = {name.lower().replace(" ", "").replace("_", ""): value for name, value in asked.fields.items()}
    return named.get("clientsecret", "")
