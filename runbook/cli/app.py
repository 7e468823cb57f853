"""The command ``runbook``.

Exit codes: 0 done and verified; 1 failed; 2 bad input, nothing was sent; 3 parked, a person must act;
4 changes are pending (``plan --exit-code``), or something is due or was changed (``status``);
130 interrupted, safe to run again.
``--json`` prints one JSON document on stdout and progress on stderr.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runbook import rehearsal, whole
from runbook.cli import choosing, ends, fleet, options
from runbook.cli.options import takes
from runbook.errors import InputError, Problem, SecretStoreError

if TYPE_CHECKING:
    from runbook.cli.screen import Screen
    from runbook.parameters import Parameters
    from runbook.secrets.stores import SecretStore

app = typer.Typer(
    name="runbook",
    help="Connect Microsoft Entra ID to StackOne, section by section, on a sandbox first and then on a tenant.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_records = typer.Typer(help="Check and read the records that runs leave.", no_args_is_help=True)
app.add_typer(_records, name="records", rich_help_panel="Afterwards")
app.add_typer(fleet.app, name="fleet", rich_help_panel="Many tenants")
_secrets = typer.Typer(help="Put secrets into a store and get them out; no value is an argument.", no_args_is_help=True)
app.add_typer(_secrets, name="secrets", rich_help_panel="Before the guide")


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        from runbook.version import VERSION

        typer.echo(VERSION)
        raise typer.Exit


def _screen(given: options.Told) -> Screen:
    from runbook.cli.screen import Screen

    return Screen(as_json=given.as_json)


def _store(spec: str = "auto") -> SecretStore:
    from runbook.secrets.stores import open_store

    return open_store(spec)


@app.command("init", rich_help_panel="Before the guide")
@takes(options.Init)
def _init(given: options.Init) -> None:
    """Write a commented parameters file by asking."""
    from runbook.cli.init import write

    write(given.file)


@app.command("actions", rich_help_panel="Before the guide")
@takes(options.Search)
def _actions(given: options.Search) -> None:
    """List the actions of the guide with their permissions."""
    from runbook import catalog

    screen = _screen(given)
    if given.check:
        from runbook.catalog import drift

        report = drift.check_source(given.check)
        screen.told(report.to_dict(), "\n".join(report.lines()))
        raise typer.Exit(1 if report.changed else 0)
    screen.actions(catalog.select(search=given.search, resource=given.resource, effect=given.effect))


@app.command("scopes", rich_help_panel="Before the guide")
@takes(options.Scopes)
def _scopes(given: options.Scopes) -> None:
    """Show the permissions of a choice, why each is there, and the guide's link for the choice."""
    from runbook import catalog
    from runbook.catalog import model

    wanted = {"permission_types": given.type_, "permission_source": given.source}
    choice = choosing.choice(given, **{name: value for name, value in wanted.items() if value})
    # Who has not decided sees what either type would take.
    types = choice.permission_types if "permission_types" in choice.model_fields_set else model.PERMISSION_TYPES
    computed = catalog.compute(choice.actions, types=types, source=choice.permission_source)
    what_if = choosing.what_if(computed, given.add, given.drop) if given.add or given.drop else None
    if given.save:
        from runbook.parameters import save

        save(choice, given.save)
    _screen(given).scopes(choice, computed, given.separator, what_if)


@app.command("doctor", rich_help_panel="Before the guide")
@takes(options.Run)
def _doctor(given: options.Run) -> None:
    """Name what will fail, and who must act, before a run does; the least permissions for the choice."""
    from runbook.operations import doctor
    from runbook.sections import NAMES

    first, last = choosing.span(given.sections)
    screen = _screen(given)
    found = doctor.examine(choosing.choice(given), NAMES[first - 1 : last], screen.attend)
    raise typer.Exit(screen.findings(found))


