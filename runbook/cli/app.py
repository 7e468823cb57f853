"""The command ``runbook``.

Exit codes: 0 done and verified; 1 failed; 2 bad input, nothing was sent; 3 parked, a person must act;
130 interrupted, safe to run again. ``--json`` prints one JSON document on stdout and progress on stderr.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from runbook import rehearsal
from runbook.cli import choosing
from runbook.errors import InputError, Problem, RunbookError

if TYPE_CHECKING:
    pass

__all__ = ["app", "main"]

app = typer.Typer(
    name="runbook",
    help="Connect Microsoft Entra ID to StackOne, section by section, on a sandbox first and then on a tenant.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
records_app = typer.Typer(help="Check and read the records that runs leave.", no_args_is_help=True)
app.add_typer(records_app, name="records")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, progress on stderr.")]
Target = Annotated[str | None, typer.Option(help="sandbox (default) or entra.", metavar="sandbox|entra")]
Sandbox = Annotated[
    Path | None,
    typer.Option(help="The JSON line of a served sandbox.", envvar=list(rehearsal.READY_FILES), metavar="FILE"),
]
ParametersFile = Annotated[
    Path | None, typer.Option("--parameters", help="The parameters file, YAML or JSON.", metavar="FILE")
]
Actions = Annotated[str | None, typer.Option(help='Actions by name: "List Users,Create Group".', metavar="A,B")]
ActionsFile = Annotated[Path | None, typer.Option(help="A file of actions, one a line.", metavar="FILE")]
AllActions = Annotated[bool, typer.Option("--all-actions", help="All 67 actions.")]
Preset = Annotated[
    str | None, typer.Option(help="A ready-made choice: start, read-only, user-lifecycle, everything.", metavar="NAME")
]
Types = Annotated[
    str | None, typer.Option("--permission-types", help="delegated, application or both.", metavar="TYPES")
]
Sections = Annotated[str, typer.Option(help="Sections of the guide to run, such as 2..5.", metavar="FROM..TO")]
Records = Annotated[Path | None, typer.Option(help="Where records go; default records/.", metavar="DIR")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other parameter, such as sign_in_audience=multi.", metavar="NAME=VALUE"),
]
Traceback = Annotated[bool, typer.Option("--traceback", help="Show where an unexpected error came from.")]


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from runbook.version import VERSION

        typer.echo(VERSION)
        raise typer.Exit


@app.command()
def run(
    target: Target = None,
    sandbox: Sandbox = None,
    parameters: ParametersFile = None,
    actions: Actions = None,
    actions_file: ActionsFile = None,
    all_actions: AllActions = False,
    preset: Preset = None,
    permission_types: Types = None,
    sections: Sections = "1..8",
    records: Records = None,
    set_: Set = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Carry out the guide and write a record."""
    from runbook.cli import screen as console
    from runbook.runs import run as runs

    choice = choosing.choice(
        choosing.Given(actions, actions_file, all_actions, preset),
        target=target,
        sandbox=sandbox,
        parameters=parameters,
        permission_types=permission_types,
        records=records,
        set_=set_,
        extra={"apply": True},
    )
    span = choosing.span(sections)
    screen = console.Screen(as_json=as_json)
    screen.opening(choice, span)
    outcome = runs.run(choice, sections=span, records=Path(choice.records), progress=screen.progress)
    screen.outcome(outcome)
    raise typer.Exit(outcome.exit_code)


