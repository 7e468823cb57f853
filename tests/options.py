"""Finds the options (parameters with a default) that nothing in the package or its notebooks ever gives."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class _Call:
    """One call: how many positional arguments, which names, and whether ``*`` or ``**`` may give any other."""

    positional: int
    names: frozenset[str]
    spread: bool

    def gives(self, name: str, place: int | None) -> bool:
        return self.spread or name in self.names or (place is not None and self.positional > place)


def ungiven(root: Path = ROOT) -> Iterator[str]:
    """``catalog/drift.py:check.kind`` for each option that no call gives; calls are matched by the last name."""
    modules = {path: ast.parse(path.read_text()) for path in sorted((root / "runbook").rglob("*.py"))}
    calls: dict[str, list[_Call]] = {}
    for tree in [*modules.values(), *_cells(root)]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name, call = _call(node)
                calls.setdefault(name, []).append(call)
    for path, tree in modules.items():
        for name, option, place in _options(tree):
            if not any(call.gives(option, place) for call in calls.get(name, ())):
                yield f"{path.relative_to(root / 'runbook')}:{name}.{option}"


def _cells(root: Path) -> Iterator[ast.Module]:
    for path in (root / "notebooks").rglob("*.ipynb"):
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "code":
                yield ast.parse("".join(cell["source"]))


def _call(node: ast.Call) -> tuple[str, _Call]:
    function, arguments = node.func, node.args
    if _name(function) == "partial" and arguments:
        function, arguments = arguments[0], arguments[1:]
    spread = any(isinstance(each, ast.Starred) for each in arguments) or any(each.arg is None for each in node.keywords)
    return _name(function), _Call(len(arguments), frozenset(each.arg for each in node.keywords if each.arg), spread)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _options(tree: ast.Module) -> Iterator[tuple[str, str, int | None]]:
    """The name that is called, the option's, and its place among the positional arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for function in node.body:
                if isinstance(function, ast.FunctionDef):
                    name = node.name if function.name == "__init__" else function.name
                    yield from ((name, option, place) for option, place in _of(function, bound=True))
        elif isinstance(node, ast.Module):
            for function in node.body:
                if isinstance(function, ast.FunctionDef):
                    yield from ((function.name, option, place) for option, place in _of(function, bound=False))


def _of(function: ast.FunctionDef, *, bound: bool) -> Iterator[tuple[str, int | None]]:
    given = function.args
    places = [each.arg for each in (*given.posonlyargs, *given.args)]
    if bound and places[:1] in (["self"], ["cls"]):
        places = places[1:]
    first = len(places) - len(given.defaults)
    yield from ((name, place) for place, name in enumerate(places) if place >= first)
    yield from ((each.arg, None) for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default)
