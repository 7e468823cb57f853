"""The texts of errors and hand-overs in their data files: each is there, gets its words, and is used."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent / "runbook"
FILES = {name: json.loads((PACKAGE / f"{name}.json").read_text(encoding="utf-8")) for name in ("errors", "hand_overs")}
CONSTANTS = {"ANOTHER": "another_organization"}


def braces(entry: dict[str, Any]) -> set[str]:
    texts = [text for value in entry.values() for text in (value if isinstance(value, list) else [value])]
    return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}


def named() -> Iterator[tuple[str, str, str, set[str] | None]]:
    """File of texts, code, place and given words (None where they come from a mapping) of every ``named(…)``."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "named"):
                continue
            file = "hand_overs" if ast.unparse(node.func.value) == "HandOver" else "errors"
            first = node.args[0]
            words = {each.arg for each in node.keywords}
            given = None if file == "hand_overs" or None in words else {str(word) for word in words}
            codes = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
            for code in codes:
                text = code.value if isinstance(code, ast.Constant) else CONSTANTS[ast.unparse(code)]
                yield file, str(text), f"{path.name}:{node.lineno}", given


def test_every_text_that_is_named_is_there_and_gets_exactly_its_words() -> None:
    for file, code, place, given in named():
        assert code in FILES[file], place
        assert given is None or given == braces(FILES[file][code]), (place, code)


def test_every_text_is_used() -> None:
    for file, texts in FILES.items():
        assert set(texts) == {code for of, code, _, _ in named() if of == file}
