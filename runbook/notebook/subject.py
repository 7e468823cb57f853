"""What a step is about: a section of the guide, or an operation beside it. Its lifecycle is the step's.

A subject says what is chosen and how its plan and its answer look. ``by_hand``: where a person is there it is planned
when the person asks, and each sending needs a plan of its own. ``looks``: there is nothing to apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from runbook import sections, words
from runbook.errors import InputError
from runbook.notebook.bench import PROOF
from runbook.operations import order as orders
from runbook.operations.run_action import RunAction
from runbook.runs.sources import notebook_name
from runbook.widgets import message
from runbook.widgets.panel import Panel, Several
from runbook.widgets.plan_table import PlanTable

if TYPE_CHECKING:
    from runbook.notebook.bench import Workbench
    from runbook.operations.order import Order
    from runbook.tenant.base import Section, SectionResult
    from runbook.tenant.changes import Change


class Subject(Protocol):
    """What :class:`runbook.notebook.step.Step` needs to know. ``section`` is None while nothing is chosen."""

    number: int | None
    notebook: str
    label: str
    hint: str
    by_hand: bool
    looks: bool

    @property
    def section(self) -> Section | None: ...
    @property
    def about(self) -> tuple[str, str, str]:
        """Title, what the step does, and where one would click for the same in the portal."""
        ...

    @property
    def reads(self) -> bool:
        """Whether it changes nothing, so that it is carried out without leave to apply."""
        ...

    def choose(self, bench: Workbench, changed: Callable[[], None]) -> Panel: ...
    def unplanned(self) -> Panel:
        """What stands in place of the plan before there is one."""
        ...

    def planned(self, bench: Workbench, changes: Sequence[Change]) -> Panel: ...
    def result(self) -> Panel: ...
    def done(self, result: SectionResult) -> str: ...
    def opening(self) -> dict[str, Any]:
        """What the record of this notebook says besides at its beginning."""
        ...


class Guided:
    """A section of the guide."""

    by_hand = reads = False

    def __init__(self, name: str) -> None:
        self._section, self._undecided = sections.section(name), False
        self.number: int | None = self._section.NUMBER
        self.notebook = notebook_name(name)
        self.looks = self.number == 1
        self.label = "Prove" if name == PROOF else "Apply"
        self.hint = "each action is tried now, writes on disposable objects" if name == PROOF else ""

    @property
    def section(self) -> Section | None:
        return None if self._undecided else self._section

    @property
    def about(self) -> tuple[str, str, str]:
        return self._section.TITLE, self._section.SUMMARY, self._section.PORTAL

    def choose(self, bench: Workbench, changed: Callable[[], None]) -> Panel:
        """The action picker; the choice goes into the parameters file and into the plan below it."""
        from runbook.widgets.choice import Choice
        from runbook.widgets.picker import PickedTable, Picker

        given = bench.inputs
        choice = Choice(given.params, given.file, chosen=given.chosen or not given.attended)
        if not given.attended:
            return PickedTable(choice)
        self._undecided = not given.chosen

        def follow() -> None:
            self._undecided = not choice.complete
            if choice.complete:
                bench.choose(choice.parameters())
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
        from runbook.widgets.consent import Consent

        return Several([Consent(bench.scopes), PlanTable(changes)])

    def result(self) -> Panel:
        return message.Message("No answer", "none", "this step asks nothing of its own.")

    def done(self, result: SectionResult) -> str:
        return f"{words.done(vars(result))}."

    def opening(self) -> dict[str, Any]:
        return {}


class Ordered:
    """One action, as the form or the parameters order it."""

    number: int | None = None
    notebook, label, by_hand, looks = "operations/run_action.ipynb", "Send", True, False
    hint = "plan it first; nothing is sent before you press Send."

    def __init__(self, order: Order | None) -> None:
        self._take(order)

    def _take(self, order: Order | InputError | None) -> None:
        self._order = order if isinstance(order, orders.Order) else None
        self._operation = RunAction(self._order) if self._order else None

    @property
    def section(self) -> RunAction | None:
        return self._operation

    @property
    def about(self) -> tuple[str, str, str]:
        title = self._order.action.name if self._order else "Run an action"
        return title, "One action of the catalogue, planned, sent once, and read back.", RunAction.PORTAL

    @property
    def reads(self) -> bool:
        return self._operation is not None and self._operation.reads

    def choose(self, bench: Workbench, changed: Callable[[], None]) -> Panel:
        """The form, or the order as a table where nobody is there."""
        from runbook.widgets.action_form import ActionForm, Filled

        if not bench.inputs.attended:
            return Filled(self._order)

        def follow() -> None:
            self._take(form.value)
            changed()

        form = ActionForm(self._order, follow)
        self._take(form.value)
        return form

    def unplanned(self) -> Panel:
        from runbook.widgets.request_card import RequestCard

        if self._order is None:
            return message.Message("Nothing to plan", "none", "choose an action and correct what the form marks.")
        return RequestCard(self._order)

    def planned(self, bench: Workbench, changes: Sequence[Change]) -> Panel:
        from runbook.widgets.request_card import RequestCard

        del bench
        assert self._order is not None
        assert self._operation is not None
        return RequestCard(self._order, self._operation.sent_by, changes)

    def result(self) -> Panel:
        from runbook.widgets.answer_table import AnswerTable

        if self._order is None or self._operation is None or self._operation.answer is None:
            return message.Message("No answer", "none", "nothing was sent, or nothing came back.")
        answer = self._operation.answer
        return AnswerTable(answer.rows, is_list=self._order.action.is_list, more=answer.more)

    def done(self, result: SectionResult) -> str:
        assert self._operation is not None
        return self._operation.outcome if result.verdict == "passed" else f"{words.done(vars(result))}."

    def opening(self) -> dict[str, Any]:
        from runbook.runs.provenance import notebook_origin
        from runbook.widgets.request_card import RequestCard

        order = RequestCard(self._order).value if self._order else {}
        return {**notebook_origin(self.notebook), "order": order}


def read_order(values: Mapping[str, Any], *, attended: bool) -> Ordered:
    """The order in a notebook's parameters; where a form follows it may be missing yet. Raises :class:`InputError`."""
    if attended and all(value is None for value in values.values()):
        return Ordered(None)
    return Ordered(orders.read(values))
