"""Reads the catalogue's data files, once, and checks that they hold together.

The checks are those that the rest of the program relies on; the full ones (schemas, examples, every row) are tests,
so that reading stays a matter of milliseconds. A mistake in the data is an :class:`InputError` that names the file,
the row and the field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from runbook.catalog.data import read
from runbook.catalog.model import (
    EFFECTS,
    RESOURCES,
    Access,
    Action,
    Body,
    Licence,
    Limited,
    NotReliedOn,
    Paging,
    PathParameter,
    Permission,
    Preset,
)
from runbook.errors import InputError, Problem

_DEFAULT_PRESET = "start"
GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
"""The appId of Microsoft Graph's service principal in every tenant."""


@cache
def permissions() -> Mapping[str, Permission]:
    """All permissions of the actions and of the set-up, by name, sorted by name."""
    return MappingProxyType(_parse_permissions(read("permissions.json")["permissions"]))


@cache
def base_permissions() -> tuple[str, ...]:
    """The delegated permissions that the OAuth sign-in itself takes (OpenID Connect Core 1.0, section 5.4)."""
    return tuple(read("permissions.json")["base"])


@cache
def power_words() -> Mapping[int, str]:
    """What each step of :attr:`Permission.power` means."""
    return MappingProxyType({int(step): words for step, words in read("permissions.json")["power"].items()})


@cache
def actions() -> tuple[Action, ...]:
    """All actions, sorted by name."""
    return _parse_actions(read("actions.json")["actions"], permissions())


@cache
def presets() -> Mapping[str, Preset]:
    """The ready-made choices, by key; :data:`_DEFAULT_PRESET` is the one that is taken when nothing is chosen."""
    found = {}
    for key, row in read("presets.json")["presets"].items():
        chosen = tuple(row["actions"]) if "actions" in row else _by_effect(row["effects"])
        unknown = set(chosen) - {action.slug for action in actions()}
        if unknown:
            raise InputError(Problem(f"presets.json: {key}", f"names unknown actions: {', '.join(sorted(unknown))}."))
        found[key] = Preset(key, row["title"], row["about"], chosen)
    return MappingProxyType(found)


def default_actions() -> tuple[str, ...]:
    """Slugs of the small read-only choice that ``runbook run`` takes when nothing is chosen."""
    return presets()[_DEFAULT_PRESET].actions


def _by_effect(effects: Sequence[str]) -> tuple[str, ...]:
    return tuple(action.slug for action in actions() if not effects or action.effect in effects)


def microsoft_marks() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Slug -> permission type -> what Microsoft's permission table marked least privileged when this was made."""
    marks: Mapping[str, Mapping[str, Sequence[str]]] = read("microsoft_table.json")["least"]
    return marks


def _parse_permissions(rows: Sequence[Mapping[str, Any]]) -> dict[str, Permission]:
    """Rows of ``permissions.json`` -> permissions by name. Raises InputError with every mistake."""
    problems: list[Problem] = []
    found: dict[str, Permission] = {}
    for number, row in enumerate(rows):
        where = f"permissions.json: {row.get('name', f'row {number}')}"
        try:
            permission = Permission(**row)
        except TypeError as error:
            problems.append(Problem(where, f"has wrong fields: {error}."))
            continue
        if permission.name in found:
            problems.append(Problem(where, "is there twice."))
        if not isinstance(permission.power, int) or not 0 <= permission.power <= 8:
            problems.append(Problem(where, f"power is {permission.power!r}, not a number from 0 to 8."))
        found[permission.name] = permission
    if problems:
        raise InputError(problems)
    return found


def _parse_actions(rows: Sequence[Mapping[str, Any]], known: Mapping[str, Permission]) -> tuple[Action, ...]:
    """Rows of ``actions.json`` -> actions sorted by name. Raises InputError with every mistake."""
    problems: list[Problem] = []
    found: dict[str, Action] = {}
    for number, row in enumerate(rows):
        where = f"actions.json: {row.get('slug', f'row {number}')}"
        try:
            action = _action(row)
        except (KeyError, TypeError, AttributeError) as error:
            problems.append(Problem(where, f"is incomplete or ill-typed: {error!r}."))
            continue
        problems.extend(Problem(where, what) for what in _mistakes(action, known))
        if action.slug in found:
            problems.append(Problem(where, "is there twice."))
        found[action.slug] = action
    if problems:
        raise InputError(problems)
    return tuple(sorted(found.values(), key=lambda action: action.name))


def _action(row: Mapping[str, Any]) -> Action:
    body, paging, licence, scopes = (row.get(key) for key in ("body", "paging", "licence", "guide_scopes"))
    by_target = row.get("by_target", {})
    return Action(
        **{name: row[name] for name in _TEXTS},
        path_parameters=tuple(PathParameter(**item) for item in row.get("path_parameters", ())),
        alternate_paths=tuple(row.get("alternate_paths", ())),
        query=tuple(row.get("query", ())),
        advanced_queries=row.get("advanced_queries", False),
        body=Body(body["schema"], body["example"]) if body else None,
        success=tuple(row["success"]),
        paging=Paging(**paging) if paging else None,
        licence=Licence(**licence) if licence else None,
        guide_scopes=tuple(scopes) if scopes is not None else None,
        delegated=_access(row["delegated"]),
        application=_access(row["application"]),
        by_target={to: {kind: tuple(names) for kind, names in kinds.items()} for to, kinds in by_target.items()},
        notes=row.get("notes", ""),
    )


_TEXTS = ("slug", "name", "stackone_id", "resource", "summary", "effect", "method", "path", "docs_page")


def _access(row: Mapping[str, Any]) -> Access:
    if not row.get("supported", True):
        return Access(supported=False, note=row["note"])
    least = tuple(row["least"])
    return Access(
        supported=True,
        least=least,
        alternatives=tuple(tuple(names) for names in row["alternatives"]),
        documented_least=tuple(row["documented_least"]) if "documented_least" in row else least,
        limited=tuple(Limited(tuple(item["set"]), item["does"]) for item in row.get("limited", ())),
        not_relied_on=tuple(NotReliedOn(tuple(item["set"]), item["why"]) for item in row.get("not_relied_on", ())),
        note=row.get("note", ""),
    )


def _mistakes(action: Action, known: Mapping[str, Permission]) -> Iterator[str]:
    if action.effect not in EFFECTS:
        yield f"effect is {action.effect!r}."
    if action.resource not in RESOURCES:
        yield f"resource is {action.resource!r}."
    for parameter in action.path_parameters:
        if "{" + parameter.name + "}" not in action.path:
            yield f"the path has no parameter {parameter.name!r}."
    if action.path.count("{") != len(action.path_parameters):
        yield "the path has parameters that are not described."
    for kind, access in action.accesses():
        if access.supported and access.least not in access.alternatives:
            yield f"{kind}: the least set is not among the alternatives."
        unknown = {name for names in access.alternatives for name in names if name not in known}
        if unknown:
            yield f"{kind}: unknown permissions {', '.join(sorted(unknown))}."
    for name in action.guide_scopes or ():
        if name not in known:
            yield f"guide_scopes: unknown permission {name}."
