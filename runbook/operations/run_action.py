"""Run one action of the catalogue: look at what it is about, plan, send it with one token, read back.

The token is the connector application's own (client credentials), so that exactly its permissions count; or the
administrator's; or StackOne calls the action as the linked account. A read changes nothing and is sent when its answer
is asked for; a write is sent when its plan is applied.
"""

from __future__ import annotations

import functools
import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook import catalog, whole
from runbook.actions import AtGraph, Listing, Reply, Road, ThroughStackOne
from runbook.catalog import Action, PermissionType
from runbook.catalog.request import Request
from runbook.clients import entra
from runbook.clients.calls import FixedToken
from runbook.clients.graph import GraphClient
from runbook.clients.settle import Progress
from runbook.errors import GraphError, RecordError, RunbookError, SecretStoreError
from runbook.frames import table
from runbook.operations.order import GENERATE, Order, new_password, secret_places
from runbook.records import redaction
from runbook.records.shelf import cell
from runbook.secrets import Secret
from runbook.sections.link_account import find_account, not_ours, owner
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, row
from runbook.tenant.credentials import require_current, value
from runbook.tenant.registration import require_application
from runbook.words import Kind

if TYPE_CHECKING:
    import pandas as pd

NAME = "run_action"
_MARGIN = timedelta(minutes=5)
_SOURCE = "Microsoft Graph"


@dataclass(frozen=True)
class Observed:
    """What the action is about, as the administrator's sign-in sees it now; ``missing``: Graph says 404.

    Both are empty where the catalogue has no action that reads it.
    """

    now: Mapping[str, Any] | None = None
    missing: bool = False
    sender: str = ""
    kind: catalog.PermissionType = "application"
    carried: frozenset[str] | None = None
    """Permissions in the token; None where it cannot be seen (StackOne's own)."""


@dataclass
class Answer:
    """What came back, every secret in it masked: rows of a list (at most as many as were asked for), or one row for one
    object; and how one gets what there is more, empty if that is all."""

    frame: pd.DataFrame
    more: str = ""


