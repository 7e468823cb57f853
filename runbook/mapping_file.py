"""Reading a flat YAML or JSON file that may come from somebody else: bounded in size, depth and aliases, no doubles.

YAML's scalars are read as a person means them: switches as in YAML 1.1 (``yes``, ``on``), whole numbers in decimals
only (``0100`` is text and no octal), dates as the text that stands there.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runbook import whole
from runbook.errors import InputError, Problem

_NODES = 5_000
_DEPTH = 20
_INVALID = "is not valid YAML or JSON."
_TOO_DEEP = "is nested too deeply for a choice."
_TWICE = "has a name that is there twice."  # not repeated: it may be a secret in the wrong place


def read(path: Path) -> dict[str, Any]:
    """The flat mapping in a YAML or (``*.json``) JSON file. Raises :class:`InputError`, which repeats no value."""
    text = _text(path)
    try:
        values = _parsed(text, _from_json if path.suffix == ".json" else _from_yaml)
    except _Refused as error:
        where = f"{path}, line {error.line}" if error.line else str(path)
        raise InputError(Problem(where, error.why)) from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InputError(Problem(str(path), "must be a mapping of parameter names to values."))
    return values


def scalar(text: str) -> Any:
    """One value as it would be read from a file; text that is none stays as it is."""
    try:
        return _parsed(text, _from_yaml)
    except _Refused:
        return text


class _Refused(Exception):
    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(why)
        self.why, self.line = why, line


def _text(path: Path) -> str:
    try:
        return whole.text(path)
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror}.")) from None


def _parsed(text: str, form: Callable[[str], Any]) -> Any:
    try:
        return form(text)
    except RecursionError:
        raise _Refused(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise _Refused(_INVALID, error.lineno) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise _Refused(_INVALID, mark.line + 1 if mark else None) from None
    except (ValueError, OverflowError):  # a number of thousands of digits, a character that no Unicode has
        raise _Refused(_INVALID) from None


def _from_json(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            name = _twice([name for name, _ in pairs])
            raise _Refused(_TWICE, text.count("\n", 0, max(text.rfind(f'"{name}"'), 0)) + 1)
        return found

    return json.loads(text, object_pairs_hook=once)


def _from_yaml(text: str) -> Any:
    reader = loader()(text)
    node = reader.get_single_node()
    if node is None:
        return None
    _measure(node, {}, 0)
    return reader.construct_document(node)


def _measure(node: Any, sizes: dict[int, int], depth: int) -> int:
    """How many nodes there are with every alias written out; raises before anything is built from them."""
    if depth > _DEPTH:
        raise _Refused(_TOO_DEEP, node.start_mark.line + 1)
    if id(node) in sizes:
        return sizes[id(node)]
    if isinstance(node, yaml.MappingNode):
        lines = [(key.value, key.start_mark.line + 1) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(dict(lines)) < len(lines):
            raise _Refused(_TWICE, dict(lines)[_twice([name for name, _ in lines])])
        members = [member for pair in node.value for member in pair]
    else:
        members = node.value if isinstance(node, yaml.SequenceNode) else []
    size = 1 + sum(_measure(member, sizes, depth + 1) for member in members)
    if size > _NODES:
        raise _Refused("has more values, or aliases of values, than a choice can have.", node.start_mark.line + 1)
    sizes[id(node)] = size
    return size


def _twice(names: list[str]) -> str:
    return next(name for number, name in enumerate(names) if name in names[:number])


@cache
def loader() -> Any:
    """The class that reads YAML, made once."""

    class Loader(yaml.SafeLoader):
        """YAML's safe loader without the values that mean something else than what stands there."""

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            """As written: a tag that makes of a value what it is not without one is refused."""
            if node.tag not in ("tag:yaml.org,2002:str", self.resolve(type(node), node.value, (True, False))):  # type: ignore[no-untyped-call]
                raise _Refused("has a tag of YAML that changes a value: write it plainly.", node.start_mark.line + 1)
            return super().construct_object(node, deep=deep)

    guessed = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:timestamp"}
    resolvers: Mapping[Any, Any] = yaml.SafeLoader.yaml_implicit_resolvers
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rows if tag not in guessed] for first, rows in resolvers.items()
    }
    decimal = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(rf"^(?:{decimal.pattern})$"), list("-+0123456789"))
    return Loader
