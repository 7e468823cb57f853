"""``$filter`` trees, ``$orderby`` and ``$search`` as SQL over the store's documents.

Comparison of texts ignores case, as the directory does. Every condition gives 0 or 1, never NULL, so that ``not`` and
``ne`` find objects without a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from entra_sandbox.graph import errors, schema
from entra_sandbox.graph.odata import filter as tree
from entra_sandbox.graph.odata.rules import Rules, rules
from entra_sandbox.store import value_of

__all__ = ["Filter", "filter_sql", "orderby_sql", "search_sql"]

_OPERATORS = {"eq": "IS", "ne": "IS NOT", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_SWAPPED = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_KINDS = {
    "String": {"string", "guid", "null"},
    "Guid": {"guid", "string", "null"},
    "Boolean": {"boolean", "null"},
    "DateTimeOffset": {"dateTime", "null"},
    "Date": {"dateTime", "null"},
    "Binary": {"string", "null"},
    "Duration": {"duration", "string", "null"},
    "TimeOfDay": {"string", "null"},
}
_NUMBERS = {"number", "null"}
_EDM = {"string": "String", "number": "Int32", "boolean": "Boolean", "dateTime": "DateTimeOffset", "guid": "Guid"}
_TOKENS = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(AND|OR|NOT)\b|([()]))')
# learn.microsoft.com/graph/filter-query-parameter; with the advanced capabilities the address alone is limited.
_MOST_CLAUSES = 15


@dataclass
class Filter:
    """A condition for the store on the properties ``names``; ``advanced`` says what of it needs the advanced query
    capabilities, if anything."""

    sql: str
    args: list[Any]
    advanced: str
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Value:
    """A property in SQL."""

    sql: str
    kind: str
    label: str


@dataclass
class _Compiler:
    entity: str
    rules: Rules
    args: list[Any] = field(default_factory=list)
    advanced: str = ""
    names: set[str] = field(default_factory=set)
    variables: dict[str, tuple[str, schema.PropertyType, tuple[str, ...]]] = field(default_factory=dict)

    # conditions

    def condition(self, node: tree.Node) -> str:
        if isinstance(node, tree.And | tree.Or):
            word = "AND" if isinstance(node, tree.And) else "OR"
            return f"({self.condition(node.left)} {word} {self.condition(node.right)})"
        if isinstance(node, tree.Not):
            self._need("Operator 'not'")
            return f"(NOT {self.condition(node.operand)})"
        if isinstance(node, tree.Compare):
            return self._compare(node)
        if isinstance(node, tree.In):
            return self._in(node)
        if isinstance(node, tree.Call):
            return self._call(node)
        if isinstance(node, tree.Lambda):
            return self._lambda(node)
        if isinstance(node, tree.Literal) and node.kind == "boolean":
            return "1" if node.value else "0"
        if isinstance(node, tree.Path) and not node.count:
            value = self._property(node, "eq")
            if value.kind == "Boolean":
                return f"coalesce({value.sql}, 0)"
        raise errors.bad_request("Invalid filter clause")

    def _compare(self, node: tree.Compare) -> str:
        left, right, operator = node.left, node.right, node.operator
        if isinstance(left, tree.Literal) and not isinstance(right, tree.Literal) and operator in _SWAPPED:
            left, right, operator = right, left, _SWAPPED[operator]
        if not isinstance(right, tree.Literal) or operator == "has":
            raise errors.unsupported_query("Unsupported or invalid query filter clause specified.")
        if operator == "ne":
            self._need("Operator 'ne'")
        if isinstance(left, tree.Path) and left.count:
            return self._count(left, operator, right)
        value = self._operand(left, operator)
        literal = self._literal(value, right, operator)
        if literal is None and isinstance(left, tree.Path):
            self._check_advanced(left.steps, "null")
        if value.kind == "DateTimeOffset" and literal is not None:
            self.args.append(literal)
            return f"coalesce(julianday({value.sql}) {_OPERATORS[operator]} julianday(?), 0)"
        self.args.append(literal)
        text = f"{value.sql}{_collation(value)} {_OPERATORS[operator]} ?"
        return f"({text})" if operator in ("eq", "ne") else f"coalesce({text}, 0)"

    def _in(self, node: tree.In) -> str:
        value = self._operand(node.left, "in")
        if len(node.values) > _MOST_CLAUSES:
            self._need(f"'in' with {len(node.values)} values, where {_MOST_CLAUSES} are allowed,")
        marks = []
        for literal in node.values:
            self.args.append(self._literal(value, literal, "eq"))
            marks.append("?")
        return f"coalesce({value.sql}{_collation(value)} IN ({', '.join(marks)}), 0)"

    def _call(self, node: tree.Call) -> str:
        if node.name == "isof":
            return self._is_of(node.arguments[0])
        names = {"startswith": "startsWith", "endswith": "endsWith", "contains": "contains"}
        if node.name not in names or len(node.arguments) != 2:
            raise errors.bad_request("Invalid filter clause")
        subject, text = node.arguments
        if not isinstance(text, tree.Literal) or text.kind != "string":
            raise errors.bad_request("Invalid filter clause")
        if node.name == "contains" and not self.rules.open:
            raise errors.unsupported_query(f"Filter operator 'Contains' is not supported: {_label(subject)}.")
        value = self._operand(subject, names[node.name])
        if value.kind != "String":
            raise errors.bad_request(f"No function signature for the function with name '{node.name}' matches.")
        if node.name == "endswith":
            self._need("Operator 'endsWith'")
        pattern = {"startswith": "{}%", "endswith": "%{}", "contains": "%{}%"}[node.name]
        self.args.append(pattern.format(_like(text.value)))
        return f"coalesce({value.sql} LIKE ? ESCAPE '\\', 0)"

    def _is_of(self, named: tree.Node) -> str:
        """Whether an object is of a type derived from the collection's (OData 4.01 part 2, section 5.1.1.5.2)."""
        if not isinstance(named, tree.Literal) or not self.rules.open:
            raise errors.unsupported_query("Filter operator 'isof' is not supported.")
        wanted = sorted(schema.subtypes(_derived(self.entity, str(named.value))))
        self.args += [f"#microsoft.graph.{one}" for one in wanted]
        return f"coalesce(o.doc ->> '$.\"@odata.type\"' IN ({', '.join('?' * len(wanted))}), 0)"

    def _lambda(self, node: tree.Lambda) -> str:
        source, kind, steps = self._collection(node.path)
        if not self.rules.allows(steps, "any"):
            raise _unsupported(steps, self.entity)
        alias = f"v{len(self.variables)}"
        rows = f"json_each({source}) AS {alias}"
        if node.body is None:
            return f"EXISTS (SELECT 1 FROM {rows} WHERE {alias}.type <> 'null')"
        if node.variable in self.variables:
            raise errors.bad_request(f"The range variable '{node.variable}' is used twice.")
        self.variables[node.variable] = (alias, kind, steps)
        body = self.condition(node.body)
        del self.variables[node.variable]
        if node.name == "all":
            return f"NOT EXISTS (SELECT 1 FROM {rows} WHERE NOT ({body}))"
        return f"EXISTS (SELECT 1 FROM {rows} WHERE {alias}.type <> 'null' AND {body})"

    def _count(self, path: tree.Path, operator: str, right: tree.Literal) -> str:
        if (linked := self._linked(path.steps)) is not None:
            self._need_number(path, operator, right, (0, 1))
            self.args += [linked, right.value]
            return f"((SELECT count(*) FROM link WHERE name = ? AND source = o.id) {_OPERATORS[operator]} ?)"
        source, _, steps = self._collection(tree.Path(path.steps))
        if not self.rules.allows(steps, "count"):
            raise _unsupported(steps, self.entity)
        self._need_number(path, operator, right, (0,))
        self.args.append(right.value)
        return f"((SELECT count(*) FROM json_each({source})) {_OPERATORS[operator]} ?)"

    def _need_number(self, path: tree.Path, operator: str, right: tree.Literal, known: tuple[int, ...]) -> None:
        """The pages of the types allow ``/$count eq 0``, ``ne 0``, and of ``owners`` also ``eq 1`` and ``ne 1``."""
        if right.kind != "number":
            raise errors.bad_request("Invalid filter clause")
        if not self.rules.open and (operator not in ("eq", "ne") or right.value not in known):
            raise _unsupported((*path.steps, "$count"), self.entity)
        self._need("'$count' in a filter")

    def _linked(self, steps: tuple[str, ...]) -> str | None:
        """The arrow of a relationship whose objects may be counted in a filter (``owners/$count``), or None."""
        described = schema.entity(self.entity)
        name = described.find_link(steps[0]) if len(steps) == 1 else None
        several = name is not None and described.links[name].collection
        return f"{self.entity}.{name}" if name is not None and several and self.rules.allows((name,), "count") else None

    # values

    def _operand(self, node: tree.Node, operator: str) -> _Value:
        if isinstance(node, tree.Call) and node.name in ("tolower", "toupper"):
            return self._operand(node.arguments[0], operator)
        if not isinstance(node, tree.Path) or node.count:
            raise errors.unsupported_query("Unsupported or invalid query filter clause specified.")
        return self._property(node, operator)

    def _property(self, path: tree.Path, operator: str) -> _Value:
        variable = self.variables.get(path.steps[0])
        if variable is not None:
            alias, kind, prefix = variable
            names, kind = _walk(kind, path.steps[1:], path)
            sql = f"{alias}.value" if not names else value_of(".".join(names), f"{alias}.value")
        else:
            prefix = ()
            names, kind = _root(self.entity, path)
            self.names.add(names[0])
            sql = "o.id" if names == ["id"] else value_of(".".join(names))
        if kind.collection or (kind.complex and operator != "eq"):
            raise errors.bad_request(f"The property '{path.steps[-1]}' cannot be compared to one value.")
        if not self.rules.allows((*prefix, *names), operator):
            raise _unsupported((*prefix, *names), self.entity)
        self._check_advanced(prefix + tuple(names), operator)
        return _Value(sql, kind.name, path.steps[-1])

    def _collection(self, path: tree.Path) -> tuple[str, schema.PropertyType, tuple[str, ...]]:
        variable = self.variables.get(path.steps[0])
        if variable is not None:
            alias, kind, prefix = variable
            names, kind = _walk(kind, path.steps[1:], path)
            source, steps = f"{alias}.value", (*prefix, *names)
        else:
            names, kind = _root(self.entity, path)
            self.names.add(names[0])
            source, steps = "o.doc", tuple(names)
        if not kind.collection:
            raise errors.bad_request(f"The property '{path.steps[-1]}' is not a collection.")
        json_path = "$" + "".join(f'."{name}"' for name in names)
        single = schema.PropertyType(kind.name, False, kind.item_nullable, False)
        return f"{source}, '{json_path}'", single, steps

    def _need(self, what: str) -> None:
        self.advanced = self.advanced or f"{what} is not supported because the required parameters might be missing."

    def _check_advanced(self, steps: tuple[str, ...], operator: str) -> None:
        if operator in self.rules.advanced.get(steps[0], ()):
            self.advanced = self.advanced or _unsupported(steps, self.entity).message

    def _literal(self, value: _Value, literal: tree.Literal, operator: str) -> Any:
        allowed = {"string", "null"} if schema.enumeration(value.kind) else _KINDS.get(value.kind, _NUMBERS)
        if schema.enumeration(value.kind) is None and schema.PropertyType(value.kind, False, True, False).complex:
            allowed = {"null"}
        if literal.kind not in allowed:
            raise errors.bad_request(
                "A binary operator with incompatible types was detected. Found operand types "
                f"'Edm.{value.kind}' and 'Edm.{_EDM.get(literal.kind, literal.kind)}' for operator kind "
                f"'{operator}'."
            )
        if literal.kind == "boolean":
            return int(literal.value)
        return literal.value


