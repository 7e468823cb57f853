"""Permissions compared four ways: wanted, requested, granted, in a fresh token. Sections 4 and 8 look through here.

Names become ids through the tenant's own Microsoft Graph service principal, never through a table of ours: national
clouds publish fewer permissions, and what is not published is replaced by the next documented alternative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

from runbook import catalog
from runbook.catalog.loader import GRAPH_APP_ID
from runbook.errors import GraphError
from runbook.tenant import registration
from runbook.tenant.base import Context
from runbook.tenant.registration import Mark, application, marks, published

PermissionType = Literal["delegated", "application"]
Stage = Literal["requested", "granted"]
STAGES: tuple[Stage, ...] = ("requested", "granted")
_GRANT, _MADE = "grant", "made"
TYPES: tuple[PermissionType, ...] = ("delegated", "application")
GRAPH_TYPE: Mapping[PermissionType, str] = {"delegated": "Scope", "application": "Role"}


@dataclass(frozen=True)
class Wanted:
    """What the choice needs of one type in this tenant: permission -> actions, and what could not be had as is."""

    why: dict[str, tuple[str, ...]] = field(default_factory=dict)
    replaced: dict[str, tuple[str, ...]] = field(default_factory=dict)
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def needs(self, slug: str) -> tuple[str, ...]:
        """The permissions that action ``slug`` needs, without the bases of sign-in."""
        return tuple(name for name, slugs in self.why.items() if slug in slugs)

    def raised(self, name: str) -> bool:
        """Whether it lets write, for actions that only read, because this cloud publishes no smaller one."""
        instead = [self.replaced.get(slug, ()) for slug in self.why[name]]
        reads = all(catalog.action(slug).effect == "read" for slug in self.why[name])
        return "Write" in name and reads and all(instead) and "Write" not in str(instead)


@dataclass(frozen=True)
class Permissions:
    """The tenant's state: ids by name, requested and granted names, and the objects behind the grants.

    ``granted`` of a type is None when it may not be read: unknown, which is neither granted nor not granted. What the
    runbook requested and granted is listed on the application by name; with ``take_over`` the rest goes like its own,
    and so it does where it is ``pruned``, which somebody asked for by that name.
    """

    ids: dict[PermissionType, dict[str, str]]
    resource_id: str
    application: dict[str, Any] | None
    principal: dict[str, Any] | None
    requested: dict[PermissionType, frozenset[str]]
    granted: dict[PermissionType, frozenset[str] | None]
    grant: dict[str, Any] | None = None
    assignments: dict[str, str] = field(default_factory=dict)
    unknown_ids: tuple[str, ...] = ()
    take_over: bool = False
    pruned: bool = False

    @classmethod
    def read(cls, ctx: Context, *, anew: bool = False) -> Permissions:
        """Ask the tenant; works when there is no application yet. ``anew``: whatever was read a moment ago."""
        if anew:
            ctx.snapshot.forget()
        resource = published(ctx)
        ids = {kind: resource[kind] for kind in TYPES}
        names = {identifier: name for of in ids.values() for name, identifier in of.items()}
        found = application(ctx)
        principal = registration.service_principal(ctx, found["appId"]) if found else None
        requested, unknown_ids = _requested(found, ids)
        grant, scopes = _delegated(ctx, principal, resource["id"])
        assigned, roles = _application(ctx, principal, resource["id"], names)
        granted: dict[PermissionType, frozenset[str] | None] = {"delegated": scopes, "application": roles}
        of_tenant = (ids, resource["id"], found, principal, requested, granted, grant, assigned, unknown_ids)
        return cls(*of_tenant, bool(ctx.params.take_over), "permissions" in ctx.params.prune)

    def there(self, stage: Stage, kind: PermissionType) -> frozenset[str]:
        """What is requested, or granted as far as that may be read."""
        return (self.requested if stage == "requested" else self.granted)[kind] or frozenset()

    def ours(self, stage: Stage, kind: PermissionType) -> frozenset[str]:
        """What of it is listed as the runbook's own."""
        return self.there(stage, kind).intersection(marks(self.application, f"{stage}-{kind}"))

    def surplus(self, stage: Stage, kind: PermissionType, wanted: Wanted) -> frozenset[str]:
        """What of it no chosen action needs and may be taken away."""
        return (self.there if self.take_over or self.pruned else self.ours)(stage, kind) - set(wanted.why)

    def target(self, stage: Stage, kind: PermissionType, wanted: Wanted) -> frozenset[str]:
        """What is to be there."""
        return (self.there(stage, kind) | set(wanted.why)) - self.surplus(stage, kind, wanted)

    def marks(self, wanted: Mapping[PermissionType, Wanted], *, begin: bool) -> dict[str, Mark]:
        """Our marks, by name, ``begin``ning to change: with what will be added, and what is yet to be taken away."""
        listed: dict[str, Mark] = {}
        for stage, kind in product(STAGES, TYPES):
            own = set(marks(self.application, f"{stage}-{kind}"))
            if stage == "requested" or self.granted[kind] is not None:
                own = (own & self.there(stage, kind)) | (set(wanted[kind].why) - self.there(stage, kind))
            gone = set() if begin and stage == "granted" else self.surplus(stage, kind, wanted[kind])
            listed[f"{stage}-{kind}"] = sorted(own - gone)
        made = self.grant_is_ours if self.grant else bool(listed["granted-delegated"])
        return {**listed, _GRANT: _MADE if made else ""}

    @property
    def grant_is_ours(self) -> bool:
        """Whether the delegated grant itself was made by the runbook."""
        return _MADE in marks(self.application, _GRANT)

    @property
    def misplaced(self) -> dict[str, str]:
        """The ids requested as a scope that are an app role's, or the other way round, with the permission's name."""
        published = {identifier: name for kind in TYPES for name, identifier in self.ids[kind].items()}
        return {identifier: published[identifier] for identifier in self.unknown_ids if identifier in published}

    def wanted(self, ctx: Context) -> dict[PermissionType, Wanted]:
        """What the choice needs here; the bases of sign-in are part of the delegated ones, with no action."""
        result: dict[PermissionType, Wanted] = {}
        for kind in TYPES:
            result[kind] = _resolve(
                kind, ctx.scopes.of(kind).per_action, self.ids[kind], ctx.scopes.base if kind == "delegated" else ()
            )
        return result


