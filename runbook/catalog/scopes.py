"""The smallest permission set that makes a choice of actions work.

An action is enabled by any one of several complete sets (:attr:`Access.alternatives`); a set may need two permissions
together, and a higher permission may enable several actions. Which sets are candidates depends on the source:

``least``
    every documented set whose permissions have published ids. Where Microsoft's least reaches less than the whole
    tenant it is taken; a set that reaches less than Microsoft's least is not.
``guide`` (default)
    only sets that work on every object of the tenant (:attr:`Access.limited` is left out). For an action whose scopes
    the guide names, the guide's set is the smallest candidate: smaller ones that Microsoft documents are not taken,
    but a set that Microsoft documents as *higher* is, where other chosen actions need it anyway. So ``List Users``
    alone asks for ``User.Read.All`` as the guide does, while ``List Users`` with ``Update User`` asks for
    ``User.ReadWrite.All`` only: nothing that the actions do not need is asked for, and
    :attr:`PermissionSet.left_out` names what the guide would have listed besides.

**Smallest** means, in this order: fewest permissions of the highest power (:attr:`Permission.power`), then of the next
one, and so on down; then fewest permissions; then the sets that Microsoft documents first; then names. The search is
exact, so the result does not depend on the order of the choice, and taking any permission away leaves at least one
chosen action without a set.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from runbook.catalog import guide, loader, names
from runbook.catalog.model import PERMISSION_TYPES, Action, PermissionType
from runbook.errors import InputError, Problem

Source = Literal["guide", "least"]
Family = tuple[frozenset[str], ...]
Cost = tuple[int, ...]


@dataclass(frozen=True)
class PermissionSet:
    """The permissions of one type for a choice.

    ``names``: sorted. ``why``: permission -> slugs of the actions that use it. ``per_action``: slug -> the set that
    enables it. ``left_out``: what the guide lists for the choice and this set does not need -> what covers it.
    ``unsupported``: chosen actions that this permission type cannot do.
    """

    kind: PermissionType
    names: tuple[str, ...] = ()
    why: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    per_action: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unsupported: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON data: every permission with its id, what it can do and why it is there."""
        known = loader.permissions()
        return {
            "permissions": [
                {
                    "name": name,
                    "id": known[name].id(self.kind),
                    "admin_consent_required": known[name].needs_admin_consent(self.kind),
                    "power": known[name].power,
                    "powerful": known[name].powerful,
                    "why": list(self.why[name]),
                }
                for name in self.names
            ],
            "per_action": {slug: list(needed) for slug, needed in self.per_action.items()},
            "left_out": {name: list(by) for name, by in self.left_out.items()},
            "unsupported": list(self.unsupported),
        }


@dataclass(frozen=True)
class Explanation:
    """One sentence on why an action asks for what it asks.

    ``about`` is ``guide`` (the guide and Microsoft differ), ``reach`` (what a smaller permission would still do),
    ``note`` (what there is to know of Microsoft's own data) or ``unsupported``.
    """

    slug: str
    kind: PermissionType
    about: Literal["guide", "reach", "note", "unsupported"]
    text: str


@dataclass(frozen=True)
class Scopes:
    """The permissions of a choice, for both types; a type that was not asked for has an empty set.

    ``base`` are the delegated permissions of the OAuth sign-in itself. They are listed apart, and asked for whatever
    the choice is as soon as a person signs in.
    """

    actions: tuple[str, ...]
    source: Source
    types: tuple[PermissionType, ...]
    delegated: PermissionSet
    application: PermissionSet
    base: tuple[str, ...]
    explanations: tuple[Explanation, ...]

    def of(self, kind: PermissionType) -> PermissionSet:
        """The set of one permission type."""
        return self.delegated if kind == "delegated" else self.application

    def joined(self, kind: PermissionType, separator: str = "space") -> str:
        """The names of one type as one text to paste; the sign-in's own scopes come first among delegated ones."""
        base = self.base if kind == "delegated" else ()
        return guide.joined(dict.fromkeys((*base, *self.of(kind).names)), separator)

    def to_dict(self) -> dict[str, Any]:
        """JSON data, for ``runbook scopes --json``."""
        return {
            "source": self.source,
            "types": list(self.types),
            "actions": list(self.actions),
            "base": list(self.base),
            "delegated": self.delegated.to_dict(),
            "application": self.application.to_dict(),
            "explanations": [
                {"slug": e.slug, "type": e.kind, "about": e.about, "text": e.text} for e in self.explanations
            ],
        }


def compute(
    slugs: Iterable[str], types: Iterable[PermissionType] = PERMISSION_TYPES, source: Source = "guide"
) -> Scopes:
    """The smallest permission sets for these actions (slugs, names or StackOne ids, in any order).

    Raises InputError for an unknown action, permission type or source.
    """
    wanted = set(types)
    problems = [
        Problem("permission type", f"{kind!r} is not one.", 'Use "delegated" or "application".')
        for kind in sorted(wanted - set(PERMISSION_TYPES))
    ]
    if source not in ("guide", "least"):
        problems.append(Problem("permission source", f"{source!r} is not one.", 'Use "guide" or "least".'))
    if problems:
        raise InputError(problems)
    chosen = tuple(action.slug for action in names.resolve(slugs))
    asked = tuple(kind for kind in PERMISSION_TYPES if kind in wanted)
    sets = {
        kind: _compute(chosen, kind, source) if kind in wanted else PermissionSet(kind) for kind in PERMISSION_TYPES
    }
    explained = tuple(e for kind in asked for slug in chosen for e in _explain(slug, kind, source, sets[kind]))
    return Scopes(chosen, source, asked, sets["delegated"], sets["application"], loader.base_permissions(), explained)