@app.command("sign-in", rich_help_panel="Before the guide")
@takes(options.SignIn)
def _sign_in(given: options.SignIn) -> None:
    """Sign in as the administrator, choose the account, and keep the session where the system can encrypt it."""
    from runbook.tenant.base import open_context
    from runbook.tenant.registration import signed_in

    screen = _screen(given)
    with open_context(choosing.choice(given), hand_over=screen.attend) as ctx:
        administrator = ctx.administrator
        if administrator.by_person and not given.fresh:
            administrator.sign_in(given.name or screen.account(administrator.person.names()))
        else:
            administrator.obtain(fresh=given.fresh)
        who, kept = signed_in(ctx), administrator.by_person and administrator.person.kept
    where = (
        "kept, encrypted by this system, until `runbook sign-out`" if kept else "kept nowhere: each command signs in"
    )
    screen.told({"signed_in": who, "kept": kept}, f"Signed in: {who}\nThe session is {where}.")


@app.command("sign-out", rich_help_panel="Before the guide")
@takes(options.Choice)
def _sign_out(given: options.Choice) -> None:
    """Remove the administrator's session from this machine."""
    from runbook.clients.token_cache import forget
    from runbook.tenant.base import open_context

    with open_context(choosing.choice(given)) as ctx:
        removed = forget(ctx.target)
    said = "The session is removed from this machine." if removed else "No session is kept on this machine."
    _screen(given).told({"removed": removed}, said)


@app.command("plan", rich_help_panel="The guide")
@takes(options.Plan)
def _plan(given: options.Plan) -> None:
    """Read only: print what a run would change, and the plan hash."""
    from runbook.runs import run as runs

    screen = _screen(given)
    report = runs.plan(choosing.choice(given), choosing.span(given.sections), screen.attend)
    screen.plan(report)
    raise typer.Exit(4 if given.exit_code and report.pending else 0)


@app.command("run", rich_help_panel="The guide")
@takes(options.Run)
def _run(given: options.Run) -> None:
    """Carry out the guide and write a record."""
    _carry_out(given, choosing.choice(given, apply=True), choosing.span(given.sections))


@app.command("verify", rich_help_panel="The guide")
@takes(options.Choice)
def _verify(given: options.Choice) -> None:
    """The last section alone: prove that each chosen action works."""
    last = options.ALL_SECTIONS.rpartition(".")[2]
    _run(**vars(replace(options.Run(**vars(given)), sections=last)))


@app.command("lab", rich_help_panel="The guide")
@takes(options.Lab)
def _lab(given: options.Lab) -> None:
    """Open JupyterLab on a working copy of the notebooks."""
    from runbook.cli.lab import FOLDER, lab

    folder, passed = given.folder, list(given.options or ())
    if str(folder).startswith("-"):  # `lab -- --port=8899`: there is no folder before the options
        folder, passed = FOLDER, [str(folder), *passed]
    raise typer.Exit(lab(folder, [*passed, *(["--no-browser"] if given.no_browser else [])]))


@app.command("status", rich_help_panel="Afterwards")
@takes(options.Choice)
def _status(given: options.Choice) -> None:
    """How a tenant stands: days left, drift, last proof; exit code 4 when something is due or was changed."""
    from runbook.operations import status

    screen = _screen(given)
    raise typer.Exit(screen.findings(*status.standing(choosing.choice(given), screen.attend)))


@app.command("rotate", rich_help_panel="Afterwards")
@takes(options.Rotate)
def _rotate(given: options.Rotate) -> None:
    """Another client secret, proven and handed to StackOne before the old one goes."""
    _operate(given, "rotate_secret")


@app.command("teardown", rich_help_panel="Afterwards")
@takes(options.Teardown)
def _teardown(given: options.Teardown) -> None:
    """Remove what the runbook made, at StackOne and in Entra ID, and nothing else."""
    _operate(given, "teardown")


def _operate(given: options.Operation, name: str) -> None:
    from runbook.runs import run as runs

    choice = choosing.choice(given, apply=True)
    if given.plan:
        screen = _screen(given)
        screen.plan(runs.plan(choice, name, screen.attend))
    else:
        _carry_out(given, choice, name)