def filter_sql(entity: str, text: str) -> Filter:
    """The condition for a ``$filter`` on the entity type; :class:`GraphFault` 400 if it cannot be answered."""
    try:
        node = tree.parse(text)
    except tree.FilterError as error:
        raise errors.bad_request(f"Invalid filter clause: {error}") from None
    compiler = _Compiler(entity, rules(entity))
    sql = compiler.condition(node)
    if len(compiler.names) > 1 and (alone := sorted(compiler.names & compiler.rules.alone)):
        raise errors.unsupported_query(f"Property '{alone[0]}' is not supported together with others in a filter.")
    return Filter(sql, compiler.args, compiler.advanced, frozenset(compiler.names))


def orderby_sql(entity: str, text: str, *, advanced: bool) -> str:
    """SQL for ``$orderby``; :class:`GraphFault` 400 if the property is not sortable."""
    allowed = rules(entity)
    terms = []
    for part in text.split(","):
        words = part.split()
        if not words or len(words) > 2 or (len(words) == 2 and words[1].lower() not in ("asc", "desc")):
            raise errors.bad_request(f"Invalid orderby clause: '{text}'.")
        names, kind = _root(entity, tree.Path(tuple(words[0].split("/"))))
        if names[0] in allowed.orderby_advanced and not advanced:
            raise errors.unsupported_query("Sorting not supported for current query.")
        if names[0] not in (*allowed.orderby, *allowed.orderby_advanced) or kind.collection or kind.complex:
            raise errors.unsupported_query(f"Sorting by '{'/'.join(names)}' is not supported for this resource.")
        direction = "DESC" if len(words) == 2 and words[1].lower() == "desc" else "ASC"
        terms.append(f"{value_of('.'.join(names))} COLLATE NOCASE {direction}")
    return ", ".join(terms)


