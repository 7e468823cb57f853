"""Microsoft's types for the emulated resources, and the check of a request body against them.

``schema.json`` holds facts of Microsoft's v1.0 metadata in short form: type -> base, properties and links; ``?`` marks
a property that may be null, ``[]`` a collection; then the enumerations.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from entra_sandbox.graph import errors

__all__ = [
    "EntityType",
    "PropertyType",
    "check_body",
    "declare",
    "entity",
    "enumeration",
    "is_guid",
    "subtypes",
    "timestamp",
]

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_TIME = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,12})?)?\Z")
_DURATION = re.compile(r"-?P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?\Z")
_INTEGERS = {"Byte": 8, "Int16": 15, "Int32": 31, "Int64": 63}
_DEPTH = 12


@dataclass(frozen=True)
class PropertyType:
    """The type of one property: ``String``, ``Guid``, … or the name of a complex type or enumeration."""

    name: str
    collection: bool
    nullable: bool
    item_nullable: bool

    @property
    def complex(self) -> bool:
        """Whether values are objects."""
        return self.name in _data()["types"]

    @property
    def empty(self) -> Any:
        """What Graph answers for a property that was never set, or None if it leaves it out."""
        return [] if self.collection else None


@dataclass(frozen=True)
class EntityType:
    """An entity or complex type with everything that it inherits."""

    name: str
    abstract: bool
    properties: dict[str, PropertyType]
    links: dict[str, PropertyType]
    lower: dict[str, str]

    def find(self, name: str) -> str | None:
        """The property's own spelling for a name in any casing."""
        return self.lower.get(name.lower())

    def find_link(self, name: str) -> str | None:
        """The link's own spelling for a name in any casing."""
        return next((link for link in self.links if link.lower() == name.lower()), None)


