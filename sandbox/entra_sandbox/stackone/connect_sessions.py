"""Connect sessions: ``POST /connect_sessions`` and ``POST /connect_sessions/authenticate``.

A session is a token for the hub and an auth link that holds it. The token lives ``expires_in`` seconds (1800 unless
given); an auth link lives five days, or ``expires_in`` when the caller gave one.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from entra_sandbox.stackone import accounts, profiles
from entra_sandbox.stackone.accounts import account_type
from entra_sandbox.stackone.api import Answer, ApiError, Call, parsed
from entra_sandbox.stackone.connector import connector
from entra_sandbox.stackone.project import ORGANIZATION_ID, PROJECT_ID, Project
from entra_sandbox.store import Document

__all__ = ["ATTEMPT", "KIND", "authenticate", "by_token", "create", "latest_attempt"]

KIND = "stackone.session"
ATTEMPT = "stackone.attempt"

_ATTEMPT_FIELDS = (
    "id",
    "created_at",
    "updated_at",
    "status",
    "account_secure_id",
    "oauth_error_code",
    "oauth_error_description",
)
_LINK_SECONDS = 5 * 24 * 3600


class Wanted(BaseModel):
    """The body of ``POST /connect_sessions``."""

    model_config = ConfigDict(extra="ignore", strict=True)

    origin_owner_id: str = Field(min_length=1, max_length=500)
    origin_owner_name: str = Field(min_length=1, max_length=500)
    provider: str | None = None
    provider_version: str | None = None
    categories: list[str] | None = None
    origin_username: str | None = None
    account_id: str | None = None
    expires_in: int | None = Field(default=None, ge=1, le=30 * 24 * 3600)
    metadata: dict[str, Any] | None = None
    multiple: bool | None = None
    label: str | None = None
    type: str | None = None
    integration_id: str | None = None
    connector_profile_id: str | None = None

    @field_validator("categories")
    @classmethod
    def _known_categories(cls, value: list[str] | None) -> list[str] | None:
        unknown = [one for one in value or () if one.lower().replace("-", "") not in connector().known_categories]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not a category")
        return value

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: Any) -> Any:
        return None if value is None else account_type(value)


def create(project: Project, call: Call) -> Answer:
    """201 with the token and the auth link; 400 for a wrong body, provider, profile or account."""
    wanted = parsed(Wanted, call.body)
    profile_id = wanted.connector_profile_id or wanted.integration_id
    provider = _provider(project, wanted, profile_id)
    token = secrets.token_urlsafe(48)
    now = project.now()
    with project.store.transaction():
        number = int(project.store.setting("stackone.sessions", 0)) + 1
        project.store.set_setting("stackone.sessions", number)
        session = {
            "id": str(number),
            "token_hash": _hash(token),
            "token": project.vault.seal(token),
            "pages": project.pages(call.headers.get("host", "")),
            "expires": now + (wanted.expires_in or 1800),
            "link_expires": now + (wanted.expires_in or _LINK_SECONDS),
            "created_at": project.timestamp(),
            "origin_owner_id": wanted.origin_owner_id,
            "origin_owner_name": wanted.origin_owner_name,
            "origin_username": wanted.origin_username,
            "provider": provider,
            "categories": wanted.categories,
            "label": wanted.label,
            "metadata": wanted.metadata or {},
            "multiple": bool(wanted.multiple) and not wanted.account_id,
            "type": wanted.type or "production",
            "profile_id": profile_id,
            "account_id": wanted.account_id,
        }
        edited = accounts.existing(project, session, provider) if provider else None
        session["account_id"] = edited["id"] if edited else None
        project.store.put(KIND, session)
    link = {"token": token, "auth_link_url": f"{session['pages']}/hub/{token}"}
    return Answer({**_shown(project, session), **link}, 201)


def authenticate(project: Project, call: Call) -> Answer:
    """``POST /connect_sessions/authenticate {token}``: the session again, with its latest connection attempt."""
    token = call.body.get("token") if isinstance(call.body, dict) else None
    session = by_token(project, token) if isinstance(token, str) else None
    if session is None or session["expires"] <= project.now():
        raise ApiError(400, "the connect session token is invalid or has expired")
    return Answer(_shown(project, session), 201)


def by_token(project: Project, token: str) -> Document | None:
    """The session that a token belongs to, expired or not."""
    return project.store.first(KIND, token_hash=_hash(token))


def latest_attempt(project: Project, session: Document) -> Document | None:
    """The last time that somebody pressed Connect in the hub of this session."""
    attempts = project.store.find(ATTEMPT, session_id=session["id"])
    return attempts[-1] if attempts else None


def _provider(project: Project, wanted: Wanted, profile_id: str | None) -> str | None:
    provider = wanted.provider
    if profile_id:
        profile = project.store.get(profiles.KIND, profile_id)
        if profile is None or provider not in (None, profile["connector_key"]):
            raise ApiError(400, "connector_profile_id: no such connector profile for this provider")
        provider = profile["connector_key"]
    if wanted.account_id:
        account = project.store.get(accounts.KIND, wanted.account_id)
        if account is None or provider not in (None, account["provider"]):
            raise ApiError(400, "account not found")
        provider = account["provider"]
    if provider is not None and provider != connector().key:
        raise ApiError(400, f"provider: no connector {provider!r} in this project")
    if provider is not None and profiles.for_linking(project, provider, profile_id) is None:
        raise ApiError(400, f"provider: no connector profile of {provider} is enabled in this project")
    return provider


def _shown(project: Project, session: Document) -> dict[str, Any]:
    attempt = latest_attempt(project, session)
    return {
        "id": int(session["id"]),
        "organization_id": ORGANIZATION_ID,
        "project_id": PROJECT_ID,
        "origin_owner_id": session["origin_owner_id"],
        "origin_owner_name": session["origin_owner_name"],
        "origin_username": session["origin_username"],
        "provider": session["provider"],
        "categories": session["categories"],
        "account_id": session["account_id"],
        "label": session["label"],
        "metadata": session["metadata"],
        "external_trigger_token": None,
        "created_at": session["created_at"],
        "type": session["type"],
        "integration_id": session["profile_id"],
        "connector_profile_id": session["profile_id"],
        "latest_connection_attempt": {name: attempt[name] for name in _ATTEMPT_FIELDS} if attempt else None,
    }


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