def search_sql(entity: str, text: str) -> tuple[str, list[Any]]:
    """The condition for a ``$search`` such as ``"displayName:ann" OR "mail:ann"``."""
    args: list[Any] = []
    pieces, depth, position, operand = [], 0, 0, True
    text = text.strip()
    while position < len(text):
        match = _TOKENS.match(text, position)
        if match is None:
            raise _bad_search(text)
        phrase, word, mark = match.groups()
        position = match.end()
        if phrase is not None:
            pieces += ([] if operand else ["AND"]) + [_phrase(entity, phrase, args, text)]
            operand = False
        elif word is not None:
            if (word == "NOT") != operand:
                raise _bad_search(text)
            pieces.append(word)
            operand = True
        else:
            depth += 1 if mark == "(" else -1
            if (mark == "(") != operand or depth < 0 or depth > 20:
                raise _bad_search(text)
            pieces.append(mark)
    if depth or operand:
        raise _bad_search(text)
    return " ".join(pieces), args


def _phrase(entity: str, phrase: str, args: list[Any], text: str) -> str:
    name, colon, wanted = phrase.replace('\\"', '"').replace("\\\\", "\\").partition(":")
    known = rules(entity)
    if not colon or not wanted.strip():
        raise _bad_search(text)
    spelling = next((item for item in known.search if item.lower() == name.strip().lower()), None)
    if spelling is None:
        raise errors.unsupported_query(f"Property '{name}' is not supported in $search.")
    value = value_of(spelling)
    parts = []
    for token in re.split(r"[\s\-_.@&/()]+", wanted.strip()):
        if token:
            like = _like(token)
            options = [f"{like}%", *(f"%{mark}{like}%" for mark in (" ", "-", "\\_", ".", "@", "(", "/", '"', ":"))]
            args.extend(options)
            parts.append("(" + " OR ".join(f"{value} LIKE ? ESCAPE '\\'" for _ in options) + ")")
    return f"coalesce({' AND '.join(parts)}, 0)" if parts else "0"


