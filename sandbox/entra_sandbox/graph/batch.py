"""``$batch``: up to 20 requests in one, with ``dependsOn`` (learn.microsoft.com/graph/json-batching)."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from entra_sandbox.graph import errors
from entra_sandbox.graph.call import Answer, RequestInfo

MOST = 20
_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})

Part = dict[str, Any]


def is_batch(request: RequestInfo) -> bool:
    """Whether the request is a batch."""
    return request.path.strip("/").lower() == "$batch"


async def answer(request: RequestInfo, perform: Callable[[RequestInfo], Awaitable[Answer]]) -> Answer:
    """Perform the parts in an order that keeps ``dependsOn``; :class:`GraphFault` 400 for an ill-formed batch."""
    if request.method != "POST":
        raise errors.method_not_allowed()
    parts = _parts(request.body)
    done: dict[str, Part] = {}
    for part in _ordered(parts):
        if any(done[name]["status"] >= 400 for name in _depends(part)):
            done[part["id"].lower()] = _failed_dependency(part)
            continue
        made = await perform(_request(request, part))
        done[part["id"].lower()] = _response(part, made)
    return Answer(200, {"responses": [done[part["id"].lower()] for part in parts]})


def _parts(body: bytes) -> list[Part]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise errors.bad_json() from None
    parts = payload.get("requests") if isinstance(payload, dict) else None
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise errors.bad_gateway_request("Invalid batch payload format.")
    if len(parts) > MOST:
        raise errors.bad_gateway_request(f"Number of batch request steps exceeds the maximum value of {MOST}.")
    seen: set[str] = set()
    for part in parts:
        _check(part)
        if part["id"].lower() in seen:
            raise errors.bad_gateway_request(f"Request Id '{part['id']}' is duplicated.")
        seen.add(part["id"].lower())
    for part in parts:
        if unknown := [name for name in _depends(part) if name not in seen]:
            raise errors.bad_gateway_request(f"Request '{part['id']}' depends on an unknown request '{unknown[0]}'.")
    return parts


def _check(part: Part) -> None:
    name, method, url = part.get("id"), part.get("method"), part.get("url")
    if not isinstance(name, str) or not name:
        raise errors.bad_gateway_request("Every request of a batch needs an 'id'.")
    if not isinstance(method, str) or method.upper() not in _METHODS:
        raise errors.bad_gateway_request(f"Invalid method of request '{name}'.")
    if not isinstance(url, str) or not url or "$batch" in url.lower():
        raise errors.bad_gateway_request(f"Invalid url of request '{name}'.")
    headers, depends = part.get("headers") or {}, part.get("dependsOn") or []
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise errors.bad_gateway_request(f"Invalid headers of request '{name}'.")
    if not isinstance(depends, list) or not all(isinstance(one, str) for one in depends):
        raise errors.bad_gateway_request(f"Invalid dependsOn of request '{name}'.")
    if part.get("body") is not None and not any(key.lower() == "content-type" for key in headers):
        raise errors.bad_gateway_request(
            "Write requests (excluding DELETE) must contain the Content-Type header declaration."
        )


def _ordered(parts: list[Part]) -> list[Part]:
    ordered: list[Part] = []
    placed: set[str] = set()
    pending = list(parts)
    while pending:
        ready = [part for part in pending if placed.issuperset(_depends(part))]
        if not ready:
            raise errors.bad_gateway_request("The requests of the batch depend on each other in a circle.")
        for part in ready:
            ordered.append(part)
            placed.add(part["id"].lower())
        pending = [part for part in pending if part["id"].lower() not in placed]
    return ordered


def _depends(part: Part) -> list[str]:
    return [name.lower() for name in part.get("dependsOn") or []]


def _request(outer: RequestInfo, part: Part) -> RequestInfo:
    split = urlsplit(part["url"] if part["url"].startswith("/") else "/" + part["url"])
    own: Mapping[str, str] = {key.lower(): value for key, value in (part.get("headers") or {}).items()}
    headers = {"authorization": outer.headers.get("authorization", ""), **own}
    body = part.get("body")
    data = b"" if body is None else json.dumps(body).encode()
    changes: Part = {"method": part["method"].upper(), "path": split.path, "query": split.query}
    return replace(outer, **changes, headers=headers, body=data, part=True)


def _response(part: Part, made: Answer) -> Part:
    response: Part = {"id": part["id"], "status": made.status, "headers": dict(made.headers)}
    if isinstance(made.body, bytes):
        response["body"] = base64.b64encode(made.body).decode() if b"\x00" in made.body else made.body.decode()
    elif made.body is not None:
        response["headers"].setdefault("Content-Type", "application/json")
        response["body"] = made.body
    return response


def _failed_dependency(part: Part) -> Part:
    error = {"code": "FailedDependency", "message": "The request failed because a request that it depends on failed."}
    return {"id": part["id"], "status": 424, "headers": {"Content-Type": "application/json"}, "body": {"error": error}}
