"""Holds requests and answers of Microsoft Graph against the published types in ``schema.json``.

Strict: an unknown property, a value of another type, a null where none is allowed, and a missing required property are
problems. ``innerError.date`` is left out: it is published with a time zone and has none in reality. Types that are
published as open for more take extension attributes alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import unquote

from tests.published.compact import SCHEMA

__all__ = ["answer_problems", "operation_of", "request_problems", "type_problems"]

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_DATE_TIME = re.compile(r"\d{4,}-(0[1-9]|1[012])-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,12})?(Z|[+-]\d\d:\d\d)\Z")
_TEXTS = {
    "string": re.compile(r"(?s).*\Z"),
    "guid": _GUID,
    "date-time": _DATE_TIME,
    "base64": re.compile(r"[A-Za-z0-9+/_\-\s]*=*\s*\Z"),
    "duration": re.compile(r"-?P(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?\Z"),
    "time": re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,12})?\Z"),
}
_OTHERS: dict[str, Any] = {"boolean": bool, "integer": int, "number": (int, float), "object": dict, "any": object}
_FUNCTIONS = frozenset({"delta"})  # an address of its own, not a key
_INNER_DATE = "/error/innerError/date"


def request_problems(method: str, path: str, body: bytes) -> list[str]:
    """What is wrong with the body of a request; ``path`` is below the version. Nothing for unpublished operations."""
    operation = operation_of(method, path)
    if operation is None or not body:
        return []
    if "request" not in operation:
        return ["a body where none is published"] if json.loads(body) else []
    return list(_value(operation["request"], json.loads(body), "", sent=True))


def answer_problems(method: str, path: str, status: int, content: bytes) -> list[str]:
    """What is wrong with a JSON answer."""
    if status >= 400:
        problems = type_problems("ODataErrors.ODataError", json.loads(content))
        return [one for one in problems if not one.startswith(_INNER_DATE)]
    operation = operation_of(method, path)
    if operation is None or path.endswith("/$count"):
        return []
    if status == 204 or "answer" not in operation:
        return [f"a body in an answer that has none ({status})"] if content else []
    return type_problems(operation["answer"], json.loads(content))


def type_problems(name: str, value: Any) -> list[str]:
    """What is wrong with ``value`` as a value of a published type."""
    return list(_value(name, value, "", sent=False))


@cache
def operation_of(method: str, path: str) -> dict[str, str] | None:
    """The types of the published operation that an address means, or None."""
    segments = list(_segments(path))
    best: tuple[int, dict[str, str]] | None = None
    for key, operation in _data()["operations"].items():
        verb, template = key.split(" ", 1)
        parts = template.strip("/").lower().split("/")
        if verb != method or len(parts) != len(segments):
            continue
        if all(
            part == segment or (part == "{}" and segment not in _FUNCTIONS)
            for part, segment in zip(parts, segments, strict=True)
        ):
            literal = sum(part != "{}" for part in parts)
            if best is None or literal > best[0]:
                best = (literal, operation)
    return best[1] if best else None


def _segments(path: str) -> Iterator[str]:
    for segment in path.lower().replace("/microsoft.graph.", "/graph.").split("/"):
        if not segment:
            continue
        name, found, _ = unquote(segment).partition("(")
        yield name
        if found:
            yield "{}"


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return data


@cache
def _described(name: str) -> tuple[dict[str, str], frozenset[str], bool]:
    """(properties by name, required ones, whether more are allowed) of a type with all that it inherits."""
    described = _data()["types"][name]
    properties, required, more = dict(described["properties"]), frozenset(described.get("required", ())), False
    if "base" in described:
        inherited, above, more = _described(described["base"])
        properties, required = {**inherited, **properties}, required | above
    return properties, required, more or described.get("open", False)


def _derives(name: str, base: str) -> bool:
    while name != base:
        name = _data()["types"].get(name, {}).get("base", "")
        if not name:
            return False
    return True


def _value(kind: str, value: Any, path: str, *, sent: bool) -> Iterator[str]:
    nullable = kind.endswith("?")
    kind = kind.removesuffix("?")
    if value is None:
        if not nullable and not (sent and not kind.endswith("[]")):
            yield f"{path}: null is not allowed"
    elif kind.endswith("[]"):
        if not isinstance(value, list):
            yield f"{path}: no collection"
            return
        for item in value:
            yield from _value(kind.removesuffix("[]"), item, path, sent=sent)
    elif kind in _data()["types"]:
        yield from _object(kind, value, path, sent=sent)
    elif kind in _data()["enums"]:
        members = _data()["enums"][kind]
        if not isinstance(value, str) or not all(part in members for part in value.split(",")):
            yield f"{path}: {value!r} is none of {members}"
    elif kind in _TEXTS:
        if not isinstance(value, str) or not _TEXTS[kind].match(value):
            yield f"{path}: {value!r} is no {kind}"
    elif not isinstance(value, _OTHERS[kind]) or (isinstance(value, bool) and kind in ("integer", "number")):
        yield f"{path}: {value!r} is no {kind}"


def _object(kind: str, value: Any, path: str, *, sent: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no object"
        return
    derived = str(value.get("@odata.type", kind)).removeprefix("#").removeprefix("microsoft.graph.")
    if derived not in _data()["types"]:
        yield f"{path}: {derived} is not published"
        return
    if not _derives(derived, kind):
        yield f"{path}: {derived} is no {kind}"
    properties, required, more = _described(derived)
    # Microsoft takes names in any casing, and answers with its own.
    known = {name.lower(): one for name, one in properties.items()} if sent else properties
    for name in required - set(value):
        yield f"{path}/{name}: missing"
    for name, item in value.items():
        if (one := known.get(name.lower() if sent else name)) is not None:
            yield from _value(one, item, f"{path}/{name}", sent=sent)
        elif "@" not in name and not (more and (not properties or name.startswith("extension_"))):
            yield f"{path}/{name}: {derived} has no such property"
