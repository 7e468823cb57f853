"""What a step is about: a section of the guide, or an operation beside it. Its lifecycle is the step's.

A subject says what is chosen and how its plan and its answer look. ``by_hand``: where a person is there it is planned
when the person asks, and each sending needs a plan of its own. ``looks``: there is nothing to apply.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runbook import operations, words
from runbook.errors import InputError
from runbook.notebook.bench import PROOF, Workbench
from runbook.operations import order as orders
from runbook.operations.order import Order
from runbook.operations.run_action import RunAction
from runbook.parameters import Parameters
from runbook.runs.provenance import notebook_origin
from runbook.tenant.base import Section, SectionResult
from runbook.tenant.changes import Change
from runbook.widgets import message
from runbook.widgets.action_form import ActionForm, Filled
from runbook.widgets.panel import Panel, Several
from runbook.widgets.permissions import Consent
from runbook.widgets.picker import Choice, PickedTable, Picker
from runbook.widgets.plan_table import AnswerTable, PlanTable, RequestCard


class Subject:
    """What :class:`runbook.notebook.step.Step` needs to know.

    ``section`` is None while nothing is chosen. ``reads``: it changes nothing, so it is carried out without leave to
    apply.
    """

    number: int | None = None
    notebook = hint = ""
    label = "Apply"
    by_hand = looks = reads = False
    section: Section | None = None
    title: str

    def choose(self, bench: Workbench, changed: Callable[[], None]) -> Panel:
        """Let a person choose, and tell of each change; where nobody is there, show what is chosen."""
        raise NotImplementedError

    def unplanned(self) -> Panel:
        """What stands in place of the plan before there is one."""
        raise NotImplementedError

    def planned(self, bench: Workbench, changes: Sequence[Change]) -> Panel:
        """The plan."""
        raise NotImplementedError

    def result(self) -> Panel:
        """What was answered."""
        return message.Message("No answer", "none", "nothing was sent, or nothing came back.")

    def done(self, result: SectionResult) -> str:
        """What was done, in words."""
        return f"{words.done(vars(result))}."

    def opening(self) -> dict[str, Any]:
        """What the record of this notebook says besides at its beginning."""
        return {}


class Guided(Subject):
    """A section of the guide, or an operation of the same shape."""

    def __init__(self, name: str) -> None:
        section = self._section = self.section = operations.section(name)
        self.number, self.title = section.NUMBER or None, section.TITLE
        self.looks = section.NUMBER == 1
        if name == PROOF:
            self.label, self.hint = "Prove", "each action is tried now, writes on disposable objects"

    def choose(self, bench: Workbench, changed: Callable[[], None]) -> Panel:
        """The action picker; the choice goes into the parameters file and into the plan below it."""

        given = bench.inputs
        choice = Choice(given.params, given.file, chosen=given.chosen or not given.attended)
        if not given.attended:
            return PickedTable(choice)
        self.section = self._section if given.chosen else None

        def follow() -> None:
            self.section = self._section if choice.complete else None
            if choice.complete:
                bench.choose(choice.parameters())
            elif not choice.actions:  # where nothing is chosen, the default ones count
                bench.choose(given.params.model_copy(update={"actions": Parameters().actions}))
                bench.chosen = False
            changed()

        return Picker(choice, follow, overridden="actions" in given.explicit)

    def unplanned(self) -> Panel:
        return message.Message("Nothing chosen", "none", "tick actions above; what they would change appears here.")

    def planned(self, bench: Workbench, changes: Sequence[Change]) -> Panel:
        if self.looks:
            return PlanTable(bench.preview(), "What this choice would do")
        if self._section.NAME == PROOF:
            said = "; ".join(filter(None, (changes[0].what, changes[0].now, changes[0].note)))
            return message.Message("To be tried", "none", said)
        if self._section.NAME != "api_permissions":
            return PlanTable(changes)
        return Several([Consent(bench.scopes), PlanTable(changes)])


class Ordered(Subject):
    """One action, as the form or the parameters order it."""

    notebook, label, by_hand = "operations/run_action.ipynb", "Send", True
    hint = "plan it first; nothing is sent before you press Send."

    def __init__(self, order: Order | None) -> None:
        self._take(order)

    def _take(self, order: Order | InputError | None) -> None:
        self._order = order if isinstance(order, orders.Order) else None
        self.section = self._operation = RunAction(self._order) if self._order else None
        self.reads = self._operation is not None and self._operation.reads
        self.title = self._order.action.name if self._order else "Run an action"

    def choose(self, bench: Workbench, changed: Callable[[], None]) -> Panel:
        """The form, or the order as a table where nobody is there."""

        if not bench.inputs.attended:
            return Filled(self._order)

        def follow() -> None:
            self._take(form.value)
            changed()

        form = ActionForm(self._order, follow)
        self._take(form.value)
        return form

    def unplanned(self) -> Panel:
        if self._order is None:
            return message.Message("Nothing to plan", "none", "choose an action and correct what the form marks.")
        return RequestCard(self._order)

    def planned(self, bench: Workbench, changes: Sequence[Change]) -> Panel:
        del bench
        assert self._order is not None
        assert self._operation is not None
        return RequestCard(self._order, self._operation.sent_by, changes)

    def result(self) -> Panel:
        if self._order is None or self._operation is None or self._operation.answer is None:
            return super().result()
        return AnswerTable(self._operation.answer, is_list=self._order.action.is_list)

    def done(self, result: SectionResult) -> str:
        assert self._operation is not None
        return self._operation.outcome if result.verdict == "passed" else super().done(result)

    def opening(self) -> dict[str, Any]:

        order = RequestCard(self._order).value if self._order else {}
        return {**notebook_origin(self.notebook), "order": order}


def read_order(values: Mapping[str, Any], *, attended: bool) -> Ordered:
    """The order in a notebook's parameters; where a form follows it may be missing yet. Raises :class:`InputError`."""
    if attended and all(value is None for value in values.values()):
        return Ordered(None)
    return Ordered(orders.read(values))
