"""Who sends an action: the connector application, the administrator, or StackOne as the linked account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runbook.actions import AtGraph, Road, ThroughStackOne
from runbook.catalog import PermissionType
from runbook.clients import entra
from runbook.clients.auth import FixedToken
from runbook.clients.graph import GraphClient
from runbook.errors import RunbookError
from runbook.operations.order import Order
from runbook.secrets import Secret
from runbook.sections.link_account import find_account
from runbook.tenant.base import Context
from runbook.tenant.credentials import require_current, value
from runbook.tenant.registration import require_application

_MARGIN = timedelta(minutes=5)


@dataclass(frozen=True)
class Sender:
    """The road of one order, in words, and the permissions of its token; None where they cannot be seen."""

    road: Road
    description: str
    kind: PermissionType
    permissions: frozenset[str] | None


@dataclass(frozen=True)
class Access:
    """A token of the connector application, good until ``expires`` (UTC), and what it carries."""

    token: Secret
    expires: datetime
    permissions: frozenset[str]
    name: str

    @property
    def ending(self) -> bool:
        """Whether a new one is due."""
        return self.expires - datetime.now(UTC) < _MARGIN


def access(ctx: Context) -> Access:
    """A fresh token of the connector application, by client credentials with the secret that is kept here.

    Raises :class:`SignInError`, or :class:`RunbookError` when the application or its secret is not there yet.
    """
    found = require_application(ctx)
    secret = value(ctx, require_current(ctx, found))
    result = entra.application_token(ctx.target, found["appId"], secret, journal=ctx.journal)
    return Access(result.token, result.expires, frozenset(result.roles), str(found["displayName"]))


@contextmanager
def open_sender(ctx: Context, order: Order, of_application: Access | None) -> Iterator[Sender]:
    """The sender of an order. ``of_application`` is needed where the connector application sends it.

    Raises :class:`RunbookError` when no account is linked that StackOne could act as.
    """
    if order.caller == "stackone":
        yield Sender(_through_stackone(ctx), "StackOne, as the linked account", "delegated", None)
    elif of_application is not None:
        with GraphClient(ctx.target, FixedToken(of_application.token), ctx.journal) as client:
            description = f"Microsoft Graph, as {of_application.name}"
            yield Sender(AtGraph(client), description, "application", of_application.permissions)
    else:
        identity = ctx.administrator.identity()
        kind: PermissionType = "application" if identity.kind == "app" else "delegated"
        description = f"Microsoft Graph, as {identity.name}"
        yield Sender(AtGraph(ctx.graph), description, kind, frozenset(identity.permissions))


def _through_stackone(ctx: Context) -> Road:
    account = find_account(ctx)
    if account is None or account.get("status") != "active":
        raise RunbookError(
            f"No account of {ctx.params.account_owner_id!r} is linked and active at StackOne.",
            meaning="StackOne runs actions as a linked account; section 7 links it.",
            next_step="run section 7 (link account) first.",
        )
    return ThroughStackOne(ctx.stackone, str(account["id"]))
