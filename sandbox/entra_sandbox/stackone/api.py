"""How the StackOne API answers: HTTP Basic, request ids, the rate limit, and the shape of its errors.

Sources: docs.stackone.com (authentication, rate limiting, error codes) and the models of the npm client
``@stackone/stackone-client-ts`` 4.28.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from entra_sandbox.stackone.project import REQUESTS_A_MINUTE, Project

__all__ = ["Answer", "ApiError", "Call", "Threads", "endpoint", "number", "parsed"]

Model = TypeVar("Model", bound=BaseModel)
Result = TypeVar("Result")


class ApiError(Exception):
    """An answer that is an error: ``{statusCode, message, timestamp, path, provider_errors?}``.

    ``provider_errors`` holds what the provider said: ``[{status, url, raw, headers}]``.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        provider_errors: list[dict[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.provider_errors = provider_errors
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Call:
    """One authenticated request to the API."""

    path: Mapping[str, str]
    query: QueryParams
    headers: Headers
    body: Any

    def values(self, name: str) -> list[str]:
        """A filter that may be repeated, hold commas, or be written as ``name[]``."""
        found = [*self.query.getlist(name), *self.query.getlist(f"{name}[]")]
        return [part.strip() for text in found for part in text.split(",") if part.strip()]


@dataclass(frozen=True)
class Answer:
    """A successful answer; plain values stand for 200."""

    body: Any
    status: int = 200


class Threads:
    """The threads of this service alone.

    Its handlers wait for answers of the same process, so they must not hold threads that those answers need.
    """

    def __init__(self, count: int = 48) -> None:
        self._count = count
        self._limiter: CapacityLimiter | None = None

    async def run(self, function: Callable[..., Result], *args: Any) -> Result:
        """Run a blocking function without blocking the event loop."""
        if self._limiter is None:
            self._limiter = CapacityLimiter(self._count)
        return await to_thread.run_sync(function, *args, limiter=self._limiter)


def endpoint(
    project: Project, threads: Threads, handler: Callable[[Project, Call], Any]
) -> Callable[[Request], Awaitable[Response]]:
    """A Starlette endpoint for a handler ``(project, call) -> Answer | value``."""

    async def answer(request: Request) -> Response:
        request_id = str(uuid.uuid4())
        raw = await request.body()
        try:
            found = await threads.run(_handle, project, handler, request, raw)
        except ApiError as error:
            return error_response(project, error, request.url.path, request_id)
        headers = {"x-request-id": request_id}
        if found.body is None:
            return Response(status_code=found.status, headers=headers)
        return JSONResponse(found.body, found.status, headers)

    return answer


def error_response(project: Project, error: ApiError, path: str, request_id: str) -> JSONResponse:
    """The error as StackOne writes it."""
    body: dict[str, Any] = {
        "statusCode": error.status,
        "message": error.message,
        "timestamp": project.timestamp(),
        "path": path,
    }
    if error.provider_errors is not None:
        body["provider_errors"] = error.provider_errors
    return JSONResponse(body, error.status, {"x-request-id": request_id, **error.headers})


def parsed(model: type[Model], body: Any) -> Model:
    """The body as ``model``; 400 that names every mistake otherwise."""
    if not isinstance(body, dict):
        raise ApiError(400, "the body must be a JSON object")
    try:
        return model.model_validate(body)
    except ValidationError as error:
        mistakes = (f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors())
        raise ApiError(400, "; ".join(mistakes)) from None


def number(call: Call, name: str, default: int, most: int = 1000) -> int:
    """A positive whole number of the query; 400 if it is something else."""
    text = call.query.get(name)
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= most:
        raise ApiError(400, f"{name} must be a number between 1 and {most}")
    return int(text)


def _handle(project: Project, handler: Callable[[Project, Call], Any], request: Request, raw: bytes) -> Answer:
    _authenticate(project, request.headers)
    call = Call(request.path_params, request.query_params, request.headers, _json(raw))
    found = handler(project, call)
    return found if isinstance(found, Answer) else Answer(found)


def _authenticate(project: Project, headers: Headers) -> None:
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    try:
        user, _, _ = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        user = ""
    if scheme.lower() != "basic" or not project.is_key(user):
        raise ApiError(401, "Unauthorized", headers={"www-authenticate": 'Basic realm="StackOne"'})
    allowed = project.store.setting("stackone.rate_limit", REQUESTS_A_MINUTE)
    seconds = project.requests.wait(int(allowed))
    if seconds is not None:
        raise ApiError(429, "Too Many Requests", headers={"retry-after": str(seconds)})


def _json(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        value = json.loads(raw, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate can be neither kept nor answered
    except (ValueError, RecursionError):
        raise ApiError(400, "the body is not valid JSON") from None
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
