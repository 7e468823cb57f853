"""What the catalogue holds: actions, the permissions they take, and ready-made choices. Plain data, frozen."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from runbook.catalog.data import body_schema

PermissionType = Literal["delegated", "application"]
Effect = Literal["read", "write", "delete"]
Shape = Literal["guid", "guid-or-upn", "domain-name", "opaque", "text"]

PERMISSION_TYPES: tuple[PermissionType, ...] = ("delegated", "application")
EFFECTS: tuple[Effect, ...] = ("read", "write", "delete")


@dataclass(frozen=True, slots=True)
class Permission:
    """A Microsoft Graph permission.

    The ids are the published ids of the scope (delegated) and the app role (application); ``None`` means that none
    is published and the permission cannot be requested for that type. Levels are Microsoft's privilege levels.
    ``power`` is this catalogue's own, finer order (0 to 8, the words for it are in ``permissions.json``).
    ``powerful`` says what the permission can do to a tenant, for those where that needs saying.
    """

    name: str
    delegated_id: str | None
    application_id: str | None
    delegated_admin_consent: bool | None
    delegated_level: int | None
    application_level: int | None
    power: int
    powerful: str | None
    setup_use: str | None
    note: str

    def id(self, kind: PermissionType) -> str | None:
        """The published id for this permission type, or ``None``."""
        return self.delegated_id if kind == "delegated" else self.application_id

    def needs_admin_consent(self, kind: PermissionType) -> bool:
        """Application permissions always do; of the delegated ones only a few do not."""
        return kind == "application" or self.delegated_admin_consent is not False


@dataclass(frozen=True, slots=True)
class Limited:
    """A permission set with which an action answers, but reaches less: ``does`` says what it still does."""

    permissions: tuple[str, ...]
    does: str


@dataclass(frozen=True, slots=True)
class Access:
    """The permission sets of one action for one permission type.

    ``alternatives`` are complete sets (all members needed together), smallest first as documented, those with
    unpublished permissions included. ``least`` is the first that can be used; ``documented_least`` is what
    Microsoft's page names, which differs where that one cannot be used, with the reason in ``note``. ``not_relied_on``:
    sets (``set``) that are documented for the action and contradicted elsewhere in Microsoft's documents, and ``why``.
    """

    supported: bool
    least: tuple[str, ...] = ()
    alternatives: tuple[tuple[str, ...], ...] = ()
    documented_least: tuple[str, ...] = ()
    limited: tuple[Limited, ...] = ()
    not_relied_on: tuple[Mapping[str, Any], ...] = ()
    note: str = ""

    def limit_of(self, permissions: tuple[str, ...]) -> str | None:
        """What this set still does where it does not reach everything; ``None`` for a set that does."""
        return next((limited.does for limited in self.limited if set(limited.permissions) == set(permissions)), None)


@dataclass(frozen=True, slots=True)
class PathParameter:
    """A parameter in the path of an action and the shape of its value."""

    name: str
    shape: Shape
    means: str


@dataclass(frozen=True, slots=True)
class Body:
    """The request body of an action: the name of its JSON Schema in ``bodies.json`` and a valid example."""

    name: str
    example: Mapping[str, Any]

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON Schema (draft 2020-12), complete with the definitions that it refers to. Read when first asked for."""
        return body_schema(self.name)


@dataclass(frozen=True, slots=True)
class Paging:
    """How a list answers: whether pages follow by ``@odata.nextLink``, and the page sizes where documented."""

    next_link: bool
    default_top: int | None
    max_top: int | None


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence that a tenant needs for an action; ``plan`` is the service plan's name in ``subscribedSkus``."""

    needs: str
    plan: str
    note: str


@dataclass(frozen=True, slots=True)
class Action:
    """One of the operations of the guide and the Microsoft Graph v1.0 request behind it.

    ``guide_scopes`` is ``None`` where the guide's own list is not known. ``by_target`` holds what is needed besides
    for a kind of member or a property: target -> permission type -> permission set.
    """

    slug: str
    name: str
    stackone_id: str
    resource: str
    summary: str
    effect: Effect
    method: str
    path: str
    path_parameters: tuple[PathParameter, ...]
    alternate_paths: tuple[str, ...]
    query: tuple[str, ...]
    advanced_queries: bool
    body: Body | None
    success: tuple[int, ...]
    paging: Paging | None
    licence: Licence | None
    guide_scopes: tuple[str, ...] | None
    delegated: Access
    application: Access
    by_target: Mapping[str, Mapping[str, tuple[str, ...]]]
    docs_page: str
    notes: str

    def access(self, kind: PermissionType) -> Access:
        """The permission sets for this permission type."""
        return self.delegated if kind == "delegated" else self.application

    def accesses(self) -> Iterator[tuple[PermissionType, Access]]:
        """Both permission types with their sets."""
        yield "delegated", self.delegated
        yield "application", self.application

    @property
    def is_list(self) -> bool:
        """Whether the answer is a collection (``value``: list of objects)."""
        return self.paging is not None

    def to_dict(self) -> dict[str, Any]:
        """The action as JSON data, for ``runbook actions --json``."""
        body = {"schema": self.body.name, "example": dict(self.body.example)} if self.body else None
        return {**asdict(self), "body": body}


@dataclass(frozen=True, slots=True)
class Preset:
    """A ready-made choice of actions."""

    key: str
    title: str
    about: str
    actions: tuple[str, ...]