@cache
def _data() -> dict[str, Any]:
    text = files("entra_sandbox.graph").joinpath("schema.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    for name, described in data["types"].items():
        base = described.get("base")
        if base is not None and base not in data["types"]:
            raise ValueError(f"schema.json: {name} has an unknown base {base}")
    return data


def declare(name: str, properties: Mapping[str, str]) -> None:
    """Add a type beside those of ``schema.json``; ValueError if there is one of this name."""
    if name in _data()["types"]:
        raise ValueError(f"two types are called {name}")
    _data()["types"][name] = {"base": "entity", "properties": dict(properties)}


@cache
def entity(name: str) -> EntityType:
    """The type called ``name``; KeyError if there is none."""
    described = _data()["types"][name]
    base = entity(described["base"]) if described.get("base") else None
    properties = dict(base.properties) if base else {}
    properties.update({key: _type(text) for key, text in described["properties"].items()})
    links = dict(base.links) if base else {}
    links.update({key: _type(text) for key, text in described.get("links", {}).items()})
    lower = {key.lower(): key for key in properties}
    return EntityType(name, described.get("abstract", False), properties, links, lower)


@cache
def enumeration(name: str) -> tuple[dict[str, str], bool] | None:
    """Members of an enumeration (lower case -> spelling) and whether several may be given; None if it is none."""
    described = _data()["enums"].get(name)
    if described is None:
        return None
    return {member.lower(): member for member in described["members"]}, described.get("flags", False)


@cache
def subtypes(name: str) -> frozenset[str]:
    """``name`` and every type derived from it."""
    types = _data()["types"]
    found = {name}
    while more := {key for key, described in types.items() if described.get("base") in found} - found:
        found |= more
    return frozenset(found)


def is_guid(text: str) -> bool:
    """Whether the text is a GUID with its hyphens."""
    return _GUID.match(text) is not None


def timestamp(seconds: float) -> str:
    """A DateTimeOffset as Graph writes it: UTC, whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_body(name: str, body: dict[str, Any], resource: str) -> dict[str, Any]:
    """The body with Graph's own spelling of names and members; :class:`GraphFault` 400 if it does not fit.

    Annotations (``@odata.type`` and the like) that are redundant are taken and dropped, except the ``@odata.type`` of
    a derived type, which decides what is allowed; ``x@odata.bind`` stays for the resource to read.
    """
    return _object(name, body, resource, 0)


def _object(name: str, body: dict[str, Any], resource: str, depth: int) -> dict[str, Any]:
    if depth > _DEPTH:
        raise errors.bad_request("The depth limit for the request body has been exceeded.")
    derived = _derived(name, body, resource)
    described = entity(derived)
    clean: dict[str, Any] = {}
    if derived != name:
        clean["@odata.type"] = f"#microsoft.graph.{derived}"
    for key, value in body.items():
        if "@" in key:
            if key.endswith("@odata.bind"):
                clean[_bind(described, key)] = value
            continue
        spelling = described.find(key)
        if spelling is None:
            if (link := described.find_link(key)) is not None:
                clean[link] = value
                continue
            raise errors.unknown_property(key)
        clean[spelling] = _value(described.properties[spelling], value, spelling, resource, depth)
    return clean


def _bind(described: EntityType, key: str) -> str:
    link = described.find_link(key.removesuffix("@odata.bind"))
    if link is None:
        raise errors.unknown_property(key.removesuffix("@odata.bind"))
    return f"{link}@odata.bind"


def _derived(name: str, body: dict[str, Any], resource: str) -> str:
    given = body.get("@odata.type")
    if given is None:
        return name
    if not isinstance(given, str):
        raise errors.invalid_value("@odata.type", resource)
    short = given.removeprefix("#").removeprefix("microsoft.graph.")
    for known in subtypes(name):
        if known.lower() == short.lower():
            return known
    raise errors.bad_gateway_request(
        f"A type named '{given.removeprefix('#')}' could not be resolved by the model. When a model is available, each "
        "type name must resolve to a valid type."
    )


def _value(kind: PropertyType, value: Any, name: str, resource: str, depth: int) -> Any:
    if kind.collection:
        if not isinstance(value, list):
            raise errors.invalid_value(name, resource)
        return [_single(kind, item, kind.item_nullable, name, resource, depth) for item in value]
    return _single(kind, value, kind.nullable, name, resource, depth)


def _single(kind: PropertyType, value: Any, nullable: bool, name: str, resource: str, depth: int) -> Any:
    if value is None:
        if not nullable:
            raise errors.invalid_value(name, resource)
        return None
    if kind.complex:
        if not isinstance(value, dict):
            raise errors.invalid_value(name, resource)
        return _object(kind.name, value, resource, depth + 1)
    try:
        return scalar(kind.name, value)
    except ValueError:
        raise errors.invalid_value(name, resource) from None


def scalar(kind: str, value: Any) -> Any:
    """The value in Graph's own form; ValueError if it is none of that kind."""
    members = enumeration(kind)
    if members is not None:
        return _member(members, value)
    if kind == "Boolean":
        return _expect(isinstance(value, bool), value)
    if kind in _INTEGERS:
        fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2 ** _INTEGERS[kind]
        return _expect(fits, value)
    if kind == "Double":
        return _expect(isinstance(value, int | float) and not isinstance(value, bool), value)
    _expect(isinstance(value, str) and "\x00" not in value, value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("not a text") from error
    return _TEXTS[kind](value) if kind in _TEXTS else value


def _member(members: tuple[dict[str, str], bool], value: Any) -> str:
    _expect(isinstance(value, str), value)
    known, flags = members
    parts = [part.strip() for part in value.split(",")] if flags else [value]
    return ",".join(_expect(part.lower() in known, known.get(part.lower(), part)) for part in parts)


def _date_time(value: str) -> str:
    moment = datetime.fromisoformat(value)
    _expect("T" in value.upper() and moment.year > 1, value)
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + fraction + "Z"


def _date(value: str) -> str:
    _expect(_DATE.match(value) is not None, value)
    datetime.fromisoformat(value)
    return value


def _binary(value: str) -> str:
    value = re.sub(r"\s+", "", value)  # certificates come as the lines of a PEM file
    try:
        base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    return value


def _matching(pattern: re.Pattern[str]) -> Any:
    return lambda value: _expect(pattern.match(value) is not None, value)


_TEXTS: dict[str, Any] = {
    "Guid": lambda value: _expect(_GUID.match(value) is not None, value).lower(),
    "DateTimeOffset": _date_time,
    "Date": _date,
    "TimeOfDay": _matching(_TIME),
    "Duration": _matching(_DURATION),
    "Binary": _binary,
}


def _expect(condition: bool, value: Any) -> Any:
    if not condition:
        raise ValueError(f"unexpected {type(value).__name__}")
    return value


def _type(text: str) -> PropertyType:
    nullable = text.endswith("?")
    text = text.removesuffix("?")
    collection = text.endswith("[]")
    text = text.removesuffix("[]")
    return PropertyType(text.removesuffix("?"), collection, nullable, text.endswith("?"))