@app.command()
def plan(
    target: Target = None,
    sandbox: Sandbox = None,
    parameters: ParametersFile = None,
    actions: Actions = None,
    actions_file: ActionsFile = None,
    all_actions: AllActions = False,
    preset: Preset = None,
    permission_types: Types = None,
    sections: Sections = "1..8",
    records: Records = None,
    set_: Set = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Read only: print what a run would change, and the plan hash."""
    from runbook.cli import screen as console
    from runbook.runs import run as runs

    choice = choosing.choice(
        choosing.Given(actions, actions_file, all_actions, preset),
        target=target,
        sandbox=sandbox,
        parameters=parameters,
        permission_types=permission_types,
        records=records,
        set_=set_,
    )
    screen = console.Screen(as_json=as_json)
    screen.plan(runs.plan(choice, sections=choosing.span(sections)))


@app.command()
def verify(
    target: Target = None,
    sandbox: Sandbox = None,
    parameters: ParametersFile = None,
    actions: Actions = None,
    actions_file: ActionsFile = None,
    all_actions: AllActions = False,
    preset: Preset = None,
    permission_types: Types = None,
    records: Records = None,
    set_: Set = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Section 8 alone: prove that each chosen action works."""
    run(
        target,
        sandbox,
        parameters,
        actions,
        actions_file,
        all_actions,
        preset,
        permission_types,
        "8..8",
        records,
        set_,
        as_json,
        traceback,
    )


@app.command("actions")
def list_actions(
    search: Annotated[str, typer.Option(help="Only actions whose name or permission holds this text.")] = "",
    resource: Annotated[str, typer.Option(help="Only actions of this resource, such as Users.")] = "",
    effect: Annotated[str, typer.Option(help="read, write or delete.")] = "",
    check: Annotated[
        str, typer.Option(help="Compare with a newer guide page or permission table.", metavar="FILE|URL")
    ] = "",
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """List the actions of the guide with their permissions."""
    from runbook import catalog
    from runbook.cli import screen as console

    screen = console.Screen(as_json=as_json)
    if check:
        from runbook.catalog import drift

        report = drift.check_source(check)
        screen.drift(report)
        raise typer.Exit(1 if report.changed else 0)
    screen.actions(catalog.select(search=search, resource=resource, effect=effect))


@app.command()
def scopes(
    actions: Actions = None,
    actions_file: ActionsFile = None,
    all_actions: AllActions = False,
    preset: Preset = None,
    parameters: ParametersFile = None,
    type_: Annotated[
        str | None, typer.Option("--type", help="Only delegated or only application.", metavar="TYPE")
    ] = None,
    separator: Annotated[
        str | None, typer.Option(help="Print the names alone, joined by space, comma or newline.", metavar="SEPARATOR")
    ] = None,
    source: Annotated[str, typer.Option(help="guide or least.", metavar="guide|least")] = "",
    add: Annotated[str, typer.Option(help="What if these actions were chosen besides?", metavar="A,B")] = "",
    drop: Annotated[str, typer.Option(help="What if these actions were left out?", metavar="A,B")] = "",
    save: Annotated[Path | None, typer.Option(help="Save the choice as a parameters file.", metavar="FILE")] = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Show the permissions of a choice, why each is there, and the guide's link for the choice."""
    from runbook import catalog
    from runbook.cli import screen as console

    choice = choosing.choice(
        choosing.Given(actions, actions_file, all_actions, preset),
        parameters=parameters,
        permission_types=type_ or None,
        extra={"permission_source": source} if source else {},
    )
    computed = catalog.compute(choice.actions, types=choice.permission_types, source=choice.permission_source)
    what_if = choosing.what_if(computed, add, drop) if add or drop else None
    if save:
        from runbook.parameters import save as save_parameters

        save_parameters(choice, save)
    console.Screen(as_json=as_json).scopes(choice, computed, separator, what_if)


@app.command()
def lab(
    folder: Annotated[Path, typer.Argument(help="The working copy of the notebooks.")] = Path("runbook-notebooks"),
    options: Annotated[list[str] | None, typer.Argument(metavar="-- OPTIONS", help="Options of JupyterLab.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    traceback: Traceback = False,
) -> None:
    """Open JupyterLab on a working copy of the notebooks."""
    from runbook.cli.lab import FOLDER
    from runbook.cli.lab import lab as open_lab

    passed = list(options or ())
    if str(folder).startswith("-"):  # `lab -- --port=8899`: there is no folder before the options
        folder, passed = FOLDER, [str(folder), *passed]
    raise typer.Exit(open_lab(folder, [*passed, *(["--no-browser"] if no_browser else [])]))


@records_app.command("verify")
def records_verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One record, records/<run-id>.")],
    public_key: Annotated[Path | None, typer.Option(help="The signer's Ed25519 public key, PEM.")] = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Check a record offline: nothing changed, cut, removed, added or swapped since it was written."""
    from runbook.cli import screen as console
    from runbook.records import verify as checker

    if not folder.is_dir():
        raise InputError(Problem(str(folder), "is not a folder.", "Name records/<run-id>."))
    try:
        report = checker.verify(folder, public_key=public_key.read_bytes() if public_key else None)
    except (OSError, ValueError):
        raise InputError(Problem("--public-key", f"{public_key} is no Ed25519 public key in PEM.")) from None
    console.Screen(as_json=as_json).record_check(report)
    raise typer.Exit(0 if report.ok else 1)


@records_app.command("report")
def records_report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One record, records/<run-id>.")],
    output: Annotated[Path | None, typer.Option(help="Where the HTML goes; default DIR/report.html.")] = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Write the HTML report of a record."""
    from runbook.cli import screen as console
    from runbook.records import report

    _need_folder(folder)
    console.Screen(as_json=as_json).wrote(report.write(folder, output))


def _need_folder(folder: Path) -> None:
    if not (folder / "journal.jsonl").is_file():
        raise InputError(Problem(str(folder), "is not a record: it has no journal.jsonl.", "Name records/<run-id>."))


def _mount_sandbox() -> None:
    app.add_typer(rehearsal.commands(), name="sandbox")


def _fail(error: BaseException, *, exit_code: int) -> NoReturn:
    if "--json" in sys.argv:
        document: dict[str, Any] = {"error": type(error).__name__, "what": str(error), "exit_code": exit_code}
        if isinstance(error, RunbookError):
            document |= {"what": error.what, "meaning": error.meaning, "who": error.who}
            document |= {"next": error.next_step, "code": error.code}
            document |= {"request_id": error.request_id}
        if isinstance(error, InputError):
            document["problems"] = [{"where": p.where, "what": p.what, "hint": p.hint} for p in error.problems]
        typer.echo(json.dumps(document, indent=2))
    else:
        typer.echo(f"Error: {error}", err=True)
    raise SystemExit(exit_code)


def main() -> None:
    """Entry point of the console script."""
    _mount_sandbox()
    try:
        app()
    except RunbookError as error:
        if "--traceback" in sys.argv:
            _show_traceback(error)
        _fail(error, exit_code=error.exit_code)
    except KeyboardInterrupt:
        typer.echo("Interrupted. It is safe to run the same command again.", err=True)
        raise SystemExit(130) from None
    except Exception as error:  # noqa: BLE001 - the last resort: a person gets words, not a stack
        if "--traceback" in sys.argv:
            _show_traceback(error)
        wrapped = RunbookError(
            f"Unexpected {type(error).__name__}.",
            meaning="this is a defect of the runbook, not of your tenant.",
            next_step="run the same command again with --traceback and report what it prints.",
        )
        _fail(wrapped, exit_code=1)


def _show_traceback(error: BaseException) -> None:
    """The stack without local values, scrubbed of anything that looks like a secret."""
    import traceback as tb

    from runbook.records.redaction import scrub

    typer.echo(scrub("".join(tb.format_exception(error))), err=True)
