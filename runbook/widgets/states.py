"""What the cells of a step show in each state: before, planned, applied, failed, parked.

What was read back, and from where: rows of evidence, permissions, actions, and ages of client secrets.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runbook import catalog, words
from runbook.catalog.scopes import Scopes
from runbook.errors import Interrupted, Parked, RunbookError, pasted
from runbook.records.timeline import TimeLine
from runbook.tenant.base import SectionResult
from runbook.widgets import message
from runbook.widgets.message import HandOverCard, KeyValue, Message
from runbook.widgets.panel import Panel, Several, Table

Rows = Sequence[Mapping[str, Any]]
STAGES = ("wanted", "requested", "granted", "in_token")
_ROADS = {"delegated": "Delegated", "application": "Application", "stackone": "StackOne"}


def not_reached(what: str) -> Message:
    """A cell whose turn did not come because one above it failed."""
    return Message("Not tried", "none", f"{what}: an earlier cell of this notebook failed.")


def kept(file: Path) -> Message:
    """The apply cell of section 1, where a choice is all there is."""
    return Message("Nothing to apply", "none", f"the choice is kept in {file} with every click.")


def closed() -> Message:
    """A cell that belongs to parameters of before."""
    return Message("Not tried", "none", "the notebook was opened anew; run this cell again.")


def outdated(file: Path) -> Message:
    """What this notebook works with is no longer what was chosen."""
    said = f"{file} says something else now than when this notebook read it."
    return Message("Out of date", "wait", said, {"Next": "choose Run › Run All Cells, and read the plan again."})


def applied(result: SectionResult | None, error: RunbookError | None, said: str, *, allowed: bool) -> Panel:
    """The outcome of applying where nobody is there to press a button; ``said``: what was done, in words."""
    if error is not None:
        return message.failure(error)
    if result is None or result.verdict == "planned":
        hint = "" if allowed else "set apply=True in the parameters, or press the button in JupyterLab."
        return message.verdict("planned", "nothing was written; applying was not allowed.", hint)
    if result.verdict == "parked":
        return message.verdict("parked", "applied as far as possible; a person must act.", result.next_step)
    return Message("Applied", words.tone(result.verdict), said)


def beside_button(result: SectionResult | None, error: RunbookError | None, said: str) -> str:
    """A few words for the place beside the button."""
    if error is not None:
        return f"{'Stopped' if isinstance(error, Interrupted) else 'Failed'}: {error.what}"
    return f"{result.verdict.capitalize()}: {said}" if result else ""


def evidence(
    result: SectionResult | None,
    error: RunbookError | None,
    scopes: Scopes,
    record: Path | None,
    *,
    attended: bool,
    waiting: str,
) -> Panel:
    """What was read back, and where the ``record`` of it lies; or what is ``waiting`` to be done before."""
    if result is not None and result.hand_over is not None:
        if not attended:
            return HandOverCard(result.hand_over, attended=False)
        return Message("Nothing yet", "none", "what a person has to do stands under the buttons above.")
    if error is not None and not isinstance(error, Parked):
        return message.failure(error)
    if result is None or result.evidence is None:
        return Message("Nothing yet", "none", f"{waiting}; what is read back appears here.")
    said = {f"{action['name']}: {action['explanation']}" for action in result.facts.get("actions", ())}
    notes = [note for note in result.evidence.notes if note not in said]  # it stands below the matrix
    calls, folded = result.calls if attended else (), result.section == "api_permissions"  # its matrix says the same
    table = EvidenceTable(result.evidence.rows, notes, calls, folded=folded)
    shown = [*_panels(result.section, result.facts, scopes), table]
    if record is not None:
        check = f"runbook records verify {pasted(record)}"
        how = f"read {record / 'report.html'}; check it, here or elsewhere, with: {check}"
        shown.append(Message("Record", "none", str(record), {"How to verify": how}))
    return Several(shown)


def parked_here(result: SectionResult) -> Message:
    """The verdict where the person who must act may be at this screen."""
    title = result.hand_over.title if result.hand_over else ""
    how = "follow the steps above; the notebook notices when it is done, or press “I have done it”."
    return message.verdict("parked", f"{result.title}: {title}", how)


def verdict(
    title: str, result: SectionResult | None, error: RunbookError | None, said: str, following: str, waiting: str
) -> Message:
    """One line, the word first, with what was done (``said``) and the next thing to do; ``waiting`` for the first."""
    if result is not None and result.verdict == "parked":
        who = result.hand_over.title if result.hand_over else "what was asked could not be found out."
        return message.verdict(
            "parked", f"{title}: {who}", result.next_step or "act as described, then run this again."
        )
    if error is not None:
        state = "incomplete" if isinstance(error, Interrupted) else "failed"
        return message.verdict(state, f"{title}: {error.what}", error.next_step)
    if result is None:
        return message.verdict("not tried", title, f"{waiting}.")
    if result.verdict == "planned":
        return message.verdict("planned", f"{title}: nothing was written.", result.next_step)
    if result.verdict == "failed":
        short = said if result.facts.get("actions") else "what was read back is not what was wanted."
        return message.verdict("failed", f"{title}: {short}", result.next_step)
    both = result.next_step and ".ipynb" in following
    then = f"{result.next_step} {following.capitalize()}" if both else result.next_step or following
    return message.verdict("passed", f"{title}: {said}", then)


def _panels(section: str, facts: Mapping[str, Any], scopes: Scopes) -> list[Panel]:
    """What the facts of ``section`` look like: the client id, the ages of secrets, permissions, the matrix of actions.

    ``scopes`` says why a permission is wanted.
    """
    shown: list[Panel] = []
    if section == "register_application" and facts.get("application"):
        shown.append(KeyValue("Application (client) id", str(facts["application"]["app_id"])))
    if line := TimeLine.of(facts):
        shown.append(SecretLives(line))
    if section == "verify_actions" and facts.get("actions"):
        shown.append(ActionMatrix(facts["actions"]))
    if section in ("api_permissions", "verify_actions") and facts.get("permissions"):
        shown.append(PermissionMatrix(facts["permissions"], _reasons(scopes)))
    return shown


def _reasons(scopes: Scopes) -> dict[str, dict[str, str]]:
    """By type and permission, the actions that need it."""
    base = dict.fromkeys(scopes.base, "sign-in")
    return {
        kind: (base if kind == "delegated" else {})
        | {name: ", ".join(catalog.action(slug).name for slug in slugs) for name, slugs in scopes.of(kind).why.items()}
        for kind in scopes.types
    }


class EvidenceTable(Panel):
    """Rows of ``what``, ``value``, ``source`` and ``request_id``, and notes below them; request ids are folded away.

    ``calls``: what was sent for it, as the journal has it. ``folded``: what stands above says the same.
    """

    title = "Evidence: what was read, and from where"

    def __init__(self, rows: Rows, notes: Sequence[str] = (), calls: Rows = (), *, folded: bool = False) -> None:
        self.notes, self.folded = tuple(notes), folded
        self.shown = _table(rows, ("what", "value", "source"))
        sent = [{**call, "what": f"{call.get('method')} {call.get('path')}"} for call in calls]
        self.requests = _table([row for row in [*rows, *sent] if row.get("request_id")], ("what", "request_id"))

    def text(self) -> str:
        ids = self.requests.text() if self.requests.rows else ""
        return "\n\n".join(filter(None, [f"{self.title}\n{self.shown.text()}", *self.notes, ids]))


class PermissionMatrix(Panel):
    """One row a permission and type: wanted / requested / granted / in token, and why it is there.

    ``permissions`` has the shape of the summary: type -> rows of ``name`` and the four stages, each True, False
    or None (unknown, which is never shown as good). ``why`` gives the reason by type and name.
    """

    def __init__(self, permissions: Mapping[str, Rows], why: Mapping[str, Mapping[str, str]]) -> None:
        self._permissions, self._why = permissions, why

    def tables(self) -> list[tuple[str, Table]]:
        """The table of each type."""
        stages = tuple(map(_title, STAGES))
        return [
            (kind, Table(("Permission", *stages, "Because of"), tuple(self._rows(kind)), "", stages))
            for kind, found in self._permissions.items()
            if found
        ]

    def text(self) -> str:
        rows = tuple((kind, *row) for kind, table in self.tables() for row in table.rows)
        return Table(("Type", "Permission", *map(_title, STAGES), "Because of"), rows, "Permissions").text()

    def _rows(self, kind: str) -> Iterator[tuple[str, ...]]:
        why = self._why.get(kind, {})
        for row in self._permissions[kind]:
            name = str(row["name"])
            yield name, *(words.word(row.get(stage)) for stage in STAGES), why.get(name, "")


class ActionMatrix(Panel):
    """One row an action: for each permission type, and through StackOne, every stage from the wish to its use.

    ``actions`` has the shape of the summary: ``name``, ``delegated``, ``application`` and optionally ``stackone``,
    each a mapping of stage to True, False, None or a word, plus ``verdict`` and ``explanation``.
    """

    def __init__(self, actions: Rows) -> None:
        self.actions = [{"explanation": "", "verdict": "", **action} for action in actions]
        self.counts = words.tally(str(action["verdict"]) for action in self.actions)
        roads = {road: [a[road] for a in self.actions if a.get(road) not in (None, "—")] for road in _ROADS}
        self._stages = {
            road: list(dict.fromkeys(stage for cell in cells if isinstance(cell, Mapping) for stage in cell)) or [""]
            for road, cells in roads.items()
            if cells
        }

    def grouped(self) -> Table:
        """The table with the roads above their stages."""
        pairs = [(road, stage) for road, stages in self._stages.items() for stage in stages]
        columns = ("Action", *(_title(stage) if stage else _ROADS[road] for road, stage in pairs), "Verdict")
        rows = tuple(
            (str(action["name"]), *(_cell(action.get(road), stage) for road, stage in pairs), str(action["verdict"]))
            for action in self.actions
        )
        groups = (("", 1), *((_ROADS[road], len(stages)) for road, stages in self._stages.items()), ("", 1))
        return Table(columns, rows, "", columns[1:], groups)

    def text(self) -> str:
        names = [
            f"{_ROADS[road]}: {_title(stage).lower()}" if stage else _ROADS[road]
            for road, stages in self._stages.items()
            for stage in stages
        ]
        return replace(self.grouped(), columns=("Action", *names, "Verdict"), caption=self.counts).text()


class SecretLives(Panel):
    """The time line of the client secrets, and the same as a table."""

    def __init__(self, line: TimeLine) -> None:
        self.line = line

    def table(self) -> Table:
        """The secrets, the first to end first."""
        return Table(self.line.columns, self.line.rows, self.line.caption)

    def text(self) -> str:
        return self.table().text()


def _table(rows: Rows, fields: Sequence[str]) -> Table:
    cells = tuple(tuple(row.get(field, "") for field in fields) for row in rows)
    return Table(tuple(map(_title, fields)), cells, toned=("Value",))


def _cell(cell: Any, stage: str) -> str:
    return words.word(cell.get(stage) if isinstance(cell, Mapping) else cell)


def _title(stage: str) -> str:
    return stage.replace("_", " ").capitalize()
