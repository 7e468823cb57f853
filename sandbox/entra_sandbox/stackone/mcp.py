"""``POST /mcp``: the actions as tools of the Model Context Protocol (streamable HTTP, answers as plain JSON).

StackOne's Python client ``stackone-ai`` finds its tools here. With ``param-style=flat_prefixed`` each field is named
``<place>_<field>`` (``path_group_id``); otherwise a tool takes objects ``path``, ``query`` and ``body``.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from entra_sandbox.stackone import actions, provider
from entra_sandbox.stackone.api import Answer, ApiError, Call
from entra_sandbox.stackone.connector import connector
from entra_sandbox.stackone.input_schemas import input_schema
from entra_sandbox.stackone.project import Project
from entra_sandbox.stackone.rpc import run_action

__all__ = ["handle"]

_PROTOCOLS = ("2025-11-25", "2025-06-18", "2025-03-26")
_FLAT = re.compile(r"(path|query|body|headers)_(.+)\Z", re.DOTALL)
_PLACES = ("path", "query", "body", "headers")


def handle(project: Project, call: Call) -> Answer:
    """One JSON-RPC message; a notification is answered with 202."""
    message = call.body
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str):
        raise ApiError(400, "the body must be one JSON-RPC 2.0 message")
    if "id" not in message:
        return Answer(None, 202)
    methods = {"initialize": _initialize, "ping": _ping, "tools/list": _list, "tools/call": _call}
    method = methods.get(message["method"])
    parameters = message.get("params") or {}
    if method is None:
        return _error(message, -32601, f"no method {message['method']!r}")
    if not isinstance(parameters, dict):
        return _error(message, -32602, "params must be an object")
    return Answer({"jsonrpc": "2.0", "id": message["id"], "result": method(project, call, parameters)})


def _initialize(_project: Project, _request: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    asked = parameters.get("protocolVersion")
    return {
        "protocolVersion": asked if asked in _PROTOCOLS else _PROTOCOLS[0],
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "stackone", "version": connector().version},
    }


def _ping(_project: Project, _request: Call, _parameters: dict[str, Any]) -> dict[str, Any]:
    return {}


def _list(project: Project, call: Call, _parameters: dict[str, Any]) -> dict[str, Any]:
    profile = None
    if call.headers.get("x-account-id"):
        profile = provider.profile_of(project, provider.account_of(project, call))
    flat = call.query.get("param-style") == "flat_prefixed"
    tools = []
    for action in actions.enabled_actions(profile):
        schema = input_schema(action)
        shown = _flattened(schema) if flat else schema
        tools.append({"name": actions.id_of(action), "description": actions.summary_of(action), "inputSchema": shown})
    return {"tools": tools}


def _call(project: Project, call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    given = parameters.get("arguments") or {}
    body: dict[str, Any] = {"action": parameters.get("name")}
    for name, value in (given if isinstance(given, dict) else {}).items():
        flat = _FLAT.match(name)
        if flat:
            body.setdefault(flat[1], {})[flat[2]] = value
        elif name in _PLACES and isinstance(value, dict):
            body.setdefault(name, {}).update(value)
    try:
        found, failed = run_action(project, replace(call, body=body)), False
    except ApiError as error:
        found, failed = {"statusCode": error.status, "message": error.message}, True
        found |= {"provider_errors": error.provider_errors} if error.provider_errors else {}
    return {"content": [{"type": "text", "text": json.dumps(found)}], "isError": failed}


def _error(message: dict[str, Any], code: int, text: str) -> Answer:
    return Answer({"jsonrpc": "2.0", "id": message["id"], "error": {"code": code, "message": text}})


def _flattened(schema: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for place, inner in schema["properties"].items():
        properties.update({f"{place}_{name}": one for name, one in inner.get("properties", {}).items()})
        required += [f"{place}_{name}" for name in inner.get("required", ())]
    return {**schema, "properties": properties, "required": required}
