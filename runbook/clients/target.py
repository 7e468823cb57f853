"""Where a run goes: the sandbox or a real tenant, with its addresses and the credentials of the administrator.

Nothing else in the product knows a host name. A sandbox describes itself by its ready line; Microsoft's clouds lie in
``clouds.json``.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import field_validator

from runbook import rehearsal
from runbook.clients import ready_line
from runbook.clients.answers import Strict
from runbook.errors import HandOver, InputError, Problem
from runbook.secrets import Secret

if TYPE_CHECKING:
    from runbook.parameters import Parameters
    from runbook.secrets.stores import SecretStore


@dataclass(frozen=True)
class Endpoints:
    """Base addresses without trailing slash. ``stackone_pages`` is where a person's browser meets StackOne.

    ``ca_file`` is the only CA to trust; ``None`` means what this machine trusts. ``portal`` is Microsoft's portal of
    the cloud, empty where there is none.
    """

    authority: str
    graph: str
    stackone: str
    stackone_pages: str
    ca_file: Path | None = None
    portal: str = ""


@dataclass(frozen=True)
class Target:
    """One tenant and one StackOne project to work on.

    ``description`` says in plain words what is at stake. On a ``rehearsal`` nothing real is touched; ``attend`` then
    plays the person of a hand-over and returns whether it did. ``discovery`` holds the documents that Entra ID's
    addresses were read from, so that a process asks for each once.
    """

    name: Literal["sandbox", "entra"]
    description: str
    endpoints: Endpoints
    tenant_id: str
    client_id: str
    client_secret: Secret | None = field(default=None, repr=False)
    stackone_api_key: Secret | None = field(default=None, repr=False)
    rehearsal: bool = False
    attend: Callable[[HandOver], bool] | None = field(default=None, repr=False)
    discovery: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


class Cloud(Strict):
    """One of Microsoft's clouds."""

    label: str
    authority: str
    graph: str
    portal: str

    @field_validator("authority", "graph", "portal")
    @classmethod
    def _is_a_base(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme != "https" or not parts.netloc or parts.path or parts.query:
            raise ValueError(f"{value} is not a base address")
        return value


class _Clouds(Strict):
    about: str
    clouds: dict[str, Cloud]
    stackone: str


@functools.cache
def _table() -> _Clouds:
    text = resources.files(__package__).joinpath("clouds.json").read_text(encoding="utf-8")
    return _Clouds.model_validate(json.loads(text))


def _clouds() -> Mapping[str, Cloud]:
    """Microsoft's clouds by the names that the parameter ``cloud`` takes."""
    return _table().clouds


@contextmanager
def open_target(params: Parameters, store: SecretStore) -> Iterator[Target]:
    """The target of ``params``, for as long as the context lasts.

    A real tenant's secrets come from the store by their references. A sandbox is the served one that ``sandbox_file``
    or the environment (``READY_FILES``) names by the file with its ready line; else one is started, or joined, for
    the time of the context. Raises :class:`InputError`, :class:`SecretStoreError`, :class:`RunbookError`.
    """
    if params.target == "entra":
        yield _real(params, store)
        return
    with ExitStack() as stack:
        named = (os.environ.get(name, "") for name in rehearsal.READY_FILES)
        file = params.sandbox_file or next(filter(None, named), "")
        ready = ready_line.read(Path(file).expanduser()) if file else stack.enter_context(rehearsal.serving())
        yield _sandbox(ready, store)


def _real(params: Parameters, store: SecretStore) -> Target:
    needed = ["tenant_id", "client_id"] + (["client_secret_ref"] if params.sign_in == "client-secret" else [])
    missing = [Problem(name, "is needed for a real tenant.") for name in needed if not getattr(params, name)]
    if missing:
        raise InputError(missing)
    cloud = _clouds()[params.cloud]
    stackone = _table().stackone
    with_secret = params.sign_in == "client-secret"
    return Target(
        name="entra",
        description=f"PRODUCTION tenant {params.tenant_id}, {cloud.label}",
        endpoints=Endpoints(cloud.authority, cloud.graph, stackone, stackone, portal=cloud.portal),
        tenant_id=params.tenant_id,
        client_id=params.client_id,
        client_secret=store.get(params.client_secret_ref) if with_secret else None,
        stackone_api_key=store.get(params.stackone_api_key_ref) if params.stackone_api_key_ref else None,
        rehearsal=False,
    )


def _sandbox(ready: Mapping[str, Any], store: SecretStore) -> Target:
    line = ready_line.check(ready)

    def attend(hand_over: HandOver) -> bool:
        return rehearsal.attend(ready, hand_over, lambda ref: store.get(ref).reveal())

    return Target(
        name="sandbox",
        description="SANDBOX, nothing real is touched",
        endpoints=Endpoints(line.authority, line.graph, line.stackone, line.pages, ca_file=line.ca_file),
        tenant_id=line.tenant_id,
        client_id=line.client_id,
        client_secret=line.client_secret,
        stackone_api_key=line.stackone_api_key,
        rehearsal=True,
        attend=attend,
    )