def _resolve(
    kind: PermissionType, per_action: Mapping[str, Iterable[str]], ids: Mapping[str, str], base: Iterable[str]
) -> Wanted:
    why: dict[str, list[str]] = {name: [] for name in base if name in ids}
    wanted = Wanted()
    for slug, names in per_action.items():
        needed = tuple(names)
        if any(name not in ids for name in needed):
            access = catalog.action(slug).access(kind)
            published = [alt for alt in access.alternatives if all(name in ids for name in alt)]
            # One that reaches the whole tenant before one that does not.
            other = min(published, key=lambda alt: access.limit_of(alt) is not None, default=None)
            if other is None:
                wanted.missing[slug] = tuple(name for name in needed if name not in ids)
                continue
            wanted.replaced[slug] = needed
            needed = tuple(other)
        for name in needed:
            why.setdefault(name, []).append(slug)
    return Wanted({name: tuple(why[name]) for name in sorted(why)}, wanted.replaced, wanted.missing)


def _requested(
    found: Mapping[str, Any] | None, ids: Mapping[PermissionType, Mapping[str, str]]
) -> tuple[dict[PermissionType, frozenset[str]], tuple[str, ...]]:
    """The names that are requested of each type, and the ids that stand under a type which has no such id."""
    entries = [
        access
        for resource in (found or {}).get("requiredResourceAccess") or ()
        if str(resource.get("resourceAppId")).lower() == GRAPH_APP_ID
        for access in resource.get("resourceAccess") or ()
    ]
    asked = {(entry.get("type"), str(entry["id"]).lower()) for entry in entries}
    requested = {
        kind: frozenset(name for name, identifier in ids[kind].items() if (GRAPH_TYPE[kind], identifier) in asked)
        for kind in TYPES
    }
    known = {(GRAPH_TYPE[kind], identifier) for kind in TYPES for identifier in ids[kind].values()}
    return requested, tuple(sorted(str(identifier) for _type, identifier in asked - known))


def _delegated(
    ctx: Context, principal: Mapping[str, Any] | None, resource_id: str
) -> tuple[dict[str, Any] | None, frozenset[str] | None]:
    """The tenant-wide grant of our service principal for Microsoft Graph; users' own grants stay out."""
    if principal is None:
        return None, frozenset()
    try:
        items = registration.grants(ctx, principal)
    except GraphError as error:
        if error.status == 403:
            return None, None
        raise
    for grant in items:
        if grant["resourceId"] == resource_id and grant["consentType"] == "AllPrincipals":
            return grant, frozenset(str(grant.get("scope") or "").split())
    return None, frozenset()


def _application(
    ctx: Context, principal: Mapping[str, Any] | None, resource_id: str, names: Mapping[str, str]
) -> tuple[dict[str, str], frozenset[str] | None]:
    """Assignment ids by permission name, and the names."""
    if principal is None:
        return {}, frozenset()
    try:
        items = registration.assignments(ctx, principal)
    except GraphError as error:
        if error.status == 403:
            return {}, None
        raise
    ours = [item for item in items if item["resourceId"] == resource_id]
    of_graph = {names.get(item["appRoleId"], item["appRoleId"]): str(item["id"]) for item in ours}
    return of_graph, frozenset(of_graph)


def table(
    state: Permissions, wanted: Mapping[PermissionType, Wanted], tokens: Mapping[PermissionType, frozenset[str] | None]
) -> dict[str, list[dict[str, Any]]]:
    """The rows of ``summary.json``: ``{delegated: [{name, wanted, requested, granted, in_token}], application: …}``.

    ``tokens`` holds the permissions of a fresh token of each type, None where there was none; a value that is not
    known is None. ``why`` names the actions that need the permission.
    """
    result: dict[str, list[dict[str, Any]]] = {}
    for kind in TYPES:
        granted, token = state.granted[kind], tokens.get(kind)
        names = {*wanted[kind].why, *state.requested[kind], *(granted or ()), *(token or ())}
        result[kind] = [
            {
                "name": name,
                "wanted": name in wanted[kind].why,
                "requested": name in state.requested[kind],
                "granted": None if granted is None else name in granted,
                "in_token": None if token is None else name in token,
                "why": list(wanted[kind].why.get(name, ())),
            }
            for name in sorted(names)
        ]
    return result
