"""The data files of the package."""

import json
from functools import cache
from importlib import resources
from typing import Any


def text(name: str) -> str:
    """A file by its path in the package, such as ``widgets/style.css``."""
    return resources.files("runbook").joinpath(name).read_text(encoding="utf-8")


@cache
def table(name: str) -> Any:
    """A JSON file by its path in the package; not to be changed, as it is read once."""
    return json.loads(text(name))
