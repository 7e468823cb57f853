"""Public names of a package that nobody needs outside their file, found in its syntax trees.

A module-level name is needed by another file of the package, by a notebook, template or data file, by the face, or
because a signature or a base class of its own file names it. A method is needed by anything outside its class.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def unneeded(package: Path) -> Iterator[str]:
    """``path:name`` or ``path:Class.method`` of every public name that nobody needs."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))}
    words = {path: frozenset(_words(ast.walk(tree))) for path, tree in trees.items()}
    beside = frozenset(_beside(package))
    for path, tree in trees.items():
        elsewhere = beside.union(*(used for other, used in words.items() if other != path))
        signatures = frozenset(_signatures(tree))
        for node in tree.body:
            for name in _names(node):
                if not name.startswith("_") and name not in elsewhere | signatures:
                    yield f"{path.relative_to(package)}:{name}"
            if isinstance(node, ast.ClassDef):
                outside = elsewhere.union(*(frozenset(_words(ast.walk(one))) for one in tree.body if one is not node))
                for member in node.body:
                    name = member.name if isinstance(member, ast.FunctionDef) else "_"
                    if not name.startswith("_") and name not in outside:
                        yield f"{path.relative_to(package)}:{node.name}.{name}"


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _words(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Every name that occurs, also as a keyword and in strings that are made of names (openers, annotations)."""
    for node in nodes:
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Constant) and re.fullmatch(r"[\w.:\[\], |]+", str(node.value)):
            yield from re.findall(r"\w+", str(node.value))


def _signatures(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            parts = [one.annotation for one in (*arguments.args, *arguments.kwonlyargs, *arguments.posonlyargs)]
            parts.append(node.returns)
        elif isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.ClassDef):
            parts = [*node.bases]
        yield from _words(inner for part in parts if part is not None for inner in ast.walk(part))


def _beside(package: Path) -> Iterator[str]:
    """Words of what is not Python: notebooks, templates, and data files that name circumstances or commands."""
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            yield from re.findall(r"\w+", "".join(cell["source"]))
    for path in (*package.rglob("*.j2"), package / "clients" / "answers.json", ROOT / "pyproject.toml"):
        yield from re.findall(r"\w+", path.read_text(encoding="utf-8"))
