"""The command ``runbook``.

Exit codes: 0 done and verified; 1 failed; 2 bad input, nothing was sent; 3 parked, a person must act;
130 interrupted, safe to run again. ``--json`` prints one JSON document on stdout and progress on stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from runbook.errors import InputError, Problem, RunbookError

if TYPE_CHECKING:
    from runbook.catalog.explain import Difference
    from runbook.catalog.scopes import Scopes
    from runbook.parameters import Parameters

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
    typer.Option(help="The JSON line of a served sandbox.", envvar="RUNBOOK_SANDBOX", metavar="FILE"),
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
        from runbook import __version__

        typer.echo(__version__)
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
    from runbook import console
    from runbook.execution import runs

    choice = _choice(
        Given(actions, actions_file, all_actions, preset),
        target=target,
        sandbox=sandbox,
        parameters=parameters,
        permission_types=permission_types,
        records=records,
        set_=set_,
        extra={"apply": True},
    )
    span = _span(sections)
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
    from runbook import console
    from runbook.execution import runs

    choice = _choice(
        Given(actions, actions_file, all_actions, preset),
        target=target,
        sandbox=sandbox,
        parameters=parameters,
        permission_types=permission_types,
        records=records,
        set_=set_,
    )
    screen = console.Screen(as_json=as_json)
    screen.plan(runs.plan(choice, sections=_span(sections)))


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
    from runbook import catalog, console

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
    from runbook import catalog, console

    choice = _choice(
        Given(actions, actions_file, all_actions, preset),
        parameters=parameters,
        permission_types=type_ or None,
        extra={"permission_source": source} if source else {},
    )
    computed = catalog.compute(choice.actions, types=choice.permission_types, source=choice.permission_source)
    what_if = _what_if(computed, add, drop) if add or drop else None
    if save:
        from runbook.parameters import save as save_parameters

        save_parameters(choice, save)
    console.Screen(as_json=as_json).scopes(choice, computed, separator, what_if)


@app.command()
def lab(
    folder: Annotated[Path, typer.Argument(help="The working copy of the notebooks.")] = Path("runbook-notebooks"),
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    traceback: Traceback = False,
) -> None:
    """Open JupyterLab on a working copy of the notebooks."""
    from runbook.execution.lab import lab as open_lab

    raise typer.Exit(open_lab(folder, browser=not no_browser))


@records_app.command("verify")
def records_verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One record, records/<run-id>.")],
    public_key: Annotated[Path | None, typer.Option(help="The signer's Ed25519 public key, PEM.")] = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Check a record offline: nothing changed, cut, removed, added or swapped since it was written."""
    from runbook import console
    from runbook.records import verify as checker

    _need_folder(folder)
    report = checker.verify(folder, public_key=public_key.read_bytes() if public_key else None)
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
    from runbook import console
    from runbook.records import report

    _need_folder(folder)
    console.Screen(as_json=as_json).wrote(report.write(folder, output))


def _need_folder(folder: Path) -> None:
    if not (folder / "journal.jsonl").is_file():
        raise InputError(Problem(str(folder), "is not a record: it has no journal.jsonl.", "Name records/<run-id>."))


def _span(text: str) -> tuple[int, int]:
    """``FROM..TO`` or one number, within 1 to 8."""
    first, dots, last = text.partition("..")
    try:
        span = (int(first), int(last if dots else first))
    except ValueError:
        span = (0, 0)
    if not 1 <= span[0] <= span[1] <= 8:
        raise InputError(Problem("--sections", f"{text!r} is not a range of sections.", "Write 1..8, 2..5 or 4."))
    return span


