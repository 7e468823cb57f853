"""The connector's actions as StackOne shows them: ``GET /actions`` and the legacy ``GET /connectors/meta``.

Sources: docs.stackone.com/api/actions-metadata, and ``ActionsMeta``, ``ActionMetaItem``, ``ConnectorsMeta`` of the
npm client. ``include=operation_details`` (4.28) and ``include=action_details`` (newer) both give the schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from entra_sandbox import facts
from entra_sandbox.facts import Action
from entra_sandbox.stackone.api import ApiError, Call
from entra_sandbox.stackone.connector import connector
from entra_sandbox.stackone.input_schemas import input_schema
from entra_sandbox.stackone.project import Project

__all__ = [
    "action_of",
    "all_actions",
    "enabled_actions",
    "get_connector_meta",
    "id_of",
    "list_actions",
    "list_connectors_meta",
    "slug_of",
    "summary_of",
]

_DETAILS = ("operation_details", "action_details")


@cache
def all_actions() -> dict[str, Action]:
    """The connector's actions by StackOne id."""
    return {id_of(one): one for one in facts.actions().values()}


def id_of(action: Action) -> str:
    """StackOne's id of an action: the connector's key and the action's slug."""
    return f"{connector().key}_{action.slug}"


@cache
def _slugs() -> dict[str, str]:
    slugs = {}
    for one in all_actions().values():
        slugs.update(dict.fromkeys((one.slug, id_of(one), one.name.lower()), one.slug))
    return slugs


def slug_of(name: str) -> str | None:
    """The slug of an action given by slug, StackOne id or name; None if there is none."""
    return _slugs().get(name.strip().lower())


def action_of(stackone_id: str) -> Action | None:
    """The action with this StackOne id (``microsoftentraid_list_users``)."""
    return all_actions().get(stackone_id)


def enabled_actions(profile: dict[str, Any] | None) -> list[Action]:
    """The actions that a profile enables; all of them when it names none."""
    chosen = set(profile["actions"]) if profile else set()
    return [one for one in all_actions().values() if not chosen or one.slug in chosen]


def list_actions(project: Project, call: Call) -> dict[str, Any]:
    """``GET /actions``: one entry a connector, its actions inside; filters by connector, account and action key."""
    known = connector()
    keys = _filter(call, "connectors")
    if keys and known.key not in keys:
        return {"data": [], "next": None}
    found = _of_accounts(project, _filter(call, "account_ids"))
    wanted = _filter(call, "action_key")
    if wanted:
        found = [one for one in found if id_of(one) in wanted]
    details = [name for name in _DETAILS if name in call.values("include")]
    entry = {
        "key": known.key,
        "name": known.label,
        "description": known.description,
        "icon": known.logo_url,
        "version": known.version,
        "categories": list(known.categories),
        "authentication": _authentication(),
        "actions": [_shown(one, details, project.renamed) for one in found],
    }
    return {"data": [entry] if found else [], "next": None}


def list_connectors_meta(project: Project, _call: Call) -> list[dict[str, Any]]:
    """``GET /connectors/meta``"""
    return [_connector_meta(project)]


def get_connector_meta(project: Project, call: Call) -> dict[str, Any]:
    """``GET /connectors/meta/{provider}``; 404 for another provider."""
    if call.path["provider"] != connector().key:
        raise ApiError(404, "Connector not found")
    return _connector_meta(project)


def summary_of(action: Action) -> str:
    """One line on what an action does; StackOne's own descriptions are not public."""
    return f"{action.name}: {action.method} {action.path} of Microsoft Graph v1.0."


def _shown(action: Action, details: list[str], renamed: Mapping[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": id_of(action),
        "label": action.name,
        "description": summary_of(action),
        "schema_type": "native",
        "tags": [action.resource, action.effect],
        "authentication": _authentication(),
        "required_scopes": list(action.scopes or action.least),
    }
    for name in details:
        shown[name] = {"method": action.method, "path": action.path, "input_schema": input_schema(action, renamed)}
    return shown


def _of_accounts(project: Project, ids: list[str]) -> list[Action]:
    if not ids:
        return enabled_actions(None)
    found: dict[str, Action] = {}
    for one in ids:
        account = project.store.get("stackone.account", one)
        if account is None:
            raise ApiError(400, "account not found")
        profile = project.store.get("stackone.profile", account["profile_id"])
        found.update((id_of(action), action) for action in enabled_actions(profile))
    return list(found.values())


def _filter(call: Call, name: str) -> list[str]:
    return call.values(f"filter[{name}]")


def _authentication() -> list[dict[str, str]]:
    return [{"type": "oauth2", "label": one.label, "key": one.key} for one in connector().authentication]


def _connector_meta(project: Project) -> dict[str, Any]:
    known = connector()
    return {
        "provider": known.key,
        "provider_name": known.label,
        "category": known.categories[0],
        "active": bool(project.store.find("stackone.profile", connector_key=known.key, active=True)),
        "models": {},
        "resources": {"images": {"logo_url": known.logo_url, "original_logo_horizontal_url": known.logo_url}},
    }
