"""StackOne as an OAuth client of Entra ID: authorization code with PKCE, and refresh (RFC 6749, RFC 7636).

All of it is real: the person's browser goes to ``authorize`` on the pages' base address, the code and the refresh
token go to the token endpoint over verified https with the client id and secret of the connector profile.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from entra_sandbox.stackone.connector import connector
from entra_sandbox.stackone.project import Project
from entra_sandbox.store import Document

__all__ = ["Refused", "Unreachable", "authorize_address", "callback", "new_verifier", "redeem", "refresh", "tokens"]


@dataclass
class Refused(Exception):
    """Entra ID refused: ``error`` is the OAuth code, ``description`` begins with the AADSTS code."""

    status: int
    error: str
    description: str
    url: str
    raw: dict[str, Any]


class Unreachable(Exception):
    """No usable answer of the token endpoint."""


def callback(pages: str) -> str:
    """The redirect URI that StackOne sends: the pages' base address with the path of the guide."""
    return pages + connector().callback_path


def new_verifier() -> str:
    """A PKCE code verifier."""
    return secrets.token_urlsafe(64)


def authorize_address(project: Project, profile: Document, pages: str, state: str, verifier: str) -> str:
    """Where the browser of the person who links an account is sent; ``pages`` is where it sees the hub."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": profile["client_id"],
        "response_type": "code",
        "response_mode": "query",
        "redirect_uri": callback(pages),
        "scope": " ".join(_scopes(profile)),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{project.authority(pages)}/{_tenant(profile)}/oauth2/v2.0/authorize?{urlencode(query)}"


def redeem(project: Project, profile: Document, pages: str, code: str, verifier: str) -> dict[str, Any]:
    """Exchange the code: the token answer. :class:`Refused` or :class:`Unreachable`."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback(pages)}
    return _token_call(project, profile, {**form, "code_verifier": verifier})


def refresh(project: Project, profile: Document, refresh_token: str) -> dict[str, Any]:
    """Exchange a refresh token. :class:`Refused` or :class:`Unreachable`."""
    return _token_call(project, profile, {"grant_type": "refresh_token", "refresh_token": refresh_token})


def tokens(project: Project, answer: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    """What an account keeps of a token answer; a refresh token that did not rotate stays."""
    return {
        "access_token": answer["access_token"],
        "refresh_token": answer.get("refresh_token") or (before or {}).get("refresh_token"),
        "expires": project.now() + int(answer.get("expires_in", 3600)),
        "scope": answer.get("scope", ""),
    }


def _token_call(project: Project, profile: Document, form: dict[str, str]) -> dict[str, Any]:
    url = f"{project.api}/{_tenant(profile)}/oauth2/v2.0/token"
    secret = project.vault.open_(profile["client_secret"])
    own = {"client_id": profile["client_id"], "client_secret": secret, "scope": " ".join(_scopes(profile))}
    try:
        response = project.client.post(url, data={**form, **own})
        answer = response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise Unreachable(f"no usable answer from {url}: {type(error).__name__}") from error
    if not isinstance(answer, dict):
        raise Unreachable(f"no usable answer from {url}")
    if response.status_code != 200 or "access_token" not in answer:
        if response.status_code >= 500 or "error" not in answer:
            raise Unreachable(f"{url} answered {response.status_code}")
        description = str(answer.get("error_description", ""))
        raise Refused(response.status_code, str(answer["error"]), description, url, answer)
    return answer


def _scopes(profile: Document) -> list[str]:
    known = connector()
    return list(dict.fromkeys([*(profile["scopes"] or known.default_scopes), *known.base_scopes]))


def _tenant(profile: Document) -> str:
    kind = connector().authentication_of(profile["authentication_config_key"])
    return kind.authority if kind and kind.authority else profile["tenant"]
