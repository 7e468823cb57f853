"""Permissions in words for people who consent, where the resource's own description is no more than the name.

A permission is ``<noun>.<verb>[.<limit>]`` (learn.microsoft.com/graph/permissions-overview); the words lie in
``wording.json``.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict

__all__ = ["in_words"]


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    verbs: dict[str, str]
    nouns: dict[str, str]
    exact: dict[str, str]


@cache
def _words() -> _Words:
    text = resources.files(__package__).joinpath("wording.json").read_text(encoding="utf-8")
    return _Words.model_validate_json(text)


def in_words(name: str, described: str = "") -> str:
    """What the permission allows; ``described`` is the resource's own title, taken if it says more than the name."""
    if described and described != name:
        return described
    words = _words()
    if name in words.exact:
        return words.exact[name]
    noun, _, rest = name.partition(".")
    verb, _, limit = rest.partition(".")
    if verb not in words.verbs:
        return name
    thing = words.nouns.get(noun) or _spaced(noun)
    scope = "all " if limit == "All" else ""
    end = f" ({_spaced(limit)})" if limit not in ("", "All") else ""
    return f"{words.verbs[verb]} {scope}{thing}{end}"


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[-.]", " ", name).lower()
