"""StackOne as its public documents have it: the API, the dashboard pages, the hub and the OAuth callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.routing import Route

from entra_sandbox.services import Services
from entra_sandbox.stackone import accounts, actions, connect_sessions, dashboard, hub, mcp, profiles, rpc, search
from entra_sandbox.stackone.api import Threads, endpoint
from entra_sandbox.stackone.connector import connector
from entra_sandbox.stackone.pages import page
from entra_sandbox.stackone.project import Project, api_key, dashboard_entry, dashboard_user, seed

__all__ = ["API", "api_key", "dashboard_entry", "dashboard_user", "routes", "seed"]

API: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "/connector_profiles", profiles.list_connector_profiles),
    ("GET", "/auth_configs", profiles.list_auth_configs),
    ("POST", "/connect_sessions", connect_sessions.create),
    ("POST", "/connect_sessions/authenticate", connect_sessions.authenticate),
    ("GET", "/accounts", accounts.list_accounts),
    ("GET", "/accounts/{id}", accounts.get_account),
    ("PATCH", "/accounts/{id}", accounts.update_account),
    ("DELETE", "/accounts/{id}", accounts.delete_account),
    ("GET", "/accounts/{id}/meta", accounts.get_account_meta),
    ("GET", "/actions", actions.list_actions),
    ("POST", "/actions/rpc", rpc.run_action),
    ("POST", "/actions/search", search.search_actions),
    ("POST", "/unified/proxy", rpc.proxy),
    ("POST", "/mcp", mcp.handle),
    ("GET", "/connectors/meta", actions.list_connectors_meta),
    ("GET", "/connectors/meta/{provider}", actions.get_connector_meta),
)
"""The calls of the API: method, path, handler. ``docs/sandbox/stackone.md`` says where each comes from."""

_PAGES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "/hub/{token}", hub.show),
    ("POST", "/hub/{token}/connect", hub.connect),
    ("GET", "/hub/{token}/result", hub.result),
    ("GET", "/dashboard", dashboard.home),
    ("GET", "/connector-profiles", dashboard.home),  # where app.stackone.com has them
    ("GET", "/dashboard/sign-in", dashboard.sign_in_form),
    ("POST", "/dashboard/sign-in", dashboard.sign_in),
    ("POST", "/dashboard/sign-out", dashboard.sign_out),
    ("GET", "/dashboard/accounts", dashboard.list_accounts),
    ("GET", "/dashboard/connector-profiles", dashboard.list_profiles),
    ("GET", "/dashboard/connector-profiles/new", dashboard.new_profile),
    ("POST", "/dashboard/connector-profiles/new", dashboard.save_new_profile),
    ("GET", "/dashboard/connector-profiles/{id}", dashboard.edit_profile),
    ("POST", "/dashboard/connector-profiles/{id}", dashboard.save_profile),
    ("POST", "/dashboard/connector-profiles/{id}/delete", dashboard.remove_profile),
)


def routes(services: Services) -> list[Route]:
    """All routes of StackOne; seeds the project if it is not there."""
    seed(services.store, services.vault)
    project, threads = Project(services), Threads()
    pages = (*_PAGES, ("GET", connector().callback_path, hub.callback))
    return [
        *(Route(path, endpoint(project, threads, handler), methods=[method]) for method, path, handler in API),
        *(Route(path, page(project, threads, handler), methods=[method]) for method, path, handler in pages),
    ]
