"""``POST /actions/rpc`` runs one action of the connector; ``POST /unified/proxy`` sends a raw request.

Path parameters are taken by the template's own name (``group-id``), in snake or camel case, or as ``id`` when only
one is missing. The cursor ``next`` is sealed: it names the provider's next page and serves the same action alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, field_validator

from entra_sandbox.facts import Action
from entra_sandbox.stackone import actions, provider
from entra_sandbox.stackone.api import Answer, ApiError, Call, parsed
from entra_sandbox.stackone.connector import connector
from entra_sandbox.stackone.project import Project
from entra_sandbox.vault import SealBroken

__all__ = ["proxy", "run_action"]

_PARAMETER = re.compile(r"\{([^}]+)\}")
_HOP = frozenset({"authorization", "x-account-id", "host", "content-length", "connection", "transfer-encoding"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


class Rpc(BaseModel):
    """The body of ``POST /actions/rpc`` (``ActionsRpcRequestDto``)."""

    model_config = ConfigDict(extra="ignore", strict=True)

    action: str = Field(min_length=1)
    path: dict[str, Any] | None = None
    query: dict[str, Any] | None = None
    headers: dict[str, Any] | None = None
    body: dict[str, Any] | None = None


class Proxy(BaseModel):
    """The body of ``POST /unified/proxy`` (``ProxyRequestBody``)."""

    model_config = ConfigDict(extra="ignore", strict=True)

    method: str = "get"
    path: str | None = None
    url: str | None = None
    headers: dict[str, Any] | None = None
    body: dict[str, Any] | None = None

    @field_validator("method")
    @classmethod
    def _known_method(cls, value: str) -> str:
        if value.lower() not in ("get", "post", "put", "patch", "delete"):
            raise ValueError("must be get, post, put, patch or delete")
        return value.upper()


def run_action(project: Project, call: Call) -> dict[str, Any]:
    """``{data, next}``; :class:`ApiError` with the provider's answer inside when the provider refuses."""
    wanted = parsed(Rpc, call.body)
    action = actions.action_of(wanted.action)
    if action is None:
        raise ApiError(400, f"action: no action {wanted.action!r}")
    account = provider.account_of(project, call)
    profile = provider.profile_of(project, account, call.headers.get("x-connector-profile-id"))
    if action not in actions.enabled_actions(profile):
        raise ApiError(403, f"action: {wanted.action} is not enabled in the connector profile")
    query = {name: value for name, value in (wanted.query or {}).items() if value is not None}
    cursor = query.pop("next", None)
    path = _path(action, wanted.path or {}, project.renamed)
    url = _next_address(project, action, cursor) if cursor else project.api + connector().api_path + path
    params = None if cursor else _params(query)
    body = wanted.body if action.body is not None or wanted.body else None
    response = provider.send(
        project,
        account,
        profile,
        action.method,
        url,
        headers=_headers(wanted.headers, params, url),
        params=params,
        json=body,
    )
    if response.status_code >= 300:
        raise provider.provider_error(response)
    return _answer(project, action, response)


def proxy(project: Project, call: Call) -> Answer:
    """The provider's own answer, status and body as they are."""
    wanted = parsed(Proxy, call.body)
    account = provider.account_of(project, call)
    profile = provider.profile_of(project, account)
    base = project.api + connector().api_path
    url = (wanted.url or base).rstrip("/") + "/" + (wanted.path or "").lstrip("/")
    if not _within(url, project.api):
        raise ApiError(400, "url: not an address of this connector's provider")
    response = provider.send(
        project, account, profile, wanted.method, url, headers=_headers(wanted.headers, None, url), json=wanted.body
    )
    if response.status_code >= 400:
        raise provider.provider_error(response)
    return Answer(_raw(response), response.status_code)


def _raw(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        return response.text


def _answer(project: Project, action: Action, response: httpx.Response) -> dict[str, Any]:
    if not response.content:
        return {"data": {}, "next": None}
    try:
        body = response.json()
    except ValueError:
        raise ApiError(502, "the provider's answer is not JSON") from None
    if not isinstance(body, dict) or not isinstance(body.get("value"), list):
        return {"data": body, "next": None}
    following = body.get("@odata.nextLink")
    cursor = project.seal({"action": actions.id_of(action), "url": following}) if following else None
    return {"data": body["value"], "next": cursor}


def _next_address(project: Project, action: Action, cursor: Any) -> str:
    try:
        kept = project.unseal(cursor) if isinstance(cursor, str) else {}
    except SealBroken:
        kept = {}
    if kept.get("action") != actions.id_of(action) or not _within(str(kept.get("url")), project.api):
        raise ApiError(400, "query.next: not a cursor of this action")
    return str(kept["url"])


def _path(action: Action, given: dict[str, Any], renamed: Mapping[str, str]) -> str:
    names: list[str] = list(action.parameters)
    if renamed.keys() & set(names):  # what the metadata says, and nothing else
        known = {renamed.get(name, name): name for name in names}
        if unknown := sorted(given.keys() - known.keys()):
            raise ApiError(400, f"path.{unknown[0]}: not a parameter of {actions.id_of(action)}")
        given = {known[name]: value for name, value in given.items()}
    values = {_plain(name): value for name, value in given.items()}
    found = {name: values.pop(_plain(name)) for name in names if _plain(name) in values}
    missing = [name for name in names if name not in found]
    if len(missing) == 1 and len(values) == 1:
        found[missing.pop()] = values.popitem()[1]
    if missing:
        raise ApiError(400, f"path.{missing[0].replace('-', '_')}: required by {actions.id_of(action)}")
    return _PARAMETER.sub(lambda match: _segment(match[1], found[match[1]]), action.path)


def _segment(name: str, value: Any) -> str:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if text in ("", ".", ".."):
        raise ApiError(400, f"path.{name.replace('-', '_')}: must be a non-empty string")
    return quote(text, safe="")


def _params(query: dict[str, Any]) -> dict[str, str]:
    aliases = connector().query_aliases
    return {aliases.get(name, name): _text(value) for name, value in query.items()}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(_text(one) for one in value)
    if isinstance(value, dict):
        raise ApiError(400, "query: values must be plain")
    return str(value)


def _headers(given: dict[str, Any] | None, params: dict[str, str] | None, url: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in (given or {}).items():
        text = str(value)
        if not _TOKEN.match(name) or not text.isprintable() or not text.isascii():
            raise ApiError(400, f"headers: {name!r} cannot be sent")
        if name.lower() not in _HOP:
            headers[name.lower()] = text
    asked = {*(params or {}), *(part.split("=")[0].replace("%24", "$") for part in urlsplit(url).query.split("&"))}
    if asked & set(connector().eventual_queries):
        headers.setdefault("consistencylevel", "eventual")  # nextLink does not carry the header either
    return headers


def _within(url: str, base: str) -> bool:
    try:
        parts, allowed = urlsplit(url), urlsplit(base)
        same = (parts.scheme, parts.hostname, parts.port) == (allowed.scheme, allowed.hostname, allowed.port)
    except ValueError:
        return False
    climbing = {".", ".."} & set(parts.path.split("/"))
    return same and not parts.username and not climbing and parts.path.startswith(connector().api_path + "/")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
