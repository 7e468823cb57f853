"""What a choice of actions costs, in permissions and in words."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from runbook.catalog import loader, names
from runbook.catalog.model import PERMISSION_TYPES, PermissionType
from runbook.catalog.scopes import Scopes, Source, compute

_NAMED = 4
"""How many actions a sentence names before it counts the rest."""


@dataclass(frozen=True)
class Cost:
    """One permission of a choice.

    ``used_by``: the actions that use it; ``forced_by``: those
    that ask for it by themselves, while the others would do with less. ``powerful``: what it can do to the tenant,
    where that needs saying.
    """

    kind: PermissionType
    permission: str
    power: int
    powerful: str | None
    used_by: tuple[str, ...]
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
        return asdict(self)

    def sentence(self) -> str:
        """In one line, such as "adds Group.Read.All (application); frees nothing"."""
        return f"adds {_listed(self.added)}; frees {_listed(self.freed)}"


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


def costs(scopes: Scopes) -> tuple[Cost, ...]:
    """Every permission of a choice, the most powerful first."""
    rows = [_cost(scopes, kind, name) for kind in scopes.types for name in scopes.of(kind).names]
    return tuple(sorted(rows, key=lambda cost: (-cost.power, cost.permission, cost.kind)))


def _cost(scopes: Scopes, kind: PermissionType, name: str) -> Cost:
    permission, computed = loader.permissions()[name], scopes.of(kind)
    used_by = computed.why[name]
    forced_by = tuple(slug for slug in used_by if _forces(slug, name, kind, scopes.source))
    return Cost(kind, name, permission.power, permission.powerful, used_by, forced_by)


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


def price(scopes: Scopes) -> str:
    """What the application permissions of a choice would let the holder of the client secret do; empty without any."""
    known = loader.permissions()
    held = sorted((known[name] for name in scopes.application.names), key=lambda each: (-each.power, each.name))
    can = _some([f"{each.name} ({each.powerful or loader.power_words()[each.power]})" for each in held])
    whoever = "Price of application permissions: whoever holds the client secret can use them, in the whole tenant, at"
    return f"{whoever} any time, with nobody signed in: {can}." if held else ""


def summary(scopes: Scopes) -> tuple[str, ...]:
    """What there is to say of a choice, a sentence a line, shortest way to a smaller set first.

    The headline; the price of application permissions; what leaving out the actions behind each of the most powerful
    permissions would change; where the guide and Microsoft differ and what smaller permissions would still do, each
    said once for all actions it holds for.
    """
    lines = [headline(scopes), *filter(None, [price(scopes)])]
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


def _if_dropped(scopes: Scopes, slugs: Iterable[str]) -> Difference:
    """What leaving these actions out would free, and add (smaller permissions may take a higher one's place)."""
    gone = {action.slug for action in names.resolve(slugs)}
    return difference(scopes, compute([s for s in scopes.actions if s not in gone], scopes.types, scopes.source))


def remedy(scopes: Scopes, permission: str) -> tuple[tuple[str, ...], Difference]:
    """The actions that bring a permission in, for either type, and what leaving them all out would change."""
    causes = {
        slug for cost in costs(scopes) if cost.permission == permission for slug in cost.forced_by or cost.used_by
    }
    ordered = tuple(slug for slug in scopes.actions if slug in causes)
    return ordered, _if_dropped(scopes, ordered)


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
    order = loader.resources().index
    return sorted(slugs, key=lambda slug: (order(names.action(slug).resource), names.action(slug).name))


def _some(items: list[str]) -> str:
    if len(items) <= _NAMED + 1:
        return ", ".join(items)
    return ", ".join(items[:_NAMED]) + f" and {len(items) - _NAMED} more"


def _listed(by_kind: Mapping[PermissionType, tuple[str, ...]]) -> str:
    parts = [f"{name} ({kind})" for kind in PERMISSION_TYPES for name in by_kind.get(kind, ())]
    return ", ".join(parts) or "nothing"