@dataclass(frozen=True)
class Given:
    """The four ways in which the command line names actions; at most one of them is used."""

    actions: str | None
    file: Path | None
    every: bool
    preset: str | None

    def values(self, problems: list[Problem]) -> dict[str, Any]:
        """The parameter ``actions``, or nothing where no way was used; mistakes go into ``problems``."""
        from runbook import catalog

        ways = {"--actions": self.actions, "--actions-file": self.file, "--preset": self.preset}
        if sum(way is not None for way in ways.values()) + self.every > 1:
            flags = f"{', '.join(ways)}, --all-actions"
            problems.append(Problem("actions", "are given more than once.", f"Use one of {flags}."))
        if self.every:
            return {"actions": [action.slug for action in catalog.actions()]}
        if self.actions is not None:
            return {"actions": self.actions}
        if self.file is not None:
            try:
                return {"actions": self.file.read_text(encoding="utf-8")}
            except (OSError, UnicodeDecodeError):
                problems.append(Problem("--actions-file", f"{self.file} cannot be read."))
        if self.preset is not None:
            if self.preset in catalog.presets():
                return {"actions": list(catalog.presets()[self.preset].actions)}
            problems.append(Problem("--preset", f"{self.preset!r} is not one.", f"Use {', '.join(catalog.presets())}."))
        return {}


def _choice(
    given: Given,
    *,
    target: str | None = None,
    sandbox: Path | None = None,
    parameters: Path | None = None,
    permission_types: str | None = None,
    records: Path | None = None,
    set_: list[str] | None = None,
    extra: Mapping[str, Any] = MappingProxyType({}),
) -> Parameters:
    """The one choice object from the command line's options; every mistake is named at once."""
    from runbook.parameters import parse, read_mapping

    problems: list[Problem] = []
    values: dict[str, Any] = {}
    if parameters:
        try:
            values.update(read_mapping(parameters))
        except InputError as error:
            problems += error.problems
    for assignment in set_ or []:
        name, equals, value = assignment.partition("=")
        if not equals:
            # What stands there is not repeated: it may be a secret put in the wrong place.
            problems.append(Problem("--set", "needs NAME=VALUE."))
        else:
            values[name.strip()] = _typed(name.strip(), value)
    values |= given.values(problems)
    options = {"target": target, "permission_types": permission_types}
    values |= {name: value for name, value in options.items() if value is not None}
    values |= {name: str(path) for name, path in (("sandbox_file", sandbox), ("records", records)) if path is not None}
    if values.get("target") == "entra" and sandbox is not None and not _typed_on_command_line("--sandbox"):
        values.pop("sandbox_file")
    try:
        choice = parse({**values, **extra})
    except InputError as error:
        raise InputError(problems + list(error.problems)) from None
    if problems:
        raise InputError(problems)
    return choice


def _what_if(computed: Scopes, add: str, drop: str) -> Difference:
    """What choosing ``add`` besides and leaving out ``drop`` would change."""
    from runbook import catalog
    from runbook.catalog import explain

    wanted = [action.slug for action in catalog.parse_list(add)] if add else []
    gone = {action.slug for action in catalog.parse_list(drop)} if drop else set()
    slugs = [slug for slug in (*computed.actions, *wanted) if slug not in gone]
    return explain.difference(computed, catalog.compute(slugs, computed.types, computed.source))


def _typed_on_command_line(flag: str) -> bool:
    return any(argument == flag or argument.startswith(f"{flag}=") for argument in sys.argv[1:])


def _typed(name: str, text: str) -> Any:
    """``--set`` gives text; numbers and switches are read as YAML does where the parameter is one."""
    if name in ("secret_lifetime_days", "secret_renew_before_days", "link_timeout_seconds", "allow_writes", "apply"):
        import yaml

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError:
            return text
    return text


def _mount_sandbox() -> None:
    from runbook.sandbox.cli import app as sandbox_app

    app.add_typer(sandbox_app, name="sandbox")


def _fail(error: BaseException, *, exit_code: int) -> NoReturn:
    if "--json" in sys.argv:
        document: dict[str, Any] = {"error": type(error).__name__, "what": str(error), "exit_code": exit_code}
        if isinstance(error, RunbookError):
            document |= {"what": error.what, "meaning": error.meaning, "next": error.next_step, "code": error.code}
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
