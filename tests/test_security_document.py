"""What ``docs/security.md`` promises is held by tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_line_of_what_is_protected_names_a_test_that_is_there() -> None:
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob("test_*.py"))
    there = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    promised, _, rest = (ROOT / "docs" / "security.md").read_text(encoding="utf-8").partition("\n## ")
    lines = [line for line in promised.splitlines() if line.startswith("| ") and "Held by" not in line]
    assert [int(found[1]) for line in lines if (found := re.match(r"\| (\d+) ", line))] == list(range(1, 17))
    for line in lines:
        named = set(re.findall(r"`(test_\w+)`", line.split("|")[4]))
        assert named, line
        assert named <= there, named - there
    assert rest.count("\n- **") >= 5, "what is not protected is said too"
