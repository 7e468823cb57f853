"""``runbook fleet``: many tenants, and what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from runbook import words
from runbook.cli import choosing, options
from runbook.cli.options import ALL_SECTIONS, takes
from runbook.errors import InputError, Problem

if TYPE_CHECKING:
    from runbook.cli.screen import Screen
    from runbook.fleet.fleet import Fleet
    from runbook.fleet.work import Task

app = typer.Typer(help="Carry out the guide on many tenants, and look at them.", no_args_is_help=True)
_STYLES = {"skipped": "passed", "done": "passed", "interrupted": "incomplete"}


@app.command("run")
@takes(options.Fleet)
def _run(given: options.Fleet) -> None:
    """Run, plan, verify, rotate or look at each tenant of a table; run it again to go on where it stopped."""
    from runbook.cli.screen import Screen
    from runbook.fleet import cluster

    going = _fleet(given)
    screen = Screen(as_json=given.as_json)
    board = _Board(screen, going.total)
    with cluster.opened(given.scheduler, given.workers) as workers:
        many = f"{words.plural(going.total, 'tenant')}, {words.plural(workers.size, 'worker')}"
        screen.say(f"{many}; dashboard: {workers.dashboard}" if workers.dashboard else many)
        with board:
            workers.listen(board.heard)
            for result in going.results(workers):
                board.ended(result)
    board.close(going, given.verb)
    raise SystemExit(going.exit_code)  # of which typer makes nothing else


@app.command("report")
@takes(options.FleetReport)
def _report(given: options.FleetReport) -> None:
    """Write fleet.html, one self-contained page with a row a tenant, and fleet.csv."""
    from runbook.cli.screen import Screen
    from runbook.fleet import report

    written = report.write(given.folder)
    Screen(as_json=given.as_json).told({"written": written}, "\n".join(f"Wrote {each}" for each in written))


def _fleet(given: options.Fleet) -> Fleet:
    from runbook.fleet import tenants, work
    from runbook.fleet.books import Books
    from runbook.fleet.fleet import Fleet

    values, problems = choosing.told(given)
    sections = (1, 1)
    try:
        sections = choosing.span(given.sections)
    except InputError as error:
        problems += error.problems
    if given.verb not in work.VERBS:
        problems.append(Problem("--verb", f"{given.verb!r} is none.", f"Use one of {', '.join(work.VERBS)}."))
    elif given.sections != ALL_SECTIONS and given.verb not in ("run", "plan"):
        problems.append(Problem("--sections", "are for run and plan."))
    if given.verb == "rotate":
        values["only_when_due"] = True
    books = Books(str(values.get("records") or "records"))
    if books.remote:  # an address is for the fleet alone
        del values["records"]
    found: list[tenants.Tenant] = []
    try:
        found = tenants.read(given.tenants, values)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    where = {} if books.remote else {"records": books.place}

    def task(tenant: tenants.Tenant) -> Task:
        params = tenant.params.model_dump(mode="json", exclude_defaults=True)
        own = {**params, "actions": list(tenant.params.actions), "apply": True, **where}
        return work.Task(tenant.params.tenant_id, given.verb, own, sections, books.place, given.again)

    canaries, others = ([task(each) for each in found if each.canary is first] for first in (True, False))
    return Fleet(canaries, others, given.stop_after)


class _Board:
    """On a terminal a bar and a line for each worker, elsewhere a line for each tenant; then what waits for whom."""

    def __init__(self, screen: Screen, total: int) -> None:
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._screen, self._results = screen, list[dict[str, Any]]()
        self._workers: dict[str, str] = {}
        columns = (TextColumn("tenants"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=screen.console)
        self._all = self._bar.add_task("", total=total)
        self._live = Live(get_renderable=self._picture, console=screen.console, transient=True, refresh_per_second=4)

    def __enter__(self) -> None:
        if self._screen.console.is_terminal:
            self._live.start()

    def __exit__(self, *_exception: object) -> None:
        self._live.stop()

    def _picture(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        return Group(*(Text(words.visible(line), no_wrap=True) for line in list(self._workers.values())), self._bar)

    def heard(self, news: Mapping[str, Any]) -> None:
        self._workers[str(news["worker"])] = f"{news['tenant_id']}  {news['label']}  {news['done'] or news['verdict']}"

    def ended(self, result: dict[str, Any]) -> None:
        self._results.append(result)
        for worker, line in list(self._workers.items()):
            if line.startswith(result["tenant_id"]):
                del self._workers[worker]
        self._bar.advance(self._all)
        state, took = str(result["state"]), result.get("seconds")
        seconds = f"{took:6.1f} s" if took is not None and state != "skipped" else " " * 8
        line = f"{result['tenant_id']}  {state:<11} {seconds}  {str(result.get('said', '')).splitlines()[0]}"
        self._screen.say(line, words.style(_STYLES.get(state, state)))

    def close(self, fleet: Fleet, verb: str) -> None:
        """What waits for whom, what failed, and the numbers."""
        say = self._screen.say
        for state in ("parked", "failed"):
            for each in (result for result in self._results if result["state"] == state):
                say(f"\n{each['tenant_id']}  {state}: {each.get('waits_for') or each['said']}", words.style(state))
                if link := each.get("link"):
                    hidden = "://" not in link
                    say(f"  {each['who']}: " + (f"the link is kept: `runbook secrets get {link}`" if hidden else link))
                elif each.get("plan_hash") and state == "parked":
                    say(f"  waiting for approval: read the plan, then put {each['plan_hash']} into the column approve")
                elif each.get("next"):
                    say(f"  Next: {each['next']}")
        counts = ", ".join(f"{count} {state}" for state, count in sorted(fleet.counts.items()) if count)
        say(f"\n{counts or 'nothing to do'}", "bold")
        if fleet.interrupted or fleet.counts["not begun"] or fleet.counts["failed"] or fleet.counts["parked"]:
            say("Run the same command again to go on: finished tenants are skipped.")
        if self._screen.as_json:
            told = {"verb": verb, "exit_code": fleet.exit_code, "counts": dict(fleet.counts)}
            self._screen.document({**told, "tenants": self._results})
