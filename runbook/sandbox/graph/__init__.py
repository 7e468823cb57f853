"""Microsoft Graph v1.0 on loopback: one module per resource in ``resources``, the shared behaviour beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from runbook.sandbox.settings import Services

__all__ = ["routes"]


def routes(services: Services) -> list[BaseRoute]:
    """Everything under ``/v1.0`` (and a refusal under ``/beta``); illnesses come from ``services.extras["faults"]``."""
    from runbook.sandbox.entra import tokens
    from runbook.sandbox.graph.app import Settings, TokenRefused, create_app

    def verify(bearer: str) -> Mapping[str, Any]:
        try:
            return tokens.verify(services.store, bearer)
        except tokens.InvalidToken as error:
            raise TokenRefused(str(error)) from None

    app = create_app(services.store, Settings(verify), lambda: services.extras.get("faults"))
    paths = (f"/{version}{rest}" for version in ("v1.0", "V1.0", "beta") for rest in ("", "/{path:path}"))
    return [Route(path, app) for path in paths]
