"""What a resource module declares. The generic handlers do the rest (``entities.py``, ``links.py``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from entra_sandbox.graph.call import Answer, Call

__all__ = ["Link", "Resource", "Route"]

Document = dict[str, Any]


@dataclass(frozen=True)
class Route:
    """An operation of its own: ``path`` below the resource's, ``{}`` for a key, such as ``{}/addPassword``.

    ``access`` names the operation whose permissions apply where they are another's; None: the handler asks itself.
    ``single``: the answer is one object of the resource, whose properties have addresses of their own.
    """

    method: str
    path: str
    handler: Callable[[Call, Resource], Answer]
    access: str | None = ""
    single: bool = False


@dataclass(frozen=True)
class Link:
    """A relationship: ``name`` in the address, ``arrow`` in the store; ``reverse`` reads it from its end.

    ``kinds`` may be linked, ``most`` of them unless it is 0; ``hidden`` kinds are not listed; ``single`` is one object
    and no list. ``read`` checks a list (call, source document), ``add`` and ``remove`` a change before it happens (…,
    target document); ``visible`` is a condition in SQL for what is listed.
    """

    name: str
    arrow: str
    kinds: tuple[str, ...] = ("user", "group", "device", "servicePrincipal")
    reverse: bool = False
    writable: bool = False
    single: bool = False
    most: int = 0
    pages: bool = True
    hidden: tuple[str, ...] = ()
    deletes_target: bool = False
    read: Callable[[Call, Document], None] | None = None
    add: Callable[[Call, Document, Document], None] | None = None
    remove: Callable[[Call, Document, Document], None] | None = None
    visible: Callable[[Call], tuple[str, list[Any]]] | None = None


@dataclass(frozen=True)
class Resource:
    """A collection of Microsoft Graph.

    path            below the version, such as ``users`` or ``identity/conditionalAccess/policies``
    entity          Microsoft's type; documents are kept under this kind
    properties      of an entity that no other resource shows, as ``schema.json`` writes them; else they stand there
    keys            properties that ``/path/{key}`` may hold, the first being the id
    alternate_keys  properties of ``/path(name='value')``
    operations      of list, count, get, create, update, delete
    select          what an answer shows without ``$select``; empty for all
    required        in a create; ``read_only`` never set; ``create_only`` not changed later; ``defaults`` when left out
    page, page_max  ``$top`` when absent and at most; page 0: everything in one answer
    order           of a list that the caller does not sort: SQL over ``o``
    costly          properties that make pages smaller when they are selected or filtered by: name -> most in a page
    single          properties that no list can show: 501 ``NotImplemented``
    asks            properties that take more than the object does: name -> check of the call
    advanced        queries follow the directory's rules (ConsistencyLevel)
    soft_delete     goes to the bin (a function of the document, or always)
    rows            ``$expand`` of what is kept as objects of their own: name, kind, property that holds this one's id
    upsert          the alternate key of ``Prefer: create-if-missing``
    create/update/delete/present   what is special: see ``entities.py`` for when each is called
    """

    path: str
    entity: str
    properties: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ("id",)
    alternate_keys: tuple[str, ...] = ()
    operations: tuple[str, ...] = ("list", "count", "get", "create", "update", "delete")
    select: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    create_only: tuple[str, ...] = ()
    defaults: Callable[[], Document] | None = None
    page: int = 100
    page_max: int = 999
    order: str = ""
    costly: Mapping[str, int] = field(default_factory=dict)
    single: frozenset[str] = frozenset()
    asks: Mapping[str, Callable[[Call], None]] = field(default_factory=dict)
    advanced: bool = True
    soft_delete: bool | Callable[[Document], bool] = False
    upsert: str = ""
    quota: bool = True
    links: tuple[Link, ...] = ()
    rows: tuple[tuple[str, str, str], ...] = ()
    routes: tuple[Route, ...] = ()
    create: Callable[[Call, Document], Document] | None = None
    created: Callable[[Call, Document], Document] | None = None
    update: Callable[[Call, Document, Document], Document] | None = None
    delete: Callable[[Call, Document], None] | None = None
    present: Callable[[Call, Document], Document] | None = None

    @property
    def title(self) -> str:
        """The type as error texts write it: ``User``."""
        return self.entity[0].upper() + self.entity[1:]

    def goes_to_bin(self, doc: Document) -> bool:
        """Whether deleting the document is soft."""
        return self.soft_delete if isinstance(self.soft_delete, bool) else self.soft_delete(doc)
