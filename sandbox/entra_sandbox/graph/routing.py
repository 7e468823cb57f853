"""Addresses to operations: segments in any casing, ``//`` as ``/``, keys in every form that clients use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from urllib.parse import unquote

from entra_sandbox.graph import entities, errors, schema
from entra_sandbox.graph.access import Operation, operations
from entra_sandbox.graph.call import Key
from entra_sandbox.graph.resource import Resource, Route

__all__ = ["Match", "Router"]

_PARENTHESES = re.compile(r"([^()]*)\((.*)\)\Z", re.DOTALL)
_NAMED = re.compile(r"\s*(\w+)\s*=\s*(.*)\Z", re.DOTALL)
_CAST = re.compile(r"(?:microsoft\.)?graph\.(\w+)\Z", re.IGNORECASE)
_ALIASES = {"myorganization"}


@dataclass
class _Node:
    path: str = ""
    children: dict[str, _Node] = field(default_factory=dict)
    routes: dict[str, tuple[Resource, Route, Operation | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """What an address leads to: the route, its operation, the keys on the way, a cast and a property at its end."""

    resource: Resource
    route: Route
    operation: Operation | None
    keys: tuple[Key, ...]
    cast: str = ""
    property: str = ""
    raw: bool = False


class Router:
    """The tree of all operations. ValueError if an operation has no permissions in the data."""

    def __init__(self, resources: tuple[Resource, ...]) -> None:
        self._root = _Node()
        known = operations()
        for resource in resources:
            for route in entities.every_route(resource):
                path = f"/{resource.path}/{route.path}".rstrip("/")
                name = route.access or f"{route.method} {path}"
                if route.access is not None and name not in known:
                    raise ValueError(f"no permissions for {name}")
                self._add(path, resource, route, None if route.access is None else known[name])
        self._documented = _documented()

    def names(self) -> Iterator[str]:
        """Every operation as ``METHOD /path/{}`` in lower case, for documentation and tests."""
        pending = [("", self._root)]
        while pending:
            path, node = pending.pop()
            yield from (f"{method} {path}" for method in node.routes)
            pending += [(f"{path}/{segment}", child) for segment, child in node.children.items()]

    def match(self, method: str, path: str) -> Match:
        """The operation for a raw (still encoded) path below ``/v1.0``; :class:`GraphFault` 400 or 405."""
        node = self._root
        keys: list[Key] = []
        cast = ""
        segments = [segment for segment in path.split("/") if segment]
        if segments and segments[0].lower() in _ALIASES:
            segments.pop(0)
        for index, raw in enumerate(segments):
            name, key = _split(unquote(raw))
            lacking = self._documented.get(node.path, ())
            match = _CAST.match(name)
            if match and match.group(1).lower() in node.children:
                name = match.group(1)
            elif match:
                if match.group(1).lower() in lacking:
                    raise errors.not_emulated(f"{node.path}/{match.group(1)}")
                cast = _type(match.group(1), name)
                continue
            child = node.children.get(name.lower())
            if child is None and name.lower() in lacking:
                raise errors.not_emulated(f"{node.path}/{name}")
            if child is None and "{}" in node.children:
                keys.append(_key(name) if key is None else Key(f"{name}({key.value})"))
                node = node.children["{}"]
                continue
            if child is None:
                return self._property(method, node, segments[index:], tuple(keys))
            node = child
            if key is not None:
                if "{}" not in node.children:
                    raise errors.unknown_segment(unquote(raw))
                keys.append(key)
                node = node.children["{}"]
        return self._end(method, node, tuple(keys), cast, segments)

    def _end(self, method: str, node: _Node, keys: tuple[Key, ...], cast: str, segments: list[str]) -> Match:
        if not node.routes:
            raise errors.unknown_segment(unquote(segments[-1]) if segments else "")
        if method not in node.routes:
            if method.lower() in self._documented.get(node.path, ()):
                raise errors.not_emulated(f"{method} {node.path}")
            raise errors.method_not_allowed()
        resource, route, operation = node.routes[method]
        return Match(resource, route, operation, keys, cast)

    def _property(self, method: str, node: _Node, rest: list[str], keys: tuple[Key, ...]) -> Match:
        name = unquote(rest[0])
        found = node.routes.get("GET")
        if found is None or len(rest) > 2 or not found[1].single:
            raise errors.unknown_segment(name)
        resource, route, operation = found
        spelling = schema.entity(resource.entity).find(name)
        raw = len(rest) == 2 and unquote(rest[1]).lower() == "$value"
        if spelling is None or (len(rest) == 2 and not raw):
            raise errors.unknown_segment(name)
        if method != "GET":
            raise errors.method_not_allowed()
        return Match(resource, route, operation, keys, property=spelling, raw=raw)

    def _add(self, path: str, resource: Resource, route: Route, operation: Operation | None) -> None:
        node = self._root
        for segment in path.strip("/").split("/"):
            node = node.children.setdefault(segment.lower(), _Node(f"{node.path}/{segment.lower()}"))
        if route.method in node.routes:
            raise ValueError(f"{route.method} {path} is declared twice")
        node.routes[route.method] = (resource, route, operation)


@cache
def _documented() -> Mapping[str, frozenset[str]]:
    """What Microsoft Graph v1.0 has and nothing here leads to, in lower case: segments by the address before them, and
    methods by their address.
    """
    text = files("entra_sandbox.graph").joinpath("documented.json").read_text(encoding="utf-8")
    named: dict[str, list[str]] = json.loads(text)
    named["me"] = named["users/{}"]
    return {f"/{path}".rstrip("/"): frozenset(name.lower() for name in names) for path, names in named.items()}


def _split(segment: str) -> tuple[str, Key | None]:
    match = _PARENTHESES.match(segment)
    if match is None or not match.group(1) or not match.group(1)[0].isalpha():
        return segment, None
    name, inside = match.groups()
    if named := _NAMED.match(inside):
        return name, Key(_unquote(named.group(2)), named.group(1))
    return (name, Key(_unquote(inside))) if inside else (name, None)


def _key(segment: str) -> Key:
    """A key as a segment, also one with its name, as in ``/directoryRoles/roleTemplateId=…/members``."""
    named = _NAMED.match(segment)
    return Key(_unquote(named.group(2)), named.group(1)) if named else Key(segment)


def _unquote(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text


def _type(name: str, segment: str) -> str:
    for known in schema.subtypes("directoryObject"):
        if known.lower() == name.lower():
            return known
    raise errors.unknown_segment(segment)
