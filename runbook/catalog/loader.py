"""Reads the catalogue's data files, once.

That they hold together (schemas, examples, every row) is a matter of tests: they are ours, and come with the package.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from runbook.catalog.model import Access, Action, Body, Licence, Limited, Paging, PathParameter, Permission, Preset
from runbook.data import table

_DEFAULT_PRESET = "start"
GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
"""The appId of Microsoft Graph's service principal in every tenant."""


@cache
def permissions() -> Mapping[str, Permission]:
    """All permissions of the actions and of the set-up, by name, sorted by name."""
    rows = table("catalog/permissions.json")["permissions"]
    return MappingProxyType({row["name"]: Permission(**row) for row in rows})


@cache
def base_permissions() -> tuple[str, ...]:
    """The delegated permissions that the OAuth sign-in itself takes (OpenID Connect Core 1.0, section 5.4)."""
    return tuple(table("catalog/permissions.json")["base"])


@cache
def power_words() -> Mapping[int, str]:
    """What each step of :attr:`Permission.power` means."""
    return MappingProxyType({int(step): words for step, words in table("catalog/permissions.json")["power"].items()})


@cache
def actions() -> tuple[Action, ...]:
    """All actions, sorted by name."""
    return tuple(sorted(map(_action, table("catalog/actions.json")["actions"]), key=lambda action: action.name))


def resources() -> list[str]:
    """What actions are about, in the order of the guide."""
    found: list[str] = table("catalog/actions.json")["resources"]
    return found


@cache
def presets() -> Mapping[str, Preset]:
    """The ready-made choices, by key; :data:`_DEFAULT_PRESET` is the one that is taken when nothing is chosen."""
    found = {}
    for key, row in table("catalog/presets.json")["presets"].items():
        effects = row.get("effects")
        chosen = row.get("actions") or [each.slug for each in actions() if not effects or each.effect in effects]
        found[key] = Preset(key, row["title"], row["about"], tuple(chosen))
    return MappingProxyType(found)


def default_actions() -> tuple[str, ...]:
    """Slugs of the small read-only choice that ``runbook run`` takes when nothing is chosen."""
    return presets()[_DEFAULT_PRESET].actions


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
        not_relied_on=tuple(row.get("not_relied_on", ())),
        note=row.get("note", ""),
    )
