"""Which properties may be filtered, sorted and searched, and which of that needs the advanced query capabilities.

The one table is ``queries.json``, written from learn.microsoft.com/graph/aad-advanced-queries and the types' pages.

A kind that has no entry (conditional access and the like) takes every property and operator.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from entra_sandbox.graph import schema

__all__ = ["Rules", "rules"]

OPERATORS = frozenset(("eq", "ne", "not", "ge", "le", "gt", "lt", "in", "any", "count", "startsWith", "endsWith"))


@dataclass(frozen=True)
class Rules:
    """``filter``: property -> operators; ``open`` kinds allow all.

    ``advanced``: property -> operators that need the advanced capabilities with it, ``null`` for comparisons with null
    (``ne``, ``not``, ``endsWith`` and ``$count`` always do); ``orderby_advanced`` is sorted only with them;
    ``alone`` are not filtered together with others.
    """

    open: bool
    filter: dict[str, frozenset[str]]
    orderby: tuple[str, ...]
    search: tuple[str, ...]
    advanced: dict[str, frozenset[str]] = field(default_factory=dict)
    orderby_advanced: tuple[str, ...] = ()
    alone: frozenset[str] = frozenset()

    def allows(self, steps: tuple[str, ...], operator: str) -> bool:
        """Whether the operator may be used on the property path (canonical spelling)."""
        if self.open:
            return True
        for length in range(len(steps), 0, -1):
            allowed = self.filter.get("/".join(steps[:length]))
            if allowed is not None:
                return operator in allowed
        return False


@cache
def _all() -> dict[str, Rules]:
    text = files("entra_sandbox.graph").joinpath("queries.json").read_text(encoding="utf-8")
    return {name: _read(name, described) for name, described in json.loads(text).items()}


def rules(entity: str) -> Rules:
    """The rules of an entity type; relationship collections of mixed kinds allow what any of their kinds allows."""
    known = _all()
    if entity == "directoryObject":
        merged: dict[str, frozenset[str]] = {}
        for part in known.values():
            for name, operators in part.filter.items():
                merged[name] = merged.get(name, frozenset()) | operators
        return Rules(False, merged, ("displayName",), ("displayName", "description"))
    return known.get(entity) or Rules(True, {}, tuple(schema.entity(entity).properties), ())


def _read(entity: str, described: dict[str, object]) -> Rules:
    allowed: dict[str, frozenset[str]] = {}
    table = described["filter"]
    assert isinstance(table, dict)
    for operators, names in table.items():
        words = frozenset(operators.split())
        if words - OPERATORS:
            raise ValueError(f"queries.json: {entity}: unknown operators {sorted(words - OPERATORS)}")
        for name in names:
            described_type = schema.entity(entity)
            if described_type.find(name.split("/")[0]) is None and described_type.find_link(name) is None:
                raise ValueError(f"queries.json: {entity} has no property {name}")
            allowed[name] = words
    return Rules(
        False,
        allowed,
        _texts(described["orderby"]),
        _texts(described["search"]),
        _advanced(entity, described.get("advanced", {})),
        _texts(described.get("orderby advanced", [])),
        frozenset(_texts(described.get("alone", []))),
    )


def _advanced(entity: str, table: object) -> dict[str, frozenset[str]]:
    assert isinstance(table, dict)
    found: dict[str, frozenset[str]] = {}
    for words, names in table.items():
        operators = OPERATORS if words == "all" else frozenset(words.split())
        if operators - OPERATORS - {"null"}:
            raise ValueError(f"queries.json: {entity}: unknown operators {sorted(operators - OPERATORS)}")
        for name in names:
            found[name] = found.get(name, frozenset()) | operators
    return found


def _texts(value: object) -> tuple[str, ...]:
    assert isinstance(value, list)
    return tuple(str(item) for item in value)