def _derived(entity: str, name: str) -> str:
    """The type that a cast names; :class:`GraphFault` 400 if it is none of the collection's."""
    short = name.removeprefix("microsoft.graph.").lower()
    found = next((one for one in schema.subtypes(entity) if one.lower() == short), None)
    if found is None:
        raise errors.bad_request(f"The type '{name}' is not derived from 'microsoft.graph.{entity}'.")
    return found


def _root(entity: str, path: tree.Path) -> tuple[list[str], schema.PropertyType]:
    if len(path.steps) > 1 and path.steps[0].lower().startswith("microsoft.graph."):
        return _root(_derived(entity, path.steps[0]), tree.Path(path.steps[1:], path.count))
    candidates = [entity, *sorted(schema.subtypes(entity) - {entity})]
    for name in candidates:
        if (first := schema.entity(name).find(path.steps[0])) is not None:
            rest, kind = _walk(schema.entity(name).properties[first], path.steps[1:], path)
            return [first, *rest], kind
    raise errors.bad_request(f"Could not find a property named '{path.steps[0]}' on type 'microsoft.graph.{entity}'.")


def _walk(kind: schema.PropertyType, steps: tuple[str, ...], path: tree.Path) -> tuple[list[str], schema.PropertyType]:
    names = []
    for step in steps:
        described = schema.entity(kind.name) if kind.complex and not kind.collection else None
        found = described.find(step) if described else None
        if described is None or found is None:
            raise errors.bad_request(f"Could not find a property named '{step}' in '{'/'.join(path.steps)}'.")
        names.append(found)
        kind = described.properties[found]
    return names, kind


def _collation(value: _Value) -> str:
    return " COLLATE NOCASE" if value.kind in ("String", "Guid") or schema.enumeration(value.kind) else ""


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _label(node: tree.Node) -> str:
    return "/".join(node.steps) if isinstance(node, tree.Path) else "expression"


def _unsupported(steps: tuple[str, ...], entity: str) -> errors.GraphFault:
    return errors.unsupported_query(
        f"Unsupported or invalid query filter clause specified for property '{'/'.join(steps)}' of resource "
        f"'{entity[0].upper()}{entity[1:]}'."
    )


def _bad_search(text: str) -> errors.GraphFault:
    return errors.bad_request(f'Syntax error in the search clause {text!r}: use "property:value".')
