"""The picture of a package, drawn from its imports: rooms (folders and single files) and the arrows between them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path


class Package:
    """A package's modules by dotted name, with the modules of it that each imports, lazily or not."""

    def __init__(self, root: Path) -> None:
        self.name = root.name
        self.files = {_dotted(root, path): path for path in root.rglob("*.py")}
        self.arrows: Mapping[str, frozenset[str]] = {
            module: frozenset(self._within(module, path)) for module, path in self.files.items()
        }

    def foreign(self, top: str) -> set[str]:
        """The modules that import anything of the package ``top``."""
        return {
            module
            for module, path in self.files.items()
            if any(name.split(".")[0] == top for name, _ in _imports(path))
        }

    def room(self, module: str) -> str:
        """The room of a module; the package's own ``__init__`` is its face."""
        return module.split(".")[1] if "." in module else "face"

    def rooms(self) -> set[str]:
        return {self.room(module) for module in self.files}

    def against(self, order: Iterable[str]) -> list[str]:
        """Arrows between rooms that go up in ``order``, which runs from the ground floor to the roof."""
        floor = {room: number for number, room in enumerate(order)}
        return [
            f"{module} -> {used}"
            for module, uses in sorted(self.arrows.items())
            for used in sorted(uses)
            if floor[self.room(used)] > floor[self.room(module)]
        ]

    def circle(self) -> list[str]:
        """A circle of files, if there is one."""
        try:
            TopologicalSorter(self.arrows).prepare()
        except CycleError as error:
            return list(error.args[1])
        return []

    def _within(self, module: str, path: Path) -> Iterator[str]:
        for name, member in _imports(path):
            used = f"{name}.{member}" if f"{name}.{member}" in self.files else name
            if used in self.files and used != module:
                yield used


def _dotted(root: Path, path: Path) -> str:
    return ".".join((root.name, *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")


def _imports(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
