"""What ``operations/run_action`` calls: ``step = action_notebook.open(globals())``, then one method a cell.

Where a person is there, a form gives the order and two buttons plan and send it. Where nobody is, the order comes from
the parameters ``action``, ``path``, ``query``, ``body``, ``as_`` and ``max_rows``; a write needs ``apply``.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping, MutableMapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook.errors import InputError, Problem, RunbookError
from runbook.notebook import inputs
from runbook.operations import order as orders
from runbook.operations.run_action import NAME, RunAction
from runbook.widgets import message, states
from runbook.widgets.panel import Area, Panel

if TYPE_CHECKING:
    from runbook.notebook.inputs import Inputs
    from runbook.operations.order import Order
    from runbook.operations.run_action import Answer
    from runbook.records.journal import Journal
    from runbook.tenant.base import Context, SectionResult
    from runbook.widgets.apply_button import ApplyButton, Offer

__all__ = ["ActionStep", "open"]

_step: ActionStep | None = None


def open(namespace: MutableMapping[str, Any]) -> ActionStep:
    """Begin the notebook with the parameters that stand in its globals.

    Raises :class:`runbook.notebook.step.InputRefused`, after showing every mistake, before any request.
    """
    global _step
    from runbook.notebook.step import InputRefused

    problems: list[Problem] = []
    given: Inputs | None = None
    order: Order | None = None
    values = {name: namespace.get(name) for name in orders.ARGUMENTS}
    try:
        given = inputs.read(namespace, orders.ARGUMENTS, _home())
    except InputError as error:
        problems += error.problems
    # Where a form follows, an action that is not named yet is no mistake.
    if given is None or not given.attended or any(value is not None for value in values.values()):
        try:
            order = orders.read(values)
        except InputError as error:
            problems += error.problems
    if problems or given is None:
        refusal = InputError(problems)
        message.failure(refusal).display()
        raise InputRefused(f"{len(problems)} mistakes in the parameters; nothing was sent") from refusal
    if _step is not None:
        atexit.unregister(_step.close)
        _step.close()
    _step = ActionStep(given, order)
    atexit.register(_step.close)
    return _step


class ActionStep:
    """One action in its notebook: choose, plan, apply, result, verdict."""

    def __init__(self, given: Inputs, order: Order | None) -> None:
        self._inputs, self._params = given, given.params
        self._stack = ExitStack()
        self._looking: Context | None = None
        self._order = order
        self._operation: RunAction | None = None
        self._result: SectionResult | None = None
        self._error: RunbookError | None = None
        self._answer: Answer | None = None
        self._sent: RunAction | None = None
        self._areas: dict[str, Area] = {}
        self._buttons: ApplyButton | None = None

    def close(self) -> None:
        """Close clients, and the target with them."""
        self._looking = None
        self._stack.close()

    def header(self) -> Panel:
        """The target, and who is signed in."""
        from runbook.tenant import whereabouts
        from runbook.widgets.header import Header, Place

        try:
            ctx = self._look()
            place = Place(
                (),
                0,
                ctx.target.description,
                whereabouts.tenant(ctx),
                whereabouts.signed_in(ctx),
                rehearsal=ctx.target.rehearsal,
            )
        except RunbookError as error:
            self._error = error
            return message.failure(error)
        return Header(place, "Run an action")

    def choose(self) -> Panel:
        """The form, or the order as a table where nobody is there."""
        from runbook.widgets.action_form import ActionForm

        form = ActionForm(self._order)
        if not self._inputs.attended:
            return form.still()
        form.observe(self._ordered)
        return form

    def plan(self) -> Area:
        """What would be sent, with whose token and by which permission, and what it changes."""
        return self._place("plan", self._shown_plan() if self._inputs.attended else self._planned())

    def apply(self) -> Panel:
        """Two buttons where a person is there; else a read is sent, and a write if the parameters allow it."""
        if self._error is not None:
            return states.not_reached("Apply")
        if self._inputs.attended:
            from runbook.widgets.apply_button import ApplyButton

            self._buttons = ApplyButton(self._offers, "plan it first; nothing is sent before you press Send.")
            return self._buttons
        self._run(allowed=self._apply_allowed())
        if self._sent is not None:
            return message.Message("Sent", "good", self._sent.outcome)
        return states.applied(self._result, self._error, allowed=self._apply_allowed())

    def result(self) -> Area:
        """The answer: a list as a table, or one object; ``.panel.value`` is the DataFrame."""
        return self._place("result", self._shown_result())

    def evidence(self) -> Area:
        """Status and request id of the answer, what was read back, and where a secret that was made is kept."""
        return self._place("evidence", self._shown_evidence())

    def verdict(self) -> Area:
        """One line. Where nobody is there, what failed or parked raises after it has been shown."""
        from runbook.notebook.step import SectionFailed, SectionParked

        area = self._place("verdict", self._shown_verdict())
        if self._inputs.attended:
            return area
        verdict = self._result.verdict if self._result else "failed"
        if self._error is not None or verdict in ("failed", "parked"):
            area.panel.display()
            reason = self._error.what if self._error else self._title()
            raise SectionParked(f"{reason}: a person must act") if verdict == "parked" else SectionFailed(reason)
        return area

    def _look(self) -> Context:
        """The tenant, opened once; in a run its reads are in the run's journal."""
        from runbook.records.journal import Journal
        from runbook.tenant.base import open_context

        if self._looking is None:
            journal = Journal.open(self._inputs.record) if self._inputs.record else None
            self._looking = self._stack.enter_context(open_context(self._params, journal))
        return self._looking

    def _apply_allowed(self) -> bool:
        return self._look().target.rehearsal if self._params.apply is None else self._params.apply

    def _place(self, name: str, panel: Panel) -> Area:
        self._areas[name] = Area(panel)
        return self._areas[name]

    def _ordered(self, order: Order | InputError) -> None:
        """The form changed: what was planned before does not count any more."""
        self._order = None if isinstance(order, InputError) else order
        self._operation, self._sent, self._answer, self._result, self._error = None, None, None, None, None
        self._fill()
        if self._buttons is not None:
            self._buttons.say("plan it first; nothing is sent before you press Send.")

    def _planned(self) -> Panel:
        """Plan the order as it stands."""
        from runbook.widgets.request_card import RequestCard

        if self._error is not None:
            return states.not_reached("Plan")
        if self._order is None:
            return _unordered()
        operation = RunAction(self._order)
        try:
            ctx = self._look()
            with ctx.journal.section(NAME):
                observed = operation.read(ctx)
            changes = operation.plan(ctx, observed)
        except RunbookError as error:
            if not self._inputs.attended:
                self._error = error
            return message.failure(error)
        self._operation = operation
        return RequestCard(self._order, observed.sender, operation.permission_note(observed), changes)

    def _shown_plan(self) -> Panel:
        from runbook.widgets.request_card import RequestCard

        return _unordered() if self._order is None else RequestCard(self._order)

    def _offers(self) -> list[Offer]:
        from runbook.widgets.apply_button import Offer

        return [Offer("Plan", self._press_plan), Offer("Send", self._press_send)]

    def _press_plan(self) -> str:
        shown = self._planned()
        if "plan" in self._areas:
            self._areas["plan"].show(shown)
        if self._operation is None:
            return "not planned; the reason stands with the plan."
        return "planned; Send sends exactly this." if self._operation.reads else "planned; Send applies exactly this."

    def _press_send(self) -> str:
        if self._operation is None:
            return "plan it first."
        self._run(allowed=True)
        self._operation = None  # another press needs another plan
        self._fill(planned=False)
        return self._sent.outcome if self._sent is not None else states.beside_button(self._result, self._error)

    def _run(self, *, allowed: bool) -> None:
        """Send what was planned, with a record; without leave a write is only planned, and nothing is kept."""
        from runbook.tenant.base import open_context, run_section

        operation = self._operation
        if operation is None:
            return
        try:
            if not operation.reads and not allowed:
                self._result = run_section(self._look(), operation, apply=False)
            elif self._inputs.record is not None:
                self._result = run_section(self._look(), operation, apply=True)
            else:
                journal = self._new_record(operation)
                with open_context(self._params, journal) as ctx:
                    self._result = run_section(ctx, operation, apply=True)
                self._conclude(journal)
            self._error = self._result.error
        except RunbookError as error:
            self._error = error
        self._answer = operation.answer
        self._sent = operation if self._result is not None and self._result.verdict == "passed" else None

    def _new_record(self, operation: RunAction) -> Journal:
        from runbook.records.journal import Journal
        from runbook.runs.provenance import notebook_origin
        from runbook.runs.run import new_run_id, opening
        from runbook.tenant.base import plan_hash
        from runbook.widgets.request_card import RequestCard

        ctx = self._look()
        hashed = plan_hash({NAME: operation.plan(ctx, operation.read(ctx))})
        order = RequestCard(operation.order).value
        begun = {**opening(ctx, [], hashed), **notebook_origin("operations/run_action.ipynb"), "order": order}
        return Journal.create(_home() / self._params.records, new_run_id(), **begun)

    def _conclude(self, journal: Journal) -> None:
        from runbook.runs.run import conclude

        if self._result is not None:
            conclude(journal, {"verdict": self._result.verdict})

    def _fill(self, *, planned: bool = True) -> None:
        shown: Mapping[str, Any] = {
            "plan": self._shown_plan,
            "result": self._shown_result,
            "evidence": self._shown_evidence,
            "verdict": self._shown_verdict,
        }
        for name, area in self._areas.items():
            if planned or name != "plan":
                area.show(shown[name]())

    def _shown_result(self) -> Panel:
        from runbook.widgets.answer_table import AnswerTable

        if self._answer is None or self._order is None:
            return message.Message("No answer", "none", "nothing was sent." if self._error is None else "see below.")
        return AnswerTable(self._answer.rows, is_list=self._order.action.is_list, more=self._answer.more)

    def _shown_evidence(self) -> Panel:
        return states.evidence(self._result, self._error, attended=self._inputs.attended)

    def _shown_verdict(self) -> Panel:
        if self._sent is not None:
            return message.verdict("passed", f"{self._title()}: {self._sent.outcome}", "nothing.")
        return states.verdict(self._title(), self._result, self._error, "")

    def _title(self) -> str:
        return self._order.action.name if self._order else "Run an action"


def _home() -> Path:
    """Where the guide's notebooks, their parameters file and their records lie: in JupyterLab one folder up."""
    return Path("..") if Path("../00_start.ipynb").is_file() else Path()


def _unordered() -> Panel:
    return message.Message("Nothing to plan", "none", "choose an action and correct what the form marks.")
