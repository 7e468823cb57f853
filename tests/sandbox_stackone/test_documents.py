"""The page about StackOne in the sandbox names what is served, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from entra_sandbox import stackone

PAGE = Path(__file__).parents[2] / "docs" / "sandbox" / "stackone.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the documents are not beside the tests")
def test_the_page_lists_exactly_the_calls_that_are_served() -> None:
    listed = set(re.findall(r"^\| `([A-Z]+ /\S+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == {f"{method} {path}" for method, path, _ in stackone.API}
