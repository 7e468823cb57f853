"""Microsoft Graph v1.0 on loopback: one module per resource in ``resources``, the shared behaviour beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from entra_sandbox.services import Services

__all__ = ["routes"]

_VERSIONS = frozenset({"v1.0", "beta"})


class _Versions(BaseRoute):
    """Everything below a version, whatever characters the rest of the address holds, in any casing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        first = scope["path"].lower().removeprefix("/").split("/")[0] if scope["type"] == "http" else ""
        return (Match.FULL if first in _VERSIONS else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: Any) -> NoReturn:
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def routes(services: Services) -> list[BaseRoute]:
    """Everything under ``/v1.0`` and ``/beta``; illnesses come from ``services.extras["faults"]``."""
    from entra_sandbox.entra import tokens
    from entra_sandbox.graph.app import Settings, TokenRefused, create_app

    def verify(bearer: str) -> Mapping[str, Any]:
        try:
            return tokens.verify(services.store, bearer)
        except tokens.InvalidToken as error:
            raise TokenRefused(str(error)) from None

    app = create_app(services.store, Settings(verify), lambda: services.extras.get("faults"))
    services.extras["missing"] = app.graph.missing
    return [_Versions(app)]
