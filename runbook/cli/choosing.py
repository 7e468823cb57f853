"""From the command line's options to the one choice object; every mistake is named at once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from runbook.errors import InputError, Problem

if TYPE_CHECKING:
    from runbook.catalog.explain import Difference
    from runbook.catalog.scopes import Scopes
    from runbook.parameters import Parameters

__all__ = ["Given", "choice", "span", "what_if"]


def span(text: str) -> tuple[int, int]:
    """``FROM..TO`` or one number, within 1 to 8."""
    first, dots, last = text.partition("..")
    try:
        numbers = (int(first), int(last if dots else first))
    except ValueError:
        numbers = (0, 0)
    if not 1 <= numbers[0] <= numbers[1] <= 8:
        raise InputError(Problem("--sections", f"{text!r} is not a range of sections.", "Write 1..8, 2..5 or 4."))
    return numbers


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


def choice(
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
    from runbook import mapping_file
    from runbook.parameters import parse

    problems: list[Problem] = []
    values: dict[str, Any] = {}
    if parameters:
        try:
            values.update(mapping_file.read(parameters))
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
        chosen = parse({**values, **extra})
    except InputError as error:
        raise InputError(problems + list(error.problems)) from None
    if problems:
        raise InputError(problems)
    return chosen


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


def _typed(name: str, text: str) -> Any:
    """``--set`` gives text; numbers and switches are read as from a file where the parameter is one."""
    from runbook import mapping_file
    from runbook.parameters import Parameters

    field = Parameters.model_fields.get(name)
    return mapping_file.scalar(text) if field is not None and field.annotation in (int, bool | None) else text
