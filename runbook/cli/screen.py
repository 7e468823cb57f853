"""What the command line shows: a few lines for a person, or one JSON document for a program.

With ``--json`` stdout holds the document alone; everything else goes to stderr. Words come first, colour second, and
``NO_COLOR`` is honoured (by rich).
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from runbook import catalog, whole, words
from runbook.catalog import explain, guide
from runbook.catalog.model import PERMISSION_TYPES
from runbook.cli import ends, lines
from runbook.errors import pasted
from runbook.sections import NAMES

if TYPE_CHECKING:
    from rich.console import Console

    from runbook.catalog.explain import Difference
    from runbook.catalog.model import Action, PermissionType
    from runbook.catalog.scopes import Scopes
    from runbook.clients.target import Target
    from runbook.errors import HandOver
    from runbook.operations.doctor import Finding
    from runbook.parameters import Parameters
    from runbook.records.journal import Journal, NullJournal
    from runbook.records.shelf import Entry
    from runbook.runs.run import PlanReport, Progress, RunOutcome
    from runbook.tenant.base import HandsOver
    from runbook.tenant.changes import Change


_FILE_WIDTH, _ANY_WIDTH = 160, 1 << 20
_REASONS = 5
_WORST = {"failed": 1, "parked": 3, "changed": 4}


class Screen:
    """One command's output. ``as_json`` sends every word for people to stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._console: Console | None = None
        self._width = _FILE_WIDTH
        self._spinner: Any = None

    @property
    def console(self) -> Console:
        if self._console is None:
            from rich.console import Console, ConsoleDimensions

            self._console = Console(stderr=self.as_json, highlight=False, soft_wrap=True)
            if self._console.is_dumb_terminal:  # of which rich takes every one to have 80 columns
                columns, rows = shutil.get_terminal_size()
                self._console.size = ConsoleDimensions(columns, rows)
            self._width = self._console.width
            if not self._console.is_terminal:
                self._width, self._console.width = max(self._width, _FILE_WIDTH), _ANY_WIDTH
        return self._console

    def document(self, value: Any) -> None:
        """The one JSON document of a ``--json`` command."""
        ends.document(value)

    def say(self, text: str = "", style: str | None = None) -> None:
        shown = words.visible(text)
        if self.console.is_terminal:
            shown = lines.wrapped(shown, self.console.width)
        self.console.print(shown, style=style, markup=False)

    # run

    def opening(self, choice: Parameters, span: tuple[int, int] | str) -> None:
        if choice.target == "sandbox":
            self.say("REHEARSAL on the sandbox: nothing real is touched.", "bold")
        else:
            self.say(f"PRODUCTION tenant {choice.tenant_id}: changes are real.", "bold red")
        if not isinstance(span, str):
            self.say(f"{words.plural(len(choice.actions), 'action')}, sections {span[0]} to {span[1]}")

    def progress(self, news: Progress) -> None:
        """One line a section; a spinner while something takes its time."""
        if news.state == "waiting":
            if self._spinner is not None:
                self._spinner.update(f"{news.label}: {news.done}")
            return
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None
        if news.state == "finished":
            self._section_line(news)
            return
        if news.state == "stopping":
            self.say("Stopping: what was made for a proof is removed first. Once more ends it at once.", "yellow")
            return
        if news.state == "shown":
            return
        doing = "reading the tenant" if news.state == "planning" else news.label
        if self.console.is_terminal:
            self._spinner = self.console.status(doing)
            self._spinner.start()

    def _section_line(self, news: Progress) -> None:
        from rich.text import Text

        line = Text(f"{news.label:<37} ")
        line.append(f"{news.verdict:<10}", style=words.style(news.verdict))
        line.append(f" {news.seconds:5.1f} s  {words.visible(news.done)}")
        self.console.print(line)

    def attend(self, target: Target, journal: Journal | NullJournal) -> HandsOver:
        """How the run itself hands over: a code to sign in with is told on stderr, and everything else parks."""
        from runbook.tenant.base import attended

        return attended(target, journal, lambda item: typer.echo(words.visible(_code(item)), err=True))

    def account(self, names: Sequence[str]) -> str:
        """Which of those who are signed in; empty: somebody else, or nobody is there to ask."""
        if not names or not sys.stdin.isatty():
            return ""
        from rich.prompt import Prompt

        for number, name in enumerate([*names, "another account"], 1):
            self.say(f"{number}  {name}")
        numbers = [str(number + 1) for number in range(len(names) + 1)]
        chosen = Prompt.ask("Which account", console=self.console, choices=numbers, default="1")
        return [*names, ""][int(chosen) - 1]

    def outcome(self, outcome: RunOutcome, link_to: str) -> None:
        if self.as_json:
            self.document({**outcome.summary, "record": str(outcome.record_dir), "exit_code": outcome.exit_code})
        self.say()
        self._numbers(outcome.summary)
        verdict = str(outcome.summary["verdict"])
        self.say(f"Verdict: {verdict}", f"bold {words.style(verdict)}")
        if outcome.error:
            # The next step stands alone, in the last line.
            self.say("\n".join(line for line in outcome.error.splitlines() if not line.startswith("Next: ")))
        if outcome.hand_over:
            self._hand_over(outcome.hand_over, link_to)
        self.say(f"Record:  {outcome.record_dir}")
        self._next(outcome, verdict)

    def _numbers(self, summary: Mapping[str, Any]) -> None:
        actions = summary["actions"]
        if actions:
            self.say(words.proven(actions))
            self._reasons(actions)
        application = summary["application"]
        if application:
            self.say(f"Application (client) id: {application['app_id']}")
        http = summary["http"]
        nouns = {"requests": "request", "writes": "write", "retries": "retry"}
        self.say(", ".join(words.plural(http[name], noun) for name, noun in nouns.items()))
        if summary["left_behind"]:
            self.say(words.left_behind(summary["left_behind"]), "yellow")
        writes = [f"{write['method']} {write['path']}" for write in summary["writes_without_outcome"]]
        for call, count in Counter(writes).items():
            self.say(f"Outcome not known: {call}" + (f" ({count} times)" if count > 1 else ""), "yellow")

    def _reasons(self, actions: Sequence[Mapping[str, Any]]) -> None:
        """Why roads of actions failed or were not tried: each reason once, with those that it holds for."""
        reasons: dict[tuple[str, str, str], list[str]] = {}
        for action in actions:
            for road, why in action["explanations"].items():
                label = f"{action['name']} ({road})"
                if (outcome := action["probes"][road]["outcome"]) != "failed":
                    label += f": {outcome}"
                reasons.setdefault((why["cause"], why["who"], why["remedy"]), []).append(label)
        for (cause, who, remedy), names in list(reasons.items())[:_REASONS]:
            self.say(f"\n{', '.join(names)}", "bold")
            self.say(f"  {cause}\n  Who can mend it: {who}\n  Next: {remedy}")
        if len(reasons) > _REASONS:
            self.say(f"\n{words.plural(len(reasons) - _REASONS, 'more reason')} in the report")
        if reasons:
            self.say()

    def _hand_over(self, item: HandOver, link_to: str) -> None:
        """Who has to do what. A link that lets whoever holds it act goes where it was asked to go, and into no log."""
        from runbook.widgets.message import HandOverCard

        shown = link_to == "terminal" or (not link_to and self.console.is_terminal)
        self.say(f"\n{HandOverCard(item, attended=shown).text()}\n")
        if item.kept and link_to and not shown:
            file = Path(link_to)
            taken = file.exists() and not (file.is_file() and file.read_bytes().startswith(b"https://"))
            if not taken:  # what a parameters file names is not written over
                whole.write(file, f"{item.url}\n", mode=0o600)
            self.say(f"{link_to} holds something else, which stays." if taken else f"The link is in {link_to}.")

    def _next(self, outcome: RunOutcome, verdict: str) -> None:
        record = outcome.record_dir
        if verdict != "passed":
            self.say(f"Next:    {outcome.next_step or 'run the same command again.'}")
            return
        if outcome.next_step:
            self.say(f"Later:   {outcome.next_step}")
        check = f"runbook records verify {pasted(record)}"
        self.say(f"Next:    read {record / 'report.html'}, check it with: {check}")
        if outcome.summary["target"] == "sandbox":
            self.say("         open the notebooks with: runbook lab")
            self.say("         a real tenant: `runbook init FILE`, then `runbook plan --parameters FILE`")

    # plan

    def plan(self, report: PlanReport) -> None:
        if self.as_json:
            sections = [
                {"name": name, "title": report.titles[name], "changes": [*map(_signed, changes)]}
                for name, changes in report.changes.items()
            ]
            told = {name: getattr(report, name) for name in ("plan_hash", "pending", "target", "tenant_id")}
            told |= {name: getattr(report, name) for name in ("tenant", "signed_in", "rights", "price")}
            self.document({**told, "others": [each.shown() for each in report.others], "sections": sections})
            return
        self._show(report)
        self.say(f"\n{report.pending} changes. Nothing was written. Plan hash {report.plan_hash}")

    def confirm(self, report: PlanReport, needed: bool) -> bool:
        """Show what a run is about to do on a real tenant; where it has to be approved, ask for the tenant's name."""
        from runbook.runs.run import Progress

        self.progress(Progress("shown"))
        self._show(report)
        name = report.tenant.split(", ")[0]
        asked = f"\nTo apply exactly this ({report.plan_hash}), type the tenant's name, {name}"
        return not needed or (sys.stdin.isatty() and typer.prompt(asked, "", show_default=False, err=True) == name)

    def _show(self, report: PlanReport) -> None:
        self.say(f"{report.target}: {report.tenant}", "bold")
        self.say(f"Signed in: {report.signed_in}")
        for right in report.rights:
            self.say(f"  {right['what']}: {'you may' if right['may'] else right['who']}")
        if report.price:
            self.say(report.price, "yellow")
        for name, changes in report.changes.items():
            label = f"{NAMES.index(name) + 1}  {report.titles[name]}" if name in NAMES else report.titles[name]
            waiting = [change.shown() for change in changes if change.kind != "same"]
            same = len(changes) - len(waiting)
            self.say(f"\n{label}" + ("" if waiting else f": nothing to change ({same} same)"))
            if waiting:
                self._table(*words.plan_table(waiting))
        if report.others:
            self.say("\nMade or changed by others: left alone, but for the kinds that --prune names")
            rows = [(each.kind, each.what, each.state, each.by) for each in report.others]
            self._table(("Kind", "What", "State", "Last touched by"), rows)

    def findings(self, found: Iterable[Finding], facts: Mapping[str, Any] | None = None) -> int:
        """What was found, with the worst as the verdict; the exit code of that. ``facts`` are for programs."""
        findings = list(found)
        states = {each.state for each in findings}
        verdict = next((state for state in _WORST if state in states), "passed")
        code = _WORST.get(verdict, 0)
        if self.as_json:
            listed = [asdict(each) for each in findings]
            more = {"least": [name for each in findings for name in each.needs]} if facts is None else facts
            self.document({"verdict": verdict, "exit_code": code, **more, "findings": listed})
        else:
            rows = [(each.state, each.about, each.said, each.remedy) for each in findings]
            self._table(("State", "What", "Seen", "Next"), rows)
            if any("`runbook " in each.remedy for each in findings):
                self.say("\nGive such a command the options of this one.")
            self.say(f"\nVerdict: {verdict}", f"bold {words.style(verdict)}")
        return code

    # actions and scopes

    def actions(self, actions: Sequence[Action]) -> None:
        if self.as_json:
            self.document([action.to_dict() for action in actions])
            return
        asked = {a.slug: catalog.compute([a.slug]) for a in actions}  # what a run asks for, if nobody wants the least
        rows = [
            (a.name, a.resource, a.effect, *(" ".join(asked[a.slug].of(kind).names) for kind in PERMISSION_TYPES))
            for a in actions
        ]
        self._table(("Action", "Resource", "Effect", "Delegated", "Application"), rows)
        self.say(words.plural(len(actions), "action"))

    def _table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        from rich.table import Table
        from rich.text import Text

        shown = [[words.visible(cell) for cell in row] for row in rows]
        in_file, cells = not self.console.is_terminal, [head, *shown]
        fitting = lines.widths(cells, self._width)
        if fitting is None and in_file:  # where names stay whole
            fitting = lines.widths(cells, _ANY_WIDTH)
        if fitting is None:
            for row in shown:  # too narrow for columns: a row is a paragraph
                told = [f"{title}: {cell}" for title, cell in zip(head, row, strict=True) if cell]
                self.say("\n".join(["", *told]))
            return
        table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for title, width in zip(head, fitting, strict=True):
            table.add_column(title, width=width)
        for row in shown:
            table.add_row(*(Text(cell, words.style(cell)) for cell in row))
        self.console.print(table, soft_wrap=False)

    def scopes(
        self, choice: Parameters, computed: Scopes, separator: str | None, what_if: Difference | None = None
    ) -> None:
        link = guide.link(choice.actions)
        texts = [computed.joined(kind, separator or "space") for kind in computed.types]
        if self.as_json:
            document = {"headline": explain.headline(computed), **computed.to_dict(), "guide": link}
            document |= {"what_if": what_if.to_dict()} if what_if else {}
            self.document({**document, "guide_note": guide.LINK_CAVEAT})
            return
        if separator is not None:
            typer.echo("\n".join(texts))
            return
        for kind in computed.types:
            self._permission_set(kind, computed)
        if "delegated" in computed.types:
            self.say(f"\nBesides, for the sign-in itself: {' '.join(computed.base)}")
        headline, *sentences = explain.summary(computed)
        self.say(f"\n{headline}", "bold")
        for sentence in sentences:
            self.say(f"  {sentence}")
        if what_if is not None:
            self.say(f"\nWhat if: {what_if.sentence()}.", "bold")
        self.say(f"\nGuide:  {link}")
        self.say(f"        {guide.LINK_CAVEAT}")

    def _permission_set(self, kind: PermissionType, computed: Scopes) -> None:
        known, found = catalog.permissions(), computed.of(kind)
        head = f"{kind.capitalize()} permissions for {words.plural(len(computed.actions), 'action')}"
        self.say(f"\n{head}: {len(found.names)}", "bold")
        rows = [
            (name, known[name].powerful or "", ", ".join(catalog.action(slug).name for slug in found.why[name]))
            for name in found.names
        ]
        self._table(("Permission", "Powerful", "Needed by"), rows)
        for slug in found.unsupported:
            self.say(f"  {catalog.action(slug).name} has no {kind} permission.", "yellow")

    def shelf(self, listed: Sequence[Entry]) -> None:
        if self.as_json:
            self.document([asdict(each) for each in listed])
            return
        rows = [
            (
                each.run_id,
                each.tenant.split(", ")[0] or each.tenant_id,
                each.application,
                each.verdict,
                each.finished_at[:16] or "not ended",
                each.who,
                f"{each.created} created, {each.updated} updated, {each.deleted} deleted",
                each.signature if each.holds else "does not hold",
            )
            for each in listed
        ]
        self._table(("Run", "Tenant", "Application", "Verdict", "Ended", "By", "Changes", "Signature"), rows)
        self.say(words.plural(len(listed), "record"))

    def difference(self, rows: Sequence[tuple[str, str, str]]) -> None:
        if self.as_json:
            self.document([dict(zip(("what", "before", "after"), row, strict=True)) for row in rows])
            return
        self._table(("What", "Before", "After"), rows)
        self.say(words.plural(len(rows), "difference"))

    def told(self, document: Any, text: str, style: str | None = None) -> None:
        if self.as_json:
            self.document(document)
        else:
            self.say(text, style)


def _code(item: HandOver) -> str:
    return f"To sign in, open {item.url} and enter the code {item.fields['code']} before {item.expires_at}."


def _signed(change: Change) -> dict[str, str]:
    return {**change.shown(), "sign": words.SIGNS[change.kind]}
