"""From the command line's options to the one choice object; every mistake is named at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from runbook.cli.options import ALL_SECTIONS, Actions, Choice
from runbook.data import table
from runbook.errors import InputError, Problem
from runbook.sections import NAMES

if TYPE_CHECKING:
    from runbook.catalog.explain import Difference
    from runbook.catalog.scopes import Scopes
    from runbook.parameters import Parameters


def span(text: str) -> tuple[int, int]:
    """``FROM..TO`` or one number, within the sections of the guide."""
    first, dots, last = text.partition("..")
    try:
        numbers = (int(first), int(last if dots else first))
    except ValueError:
        numbers = (0, 0)
    if not 1 <= numbers[0] <= numbers[1] <= len(NAMES):
        hint = f"Write {ALL_SECTIONS}, 2..5 or 4."
        raise InputError(Problem("--sections", f"{text!r} is not a range of sections.", hint))
    return numbers


def choice(given: Actions, **more: Any) -> Parameters:
    """The one choice object from the command line's options; every mistake is named at once.

    ``more`` are parameters that the command itself sets.
    """
    from runbook.parameters import parse

    values, problems = told(given)
    try:
        chosen = parse({**values, **more})
    except InputError as error:
        raise InputError(problems + list(error.problems)) from None
    if problems:
        raise InputError(problems)
    if chosen.cloud != "global":
        print(f"{table('clients/clouds.json')['clouds'][chosen.cloud]['label']}.", file=sys.stderr)
    return chosen


def told(given: Actions) -> tuple[dict[str, Any], list[Problem]]:
    """The parameters that file and options name, not checked yet, and what is wrong with how they are named."""
    from runbook import mapping_file

    problems: list[Problem] = []
    values: dict[str, Any] = {}
    if given.parameters:
        try:
            values.update(mapping_file.read(given.parameters))
        except InputError as error:
            problems += error.problems
    if isinstance(given, Choice):
        values |= _set(given, problems)
    values |= _named(given, problems)
    if isinstance(given, Choice):
        values |= _options(given, values)
    return values, problems


def _named(given: Actions, problems: list[Problem]) -> dict[str, Any]:
    """The parameter ``actions``, or nothing where none of the four ways was used."""
    from runbook import catalog, whole

    ways = {"--actions": given.actions, "--actions-file": given.actions_file, "--preset": given.preset}
    if sum(way is not None for way in ways.values()) + given.all_actions > 1:
        flags = f"{', '.join(ways)}, --all-actions"
        problems.append(Problem("actions", "are given more than once.", f"Use one of {flags}."))
    if given.all_actions:
        return {"actions": [action.slug for action in catalog.actions()]}
    if given.actions is not None:
        return {"actions": given.actions}
    if given.actions_file is not None:
        try:
            text = whole.text(given.actions_file)
            return {"actions": [action.slug for action in catalog.parse_list(text)]}
        except InputError as error:
            problems += error.problems
        except OSError as error:
            problems.append(Problem("--actions-file", f"{given.actions_file} cannot be read: {error.strerror}."))
    if given.preset is not None:
        known = catalog.presets()
        if given.preset in known:
            return {"actions": list(known[given.preset].actions)}
        problems.append(Problem("--preset", f"{given.preset!r} is not one.", f"Use {', '.join(known)}."))
    return {}


def _set(given: Choice, problems: list[Problem]) -> dict[str, Any]:
    """The parameters of ``--set``."""
    from runbook.parameters import typed

    values: dict[str, Any] = {}
    for assignment in given.set_ or []:
        name, equals, value = assignment.partition("=")
        if not equals:
            # What stands there is not repeated: it may be a secret put in the wrong place.
            problems.append(Problem("--set", "needs NAME=VALUE."))
        else:
            values[name.strip()] = typed(name.strip(), value)
    return values


_OWN = ("approve", "prune", "new_secret", "only_when_due", "secret_overlap_days", "purge")
"""The parameters that some commands have an option for, under the same name."""


def _options(given: Choice, before: dict[str, Any]) -> dict[str, Any]:
    """The parameters that have an option of their own."""
    told = {"target": given.target, "permission_types": given.permission_types, "records": given.records}
    told |= {"engine": given.engine}
    values: dict[str, Any] = {name: str(value) for name, value in told.items() if value is not None}
    real = values.get("target", before.get("target")) == "entra"
    own = {name: getattr(given, name, None) for name in _OWN}
    values |= {name: value for name, value in own.items() if value is not None and value is not False}  # 0 days are
    # A sandbox that the environment names is no mistake on a real tenant.
    if given.sandbox is not None and (not real or _typed_on_command_line("--sandbox")):
        values["sandbox_file"] = str(given.sandbox)
    return values


def what_if(computed: Scopes, add: str, drop: str) -> Difference:
    """What choosing ``add`` besides and leaving out ``drop`` would change."""
    from runbook import catalog
    from runbook.catalog import explain

    wanted = [action.slug for action in catalog.parse_list(add)] if add else []
    gone = {action.slug for action in catalog.parse_list(drop)} if drop else set()
    slugs = [slug for slug in (*computed.actions, *wanted) if slug not in gone]
    return explain.difference(computed, catalog.compute(slugs, computed.types, computed.source))


def _typed_on_command_line(flag: str) -> bool:
    return any(argument == flag or argument.startswith(f"{flag}=") for argument in sys.argv[1:])
