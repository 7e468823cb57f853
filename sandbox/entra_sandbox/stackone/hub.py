"""The hub: the page behind an auth link, where a person connects an account, and the OAuth callback.

``GET /hub/{token}`` shows what will be connected, ``POST /hub/{token}/connect`` sends the browser to Entra ID,
``GET /connect/oauth2/microsoftentraid/callback`` redeems the code and ``GET /hub/{token}/result`` says how it went.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

from entra_sandbox.stackone import accounts, connect_sessions, oauth, profiles
from entra_sandbox.stackone.connector import connector
from entra_sandbox.stackone.pages import Cookie, Page, Visit, go, message
from entra_sandbox.stackone.project import Project
from entra_sandbox.store import Document

__all__ = ["callback", "connect", "result", "show"]

_COOKIE = "stackone_link"
_ATTEMPT_SECONDS = 15 * 60
_EXPIRED = "This link is no longer valid. Ask whoever sent it to you for a new one."


def show(project: Project, visit: Visit) -> Page:
    """What will be connected for whom, with the Connect button; 410 once the link has expired."""
    session = _session(project, visit)
    if session is None:
        return message("This link has expired", _EXPIRED, 410)
    provider = session["provider"] or connector().key
    if profiles.for_linking(project, provider, session["profile_id"]) is None:
        return message("Nothing to connect", "No connector profile is enabled for this connector.", 409)
    edited = accounts.existing(project, session, provider)
    values = {"session": session, "token": visit.path["token"], "account": edited}
    return Page("hub.html.j2", values)


def connect(project: Project, visit: Visit) -> Page:
    """Begin an attempt: state and PKCE verifier are kept, a cookie ties them to this browser."""
    session = _session(project, visit)
    if session is None:
        return message("This link has expired", _EXPIRED, 410)
    provider = session["provider"] or connector().key
    profile = profiles.for_linking(project, provider, session["profile_id"])
    if profile is None:
        return message("Nothing to connect", "No connector profile is enabled for this connector.", 409)
    state, browser, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32), oauth.new_verifier()
    now = project.timestamp()
    project.store.put(
        connect_sessions.ATTEMPT,
        {
            "id": secrets.token_hex(12),
            "session_id": session["id"],
            "profile_id": profile["id"],
            "created_at": now,
            "updated_at": now,
            "status": "pending",
            "account_secure_id": None,
            "oauth_error_code": None,
            "oauth_error_description": None,
            "state_hash": _hash(state),
            "browser_hash": _hash(browser),
            "verifier": project.vault.seal(verifier),
            "until": project.now() + _ATTEMPT_SECONDS,
        },
    )
    address = oauth.authorize_address(project, profile, session["pages"], state, verifier)
    return go(address, Cookie(_COOKIE, browser, path="/connect", seconds=_ATTEMPT_SECONDS))


def callback(project: Project, visit: Visit) -> Page:
    """Entra ID sends the browser back here, with a code or an error. The answer is the result page."""
    if "admin_consent" in visit.query and not visit.query.get("code"):
        return _consented(visit)
    attempt = project.store.first(connect_sessions.ATTEMPT, state_hash=_hash(visit.query.get("state", "")))
    session = project.store.get(connect_sessions.KIND, attempt["session_id"]) if attempt else None
    if attempt is None or session is None or not _claim(project, attempt, visit):
        return message(
            "This sign-in cannot be finished here",
            "It was not started in this browser, took too long, or was finished before. Open your link again.",
        )
    error = visit.query.get("error")
    if error:
        _failed(project, attempt, error, visit.query.get("error_description", ""))
    elif not visit.query.get("code"):
        _failed(project, attempt, "invalid_response", "The answer held neither a code nor an error.")
    else:
        _redeem(project, attempt, session, visit.query["code"])
    token = project.vault.open_(session["token"])
    return go(f"/hub/{token}/result", Cookie(_COOKIE, "", path="/connect"))


def result(project: Project, visit: Visit) -> Page:
    """How the last attempt of this session ended."""
    session = connect_sessions.by_token(project, visit.path["token"])
    attempt = connect_sessions.latest_attempt(project, session) if session else None
    if session is None or attempt is None or session["link_expires"] <= project.now():
        return message("This link has expired", _EXPIRED, 410)
    account = project.store.get(accounts.KIND, attempt["account_secure_id"] or "")
    values = {"session": session, "token": visit.path["token"], "attempt": attempt, "account": account}
    return Page("result.html.j2", values, 200 if attempt["status"] == "authenticated" else 400)


def _consented(visit: Visit) -> Page:
    # An admin-consent link of the same application ends at its redirect URI too, with nothing to redeem.
    error = visit.query.get("error")
    if error:
        return message("Consent was not given", visit.query.get("error_description", "")[:4000], code=error[:200])
    return Page("consented.html.j2")


def _session(project: Project, visit: Visit) -> Document | None:
    session = connect_sessions.by_token(project, visit.path["token"])
    return session if session and session["link_expires"] > project.now() else None


def _claim(project: Project, attempt: Document, visit: Visit) -> bool:
    # A state is good once, for a while, and in the browser that began with it (RFC 6749, section 10.12).
    same_browser = hmac.compare_digest(_hash(visit.cookies.get(_COOKIE, "")), attempt["browser_hash"])
    with project.store.transaction():
        now = project.store.get(connect_sessions.ATTEMPT, attempt["id"])
        if not same_browser or now is None or not now["state_hash"] or now["until"] <= project.now():
            return False
        project.store.update(connect_sessions.ATTEMPT, attempt["id"], {"state_hash": ""})
    return True


def _redeem(project: Project, attempt: Document, session: Document, code: str) -> None:
    profile = project.store.get(profiles.KIND, attempt["profile_id"])
    if profile is None:
        _failed(project, attempt, "invalid_request", "The connector profile is gone.")
        return
    try:
        verifier = project.vault.open_(attempt["verifier"])
        answer = oauth.redeem(project, profile, session["pages"], code, verifier)
    except oauth.Refused as refused:
        _failed(project, attempt, refused.error, refused.description)
        return
    except oauth.Unreachable as error:
        _failed(project, attempt, "temporarily_unavailable", str(error))
        return
    account = _keep(project, session, profile, answer)
    _update(project, attempt, {"status": "authenticated", "account_secure_id": account["id"]})


def _keep(project: Project, session: Document, profile: Document, answer: dict[str, Any]) -> Document:
    with project.store.transaction():
        found = accounts.existing(project, session, profile["connector_key"])
        account = {
            **(found or accounts.create(project, session, profile)),
            "profile_id": profile["id"],
            "status": "active",
            "status_reasons": [],
            "tokens": project.seal(oauth.tokens(project, answer)),
            "updated_at": project.timestamp(),
        }
        project.store.put(accounts.KIND, account)
        project.store.update(connect_sessions.KIND, session["id"], {"account_id": account["id"]})
    return account


def _failed(project: Project, attempt: Document, code: str, description: str) -> None:
    failure = {"status": "error", "oauth_error_code": code[:200], "oauth_error_description": description[:4000]}
    _update(project, attempt, failure)


def _update(project: Project, attempt: Document, changes: dict[str, Any]) -> None:
    ended = {"updated_at": project.timestamp(), "verifier": ""}
    project.store.update(connect_sessions.ATTEMPT, attempt["id"], {**changes, **ended})


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