class RunAction:
    """A section of one action. ``answer`` is there once it was sent."""

    NAME = NAME
    NUMBER = 0
    PORTAL = "Graph Explorer, with somebody's own permissions."

    def __init__(self, order: Order) -> None:
        self.order = order
        self.TITLE = order.action.name
        self.SUMMARY = order.action.summary
        self.answer: Answer | None = None
        self.kept: dict[str, str] = {}
        """Place in the body -> reference of the secret that was made for it."""
        self._sent: dict[str, Any] = {}
        self.sent_by = ""
        """Whose token, in words."""
        self._reply: Reply | None = None
        self._listing: Listing | None = None  # that an earlier sending could not read to its end
        self._access: _Access | None = None

    @property
    def outcome(self) -> str:
        """What came of it, in a few words."""
        if self.answer is None:
            return "nothing was to be sent, it is so already." if not self.reads else "nothing came back."
        if self.order.action.is_list:
            rows = len(self.answer.frame)
            return f"{'the first ' if self.answer.more else ''}{rows} row{'s' * (rows != 1)}."
        return "sent and answered."

    @property
    def reads(self) -> bool:
        """Whether the action changes nothing."""
        return self.order.action.effect == "read"

    def read(self, ctx: Context) -> Observed:
        """The object that a write is about, and what the token may do. Raises :class:`InputError` for a reference
        under which no secret is kept, before anything is sent with it."""
        self._check_references(ctx)
        self.answer, self.kept, self._sent, self._reply = None, {}, {}, None
        with self._sender(ctx) as sender:
            now, missing = self._look(ctx)
            return Observed(now, missing, sender.description, sender.kind, sender.permissions)

    def plan(self, ctx: Context, observed: Observed) -> list[Change]:
        """One line a property that is changed, one line for all else; nothing is pending where it is so already."""
        del ctx
        action, request = self.order.action, self.order.request
        note = self._permission_note(observed)
        what = f"{request.method} {request.path}"
        if self.reads:
            return [Change(what, "", "read", "same", note)]
        if action.effect == "delete":
            if observed.missing:
                return [Change(what, "not there", "not there", "same", note)]
            return [Change(what, _label(observed.now) or "there", "gone", "removed", note)]
        if request.method == "PATCH":
            return self._property_changes(observed, note)
        return [Change(what, "", _in_one_line(request.body), "added" if action.body else "changed", note)]

    def apply(self, ctx: Context, _changes: Sequence[Change]) -> None:
        """Send the write, once. Raises :class:`GraphError` or :class:`StackOneError` when it is refused."""
        body = self.order.body(lambda place, text: self._secret(ctx, place, text))
        with self._sender(ctx) as sender:
            self._reply = sender.road.send(replace(self.order.request, body=body))
        self._sent = next(iter(self._reply.objects), {})
        self.answer = Answer(table([redaction.scrub(self._sent)] if self._sent else []))

    def verify(self, ctx: Context) -> Evidence:
        """Send a read; read back a write."""
        rows = self._read_answer(ctx) if self.reads else self._read_back(ctx)
        what = f"{self.order.request.method} {self.order.request.path}"
        if self._reply is not None:
            rows.insert(0, row(what, self._reply.status, self.sent_by, self._reply.request_id))
        facts: dict[str, Any] = {"slug": self.order.action.slug, "as": self.order.caller, "kept": self.kept}
        if self._sent.get("id"):
            facts["id"] = self._sent["id"]
        if self.reads and self.answer is not None:
            facts["rows"] = len(self.answer.frame)
        return Evidence(True, rows, {NAME: facts})

    def _permission_note(self, observed: Observed) -> str:
        """Which documented permission set the token has for this action, in words."""
        access = self.order.action.access(observed.kind)
        if observed.carried is None:
            return f"by {observed.kind} permission {' + '.join(access.least) or 'none documented'}"
        for names in access.alternatives:
            if set(names) <= observed.carried:
                return f"by {' + '.join(names)}, which the token has"
        needs = " + ".join(access.least)
        return f"needs {needs or 'a permission type that it does not support'}; the token has no documented set for it"

    @contextmanager
    def _sender(self, ctx: Context) -> Iterator[_Sender]:
        if self.order.caller == "application" and (self._access is None or self._access.ending):
            self._access = _fresh_access(ctx)
        with _open_sender(ctx, self.order, self._access) as sender:
            self.sent_by = sender.description
            yield sender

    def _look(self, ctx: Context) -> tuple[Mapping[str, Any] | None, bool]:
        """The object of a change or deletion, read by the administrator; (None, False) where it cannot be known."""
        reader = _reader(self.order.action)
        if self.reads or reader is None or self.order.request.method == "POST":
            return None, False
        hidden = {place.split(".")[1] for place in secret_places(self.order.request.body)}
        properties = [name for name in self.order.request.body or () if "@" not in name and name not in hidden]
        try:
            return ctx.graph.get(self.order.request.path, select=properties), False
        except GraphError as error:
            if error.status == 404:
                return None, True
            if error.status in (400, 403):  # a property that cannot be selected, or one that may not be read
                return None, False
            raise

    def _property_changes(self, observed: Observed, note: str) -> list[Change]:
        changes: list[Change] = []
        for name, wanted in (self.order.request.body or {}).items():
            now = None if observed.now is None else observed.now.get(name)
            kind: Kind = "unknown" if observed.now is None or name not in observed.now else "changed"
            if kind == "changed" and now == wanted:
                kind = "same"
            changes.append(Change(name, _shown(now), _shown(wanted), kind, "" if changes else note))
        return changes

    def _read_answer(self, ctx: Context) -> list[dict[str, str]]:
        with self._sender(ctx) as sender:
            road, most = _Scrubbing(sender.road), self.order.max_rows
            listing, behind = self._listing, self._listing.rows if self._listing else 0
            if listing is None:
                self._reply = road.send(self.order.request)
                if not self.order.action.is_list:
                    self.answer = Answer(table(self._reply.objects))
                    return []
                listing = Listing(self.order.request, self._reply, readers=road.readers, limit=most + 1)
            try:
                listing.read(road, functools.partial(_tell, ctx, self.order, time.monotonic()))
                self._listing = None
            except RunbookError as error:
                # A next link that has ended is refused for good: then the next sending begins anew.
                self._listing = None if isinstance(error, GraphError) and error.status == 400 else error.unfinished
                self.answer = Answer(listing.frame(), " before a page did not come; Send goes on behind them")
                raise
        self.answer = Answer(listing.frame().head(most), "; raise max_rows for more" * (listing.rows > most))
        return self._told(self.answer, behind)

    def _told(self, answer: Answer, behind: int) -> list[dict[str, str]]:
        rows = len(answer.frame)
        said = f"{rows} shown, and there are more" if answer.more else f"{rows}, all of them"
        said += f", the first {behind} from the sending before" if behind else ""
        kept = [row("kept in", _keep(answer.frame, self.order.csv), "file")] if self.order.csv else []
        return [row("rows", said, _SOURCE), *kept]

    def _read_back(self, ctx: Context) -> list[dict[str, str]]:
        rows = [
            row(f"secret of {place}", f"kept as {reference}", "secret store") for place, reference in self.kept.items()
        ]
        if not (path := self._back_path()):
            return rows
        deleted = self.order.action.effect == "delete"

        def seen() -> dict[str, Any] | None:
            found = ctx.graph.find(path)
            return ({"gone": True} if found is None else None) if deleted else found

        found = ctx.until(seen, f"{path} can be read back" if not deleted else f"{path} is gone")
        absent = "not there any more" if self._reply is not None else "not there"  # perhaps it never was
        rows.append(row("read back", absent if deleted else _label(found) or "there", f"GET {path}"))
        return rows

    def _back_path(self) -> str:
        """Where the object of a write can be read, or an empty string."""
        action, request = self.order.action, self.order.request
        if request.method != "POST":
            return request.path if _reader(action) else ""
        identifier = self._sent.get("id")
        known = any(other.path.rpartition("/{")[0] == action.path for other in _readers())
        return f"{request.path}/{identifier}" if identifier and known else ""

    def _check_references(self, ctx: Context) -> None:
        def check(_place: str, text: str) -> str:
            if text != GENERATE and not ctx.store.has(text):
                raise SecretStoreError.named("no_secret_to_send", text=text)
            return text

        self.order.body(check)

    def _secret(self, ctx: Context, place: str, text: str) -> str:
        """The value for one place: from the store, or made and kept there before it is sent."""
        from uuid import uuid4

        if text == GENERATE:
            secret = new_password()
            self.kept[place] = ctx.store.put(f"{ctx.target.tenant_id}/{NAME}/{uuid4()}", secret)
        else:
            secret = ctx.store.get(text)
        redaction.register(secret)
        return secret.reveal()


