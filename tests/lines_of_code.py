"""Lines of code, without blanks, comments and docstrings: ``python -m tests.lines_of_code`` prints them by room."""

from __future__ import annotations

import ast
import sys
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_EMPTY = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def lines_of_code(path: Path) -> int:
    """The lines of a Python file that hold code."""
    with tokenize.open(path) as file:
        tokens = [token for token in tokenize.generate_tokens(file.readline) if token.type not in _EMPTY]
    code = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    return len(code - _docstrings(ast.parse(path.read_text(encoding="utf-8"))))


def functions(path: Path) -> dict[str, int]:
    """The functions of a file, with the lines that each takes, decorators apart."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {f"{path}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1 for node in found}


def by_room(package: Path) -> Counter[str]:
    """The lines of each folder and single file of a package."""
    found: Counter[str] = Counter()
    for path in package.rglob("*.py"):
        found[path.relative_to(package).parts[0]] += lines_of_code(path)
    return found


def _docstrings(tree: ast.AST) -> set[int]:
    return {
        line
        for node in ast.walk(tree)
        for text in (getattr(node, "body", None) if isinstance(getattr(node, "body", None), list) else None) or ()
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
        for line in range(text.lineno, (text.end_lineno or text.lineno) + 1)
    }


if __name__ == "__main__":
    rooms = by_room(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "runbook")
    for room, count in rooms.most_common():
        print(f"{count:6} {room}")
    print(f"{rooms.total():6} in all")
