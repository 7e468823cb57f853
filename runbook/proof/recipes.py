"""How each action is proven: ``probes.json``, checked when it is loaded.

A template is text in which ``$name`` or ``$name.property`` stands for a value; a text that is one template alone keeps
the value's type.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from runbook import catalog
from runbook.data import table

_TEMPLATE = re.compile(r"\$([a-z_]+(?:-[a-z]+)?)((?:\.[A-Za-z]+)*)")
_LITERAL = frozenset({"ref"})  # $ref is a path segment of Graph
_NEED = re.compile(r"(found|made|found-or-made):([a-z_]+)")

Source = Literal["found", "made", "found-or-made"]
Need = tuple[Source, str]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Found(_Row):
    """Objects that are there already. ``one_of``: property -> accepted values, the preferred first."""

    path: str
    select: tuple[str, ...] = ()
    one_of: dict[str, tuple[str | bool, ...]] = Field(default_factory=dict)


class Made(_Row):
    """A disposable object: how to make it, make its owner ours, remove it, and purge it from ``bin``."""

    path: str
    body: dict[str, Any]
    remove: str
    needs: dict[str, str] = Field(default_factory=dict)
    owned: str = ""
    purge: str = ""
    bin: str = ""


class AlsoProves(_Row):
    """An answer other than success that proves the permission all the same, and why."""

    status: int
    why: str


class Probe(_Row):
    """The request that proves one action; method and path are the catalogue's."""

    needs: dict[str, str] = Field(default_factory=dict)
    path: dict[str, str] = Field(default_factory=dict)
    query: dict[str, str] = Field(default_factory=dict)
    body: dict[str, Any] | None = None
    makes: str = ""
    also: tuple[AlsoProves, ...] = ()
    rehearsal_only: str = ""


class Recipes(_Row):
    """``probes.json``."""

    about: str
    found: dict[str, Found]
    made: dict[str, Made]
    probes: dict[str, Probe]

    def writes(self, slug: str) -> bool:
        """Whether proving the action writes on the tenant, be it only to make what it reads."""
        needs = self.probes[slug].needs.values()
        return catalog.action(slug).effect != "read" or any(need(text)[0] == "made" for text in needs)


def need(text: str) -> Need:
    """``found:user`` as its two parts. Raises ValueError."""
    match = _NEED.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a need")
    return match[1], match[2]  # type: ignore[return-value]


@functools.cache
def recipes() -> Recipes:
    """The recipes of all actions."""
    return Recipes.model_validate(table("proof/probes.json"))


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """``template`` (text, list or mapping) with every ``$name.property`` replaced from ``values``.

    Raises KeyError for a name or property that is not there.
    """
    if isinstance(template, Mapping):
        return {key: fill(item, values) for key, item in template.items()}
    if isinstance(template, list):
        return [fill(item, values) for item in template]
    if not isinstance(template, str):
        return template
    alone = _TEMPLATE.fullmatch(template)
    if alone:
        return _value(alone, values)
    return _TEMPLATE.sub(lambda match: str(_value(match, values)), template)


def _value(match: re.Match[str], values: Mapping[str, Any]) -> Any:
    if match[1] in _LITERAL:
        return match[0]
    value: Any = values[match[1]]
    for part in match[2].split(".")[1:]:
        value = value[part]
    return value
