"""Who sends an action: the connector application, the administrator, or StackOne as the linked account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from runbook.actions import Result
from runbook.clients.auth import FixedToken
from runbook.clients.graph import GraphClient
from runbook.errors import RunbookError

if TYPE_CHECKING:
    from runbook.catalog import PermissionType
    from runbook.clients.auth import TokenSource
    from runbook.clients.calls import CallLog
    from runbook.operations.order import Order
    from runbook.secrets import Secret
    from runbook.tenant.base import Context

JSON = dict[str, Any]
_MARGIN = timedelta(minutes=5)


class Sender(Protocol):
    """Sends the action of one order. ``calls`` are what was journaled about each call that was made."""

    description: str
    kind: PermissionType
    permissions: frozenset[str] | None

    @property
    def calls(self) -> list[dict[str, Any]]: ...

    def items(self) -> Iterator[JSON]:
        """Send a read: its objects, a list's pages fetched as they are reached."""

    def send(self, body: JSON | None) -> JSON:
        """Send a write: the object that came back, empty if none did."""


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
    from runbook.clients import entra
    from runbook.tenant.credentials import require_current, value
    from runbook.tenant.registration import require_application

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
        yield _stackone(ctx, order)
        return
    log = _Noting(ctx.journal)
    tokens: TokenSource = ctx.administrator
    kind: PermissionType = "application"
    if of_application is not None:
        tokens, name, permissions = FixedToken(of_application.token), of_application.name, of_application.permissions
    else:
        identity = ctx.administrator.identity()
        name, permissions = identity.name, frozenset(identity.permissions)
        kind = "application" if identity.kind == "app" else "delegated"
    with GraphClient(ctx.target, tokens, log) as client:
        yield _Direct(order, client, log, kind, permissions, f"Microsoft Graph, as {name}")


class _Direct:
    """At Graph itself."""

    def __init__(
        self,
        order: Order,
        client: GraphClient,
        log: _Noting,
        kind: PermissionType,
        permissions: frozenset[str],
        description: str,
    ) -> None:
        self._order, self._client, self._log = order, client, log
        self.kind: PermissionType = kind
        self.permissions: frozenset[str] | None = permissions
        self.description = description

    @property
    def calls(self) -> list[dict[str, Any]]:
        return self._log.calls

    def items(self) -> Iterator[JSON]:
        request = self._order.request
        if not request.action.is_list:
            yield from Result(request, self._client.get(request.path, request.query), self._client).items()
            return
        page = self._client.page(request.path, request.query)
        first = {"value": page.items, "@odata.nextLink": page.next_link}
        yield from Result(request, first, self._client).items()

    def send(self, body: JSON | None) -> JSON:
        request = self._order.request
        if request.method == "POST":
            return self._client.post(request.path, body) or {}
        if request.method == "PATCH":
            return self._client.patch(request.path, body or {}) or {}
        self._client.delete(request.path, missing_ok=False)
        return {}


class _ThroughStackOne:
    """StackOne's documented action call (docs.stackone.com, POST /actions/rpc)."""

    description = "StackOne, as the linked account"
    kind: PermissionType = "delegated"

    def __init__(self, ctx: Context, order: Order, account_id: str) -> None:
        self._ctx, self._order, self._account = ctx, order, account_id
        self.permissions: frozenset[str] | None = None
        self.calls: list[dict[str, Any]] = []

    def items(self) -> Iterator[JSON]:
        cursor: Any = None
        while True:
            answer = self._call(None, cursor)
            data = answer.get("data")
            yield from data if isinstance(data, list) else [data] if data else []
            cursor = answer.get("next")
            if not cursor:
                return

    def send(self, body: JSON | None) -> JSON:
        data = self._call(body).get("data")
        return data if isinstance(data, dict) else {}

    def _call(self, body: JSON | None, cursor: Any = None) -> JSON:
        order = self._order
        query = {**order.request.query, **({"next": cursor} if cursor else {})}
        answer = self._ctx.stackone.call_action(
            order.action.stackone_id,
            self._account,
            path=dict(order.request.path_values) or None,
            query=query or None,
            body=body,
            effect="read" if order.action.effect == "read" else "write",
        )
        self.calls.append({"status": 200, "request_id": ""})
        return answer


def _stackone(ctx: Context, order: Order) -> _ThroughStackOne:
    from runbook.sections.link_account import find_account

    account = find_account(ctx)
    if account is None or account.get("status") != "active":
        raise RunbookError(
            f"No account of {ctx.params.account_owner_id!r} is linked and active at StackOne.",
            meaning="StackOne runs actions as a linked account; section 7 links it.",
            next_step="run section 7 (link account) first.",
        )
    return _ThroughStackOne(ctx, order, str(account["id"]))


class _Noting:
    """Passes calls on to the journal and keeps what it says of each (status and request id)."""

    def __init__(self, log: CallLog) -> None:
        self._log = log
        self.calls: list[dict[str, Any]] = []

    def intent(self, **call: Any) -> object:
        return self._log.intent(**call)

    def outcome(self, ticket: Any, **call: Any) -> object:
        self._note(call)
        return self._log.outcome(ticket, **call)

    def settled(self, ticket: Any, *, applied: bool, created: bool = False) -> object:
        return self._log.settled(ticket, applied=applied, created=created)

    def call(self, **call: Any) -> object:
        self._note(call)
        return self._log.call(**call)

    def _note(self, call: Mapping[str, Any]) -> None:
        self.calls.append({name: call.get(name) for name in ("method", "path", "status", "request_id")})
