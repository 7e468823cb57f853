"""What the pages of the types say of values: lengths, numbers, members, form. The one table is ``limits.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from entra_sandbox.graph import errors, schema

__all__ = ["Limits", "check", "check_manner", "limits"]


@dataclass(frozen=True)
class Limits:
    """The limits of one type, by property; ``page`` of learn.microsoft.com/graph/api states them.

    ``longest`` text (also of the texts in a value), ``most`` items, ``one_of`` these values, ``like`` this form;
    without ``empty`` a text is cleared by null alone. ``apart`` are updated in requests of their own, with
    ``apart_status`` as the answer; ``later`` are not set by a create, ``by_people`` changed by signed-in people alone.
    """

    page: str
    longest: Mapping[str, int] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)
    one_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    like: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    empty: bool = True
    apart: frozenset[str] = frozenset()
    apart_status: int = 204
    later: frozenset[str] = frozenset()
    by_people: frozenset[str] = frozenset()

    def allows(self, name: str, value: Any) -> bool:
        """Whether the property may have this value, as far as the page says."""
        if isinstance(value, list) and len(value) > self.most.get(name, len(value)):
            return False
        for text in _texts(value):
            longest, pattern = self.longest.get(name, len(text)), self.like.get(name)
            if len(text) > longest or (text == "" and not self.empty) or (pattern and not pattern.fullmatch(text)):
                return False
        members = {one.lower() for one in self.one_of.get(name, ())}
        return not members or value is None or str(value).lower() in members


@cache
def limits() -> Mapping[str, Limits]:
    """The limits by type; ValueError or KeyError if the data names a property that is not there."""
    text = files("entra_sandbox.graph").joinpath("limits.json").read_text(encoding="utf-8")
    return {entity: _read(entity, described) for entity, described in json.loads(text).items()}


def check(entity: str, doc: Mapping[str, Any]) -> None:
    """:class:`GraphFault` 400 for a value over its limit, or over that of the complex type it has."""
    if (name := _beyond(entity, doc)) is not None:
        raise errors.invalid_value(name, entity[0].upper() + entity[1:])


def check_manner(entity: str, names: Set[str], *, creating: bool, app_only: bool) -> None:
    """:class:`GraphFault` 400 or 403 for properties that the request may not set, or not together."""
    known = limits().get(entity)
    if known is None:
        return
    if creating and (early := sorted(names & known.later)):
        raise errors.bad_request(f"Property '{early[0]}' is set by an update, not by a create.")
    if not creating and names & known.apart and (besides := sorted(names - known.apart)):
        raise errors.bad_request(f"Property '{besides[0]}' cannot be updated together with those of another service.")
    if app_only and names & known.by_people:
        raise errors.denied()


def _beyond(entity: str, doc: Mapping[str, Any]) -> str | None:
    """The property of the object that is over a limit."""
    known, properties = limits().get(entity), schema.entity(entity).properties
    for name, value in doc.items():
        if known and not known.allows(name, value):
            return name
        inside = value if isinstance(value, list) else [value]
        if (
            name in properties
            and properties[name].complex
            and any(_beyond(properties[name].name, one) for one in inside if one)
        ):
            return name
    return None


def _read(entity: str, described: Mapping[str, Any]) -> Limits:
    longest = {name: int(most) for most, names in described.get("longest", {}).items() for name in names}
    one_of = {name: tuple(values) for name, values in described.get("one of", {}).items()}
    like = {name: re.compile(pattern) for name, pattern in described.get("like", {}).items()}
    apart, later, by_people = (frozenset(described.get(name, ())) for name in ("apart", "later", "by people"))
    found = Limits(
        page=described["page"],
        longest=longest,
        most=described.get("most", {}),
        one_of=one_of,
        like=like,
        empty=described.get("empty", True),
        apart=apart,
        apart_status=described.get("apart status", 204),
        later=later,
        by_people=by_people,
    )
    named = frozenset().union(longest, found.most, one_of, like, apart, later, by_people)
    if unknown := named - schema.entity(entity).properties.keys():
        raise ValueError(f"limits.json: {entity} has no property {sorted(unknown)}")
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
