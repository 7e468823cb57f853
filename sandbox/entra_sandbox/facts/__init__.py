"""What the emulator knows of the services: the connector's actions, their operations and the permissions they take.

The data was compiled from Microsoft's reference pages and StackOne's public documents, not from any client.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

Kind = Literal["delegated", "application"]


def _sets(text: str) -> tuple[tuple[str, ...], ...]:
    """``"A + B | C"`` -> ``(("A", "B"), ("C",))``"""
    return tuple(tuple(name.strip() for name in one.split("+")) for one in text.split("|")) if text else ()


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


Sets = Annotated[tuple[tuple[str, ...], ...], BeforeValidator(_sets)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class Permission(BaseModel):
    """Published ids of a permission of Microsoft Graph; ``admin``: the scope needs an administrator's consent."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    delegated: str | None
    application: str | None
    admin: bool


class Action(BaseModel):
    """One action of StackOne's connector and the Microsoft Graph operation behind it.

    ``delegated`` and ``application`` are complete sets of permissions, the smallest first. ``body`` is Microsoft's
    type of the request body (``reference``: an ``@odata.id``), ``besides`` what a property or a kind of member takes
    more, ``who`` a group of ``graph/operations.json``, ``cost`` resource units, ``scopes`` what the guide asks for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: str
    name: str
    method: str
    path: str
    query: Words = ()
    body: str | None = None
    required: Words = ()
    delegated: Sets
    application: Sets
    contradicted: Sets = ()
    besides: Mapping[str, Mapping[Kind, Sets]] = {}
    who: str
    cost: int = 1
    scopes: Words = ()

    @property
    def operation(self) -> str:
        """``GET /users/{}``"""
        return f"{self.method} {re.sub(r'{[^}]*}', '{}', self.path)}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the path's parameters, in order."""
        return tuple(re.findall(r"{([^}]*)}", self.path))

    @property
    def effect(self) -> str:
        """read, write or delete"""
        return {"GET": "read", "DELETE": "delete"}.get(self.method, "write")

    @property
    def resource(self) -> str:
        """The collection at the beginning of the path, in words: ``Service principals``."""
        first = self.path.removeprefix("/identity").split("/")[1]
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", first).capitalize()

    @property
    def least(self) -> tuple[str, ...]:
        """The smallest delegated set of which every id is published."""
        return next(one for one in self.delegated if all(permissions()[name].delegated for name in one))


@cache
def permissions() -> Mapping[str, Permission]:
    """The permissions by name; pydantic's ValidationError if the data is damaged."""
    return MappingProxyType({name: Permission(name=name, **row) for name, row in _read("permissions").items()})


@cache
def actions() -> Mapping[str, Action]:
    """The actions by slug; ValueError if the data is damaged or names a permission that is not there."""
    found = {slug: Action(slug=slug, **row) for slug, row in _read("actions").items()}
    for action in found.values():
        named = {name for sets in (action.delegated, action.application) for one in sets for name in one}
        if unknown := sorted(named - permissions().keys()):
            raise ValueError(f"actions.json: {action.slug} names unknown permissions: {', '.join(unknown)}")
    return MappingProxyType(found)


def _read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8"))[name]
    return data
