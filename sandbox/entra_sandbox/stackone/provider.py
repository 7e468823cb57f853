"""Requests to Microsoft Graph on behalf of a linked account, with the account's own tokens.

A token near its end is refreshed first; a refresh that Entra ID refuses turns the account to status ``error``
with the reason. Graph's errors come back inside StackOne's (``provider_errors``), and a throttled request is tried
again as docs.stackone.com/guides/rate-limiting has it: five times at most, sixty seconds in all, then 408.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from entra_sandbox.stackone import accounts, oauth, profiles
from entra_sandbox.stackone.api import ApiError, Call
from entra_sandbox.stackone.project import Project
from entra_sandbox.store import Document

__all__ = ["account_of", "profile_of", "provider_error", "send"]

_RETRIES = 5
_LIFETIME = 60.0
_EARLY = 120.0
_PASSED_ON = frozenset({400, 401, 403, 404, 408, 409, 412, 422, 429, 500, 501, 502})
_SHOWN_HEADERS = ("content-type", "date", "request-id", "client-request-id", "retry-after", "www-authenticate")


def account_of(project: Project, call: Call) -> Document:
    """The linked account of ``x-account-id``; 400 if there is none, 412 if it is disabled.

    The published clients send the header inside the body's ``headers`` (npm 4.28, PyPI 2.10); both places count.
    """
    body = call.body if isinstance(call.body, dict) else {}
    inside = body.get("headers") if isinstance(body.get("headers"), dict) else {}
    lowered = {str(name).lower(): value for name, value in (inside or {}).items()}
    id_ = call.headers.get("x-account-id") or lowered.get("x-account-id")
    if not id_:
        raise ApiError(400, "x-account-id: the header is required")
    account = project.store.get(accounts.KIND, str(id_))
    if account is None:
        raise ApiError(400, "account not found")
    if account["status"] == "inactive":
        raise ApiError(412, "the linked account is inactive")
    return account


def profile_of(project: Project, account: Document, override: str | None = None) -> Document:
    """The account's connector profile, or the one of ``x-connector-profile-id``: 400 if of another connector."""
    profile = project.store.get(profiles.KIND, override or account["profile_id"])
    if profile is None or profile["connector_key"] != account["provider"]:
        if override:
            raise ApiError(400, "x-connector-profile-id: no such connector profile for this account")
        raise ApiError(412, "the connector profile of the linked account is gone")
    return profile


def send(
    project: Project,
    account: Document,
    profile: Document,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    params: Mapping[str, str] | None = None,
    json: Any = None,
) -> httpx.Response:
    """The provider's answer, whatever its status; :class:`ApiError` when there is none."""
    ends = time.monotonic() + _LIFETIME
    renewed = renew = False
    tries = 0
    while True:
        token = _access_token(project, account["id"], profile, renew=renew)
        renew = False
        sent = {**headers, "authorization": f"Bearer {token}"}
        try:
            response = project.client.request(method, url, headers=sent, params=params, json=json)
        except httpx.HTTPError as error:
            raise ApiError(502, f"no usable answer from the provider: {type(error).__name__}") from error
        if response.status_code == 401 and not renewed:
            renewed = renew = True  # revoked before its end: a new token, once
            continue
        if response.status_code != 429 or tries == _RETRIES:
            return response
        pause = _pause(response, tries)
        if time.monotonic() + pause >= ends:
            raise ApiError(408, "Request Timed Out", headers={"retry-after": response.headers.get("retry-after", "60")})
        time.sleep(pause)
        tries += 1


def provider_error(response: httpx.Response) -> ApiError:
    """The provider's error inside StackOne's; statuses that StackOne does not document become 502."""
    try:
        raw = response.json()
    except ValueError:
        raw = {"body": response.text[:2000]}
    status = response.status_code if response.status_code in _PASSED_ON else 502
    detail = raw.get("error") if isinstance(raw, dict) else None
    message = detail.get("message") if isinstance(detail, dict) else None
    shown = {name: response.headers[name] for name in _SHOWN_HEADERS if name in response.headers}
    error = {"status": response.status_code, "url": str(response.url), "raw": raw, "headers": shown}
    again = {"retry-after": response.headers.get("retry-after", "60")} if status in (408, 429) else {}
    return ApiError(status, message or response.reason_phrase, provider_errors=[error], headers=again)


def _access_token(project: Project, account_id: str, profile: Document, *, renew: bool) -> str:
    account = project.store.get(accounts.KIND, account_id)
    if account is None:
        raise ApiError(400, "account not found")
    kept = project.unseal(account["tokens"])
    if not renew and kept["expires"] - _EARLY > project.now():
        return str(kept["access_token"])
    with project.alone_with(account_id):
        account = project.store.get(accounts.KIND, account_id) or account
        now_kept = project.unseal(account["tokens"])
        if now_kept["access_token"] != kept["access_token"]:
            return str(now_kept["access_token"])  # another call has refreshed it meanwhile
        return _refreshed(project, account_id, profile, now_kept)


def _refreshed(project: Project, account_id: str, profile: Document, kept: dict[str, Any]) -> str:
    if not kept["refresh_token"]:
        _set_status(project, account_id, "error", "no_refresh_token", "The scopes did not include offline_access.")
        raise ApiError(401, "the access token has expired and there is no refresh token")
    try:
        answer = oauth.refresh(project, profile, kept["refresh_token"])
    except oauth.Unreachable as error:
        raise ApiError(502, str(error)) from error
    except oauth.Refused as refused:
        _set_status(project, account_id, "error", refused.error, refused.description)
        detail = {"status": refused.status, "url": refused.url, "raw": refused.raw, "headers": {}}
        message = "the access token of the linked account could not be refreshed"
        raise ApiError(401, message, provider_errors=[detail]) from None
    found = oauth.tokens(project, answer, kept)
    project.store.update(accounts.KIND, account_id, {"tokens": project.seal(found)})
    _set_status(project, account_id, "active")
    return str(found["access_token"])


def _set_status(project: Project, account_id: str, status: str, code: str = "", description: str = "") -> None:
    now = project.timestamp()
    reasons = [{"code": code, "description": description, "timestamp": now}] if code else []
    with project.store.transaction():
        account = project.store.get(accounts.KIND, account_id)
        if account and (account["status"] != status or reasons):
            change = {"status": status, "status_reasons": reasons, "updated_at": now}
            project.store.update(accounts.KIND, account_id, change)


def _pause(response: httpx.Response, tries: int) -> float:
    after = response.headers.get("retry-after", "")
    return float(after) if after.isdigit() else float(min(2**tries, 8))