def _carry_out(given: options.Told, choice: Parameters, span: tuple[int, int] | str) -> None:
    from runbook.runs import run as runs

    screen = _screen(given)
    screen.opening(choice, span)
    outcome = runs.run(choice, span, Path(choice.records), screen.progress, screen.attend, screen.confirm)
    screen.outcome(outcome, choice.link_to)
    if ends.unheard():
        typer.echo(f"Standard output was not read to its end. Record: {outcome.record_dir}", err=True)
    raise typer.Exit(outcome.exit_code)


@_records.command("verify")
@takes(options.Check)
def _records_verify(given: options.Check) -> None:
    """Check a record offline: nothing changed, cut, removed, added or swapped since it was written."""
    from runbook.records import verify

    if not given.folder.is_dir():
        raise InputError(Problem(str(given.folder), "is not a folder.", "Name records/<run-id>."))
    key = given.public_key
    try:
        report = verify.verify(given.folder, public_key=whole.read(key) if key else None)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no Ed25519 public key in PEM"
        raise InputError(Problem("--public-key", f"{key} cannot be used: {why}.")) from None
    _screen(given).told(report.as_dict(), str(report), "green" if report.ok else "red")
    raise typer.Exit(0 if report.ok else 1)


@_records.command("report")
@takes(options.Report)
def _records_report(given: options.Report) -> None:
    """Write the HTML report of a record."""
    from runbook.records import report

    if not (given.folder / "journal.jsonl").is_file():
        what = "is not a record: it has no journal.jsonl."
        raise InputError(Problem(str(given.folder), what, "Name records/<run-id>."))
    path = report.write(given.folder, given.output)
    _screen(given).told({"report": str(path)}, f"Wrote {path}")


@_records.command("list")
@takes(options.Shelf)
def _records_list(given: options.Shelf) -> None:
    """A row for each record: tenant, verdict, who, changes, signature."""
    from runbook.records import shelf

    listed = shelf.entries(given.folder)
    if given.as_csv and not given.as_json:
        typer.echo(shelf.as_csv(listed), nl=False)
        return
    _screen(given).shelf(listed)


@_records.command("diff")
@takes(options.Pair)
def _records_diff(given: options.Pair) -> None:
    """What changed between two records of one tenant."""
    from runbook.records import shelf

    _screen(given).difference(shelf.difference(given.before, given.after))


@_secrets.command("set")
@takes(options.Stored)
def _secrets_set(given: options.Stored) -> None:
    """Keep a secret: asked for on a terminal, else read from stdin."""
    from runbook.secrets import Secret

    value = typer.prompt("Value", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
    if not value.strip():
        raise InputError(Problem("the value", "is empty."))
    _store().set(given.reference, Secret(value.rstrip("\r\n")))
    _screen(given).told({"reference": given.reference}, f"Kept as {given.reference}")


@_secrets.command("get")
@takes(options.Stored)
def _secrets_get(given: options.Stored) -> None:
    """Print a secret; asks first where the output is a screen."""
    value = _store().get(given.reference).reveal()
    if sys.stdout is not None and sys.stdout.isatty():
        typer.confirm(f"Show {given.reference} on this screen?", abort=True, err=True)
    if given.as_json:
        ends.document({"reference": given.reference, "value": value})
    else:
        typer.echo(value)


@_secrets.command("list")
@takes(options.Stores)
def _secrets_list(given: options.Stores) -> None:
    """The references of what a store keeps."""
    found = _store(given.store).references()
    _screen(given).told(found, "\n".join(found))


@_secrets.command("remove")
@takes(options.Stored)
def _secrets_remove(given: options.Stored) -> None:
    """Forget a secret."""
    if not _store().delete(given.reference):
        raise SecretStoreError.named("no_secret_to_remove", reference=given.reference)
    _screen(given).told({"removed": given.reference}, f"Removed {given.reference}")


def main() -> None:
    """Entry point of the console script."""
    app.add_typer(rehearsal.commands(), name="sandbox", rich_help_panel="Before the guide")
    ends.command(app)
