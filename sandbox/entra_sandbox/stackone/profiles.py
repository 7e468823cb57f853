"""Connector profiles: the documents, the checks of the dashboard's form, and the one documented call, the list.

Creating, changing and deleting one is done in the dashboard alone: StackOne documents no call for it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entra_sandbox.stackone.actions import slug_of
from entra_sandbox.stackone.api import ApiError, Call, number
from entra_sandbox.stackone.connector import connector
from entra_sandbox.stackone.project import Project
from entra_sandbox.store import Document

__all__ = ["KIND", "Form", "for_linking", "list_auth_configs", "list_connector_profiles", "remove", "save"]

KIND = "stackone.profile"

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}\Z")
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*\Z")


@dataclass(frozen=True)
class Form:
    """What the dashboard's form holds. ``client_secret`` empty keeps the one that is stored."""

    connector_key: str
    authentication: str
    name: str
    client_id: str
    client_secret: str
    tenant: str
    scopes: str
    actions: tuple[str, ...]
    active: bool
    default: bool

    @classmethod
    def of(cls, values: Mapping[str, str], actions: Sequence[str]) -> Form:
        """From the fields of a submitted form."""
        return cls(
            connector_key=values.get("connector", "").strip(),
            authentication=values.get("authentication", "").strip(),
            name=values.get("name", "").strip(),
            client_id=values.get("client_id", "").strip(),
            client_secret=values.get("client_secret", "").strip(),
            tenant=values.get("tenant", "").strip(),
            scopes=values.get("scopes", ""),
            actions=tuple(actions),
            active="active" in values,
            default="default" in values,
        )

    @classmethod
    def showing(cls, profile: Document) -> Form:
        """What the form shows of a stored profile: everything but its secret."""
        return cls(
            connector_key=profile["connector_key"],
            authentication=profile["authentication_config_key"],
            name=profile["name"],
            client_id=profile["client_id"],
            client_secret="",
            tenant=profile["tenant"],
            scopes=" ".join(profile["scopes"]),
            actions=tuple(profile["actions"]),
            active=profile["active"],
            default=profile["default"],
        )

    @property
    def scope_names(self) -> list[str]:
        """The scopes, separated by space, comma or line end in the form."""
        return list(dict.fromkeys(re.split(r"[\s,]+", self.scopes.strip()))) if self.scopes.strip() else []

    def mistakes(self, project: Project, existing: Document | None) -> dict[str, str]:
        """What is wrong, by field; empty when it can be saved."""
        found: dict[str, str] = {}
        kind = connector().authentication_of(self.authentication)
        if self.connector_key != connector().key:
            found["connector"] = "Choose a connector."
        if kind is None:
            found["authentication"] = "Choose how to authenticate."
        elif kind.authority is None and not _TENANT.match(self.tenant):
            found["tenant"] = "Enter the directory (tenant) ID."
        if not 1 <= len(self.name) <= 120:
            found["name"] = "Enter a name of at most 120 characters."
        elif self._taken(project, existing):
            found["name"] = "Another profile of this connector has this name."
        if not _GUID.match(self.client_id):
            found["client_id"] = "Enter the application (client) ID: a GUID."
        if not self.client_secret and existing is None:
            found["client_secret"] = "Enter the client secret's value."
        wrong = [name for name in self.scope_names if not _SCOPE.match(name)]
        if wrong:
            found["scopes"] = f"Not a scope: {wrong[0]}"
        unknown = [name for name in self.actions if slug_of(name) is None]
        if unknown:
            found["actions"] = f"Not an action of this connector: {unknown[0]}"
        return found

    def _taken(self, project: Project, existing: Document | None) -> bool:
        same = project.store.find(KIND, connector_key=self.connector_key, name=self.name)
        return any(one["id"] != (existing or {}).get("id") for one in same)


