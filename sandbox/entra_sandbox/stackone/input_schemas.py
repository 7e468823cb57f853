"""What an action takes, as JSON Schema (draft 2020-12): path, query and body, the body from Microsoft's own types."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from entra_sandbox.facts import Action
from entra_sandbox.graph import schema
from entra_sandbox.graph.schema import PropertyType

Schema = dict[str, Any]

_FORMATS = {"Guid": "uuid", "DateTimeOffset": "date-time", "Date": "date", "TimeOfDay": "time", "Duration": "duration"}
_NUMBERS = {"Boolean": "boolean", "Double": "number", "Single": "number", "Decimal": "number"}
_NONE: Mapping[str, str] = MappingProxyType({})
_ANNOTATIONS: Schema = {"^[^@]*@odata\\.": {}}
_SET_BY_GRAPH = frozenset({"id", "deletedDateTime"})


def input_schema(action: Action, renamed: Mapping[str, str] = _NONE) -> Schema:
    """An object with ``path``, ``query`` and ``body`` as far as the action has them; see :attr:`Project.renamed`."""
    properties: Schema = {}
    required: list[str] = []
    if action.parameters:
        names = {renamed.get(one) or _snake(one): {"type": "string", "description": one} for one in action.parameters}
        properties["path"] = {"type": "object", "properties": names, "required": list(names)}
        required.append("path")
    if action.query:
        names = {name: {"type": "string"} for name in (*action.query, "next")}
        properties["query"] = {"type": "object", "properties": names}
    found: Schema = {"type": "object", "properties": properties, "required": required}
    if action.body is not None:
        definitions: Schema = {}
        properties["body"] = _body(action.body, action.required, definitions)
        found["$defs"] = definitions
        required.append("body")
    return found


def _body(name: str, required: tuple[str, ...], definitions: Schema) -> Schema:
    if name == "reference":
        described: Schema = {"type": "object", "properties": {"@odata.id": {"type": "string"}}}
    else:
        described = _object(name, definitions)
        for key in _SET_BY_GRAPH - set(required):
            described["properties"].pop(key, None)
        if "@odata.type" in required:
            described["properties"]["@odata.type"] = {"const": f"#microsoft.graph.{name}"}
    return {**described, "required": list(required)}


def _object(name: str, definitions: Schema) -> Schema:
    properties = {key: _property(kind, definitions) for key, kind in schema.entity(name).properties.items()}
    links: Schema = {key: {} for key in schema.entity(name).links}
    return {
        "type": "object",
        "properties": {**properties, **links},
        "patternProperties": _ANNOTATIONS,
        "additionalProperties": False,
    }


def _property(kind: PropertyType, definitions: Schema) -> Schema:
    if not kind.collection:
        return _nullable(_single(kind, definitions), kind.nullable)
    return {"type": "array", "items": _nullable(_single(kind, definitions), kind.item_nullable)}


def _single(kind: PropertyType, definitions: Schema) -> Schema:
    if kind.complex:
        return _reference(kind.name, definitions)
    if (members := schema.enumeration(kind.name)) is not None:
        spellings, several = members
        return {"type": "string"} if several else {"enum": sorted(spellings.values())}
    if kind.name in _NUMBERS:
        return {"type": _NUMBERS[kind.name]}
    if kind.name in ("Byte", "SByte") or kind.name.startswith("Int"):
        return {"type": "integer"}
    return {"type": "string", **({"format": _FORMATS[kind.name]} if kind.name in _FORMATS else {})}


def _reference(name: str, definitions: Schema) -> Schema:
    """A complex type, by reference: types may hold themselves. One with derived types is any of those."""
    if name not in definitions:
        definitions[name] = {}
        derived = sorted(schema.subtypes(name) - {name})
        choices = [_reference(one, definitions) for one in derived]
        if not schema.entity(name).abstract:
            choices.append(_object(name, definitions))
        definitions[name] = choices[0] if len(choices) == 1 else {"anyOf": choices}
    return {"$ref": f"#/$defs/{name}"}


def _nullable(described: Schema, nullable: bool) -> Schema:
    return {"anyOf": [described, {"type": "null"}]} if nullable else described


def _snake(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).replace("-", "_")
