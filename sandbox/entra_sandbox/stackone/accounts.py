"""Linked accounts: ``GET /accounts``, ``GET|PATCH|DELETE /accounts/{id}``, ``GET /accounts/{id}/meta``.

The shapes are those of ``LinkedAccount`` and ``LinkedAccountMeta`` in the npm client 4.28. Tokens of an account stay
sealed in its document and appear in no answer.
"""

from __future__ import annotations

import secrets
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from entra_sandbox.stackone.api import ApiError, Call, number, parsed
from entra_sandbox.stackone.connector import connector
from entra_sandbox.stackone.project import Project
from entra_sandbox.store import Document

__all__ = [
    "KIND",
    "account_type",
    "create",
    "delete_account",
    "existing",
    "get_account",
    "get_account_meta",
    "list_accounts",
    "update_account",
]

KIND = "stackone.account"


def account_type(value: Any) -> Any:
    """``production`` or ``test``: the reference writes them in upper case, the published client in lower."""
    if not isinstance(value, str) or value.lower() not in ("production", "test"):
        raise ValueError("must be production or test")
    return value.lower()


class Patch(BaseModel):
    """The body of ``PATCH /accounts/{id}``; fields that are left out keep their value."""

    model_config = ConfigDict(extra="ignore", strict=True)

    provider: str | None = None
    origin_owner_id: str | None = Field(default=None, min_length=1)
    origin_owner_name: str | None = Field(default=None, min_length=1)
    origin_username: str | None = None
    credentials: dict[str, Any] | None = None
    setup_information: dict[str, Any] | None = None
    secrets: dict[str, Any] | None = None
    authentication_config_key: str | None = None
    environment: str | None = None
    label: str | dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    type: str | None = None

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: Any) -> Any:
        return None if value is None else account_type(value)


def list_accounts(project: Project, call: Call) -> list[dict[str, Any]]:
    """``GET /accounts``: a plain array; every filter may be repeated.

    ``providers`` is the filter now, ``provider`` the deprecated one that an ``older`` project has alone.
    """
    # The published client takes any word for a status: it knows active, inactive and error, and more may come.
    filters = {
        "id": call.values("account_ids"),
        "provider": call.values("provider") + ([] if project.older else call.values("providers")),
        "origin_owner_id": call.values("origin_owner_id") + call.values("origin_owner_ids"),
        "status": call.values("status"),
    }
    page, size = number(call, "page", 1, 10**6), number(call, "page_size", 25)
    found = [
        account
        for account in project.store.find(KIND)
        if all(not values or account[name] in values for name, values in filters.items())
    ]
    return [_shown(account) for account in found[(page - 1) * size : page * size]]


def get_account(project: Project, call: Call) -> dict[str, Any]:
    """``GET /accounts/{id}``"""
    return _shown(_found(project, call))


def get_account_meta(project: Project, call: Call) -> dict[str, Any]:
    """``GET /accounts/{id}/meta``"""
    account = _found(project, call)
    return {"provider": account["provider"], "category": connector().categories[0], "models": {}}


def update_account(project: Project, call: Call) -> dict[str, Any]:
    """``PATCH /accounts/{id}``. Credentials are accepted and not kept: this connector takes them by OAuth alone."""
    patch = parsed(Patch, call.body)
    if patch.provider not in (None, connector().key):
        raise ApiError(400, "provider: the provider of a linked account cannot be changed")
    kept = {"origin_owner_id", "origin_owner_name", "origin_username", "label", "metadata", "type"}
    changes = patch.model_dump(include=kept, exclude_unset=True)
    required = ("origin_owner_id", "origin_owner_name", "type")
    changes = {name: value for name, value in changes.items() if value is not None or name not in required}
    with project.store.transaction():
        account = _found(project, call)
        changed = project.store.update(KIND, account["id"], {**changes, "updated_at": project.timestamp()})
    return _shown(changed)


def delete_account(project: Project, call: Call) -> dict[str, Any]:
    """``DELETE /accounts/{id}``: answers the account that was. What Entra ID granted stays granted."""
    with project.store.transaction():
        account = _found(project, call)
        project.store.delete(KIND, account["id"])
    return _shown(account)


def existing(project: Project, session: Document, provider: str) -> Document | None:
    """The account that a session edits: the one it names, else the one of the same owner and provider."""
    if session["account_id"]:
        return project.store.get(KIND, session["account_id"])
    if session["multiple"]:
        return None
    same = project.store.find(KIND, provider=provider)
    owner = (session["origin_owner_id"], session["origin_owner_name"])
    return next((one for one in same if (one["origin_owner_id"], one["origin_owner_name"]) == owner), None)


def create(project: Project, session: Document, profile: Document) -> Document:
    """A new account for the owner of a session, not stored yet."""
    now = project.timestamp()
    return {
        "id": str(10**19 + secrets.randbelow(9 * 10**19)),
        "provider": profile["connector_key"],
        "origin_owner_id": session["origin_owner_id"],
        "origin_owner_name": session["origin_owner_name"],
        "origin_username": session["origin_username"],
        "label": session["label"],
        "metadata": session["metadata"],
        "type": session["type"],
        "created_at": now,
    }


def _found(project: Project, call: Call) -> Document:
    account = project.store.get(KIND, call.path["id"])
    if account is None:
        raise ApiError(404, "Account not found")
    return account


def _shown(account: Document) -> dict[str, Any]:
    return {
        "id": account["id"],
        "provider": account["provider"],
        "provider_name": connector().label,
        "status": account["status"],
        "status_reasons": account["status_reasons"],
        "origin_owner_id": account["origin_owner_id"],
        "origin_owner_name": account["origin_owner_name"],
        "origin_username": account["origin_username"],
        "credentials": {},
        "setup_information": {},
        "label": account["label"],
        "created_at": account["created_at"],
        "updated_at": account["updated_at"],
        "type": account["type"],
    }
