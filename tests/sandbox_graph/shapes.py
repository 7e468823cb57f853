"""Holds an answer against Microsoft's types: every property known, every value of its type, null only where allowed."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
from entra_sandbox.graph import schema
from entra_sandbox.graph.resources import RESOURCES
from entra_sandbox.graph.routing import Router

_ROUTER = Router(RESOURCES)
_ISO = re.compile(r"\d{4}-(0[1-9]|1[012])-\d\dT\d\d:\d\d:\d\d(\.\d{1,12})?Z\Z")
_INNER = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\Z")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_TYPES = {"Boolean": bool, "Int32": int, "Int64": int, "Int16": int, "Byte": int, "Double": (int, float)}


def check_answer(method: str, response: httpx.Response) -> None:
    """AssertionError if the answer is none that Microsoft Graph could give."""
    assert response.status_code < 500 or response.status_code == 501, response.text
    assert response.headers["request-id"], "every answer names its request"
    assert response.headers["client-request-id"]
    if response.status_code >= 400:
        check_error(response.json(), response.headers["request-id"])
    elif response.status_code == 204:
        assert not response.content
    elif method in ("GET", "POST", "PATCH") and response.headers["content-type"].startswith("application/json"):
        _check_success(method, response)


def check_error(body: dict[str, Any], request_id: str | None = None) -> None:
    """Graph's error body: learn.microsoft.com/graph/errors"""
    assert set(body) == {"error"}
    error = body["error"]
    assert error["code"]
    assert error["message"]
    inner = error["innerError"]
    assert _INNER.match(inner["date"])
    assert inner["client-request-id"]
    if request_id:
        assert inner["request-id"] == request_id


def check_entity(name: str, value: dict[str, Any], path: str = "") -> None:
    """One object against its type, or the derived type that it names."""
    derived = str(value.get("@odata.type", name)).removeprefix("#microsoft.graph.")
    assert derived in schema.subtypes(name), f"{path}: {derived} is no {name}"
    described = schema.entity(derived)
    for key, item in value.items():
        if "@" in key or key in described.links:
            continue
        assert key in described.properties, f"{path}/{key}: {derived} has no such property"
        _check_value(described.properties[key], item, f"{path}/{key}")


def _check_success(method: str, response: httpx.Response) -> None:
    body = response.json()
    version, _, path = response.request.url.raw_path.decode().split("?")[0].lstrip("/").partition("/")
    path = f"/{path}"
    if path.strip("/").lower() == "$batch":
        for part in body["responses"]:
            assert isinstance(part["status"], int)
            if part["status"] >= 400 and part["status"] != 424:
                check_error(part["body"])
        return
    assert body["@odata.context"].startswith(f"https://{response.request.url.netloc.decode()}/{version}/$metadata#")
    match = _ROUTER.match(method, path)
    if match.property or path.lower().endswith(("password", "key", "membergroups", "memberobjects")):
        return
    name = match.cast or _entity_of(path, match.resource.entity)
    for one in body.get("value", [body]):
        if not path.endswith("$ref"):
            check_entity(name, one, path)


def _entity_of(path: str, default: str) -> str:
    tail = [segment for segment in path.split("/") if segment][-1].lower()
    segments = path.lower()
    if "approleassign" in segments:
        return "appRoleAssignment"
    if tail == "oauth2permissiongrants":
        return "oAuth2PermissionGrant"
    if tail == "methods":
        return "authenticationMethod"
    if tail.endswith("records"):
        return "domainDnsRecord"
    links = {
        "transitivememberof",
        "transitivemembers",
        "members",
        "owners",
        "memberof",
        "registeredowners",
        "registeredusers",
        "manager",
        "getbyids",
        "owneddevices",
        "registereddevices",
        "ownedobjects",
        "directreports",
        "restore",
    }
    related = (
        bool(links & set(segments.split("/"))) or "directoryobjects" in segments or "directory/deleteditems" in segments
    )
    return "directoryObject" if related and "conditionalaccess" not in segments else default


def _check_value(kind: schema.PropertyType, value: Any, path: str) -> None:
    if kind.collection:
        assert isinstance(value, list), f"{path}: a collection"
        for item in value:
            _check_single(kind, item, kind.item_nullable, path)
    else:
        _check_single(kind, value, kind.nullable, path)


def _check_single(kind: schema.PropertyType, value: Any, nullable: bool, path: str) -> None:
    if value is None:
        assert nullable, f"{path}: null"
    elif kind.complex:
        assert isinstance(value, dict), f"{path}: an object"
        check_entity(kind.name, value, path)
    elif (members := schema.enumeration(kind.name)) is not None:
        parts = value.split(",") if members[1] else [value]
        assert all(part in members[0].values() for part in parts), f"{path}: {value} is no member"
    elif kind.name in _TYPES:
        allowed = _TYPES[kind.name]
        assert isinstance(value, allowed), f"{path}: {json.dumps(value)}"
        assert kind.name == "Boolean" or not isinstance(value, bool), path
    else:
        assert isinstance(value, str), f"{path}: {json.dumps(value)}"
        pattern = {"DateTimeOffset": _ISO, "Guid": _GUID}.get(kind.name)
        assert pattern is None or pattern.match(value), f"{path}: {value}"
