"""Makes ``schema.json`` from Microsoft's published OpenAPI description of Graph v1.0.

    python -m tests.published.compact DESCRIPTION.json[.gz]

The result holds facts alone, in short form. ``types``: type -> its ``base``, whether it is ``open`` for more, what is
``required``, and ``properties`` with their types (``string``, ``guid``, ``date-time``, … or another type; ``[]`` marks
a collection, a last ``?`` that null is allowed). ``enums``: members. ``operations``: ``METHOD /path/{}`` -> the types
of ``request`` and ``answer``.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).with_name("schema.json")
_PREFIX = "#/components/schemas/"
_TEXTS = {"uuid": "guid", "date-time": "date-time", "base64url": "base64", "duration": "duration", "time": "time"}
# Derived types that may be missing: learn.microsoft.com/graph/api/resources/domaindnsrecord
_RECORD = "domainDnsRecord"
_BESIDES = {
    "domainDnsCnameRecord": {"base": _RECORD, "properties": {"canonicalName": "string?"}},
    "domainDnsMxRecord": {"base": _RECORD, "properties": {"mailExchange": "string", "preference": "integer?"}},
    "domainDnsTxtRecord": {"base": _RECORD, "properties": {"text": "string"}},
}
# On the page of the resource, not in the description of the open type: learn.microsoft.com/graph/api/resources/device
_MORE = {"device": {"extensionAttributes": "onPremisesExtensionAttributes?"}}
_METHODS = ("get", "post", "put", "patch", "delete")


def compact(description: dict[str, Any]) -> dict[str, Any]:
    """The facts that the checks need."""
    types: dict[str, Any] = dict(_BESIDES)
    enums: dict[str, list[str]] = {}
    for name, schema in description["components"]["schemas"].items():
        if members := schema.get("enum") or schema.get("x-enum-members"):
            enums[_short(name)] = members
        else:
            types[_short(name)] = _type(schema)
            types[_short(name)]["properties"] |= _MORE.get(_short(name), {})
    operations = {}
    for path, methods in description["paths"].items():
        for method in _METHODS:
            if method in methods:
                key = f"{method.upper()} {normal(path)}"
                operations[key] = _operation(key, methods[method], description, types)
    return {"types": types, "enums": enums, "operations": operations}


def normal(path: str) -> str:
    """``/users/{}`` for ``/users/{user-id}`` and for ``/users(id='{id}')``"""
    path = re.sub(r"\(\w+='\{[^}]*\}'\)", "/{}", path)
    return re.sub(r"\{[^}]*\}", "{}", path)


def _operation(key: str, operation: dict[str, Any], description: dict[str, Any], types: dict[str, Any]) -> Any:
    found: dict[str, str] = {}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is not None:
        found["request"] = _named(body, f"request of {key}", types)
    for status in ("200", "201", "2XX"):
        response = operation["responses"].get(status)
        if response and "$ref" in response:
            response = description["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        content = (response or {}).get("content", {})
        if "application/json" in content:
            found["answer"] = _named(content["application/json"]["schema"], f"answer of {key}", types)
    return found


def _named(schema: dict[str, Any], name: str, types: dict[str, Any]) -> str:
    """The short type; a type that has no name of its own is kept under ``name``."""
    if "properties" in schema or "allOf" in schema:
        types[name] = _type(schema)
        return name
    return _short_type(schema)


def _type(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"properties": {}}
    for part in _parts(schema):
        if "$ref" in part:
            found["base"] = _short(part["$ref"])
            continue
        found["open"] = found.get("open", False) or bool(part.get("additionalProperties"))
        found["required"] = [*found.get("required", []), *part.get("required", [])]
        for name, described in part.get("properties", {}).items():
            if not name.startswith("@odata.type"):
                found["properties"][name] = _short_type(described)
    return {name: value for name, value in found.items() if value or name == "properties"}


def _parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "allOf" in schema:
        for part in schema["allOf"]:
            yield from _parts(part)
    if "allOf" not in schema or "properties" in schema:
        yield schema


def _short_type(schema: dict[str, Any]) -> str:
    mark = "?" if schema.get("nullable") else ""
    if "$ref" in schema:
        return _short(schema["$ref"]) + mark
    if "anyOf" in schema:
        named = next(_short_type(one) for one in schema["anyOf"] if "$ref" in one)
        return named + ("?" if any(one.get("nullable") for one in schema["anyOf"]) else "")
    kind = schema.get("type", "any")
    if kind == "array":
        return f"{_short_type(schema['items'])}[]{mark}"
    if kind == "string":
        return _TEXTS.get(schema.get("format", ""), "string") + mark
    return {"number": "integer" if schema.get("format") in ("int32", "int64") else "number"}.get(kind, kind) + mark


def _short(name: str) -> str:
    return name.removeprefix(_PREFIX).removeprefix("microsoft.graph.")


def main() -> None:
    """Write ``schema.json`` beside this file, one entry a line."""
    path = Path(sys.argv[1])
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    parts = []
    for name, entries in compact(json.loads(text)).items():
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(entries.items())]
        parts.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    SCHEMA.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
