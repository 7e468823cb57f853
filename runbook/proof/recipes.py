"""How each action is proven: ``probes.json``, checked when it is loaded.

A template is text in which ``$name`` or ``$name.property`` stands for a value; a text that is one template alone keeps
the value's type.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from runbook import catalog

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
    """``probes.json``, with every name in it resolved and every action of the catalogue covered."""

    about: str
    found: dict[str, Found]
    made: dict[str, Made]
    probes: dict[str, Probe]

    @model_validator(mode="after")
    def _is_complete(self) -> Recipes:
        actions = {action.slug: action for action in catalog.actions()}
        if self.probes.keys() != actions.keys():
            raise ValueError(f"probes and catalogue differ: {sorted(self.probes.keys() ^ actions.keys())}")
        for slug, probe in self.probes.items():
            if probe.path.keys() != {parameter.name for parameter in actions[slug].path_parameters}:
                raise ValueError(f"{slug}: the path parameters differ from the catalogue's")
            if probe.makes and probe.makes not in self.made:
                raise ValueError(f"{slug}: nothing is called {probe.makes}")
        needed = [made.needs for made in self.made.values()] + [probe.needs for probe in self.probes.values()]
        for needs in needed:
            for text in needs.values():
                source, name = need(text)
                if (source != "made" and name not in self.found) or (source != "found" and name not in self.made):
                    raise ValueError(f"nothing is called {text}")
        return self

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
    text = resources.files(__package__).joinpath("probes.json").read_text(encoding="utf-8")
    return Recipes.model_validate(json.loads(text))


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
