"""Entra ID: discovery, tokens, and the pages on which people sign in and consent."""

from __future__ import annotations

from starlette.routing import BaseRoute

from entra_sandbox.entra import authorize, discovery, sign_in, token_endpoint, trust
from entra_sandbox.services import Services

__all__ = ["routes"]


def routes(services: Services) -> list[BaseRoute]:
    """Every route of Entra ID; the first segment of a path is the tenant."""
    return [
        *discovery.routes(services),
        *token_endpoint.routes(services),
        *authorize.routes(services),
        *sign_in.routes(services),
        *trust.routes(services),
    ]