def cost(permissions: Iterable[str]) -> Cost:
    """How much a set of permissions can do: their number per step of power, highest first, then their number.

    Tuples compare as the module describes. A set is always dearer than any part of it.
    """
    known = loader.permissions()
    counts = [0] * (max(loader.power_words()) + 2)
    for name in permissions:
        counts[-2 - known[name].power] += 1
        counts[-1] += 1
    return tuple(counts)


def smallest(families: Sequence[Family]) -> frozenset[str]:
    """The cheapest union that contains at least one member of every family (branch and bound, exact).

    ``families``: for each action its candidate sets, the one documented first in front.
    """
    open_families = sorted(set(families), key=lambda family: (len(family), [sorted(member) for member in family]))
    best: list[frozenset[str]] = []
    best_cost: Cost | None = None
    seen: set[frozenset[str]] = set()
    stack = [frozenset[str]()]
    while stack:
        held = stack.pop()
        price = cost(held)
        if held in seen or (best_cost is not None and price > best_cost):
            continue
        seen.add(held)
        unmet = next((family for family in open_families if not any(member <= held for member in family)), None)
        if unmet is None:
            best = [held] if best_cost is None or price < best_cost else [*best, held]
            best_cost = price
            continue
        stack.extend(sorted((held | member for member in unmet), key=cost, reverse=True))
    return min(best, key=lambda held: (_documented_order(held, families), sorted(held)))


def _documented_order(held: frozenset[str], families: Sequence[Family]) -> int:
    return sum(next(n for n, member in enumerate(family) if member <= held) for family in families)


@cache
def _compute(slugs: tuple[str, ...], kind: PermissionType, source: Source) -> PermissionSet:
    candidates = {slug: _candidates(names.action(slug), kind, source) for slug in slugs}
    supported = {slug: sets for slug, sets in candidates.items() if sets}
    held = smallest([tuple(map(frozenset, sets)) for sets in supported.values()]) if supported else frozenset()
    per_action = {slug: next(s for s in sets if held.issuperset(s)) for slug, sets in supported.items()}
    why = {name: tuple(slug for slug, needed in per_action.items() if name in needed) for name in sorted(held)}
    left_out = {}
    for slug in supported if source == "guide" else ():
        for name in names.action(slug).guide_scopes or ():
            if name not in held and loader.permissions()[name].id(kind):
                left_out[name] = per_action[slug]
    unsupported = tuple(slug for slug in slugs if slug not in supported)
    return PermissionSet(kind, tuple(sorted(held)), why, per_action, left_out, unsupported)


def _candidates(action: Action, kind: PermissionType, source: Source) -> tuple[tuple[str, ...], ...]:
    """The sets that may enable an action, smallest documented first; none where the type is not supported."""
    access, known = action.access(kind), loader.permissions()
    usable = tuple(s for s in access.alternatives if all(known[name].id(kind) for name in s))
    if source == "least" and access.limit_of(access.least):
        return usable
    reaching = tuple(s for s in usable if access.limit_of(s) is None)
    if source == "least":
        return reaching
    named = tuple(action.guide_scopes or ())
    if not named or not all(known[name].id(kind) for name in named):
        return reaching
    higher = reaching[reaching.index(named) + 1 :] if named in reaching else ()
    return (named, *higher)


def _explain(slug: str, kind: PermissionType, source: Source, computed: PermissionSet) -> Iterator[Explanation]:
    action = names.action(slug)
    access, needed, listed = action.access(kind), computed.per_action.get(slug), action.guide_scopes or ()
    if needed is None:
        yield Explanation(slug, kind, "unsupported", access.note or f"{action.name} has no {kind} permission.")
        return
    if any(name in computed.left_out for name in listed):
        text = f"The guide lists {_and(listed)}; {_and(needed)} is asked for anyway and covers it."
        yield Explanation(slug, kind, "guide", text)
    elif source == "guide" and listed == needed and needed != access.least:
        smaller = f"{_and(access.least)} would do{_but(action, kind)}"
        yield Explanation(slug, kind, "guide", f"The guide asks for {_and(needed)}; {smaller}.")
    for limited in access.limited:
        if limited.permissions == needed:
            yield Explanation(slug, kind, "reach", f"{_and(needed)} {limited.does}.")
        elif not listed and source == "guide":
            less = f"{_and(limited.permissions)} would be less, but {limited.does}"
            yield Explanation(slug, kind, "reach", f"{less}; so {_and(needed)} is taken.")
    about_needed = needed != access.documented_least and any(name in access.note for name in needed)
    if access.note and (needed == access.least or about_needed):
        yield Explanation(slug, kind, "note", access.note)


def _but(action: Action, kind: PermissionType) -> str:
    limit = action.access(kind).limit_of(action.access(kind).least)
    return f", but {limit}" if limit else ""


def _and(permissions: Iterable[str]) -> str:
    return " and ".join(permissions)
