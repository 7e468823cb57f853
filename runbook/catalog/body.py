"""Checks a request body against its JSON Schema and says in plain words what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from runbook import late
from runbook.catalog import data
from runbook.catalog.model import Action
from runbook.errors import Problem

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError


_SECRET = re.compile("password|secret|key|token", re.IGNORECASE)


def body_problems(action: Action, body: Any) -> list[Problem]:
    """Every mistake in the body of an action; empty when it may be sent."""
    if action.body is None:
        return [] if body in (None, {}) else [Problem("body", f"{action.name} takes no body.")]
    if body is None:
        return [Problem("body", "is missing.", f"For example: {dict(action.body.example)}")]
    errors = _validator(action.body.name).iter_errors(body)
    found = {(problem.where, problem.what): problem for error in errors for problem in _problems(error)}
    return list(found.values())


@cache
def _validator(name: str) -> Draft202012Validator:
    late.grammar()
    from jsonschema import Draft202012Validator

    return Draft202012Validator(dict(data.body_schema(name)))


def _problems(error: ValidationError) -> Iterator[Problem]:
    if error.context:
        branch = _meant(error.context)
        if branch:
            for inner in branch:
                yield from _problems(inner)
            return
    where, schema = _where(error), error.schema if isinstance(error.schema, dict) else {}
    kind, value = error.validator, error.validator_value
    if kind == "required":
        for name in value:
            if name not in error.instance:
                yield Problem(f"{where}.{name}", "is missing.")
    elif kind == "additionalProperties":
        known = list(schema.get("properties", {}))
        for name in [name for name in error.instance if _is_extra(name, schema)]:
            yield Problem(f"{where}.{name}", "is not a property that can be written here.", close(name, known))
    elif kind in ("enum", "const"):
        choices = value if kind == "enum" else [value]
        words = ", ".join("null" if choice is None else str(choice) for choice in choices)
        yield Problem(where, f"{_shown(error)} is not one of the values allowed.", f"Use {words}.")
    elif kind == "type":
        yield Problem(where, f"{_shown(error)} has the wrong type.", f"It is {_types(value)}.")
    elif kind == "pattern":
        yield Problem(where, f"{_shown(error)} has the wrong shape.", _shape(schema))
    elif kind == "anyOf" and where == "body":
        ways = [" and ".join(option["required"]) for option in value if "required" in option]
        yield Problem(where, f"needs {' or '.join(ways)}.")
    elif kind in ("minProperties", "minItems", "minLength"):
        yield Problem(where, "is empty.")
    elif kind in ("maxItems", "maxLength"):
        yield Problem(where, f"is too long: at most {value}.")
    else:
        yield Problem(where, f"{_shown(error)} breaks the rule {kind} of the schema.")


def _meant(context: Sequence[ValidationError]) -> list[ValidationError]:
    """Of the branches of an ``anyOf``, the errors of the one that was meant: the type fits, and so does its mark."""
    branches: dict[Any, list[ValidationError]] = {}
    for error in context:
        branches.setdefault(error.relative_schema_path[0], []).append(error)
    if all(error.validator == "required" and not error.relative_path for error in context):
        return []

    def distance(errors: list[ValidationError]) -> tuple[int, int, int]:
        own_type = sum(error.validator == "type" and not error.relative_path for error in errors)
        mark = sum(error.validator == "const" for error in errors)
        return own_type, mark, len(errors)

    return min(branches.values(), key=distance)


def _shown(error: ValidationError) -> str:
    """The value that is wrong, short, and not at all where a secret could stand."""
    if not error.absolute_path:
        return "the body"
    if any(isinstance(part, str) and _SECRET.search(part) for part in error.absolute_path):
        return "the value (not shown)"
    if isinstance(error.instance, dict | list):
        return "the list" if isinstance(error.instance, list) else "the object"
    text = "null" if error.instance is None else repr(error.instance)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _where(error: ValidationError) -> str:
    return "body" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)


def _is_extra(name: str, schema: dict[str, Any]) -> bool:
    return name not in schema.get("properties", {}) and not any(
        re.search(pattern, name) for pattern in schema.get("patternProperties", {})
    )


def _types(value: Any) -> str:
    words = {"string": "a text", "integer": "a whole number", "boolean": "true or false", "array": "a list"}
    kinds = value if isinstance(value, list) else [value]
    return " or ".join(words.get(kind, "an object" if kind == "object" else kind) for kind in kinds)


def _shape(schema: dict[str, Any]) -> str:
    for name, meaning in (
        ("guid", "It is a GUID."),
        ("dateTime", "It is a time such as 2026-11-23T22:30:00Z."),
        ("domainName", "It is a domain name such as contoso.com."),
        (
            "reference",
            "It is the address of an object, such as https://graph.microsoft.com/v1.0/directoryObjects/{id}.",
        ),
    ):
        if schema.get("pattern") == data.body_definition(name).get("pattern"):
            return meaning
    return f"It matches {schema.get('pattern')}."


def close(name: str, known: Iterable[str]) -> str:
    """What was probably meant by a name that is not known, as a question; empty if nothing is like it."""
    from rapidfuzz import process

    found = process.extractOne(name, list(known), score_cutoff=75)
    return f"Did you mean {found[0]}?" if found else ""
