"""The options of the command line, each declared once: a command takes a dataclass whose fields are its options."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar, get_type_hints

from typer import Argument, Option

from runbook.sections import NAMES

T = TypeVar("T", bound="Options")
File: TypeAlias = Path | None
Text: TypeAlias = str | None
ALL_SECTIONS = f"1..{len(NAMES)}"


def takes(kind: type[T]) -> Callable[[Callable[[T], None]], Callable[..., None]]:
    """Make of a function of one ``kind`` a command whose options and arguments are the fields of ``kind``."""
    hints = get_type_hints(kind, include_extras=True)
    known = {each.name: each for each in fields(kind)}
    names = [name for base in kind.__mro__ for name in vars(base).get("__annotations__", ())]  # its own come first
    signature = inspect.Signature([_parameter(known[name], hints[name]) for name in names])

    def command_of(function: Callable[[T], None]) -> Callable[..., None]:
        def command(**values: Any) -> None:
            function(kind(**values))

        command.__doc__, command.__name__ = function.__doc__, function.__name__
        command.__signature__ = signature  # type: ignore[attr-defined]
        command.__annotations__ = {name: hints[name] for name in names}
        return command

    return command_of


def _parameter(field: Field[Any], annotation: Any) -> inspect.Parameter:
    default = inspect.Parameter.empty if field.default is MISSING else field.default
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _parameters(begun: str) -> list[str]:
    """What the shell offers behind ``--set``."""
    from runbook.parameters import Parameters

    return [f"{name}=" for name in Parameters.model_fields if name.startswith(begun)]


def _actions(begun: str) -> list[str]:
    """What the shell offers for the last action of a list; slugs, which no shell quotes."""
    from runbook import catalog

    before, comma, last = begun.rpartition(",")
    return [before + comma + each.slug for each in catalog.actions() if each.slug.startswith(last.lower())]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every command takes. ``traceback`` is read in ``main``, where an error arrives."""

    traceback: Annotated[bool, Option("--traceback", help="Show where an unexpected error came from.")] = False


@dataclass(frozen=True, kw_only=True)
class Init(Options):
    """Where the answers go."""

    file: Annotated[Path, Argument(help="The parameters file to write.")] = Path("parameters.yaml")


@dataclass(frozen=True, kw_only=True)
class Told(Options):
    """What every command takes that tells something."""

    as_json: Annotated[bool, Option("--json", help="One JSON document on stdout, progress on stderr.")] = False


@dataclass(frozen=True, kw_only=True)
class Actions(Told):
    """Which actions: one of the four ways to name them, or the parameters file."""

    actions: Annotated[
        Text, Option(help='Actions by name: "List Users,Create Group".', metavar="A,B", autocompletion=_actions)
    ] = None
    actions_file: Annotated[File, Option(help="A file of actions, one a line.", metavar="FILE")] = None
    all_actions: Annotated[bool, Option("--all-actions", help="Every action of the guide.")] = False
    preset: Annotated[Text, Option(help="start, read-only, user-lifecycle or everything.", metavar="NAME")] = None
    parameters: Annotated[File, Option(help="The parameters file, YAML or JSON.", metavar="FILE")] = None


@dataclass(frozen=True, kw_only=True)
class Choice(Actions):
    """The whole choice: which actions, on what, with which parameters."""

    target: Annotated[Text, Option(help="sandbox (default) or entra.", metavar="sandbox|entra")] = None
    sandbox: Annotated[File, Option(help="Line of a served sandbox.", envvar="RUNBOOK_SANDBOX", metavar="FILE")] = None
    permission_types: Annotated[Text, Option(help="delegated (default), application or both.", metavar="TYPES")] = None
    records: Annotated[Text, Option(help="Where records go; default records/.", metavar="DIR")] = None
    engine: Annotated[Text, Option(help="How kernels start: warm (default) or stock.", metavar="warm|stock")] = None
    set_: Annotated[
        list[str] | None, Option("--set", help="Any other parameter.", metavar="NAME=VALUE", autocompletion=_parameters)
    ] = None


@dataclass(frozen=True, kw_only=True)
class SignIn(Choice):
    """Who signs in to what."""

    name: Annotated[str, Option("--as", help="The user name; default: a choice of accounts.", metavar="NAME")] = ""
    fresh: Annotated[bool, Option("--fresh", help="A new token for whoever is signed in, such as after PIM.")] = False


@dataclass(frozen=True, kw_only=True)
class Approved(Choice):
    """A choice, and the plan that was approved."""

    approve: Annotated[Text, Option(help="Carry out exactly the plan of this hash.", metavar="HASH")] = None


@dataclass(frozen=True, kw_only=True)
class Run(Approved):
    """The part of the guide to carry out."""

    sections: Annotated[str, Option(help="Sections to run, such as 2..5.", metavar="FROM..TO")] = ALL_SECTIONS
    new_secret: Annotated[bool, Option("--new-secret", help="Make one although ours is kept elsewhere.")] = False
    prune: Annotated[Text, Option(help="Take away what others made, of these kinds only.", metavar="KIND,…")] = None


@dataclass(frozen=True, kw_only=True)
class Operation(Approved):
    """One operation, or its plan."""

    plan: Annotated[bool, Option("--plan", help="Read only: print what would change, and the plan hash.")] = False


