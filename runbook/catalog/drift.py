"""Guide drift: what a newer list of actions or of permissions has that the catalogue has not, and vice versa."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from runbook.catalog import loader
from runbook.catalog.model import Action
from runbook.catalog.sources import Kind, Listed, Table, fetch, parse, path_key

_ALIKE = 78
"""Least rapidfuzz score (0 to 100) at which an action that vanished and one that appeared count as renamed."""


@dataclass(frozen=True)
class Change:
    """A field that differs: of which action or permission, what the catalogue has, what the newer list has."""

    subject: str
    field: str
    catalogue: str
    newer: str


@dataclass(frozen=True)
class Renamed:
    """An action that seems to go by another name now. ``score``: how alike the names are, 0 to 100."""

    old: str
    new: str
    score: float


@dataclass(frozen=True)
class DriftReport:
    """The differences. ``added`` and ``removed`` are names as the newer list or the catalogue writes them."""

    kind: Kind
    compared: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[Renamed, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether there is any difference."""
        return bool(self.added or self.removed or self.renamed or self.changes)

    def lines(self) -> tuple[str, ...]:
        """The report for a person, a line for each difference."""
        if not self.changed:
            return (f"No difference in {self.compared} compared.",)
        return (
            *(f"added: {name}" for name in self.added),
            *(f"removed: {name}" for name in self.removed),
            *(f"renamed: {item.old} -> {item.new}" for item in self.renamed),
            *(f"changed: {c.subject}, {c.field}: {c.catalogue} -> {c.newer}" for c in self.changes),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return {**asdict(self), "changed": self.changed}


def check_source(source: str) -> DriftReport:
    """Compare with a file or an https address. Raises InputError or TransportError when it cannot be read."""
    return check(fetch(source), source)


def check(text: str, name: str = "the list") -> DriftReport:
    """Compare the catalogue with a newer list; what kind it is, is told from its contents.

    ``guide``: a saved page of StackOne's guide, or the JSON list in it (id, label, scopes).
    ``actions``: a JSON list with name, method, path and permission sets, such as ``runbook actions --json`` writes.
    ``permissions``: names and ids, such as a tenant's Microsoft Graph service principal (read with ``$select=
    appRoles,oauth2PermissionScopes``); only permissions of the catalogue are compared.

    Raises InputError when the text is none of these.
    """
    table = parse(text, name)
    if table.actions:
        return _compare_actions(table)
    facts = table.facts or {}
    return DriftReport(
        table.kind, len(facts), removed=tuple(sorted(_gone(facts))), changes=tuple(_compare_facts(facts))
    )


def _compare_actions(table: Table) -> DriftReport:
    ours = {action.slug: action for action in loader.actions()}
    theirs = {item.slug: item for item in table.actions}
    renamed = _renamed([ours[s] for s in ours if s not in theirs], [theirs[s] for s in theirs if s not in ours])
    moved = {old.slug: new.slug for old, new, _ in renamed}
    changes: list[Change] = []
    for slug, action in ours.items():
        newer = theirs.get(moved.get(slug, slug))
        if newer is not None:
            changes.extend(_compare_action(action, newer))
    return DriftReport(
        table.kind,
        len(theirs),
        added=tuple(sorted(theirs[s].name for s in theirs if s not in ours and s not in moved.values())),
        removed=tuple(sorted(ours[s].name for s in ours if s not in theirs and s not in moved)),
        renamed=tuple(Renamed(old.name, new.name, score) for old, new, score in renamed),
        changes=tuple(changes),
    )


def _renamed(gone: list[Action], new: list[Listed]) -> list[tuple[Action, Listed, float]]:
    """The best pairs of a vanished and a new action: the same request, or names that are alike."""
    if not gone or not new:
        return []
    from rapidfuzz import fuzz

    pairs = []
    for old in gone:
        for item in new:
            same = item.path is not None and (item.method, path_key(item.path)) == (old.method, path_key(old.path))
            score = 100.0 if same else fuzz.token_sort_ratio(old.name.lower(), item.name.lower())
            pairs.append((old, item, score))
    found: list[tuple[Action, Listed, float]] = []
    for old, item, score in sorted(pairs, key=lambda pair: (-pair[2], pair[0].slug, pair[1].slug)):
        taken = any(old is other or item is another for other, another, _ in found)
        if score >= _ALIKE and not taken:
            found.append((old, item, score))
    return found


def _compare_action(action: Action, newer: Listed) -> Iterator[Change]:
    if newer.name != action.name and newer.slug == action.slug:
        yield Change(action.name, "name", action.name, newer.name)
    if newer.scopes is not None and _sorted(newer.scopes) != _sorted(action.guide_scopes):
        yield Change(action.name, "guide scopes", _sorted(action.guide_scopes), _sorted(newer.scopes))
    if newer.method is not None and newer.method.upper() != action.method:
        yield Change(action.name, "method", action.method, newer.method)
    if newer.path is not None and newer.path != action.path:
        yield Change(action.name, "path", action.path, newer.path)
    for kind, access in action.accesses():
        theirs = (newer.alternatives or {}).get(kind)
        ours = access.alternatives
        if theirs is not None and {frozenset(s) for s in theirs} != {frozenset(s) for s in ours}:
            yield Change(action.name, f"{kind} permissions", _sets(ours), _sets(theirs))


def _compare_facts(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[Change]:
    for name, permission in loader.permissions().items():
        for field, newer in facts.get(name, {}).items():
            if newer != (ours := getattr(permission, field)):
                yield Change(name, field, json.dumps(ours), json.dumps(newer))


def _gone(facts: Collection[str]) -> Iterator[str]:
    """Permissions of the catalogue that the table should have and has not."""
    for name, permission in loader.permissions().items():
        if name not in facts and (permission.delegated_id or permission.application_id):
            yield name


def _sorted(names: Iterable[str] | None) -> str:
    return "not known" if names is None else ", ".join(sorted(names)) or "none"


def _sets(sets: Iterable[tuple[str, ...]]) -> str:
    return " or ".join(" and ".join(names) for names in sets)
