"""``$filter``: text to tree (OData 4.01 part 2, section 5.1.1; the subset that Microsoft Graph documents)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = ["And", "Call", "Compare", "FilterError", "In", "Lambda", "Literal", "Node", "Not", "Or", "Path", "parse"]


class FilterError(ValueError):
    """The text is not an expression that we understand."""


@dataclass(frozen=True)
class Path:
    """A property such as ``displayName`` or ``web/homePageUrl``; ``count`` when it ends in ``$count``."""

    steps: tuple[str, ...]
    count: bool = False


@dataclass(frozen=True)
class Literal:
    """A constant: ``kind`` is string, number, boolean, null, guid, dateTime or duration."""

    kind: str
    value: Any


@dataclass(frozen=True)
class Compare:
    """``left op right`` with op one of eq, ne, gt, ge, lt, le, has."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class In:
    """``left in (a, b)``"""

    left: Node
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Call:
    """``startsWith(a,b)``, ``endsWith``, ``contains``, ``toLower``, ``toUpper``, ``isof('type')``"""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Lambda:
    """``path/any(variable:body)``; body None for ``path/any()``"""

    name: str
    path: Path
    variable: str
    body: Node | None


@dataclass(frozen=True)
class Not:
    """``not operand``"""

    operand: Node


@dataclass(frozen=True)
class And:
    """``left and right``"""

    left: Node
    right: Node


@dataclass(frozen=True)
class Or:
    """``left or right``"""

    left: Node
    right: Node


Node = Path | Literal | Compare | In | Call | Lambda | Not | And | Or

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^']|'')*')
    | (?P<dateTime>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?(?![\w-]))
    | (?P<guid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?!\w))
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w-]))
    | (?P<duration>duration'[^']*')
    | (?P<name>[A-Za-z_@$][\w.@$]*)
    | (?P<mark>[(),:/])
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_COMPARISONS = {"eq", "ne", "gt", "ge", "lt", "le", "has"}
_CALLS = {"startswith": 2, "endswith": 2, "contains": 2, "tolower": 1, "toupper": 1, "isof": 1}
_MAX_TOKENS, _MAX_DEPTH = 2000, 60


def parse(text: str) -> Node:
    """The tree of a ``$filter``; :class:`FilterError` with a short reason if it is not understood."""
    parser = _Parser(_tokens(text))
    node = parser.disjunction(0)
    parser.end()
    return node


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterError(f"Syntax error at position {position} in '{text}'.")
        tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
        position = match.end()
        if len(tokens) > _MAX_TOKENS:
            raise FilterError("The filter is too long.")
    return tokens


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise FilterError(f"Syntax error at '{self._tokens[self._at][1]}'.")

    def disjunction(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise FilterError("The filter is nested too deeply.")
        node = self._conjunction(depth)
        while self._word("or"):
            node = Or(node, self._conjunction(depth))
        return node

    def _conjunction(self, depth: int) -> Node:
        node = self._negation(depth)
        while self._word("and"):
            node = And(node, self._negation(depth))
        return node

    def _negation(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise FilterError("The filter is nested too deeply.")
        if self._peek() == ("name", "not") or (self._peek()[0] == "name" and self._peek()[1].lower() == "not"):
            self._at += 1
            return Not(self._negation(depth + 1))
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Node:
        left = self._operand(depth)
        kind, text = self._peek()
        operator = text.lower() if kind == "name" else ""
        if operator in _COMPARISONS:
            self._at += 1
            return Compare(operator, left, self._operand(depth))
        if operator == "in":
            self._at += 1
            return In(left, self._list())
        if isinstance(left, Literal) and left.kind != "boolean":
            raise FilterError("A boolean expression was expected.")
        return left

    def _list(self) -> tuple[Literal, ...]:
        self._mark("(")
        values = [self._literal()]
        while self._try(","):
            values.append(self._literal())
        self._mark(")")
        return tuple(values)

    def _literal(self) -> Literal:
        node = self._operand(0)
        if not isinstance(node, Literal):
            raise FilterError("A constant was expected.")
        return node

    def _operand(self, depth: int) -> Node:
        kind, text = self._peek()
        if self._try("("):
            node = self.disjunction(depth + 1)
            self._mark(")")
            return node
        self._at += 1
        if kind == "string":
            return Literal("string", text[1:-1].replace("''", "'"))
        if kind == "number":
            return Literal("number", float(text) if any(mark in text for mark in ".eE") else int(text))
        if kind in ("dateTime", "guid"):
            return Literal(kind, text)
        if kind == "duration":
            return Literal("duration", text[9:-1])
        if kind != "name":
            raise FilterError(f"Syntax error at '{text}'." if text else "The expression ended too early.")
        if text.lower() in ("true", "false"):
            return Literal("boolean", text.lower() == "true")
        if text.lower() == "null":
            return Literal("null", None)
        if text.lower() in _CALLS and self._peek() == ("mark", "("):
            return self._call(text.lower(), depth)
        return self._path(text, depth)

    def _call(self, name: str, depth: int) -> Call:
        self._mark("(")
        arguments = [self._operand(depth + 1)]
        while self._try(","):
            arguments.append(self._operand(depth + 1))
        self._mark(")")
        if len(arguments) != _CALLS[name]:
            raise FilterError(f"The function '{name}' takes {_CALLS[name]} arguments.")
        return Call(name, tuple(arguments))

    def _path(self, first: str, depth: int) -> Node:
        steps = [first]
        while self._try("/"):
            kind, text = self._next()
            if kind != "name":
                raise FilterError(f"Syntax error at '{text}'.")
            if text.lower() in ("any", "all") and self._peek() == ("mark", "("):
                return self._lambda(text.lower(), Path(tuple(steps)), depth)
            if text.lower() == "$count":
                return Path(tuple(steps), count=True)
            steps.append(text)
        return Path(tuple(steps))

    def _lambda(self, name: str, path: Path, depth: int) -> Lambda:
        self._mark("(")
        if self._try(")"):
            return Lambda(name, path, "", None)
        kind, variable = self._next()
        if kind != "name":
            raise FilterError("A range variable was expected.")
        self._mark(":")
        body = self.disjunction(depth + 1)
        self._mark(")")
        return Lambda(name, path, variable, body)

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _word(self, word: str) -> bool:
        kind, text = self._peek()
        if kind == "name" and text.lower() == word:
            self._at += 1
            return True
        return False

    def _try(self, mark: str) -> bool:
        if self._peek() == ("mark", mark):
            self._at += 1
            return True
        return False

    def _mark(self, mark: str) -> None:
        if not self._try(mark):
            raise FilterError(f"'{mark}' was expected.")