@dataclass(frozen=True, kw_only=True)
class Rotate(Operation):
    """When, and how long the old secret stays."""

    only_when_due: Annotated[bool, Option("--due", help="Make none before its time has come; for a timer.")] = False
    secret_overlap_days: Annotated[int | None, Option("--overlap", help="Days the old one stays.", metavar="DAYS")] = (
        None
    )
    new_secret: Annotated[bool, Option("--new-secret", help="Make one although ours is kept elsewhere.")] = False


@dataclass(frozen=True, kw_only=True)
class Teardown(Operation):
    """How thoroughly."""

    purge: Annotated[bool, Option("--purge", help="From the deleted items too: for good.")] = False


@dataclass(frozen=True, kw_only=True)
class Plan(Run):
    """As for a run, and how to tell that there is something to do."""

    exit_code: Annotated[bool, Option("--exit-code", help="Exit with 4 when changes are pending.")] = False


@dataclass(frozen=True, kw_only=True)
class Fleet(Choice):
    """Which tenants, what to do with each, and who does it."""

    tenants: Annotated[Path, Argument(metavar="TENANTS.csv", help="A row a tenant; columns override parameters.")]
    verb: Annotated[str, Option(help="run (default), plan, verify, rotate (when due) or status.", metavar="VERB")] = (
        "run"
    )
    sections: Annotated[str, Option(help="Sections to run or plan, such as 2..5.", metavar="FROM..TO")] = ALL_SECTIONS
    workers: Annotated[int, Option(min=0, help="How many tenants at once; default: one a core.", metavar="N")] = 0
    scheduler: Annotated[str, Option(help="An existing cluster of dask.distributed.", metavar="ADDRESS")] = ""
    stop_after: Annotated[int, Option(min=0, help="Begin no more after so many failures.", metavar="N")] = 0
    again: Annotated[bool, Option("--again", help="Finished tenants too.")] = False


@dataclass(frozen=True, kw_only=True)
class FleetReport(Told):
    """Whose books."""

    folder: Annotated[str, Argument(metavar="DIR", help="Where the fleet's records are.")] = "records"


@dataclass(frozen=True, kw_only=True)
class Search(Told):
    """Which part of the catalogue."""

    search: Annotated[str, Option(help="Only actions whose name or permission holds this text.")] = ""
    resource: Annotated[str, Option(help="Only actions of this resource, such as Users.")] = ""
    effect: Annotated[str, Option(help="read, write or delete.")] = ""
    check: Annotated[str, Option(help="Compare with a newer guide or permission table.", metavar="FILE|URL")] = ""


@dataclass(frozen=True, kw_only=True)
class Scopes(Actions):
    """Which permissions, and how they are shown."""

    type_: Annotated[Text, Option("--type", help="Only delegated or only application.", metavar="TYPE")] = None
    separator: Annotated[Text, Option(help="The names alone, by space, comma or newline.", metavar="NAME")] = None
    source: Annotated[str, Option(help="guide or least.", metavar="guide|least")] = ""
    add: Annotated[str, Option(help="What if these actions were chosen besides?", metavar="A,B")] = ""
    drop: Annotated[str, Option(help="What if these actions were left out?", metavar="A,B")] = ""
    save: Annotated[File, Option(help="Save the choice as a parameters file.", metavar="FILE")] = None


@dataclass(frozen=True, kw_only=True)
class Lab(Options):
    """A working copy, and what JupyterLab is told."""

    folder: Annotated[Path, Argument(help="The working copy of the notebooks.")] = Path("runbook-notebooks")
    options: Annotated[list[str] | None, Argument(metavar="-- OPTIONS", help="Options of JupyterLab.")] = None
    no_browser: Annotated[bool, Option("--no-browser", help="Do not open a browser.")] = False


@dataclass(frozen=True, kw_only=True)
class Stored(Told):
    """Which secret."""

    reference: Annotated[str, Argument(help="Such as file:stackone/api-key; never the value.")]


@dataclass(frozen=True, kw_only=True)
class Stores(Told):
    """Which store."""

    store: Annotated[str, Argument(help="As the parameter secret_store has it.")] = "auto"


Folder = Annotated[Path, Argument(metavar="DIR", help="One record, records/<run-id>.")]


@dataclass(frozen=True, kw_only=True)
class Check(Told):
    """Which record, and who must have signed it."""

    folder: Folder
    public_key: Annotated[File, Option(help="The signer's Ed25519 public key, PEM.")] = None


@dataclass(frozen=True, kw_only=True)
class Shelf(Told):
    """Which records, and how they are shown."""

    folder: Annotated[Path, Argument(metavar="DIR", help="The folder that holds the records.")] = Path("records")
    as_csv: Annotated[bool, Option("--csv", help="As CSV.")] = False


@dataclass(frozen=True, kw_only=True)
class Pair(Told):
    """Two records of one tenant."""

    before: Annotated[Path, Argument(metavar="A", help="The earlier record.")]
    after: Annotated[Path, Argument(metavar="B", help="The later record.")]


@dataclass(frozen=True, kw_only=True)
class Report(Told):
    """Which record, and where its report goes."""

    folder: Folder
    output: Annotated[File, Option(help="Where the HTML goes; default DIR/report.html.")] = None
