"""The catalogue's data files as they lie on disk, and the JSON Schemas of request bodies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from runbook.errors import InputError, Problem

_FOLDER = Path(__file__).parent


@cache
def read(name: str) -> Mapping[str, Any]:
    """A data file of this folder. Raises :class:`InputError` when the installation is damaged."""
    path = _FOLDER / name
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(Problem(name, f"cannot be read as JSON: {error}", "Install the package again.")) from error
    if not isinstance(data, dict):
        raise InputError(Problem(name, "is not a JSON object.", "Install the package again."))
    return data


@cache
def body_schema(name: str) -> Mapping[str, Any]:
    """The JSON Schema ``name`` of ``bodies.json`` with the definitions that it reaches."""
    data = read("bodies.json")
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
    definition: Mapping[str, Any] = read("bodies.json")["$defs"][name]
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
