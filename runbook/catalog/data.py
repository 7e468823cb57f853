"""The JSON Schemas of request bodies."""

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from runbook.data import table


@cache
def body_schema(name: str) -> Mapping[str, Any]:
    """The JSON Schema ``name`` of ``bodies.json`` with the definitions that it reaches."""
    data = table("catalog/bodies.json")
    schema = data["bodies"][name]
    definitions: dict[str, Any] = {}
    waiting = list(_references(schema))
    while waiting:
        reference = waiting.pop()
        if reference not in definitions:
            definitions[reference] = data["$defs"][reference]
            waiting.extend(_references(definitions[reference]))
    return MappingProxyType({**schema, "$defs": dict(sorted(definitions.items()))})


def body_definition(name: str) -> Mapping[str, Any]:
    """A shared definition of ``bodies.json``, such as ``guid``."""
    definition: Mapping[str, Any] = table("catalog/bodies.json")["$defs"][name]
    return definition


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix("#/$defs/")
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