def save(project: Project, form: Form, existing: Document | None) -> Document:
    """Store a form without mistakes; the first profile of a connector is enabled, a new default ends the old one."""
    now = project.timestamp()
    kind = connector().authentication_of(form.authentication)
    if kind is None:
        raise ValueError("the form has mistakes")
    secret = project.vault.seal(form.client_secret) if form.client_secret else (existing or {})["client_secret"]
    with project.store.transaction():
        others = project.store.find(KIND, connector_key=form.connector_key)
        first = existing is None and not others
        profile = {
            "id": existing["id"] if existing else secrets.token_hex(12),
            "name": form.name,
            "connector_key": form.connector_key,
            "authentication_config_key": kind.key,
            "tenant": form.tenant if kind.authority is None else "",
            "client_id": form.client_id,
            "client_secret": secret,
            "scopes": form.scope_names,
            "actions": sorted(filter(None, map(slug_of, form.actions))),
            "active": form.active or first,
            "default": form.default,
            "created_at": existing["created_at"] if existing else now,
            "updated_at": now,
        }
        for other in others:
            if form.default and other["default"] and other["id"] != profile["id"]:
                project.store.update(KIND, other["id"], {"default": False, "updated_at": now})
        project.store.put(KIND, profile)
        if existing and existing["active"] != profile["active"]:
            _follow(project, profile)
    return profile


def remove(project: Project, profile: Document) -> None:
    """Delete the profile; its accounts become inactive."""
    with project.store.transaction():
        _follow(project, {**profile, "active": False})
        project.store.delete(KIND, profile["id"])


def for_linking(project: Project, provider: str, profile_id: str | None) -> Document | None:
    """The profile that a link uses: the one asked for, else the default, else the oldest that is enabled."""
    if profile_id:
        asked = project.store.get(KIND, profile_id)
        return asked if asked and asked["active"] and asked["connector_key"] == provider else None
    enabled = project.store.find(KIND, connector_key=provider, active=True)
    return next((one for one in enabled if one["default"]), enabled[0] if enabled else None)


def list_connector_profiles(project: Project, call: Call) -> dict[str, Any]:
    """``GET /connector_profiles``: the newer name of the same list; a project that is ``older`` has it not yet."""
    if project.older:
        raise ApiError(404, "Cannot GET /connector_profiles")
    return list_auth_configs(project, call)


def list_auth_configs(project: Project, call: Call) -> dict[str, Any]:
    """``GET /auth_configs?page&page_size&enabled&connector_key`` (docs: List Auth Configs)."""
    page, size = number(call, "page", 1, 10**6), number(call, "page_size", 25, 100)
    found = project.store.find(KIND)
    key = call.query.get("connector_key")
    if key:
        found = [one for one in found if one["connector_key"] == key]
    enabled = call.query.get("enabled", "").lower()
    if enabled in ("true", "false"):
        found = [one for one in found if one["active"] == (enabled == "true")]
    part = found[(page - 1) * size : page * size]
    return {"page": page, "page_size": size, "total": len(found), "data": [_shown(one) for one in part]}


def _shown(profile: Document) -> dict[str, Any]:
    known = connector()
    kind = known.authentication_of(profile["authentication_config_key"])
    return {
        "id": profile["id"],
        "name": profile["name"],
        "connector_key": known.key,
        "connector_label": known.label,
        "logo_url": known.logo_url,
        "categories": list(known.categories),
        "active": profile["active"],
        "default": profile["default"],
        "release_stage": known.release_stage,
        "created_at": profile["created_at"],
        "updated_at": profile["updated_at"],
        "connector_version": known.version,
        "connector_pinned_version": None,
        "connector_owner": known.owner,
        "environment": "production",
        "authentication_config_key": profile["authentication_config_key"],
        "authentication_config_label": kind.label if kind else None,
    }


def _follow(project: Project, profile: Document) -> None:
    # Disabling a profile makes its linked accounts inactive (docs: auth configurations); enabling brings them back.
    now = project.timestamp()
    for account in project.store.find("stackone.account", profile_id=profile["id"]):
        if profile["active"] and account["status"] == "inactive":
            change: dict[str, Any] = {"status": "active", "status_reasons": []}
        elif not profile["active"] and account["status"] != "inactive":
            reason = {"code": "connector_profile_disabled", "description": "Its connector profile is not enabled."}
            change = {"status": "inactive", "status_reasons": [{**reason, "timestamp": now}]}
        else:
            continue
        project.store.update("stackone.account", account["id"], {**change, "updated_at": now})