def _readers() -> Iterator[Action]:
    return (action for action in catalog.actions() if action.method == "GET" and not action.is_list)


def _reader(action: Action) -> Action | None:
    """The action that reads what this one changes or deletes, if there is one."""
    return next((other for other in _readers() if other.path == action.path), None)


def _label(item: Mapping[str, Any] | None) -> str:
    found = item or {}
    return str(found.get("displayName") or found.get("userPrincipalName") or found.get("id") or "")


def _in_one_line(body: Mapping[str, Any] | None) -> str:
    return "; ".join(f"{name}: {_shown(value)}" for name, value in (body or {}).items()) or "done"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class _Sender:
    """The road of one order, in words, and the permissions of its token; None where they cannot be seen."""

    road: Road
    description: str
    kind: PermissionType
    permissions: frozenset[str] | None


@dataclass(frozen=True)
class _Access:
    """A token of the connector application, good until ``expires`` (UTC), and what it carries."""

    token: Secret
    expires: datetime
    permissions: frozenset[str]
    name: str

    @property
    def ending(self) -> bool:
        """Whether a new one is due."""
        return self.expires - datetime.now(UTC) < _MARGIN


def _fresh_access(ctx: Context) -> _Access:
    """A fresh token of the connector application, by client credentials with the secret that is kept here.

    Raises :class:`SignInError`, or :class:`RunbookError` when the application or its secret is not there yet.
    """
    found = require_application(ctx)
    secret = value(ctx, require_current(ctx, found))
    result = entra.application_token(ctx.target, found["appId"], secret, http=ctx.administrator.http)
    return _Access(result.token, result.expires, frozenset(result.roles), str(found["displayName"]))


class _Scrubbing:
    """A road on which every secret in an answer is masked."""

    def __init__(self, road: Road) -> None:
        self._road, self.readers = road, road.readers

    def send(self, request: Request, following: str = "") -> Reply:
        reply = self._road.send(request, following)
        return replace(reply, objects=tuple(redaction.scrub(one) for one in reply.objects))


def _tell(ctx: Context, order: Order, begun: float, rows: int) -> None:
    """How many rows have come, for whoever waits."""
    if ctx.graph.progress is not None:
        ctx.graph.progress(Progress("the rows have come", rows, order.max_rows, time.monotonic() - begun, 0))


def _keep(frame: pd.DataFrame, file: str) -> str:
    """Write all rows as CSV that no spreadsheet takes for formulas; where. Raises :class:`RecordError`."""
    path = Path(file).absolute()
    text = io.StringIO()
    safe = frame.rename(columns=cell).map(lambda one: cell(_plain(one)), na_action="ignore")
    safe.to_csv(text, index=False)
    try:
        whole.write(path, text.getvalue())
    except OSError as error:
        raise RecordError.named("table_not_written", path=path, reason=error.strerror or error) from None
    return str(path)


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


@contextmanager
def _open_sender(ctx: Context, order: Order, of_application: _Access | None) -> Iterator[_Sender]:
    """The sender of an order. ``of_application`` is needed where the connector application sends it.

    Raises :class:`RunbookError` when no account is linked that StackOne could act as.
    """
    if order.caller == "stackone":
        yield _Sender(_through_stackone(ctx), "StackOne, as the linked account", "delegated", None)
    elif of_application is not None:
        with GraphClient(ctx.target, FixedToken(of_application.token), ctx.journal) as client:
            said = f"Microsoft Graph, as {of_application.name}"
            yield _Sender(AtGraph(client), said, "application", of_application.permissions)
    else:
        identity = ctx.administrator.identity()
        kind: PermissionType = "application" if identity.kind == "app" else "delegated"
        description = f"Microsoft Graph, as {identity.name}"
        yield _Sender(AtGraph(ctx.graph), description, kind, frozenset(identity.permissions))


def _through_stackone(ctx: Context) -> Road:
    account = find_account(ctx)
    if account is None or account.get("status") != "active":
        raise RunbookError.named("no_account", owner=owner(ctx))
    if error := not_ours(ctx, account):
        raise error
    return ThroughStackOne(ctx.stackone, str(account["id"]))
