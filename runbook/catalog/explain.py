"""What a choice of actions costs, in permissions and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from runbook.catalog import loader, names
from runbook.catalog.model import PERMISSION_TYPES, RESOURCES, PermissionType
from runbook.catalog.scopes import Scopes, Source, compute, enables

__all__ = [
    "Cost",
    "Difference",
    "Matrix",
    "Price",
    "costs",
    "difference",
    "headline",
    "if_added",
    "if_dropped",
    "matrix",
    "price",
    "remedy",
    "savings",
    "summary",
]

_REACH = {"no": 0, "limited": 1, "full": 2}
_NAMED = 4
"""How many actions a sentence names before it counts the rest."""


@dataclass(frozen=True)
class Cost:
    """One permission of a choice.

    ``used_by``: the actions that use it; ``stops``: those that fail, or reach less, without it; ``forced_by``: those
    that ask for it by themselves, while the others would do with less. ``powerful``: what it can do to the tenant,
    where that needs saying.
    """

    kind: PermissionType
    permission: str
    power: int
    powerful: str | None
    used_by: tuple[str, ...]
    stops: tuple[str, ...]
    forced_by: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """What changes from one choice to another: permission type -> names, sorted."""

    added: Mapping[PermissionType, tuple[str, ...]]
    freed: Mapping[PermissionType, tuple[str, ...]]

    def __bool__(self) -> bool:
        return any(self.added.values()) or any(self.freed.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {
            "added": {kind: list(names) for kind, names in self.added.items()},
            "freed": {kind: list(names) for kind, names in self.freed.items()},
        }

    def sentence(self) -> str:
        """In one line, such as "adds Group.Read.All (application); frees nothing"."""
        return f"adds {_listed(self.added)}; frees {_listed(self.freed)}"


@dataclass(frozen=True)
class Price:
    """The guide's permissions beside Microsoft's least for one permission type."""

    kind: PermissionType
    guide: tuple[str, ...]
    least: tuple[str, ...]
    sentences: tuple[str, ...]

    @property
    def only_guide(self) -> tuple[str, ...]:
        """Permissions that one asks for only because of the guide, or to reach every object of the tenant."""
        return tuple(name for name in self.guide if name not in self.least)

    @property
    def only_least(self) -> tuple[str, ...]:
        """Permissions that would take their place."""
        return tuple(name for name in self.least if name not in self.guide)


@dataclass(frozen=True)
class Matrix:
    """Actions x permissions: ``cells[row][column]`` says whether that action uses that permission.

    ``forced[row][column]`` says whether it would ask for it by itself: a cell that is used and not forced rides on a
    permission that other actions brought. Rows are slugs in the guide's order of resources; columns are permissions,
    the most powerful last.
    """

    kind: PermissionType
    actions: tuple[str, ...]
    permissions: tuple[str, ...]
    cells: tuple[tuple[bool, ...], ...]
    forced: tuple[tuple[bool, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {
            "type": self.kind,
            "actions": list(self.actions),
            "permissions": list(self.permissions),
            "cells": [list(row) for row in self.cells],
            "forced": [list(row) for row in self.forced],
        }


def costs(scopes: Scopes) -> tuple[Cost, ...]:
    """Every permission of a choice, the most powerful first."""
    rows = [_cost(scopes, kind, name) for kind in scopes.types for name in scopes.of(kind).names]
    return tuple(sorted(rows, key=lambda cost: (-cost.power, cost.permission, cost.kind)))


def _cost(scopes: Scopes, kind: PermissionType, name: str) -> Cost:
    permission, computed = loader.permissions()[name], scopes.of(kind)
    held = set(computed.names)
    stops = tuple(
        slug
        for slug in computed.per_action
        if _REACH[enables(slug, held - {name}, kind)] < _REACH[enables(slug, held, kind)]
    )
    used_by = computed.why[name]
    forced_by = tuple(slug for slug in used_by if _forces(slug, name, kind, scopes.source))
    return Cost(kind, name, permission.power, permission.powerful, used_by, stops, forced_by)


@cache
def _alone(slug: str, kind: PermissionType, source: Source) -> frozenset[str]:
    return frozenset(compute([slug], [kind], source).of(kind).names)


def _forces(slug: str, permission: str, kind: PermissionType, source: Source) -> bool:
    return permission in _alone(slug, kind, source)


def headline(scopes: Scopes) -> str:
    """The sentence that matters most: which few actions cost the most powerful permissions.

    "2 of your 40 actions (…) cost the 3 most powerful permissions: …"
    """
    count = len(scopes.actions)
    yours = f"your {count} actions" if count != 1 else "your one action"
    powerful = [cost for cost in costs(scopes) if cost.powerful]
    if not powerful:
        return f"None of {yours} costs a powerful permission."
    top = list(dict.fromkeys(cost.permission for cost in powerful))[:3]
    causes = {slug for cost in powerful if cost.permission in top for slug in cost.forced_by or cost.used_by}
    chosen = [names.action(slug).name for slug in scopes.actions if slug in causes]
    known = loader.permissions()
    words = "; ".join(f"{name} ({known[name].powerful})" for name in top)
    which = f"the {len(top)} most powerful permissions" if len(top) > 1 else "the most powerful permission"
    verb = "costs" if len(chosen) == 1 else "cost"
    return f"{len(chosen)} of {yours} ({_some(chosen)}) {verb} {which}: {words}."


def summary(scopes: Scopes) -> tuple[str, ...]:
    """What there is to say of a choice, a sentence a line, shortest way to a smaller set first.

    The headline; what leaving out the actions behind each of the most powerful permissions would change; where the
    guide and Microsoft differ and what smaller permissions would still do, each said once for all actions it holds for.
    """
    lines = [headline(scopes)]
    powerful = list(dict.fromkeys(cost.permission for cost in costs(scopes) if cost.powerful))
    for causes, change in (remedy(scopes, name) for name in powerful[:3]):
        if len(causes) < len(scopes.actions):
            lines.append(f"Leaving out {_some([names.action(slug).name for slug in causes])} {change.sentence()}.")
    grouped: dict[str, dict[str, set[str]]] = {}
    for item in scopes.explanations:
        grouped.setdefault(item.text, {}).setdefault(names.action(item.slug).name, set()).add(item.kind)
    for text, who in grouped.items():
        kinds = sorted(set().union(*who.values()), reverse=True)
        lines.append(f"{', '.join(who)} ({' and '.join(kinds)}): {text}")
    return tuple(lines)


def difference(before: Scopes, after: Scopes) -> Difference:
    """What ``after`` asks for and ``before`` does not, and the other way round."""
    pairs = [(kind, set(before.of(kind).names), set(after.of(kind).names)) for kind in PERMISSION_TYPES]
    return Difference(
        added={kind: tuple(sorted(new - old)) for kind, old, new in pairs},
        freed={kind: tuple(sorted(old - new)) for kind, old, new in pairs},
    )


def if_added(scopes: Scopes, slugs: Iterable[str]) -> Difference:
    """What choosing these actions besides would add, and free (a higher permission may take others' place)."""
    return difference(scopes, compute([*scopes.actions, *slugs], scopes.types, scopes.source))


def if_dropped(scopes: Scopes, slugs: Iterable[str]) -> Difference:
    """What leaving these actions out would free, and add (smaller permissions may take a higher one's place)."""
    gone = {action.slug for action in names.resolve(slugs)}
    return difference(scopes, compute([s for s in scopes.actions if s not in gone], scopes.types, scopes.source))


def savings(scopes: Scopes) -> Mapping[str, Difference]:
    """For each chosen action whose loss alone would change the permissions: what leaving it out would change."""
    changes = {slug: if_dropped(scopes, [slug]) for slug in scopes.actions}
    return {slug: change for slug, change in changes.items() if change}


def remedy(scopes: Scopes, permission: str) -> tuple[tuple[str, ...], Difference]:
    """The actions that bring a permission in, for either type, and what leaving them all out would change."""
    causes = {
        slug for cost in costs(scopes) if cost.permission == permission for slug in cost.forced_by or cost.used_by
    }
    ordered = tuple(slug for slug in scopes.actions if slug in causes)
    return ordered, if_dropped(scopes, ordered)


def price(slugs: Iterable[str], types: Iterable[PermissionType] = PERMISSION_TYPES) -> tuple[Price, ...]:
    """What the guide's scopes cost beside Microsoft's least, per permission type, with the reasons in sentences."""
    chosen, kinds = list(slugs), tuple(types)
    guide, least = compute(chosen, kinds, "guide"), compute(chosen, kinds, "least")
    prices = []
    for kind in guide.types:
        of_guide, of_least = guide.of(kind), least.of(kind)
        reasons: dict[str, list[str]] = {}
        for item in guide.explanations:
            if item.kind == kind and item.about in ("guide", "reach"):
                reasons.setdefault(item.text, []).append(names.action(item.slug).name)
        sentences = tuple(f"{', '.join(who)}: {text}" for text, who in reasons.items())
        prices.append(Price(kind, of_guide.names, of_least.names, sentences))
    return tuple(prices)


def matrix(scopes: Scopes, kind: PermissionType) -> Matrix:
    """Which chosen action uses which permission of one type, as plain data for a table or a picture."""
    known, computed = loader.permissions(), scopes.of(kind)
    columns = tuple(sorted(computed.names, key=lambda name: (known[name].power, name)))
    rows = tuple(slug for slug in _in_guide_order(computed.per_action))
    cells = tuple(tuple(name in computed.per_action[slug] for name in columns) for slug in rows)
    forced = tuple(
        tuple(used and _forces(slug, name, kind, scopes.source) for name, used in zip(columns, row, strict=True))
        for slug, row in zip(rows, cells, strict=True)
    )
    return Matrix(kind, rows, columns, cells, forced)


def _in_guide_order(slugs: Iterable[str]) -> list[str]:
    return sorted(slugs, key=lambda slug: (RESOURCES.index(names.action(slug).resource), names.action(slug).name))


def _some(items: list[str]) -> str:
    if len(items) <= _NAMED + 1:
        return ", ".join(items)
    return ", ".join(items[:_NAMED]) + f" and {len(items) - _NAMED} more"


def _listed(by_kind: Mapping[PermissionType, tuple[str, ...]]) -> str:
    parts = [f"{name} ({kind})" for kind in PERMISSION_TYPES for name in by_kind.get(kind, ())]
    return ", ".join(parts) or "nothing"
