"""Proving one action on one road: with a fresh token directly at Graph, or through StackOne's own action call."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from runbook import catalog
from runbook.actions import AtGraph, Reply, ThroughStackOne
from runbook.catalog import Action
from runbook.catalog.request import Request, filled
from runbook.clients import retry
from runbook.clients.answers import explain, table
from runbook.clients.graph import BatchRequest, GraphClient
from runbook.clients.http import with_query
from runbook.errors import GraphError, NotSettled, RunbookError, ServiceError, StackOneError, TransportError
from runbook.proof.recipes import Probe, fill, need, recipes
from runbook.proof.workshop import NothingFound, Thing, Values, Workshop, patiently
from runbook.tenant.base import Context
from runbook.tenant.credentials import TOKEN_LIFE, when

RoadName = Literal["delegated", "application", "stackone"]
_OWN_ONLY = "Application.ReadWrite.OwnedBy"
_ATTEMPTS = 3
_UNWELL_PATIENCE = 30.0
_NO_SIGN_IN = frozenset({"code_pending", "code_ended", "grant_used"})
"""Rows of the table of answers: nobody entered the code in time, or the answer with the token was lost on its way."""


@dataclass(frozen=True)
class Outcome:
    """What became of one probe.

    ``used`` is None when it was not tried, which is neither a pass nor a failure, and when what came back (``error``)
    says nothing about a permission: the service was unwell.

    ``because``: what keeps it from being tried, the ``parameters`` or a missing ``person``; empty for anything else.
    """

    road: RoadName
    used: bool | None
    method: str = ""
    path: str = ""
    status: int | None = None
    request_id: str = ""
    code: str = ""
    cause: str = ""
    next_step: str = ""
    error: RunbookError | None = None
    because: Literal["", "parameters", "person"] = ""

    @property
    def word(self) -> str:
        """``passed``, ``failed`` or ``not tried``."""
        return "not tried" if self.used is None else ("passed" if self.used else "failed")

    def shown(self) -> dict[str, Any]:
        """The outcome as ``summary.json`` has it."""
        shown = {"method": self.method, "path": self.path, "status": self.status, "outcome": self.word}
        return {**shown, "request_id": self.request_id, "code": self.code, "cause": self.cause}


class DirectRoad:
    """Directly at Graph with one token, as the client that carries it."""

    def __init__(self, ctx: Context, name: RoadName, client: GraphClient) -> None:
        self.name = name
        self._ctx, self._client, self._road = ctx, client, AtGraph(client)
        self._answers: dict[str, Reply] = {}

    def ask(self, requests: Iterable[Request]) -> None:
        """Read all of these together (learn.microsoft.com/graph/json-batching), before :meth:`send` asks for each.

        Only what is answered proves anything: what is refused is sent by itself, with waits and an answer of its own.
        """
        paths = [with_query(request.path, request.query) for request in requests if not request.headers]
        with suppress(RunbookError):
            answers = self._client.batch((BatchRequest("GET", path) for path in paths), patient=False)
            for path, answer in zip(paths, answers, strict=True):
                if answer.ok:
                    self._answers[path] = Reply(answer.status, answer.body, request_id=answer.request_id or "")

    def send(self, request: Request, *, fresh: bool) -> Reply:
        """Run the action; ``fresh``: an object in it was just made. Raises :class:`RunbookError` when refused."""
        if request.method == "GET" and (told := self._answers.pop(with_query(request.path, request.query), None)):
            return told
        what = f"{request.method} {request.path}"
        return patiently(self._ctx, lambda: self._road.send(request), what, fresh=fresh)


class StackOneRoad:
    """Through StackOne's documented action call, as the linked account."""

    name: RoadName = "stackone"

    def __init__(self, ctx: Context, account_id: str) -> None:
        self._ctx, self._road = ctx, ThroughStackOne(ctx.stackone, account_id)

    def send(self, request: Request, *, fresh: bool) -> Reply:
        """As :meth:`DirectRoad.send`."""
        # StackOne passes Graph's replication answers on as its own 400 and 404.
        return self._ctx.graph.until(
            lambda: self._road.send(request),
            f"{request.action.name} through StackOne reaches what was just made",
            passing=lambda error: fresh and isinstance(error, StackOneError) and error.status in (400, 404),
            deadline=10 * self._ctx.stackone.pace.longest_interval,
        )


Road = DirectRoad | StackOneRoad


def read_ahead(shop: Workshop, roads: Iterable[Road], slugs: Iterable[str]) -> None:
    """Ask together, on each of the ``roads`` to Graph, what probes would ask one by one and what is there already."""
    requests = []
    for slug in slugs:
        probe = recipes().probes[slug]
        if not recipes().writes(slug) and all(need(text)[0] == "found" for text in probe.needs.values()):
            with suppress(NothingFound, RunbookError), shop.bench(probe.needs) as (values, _made):
                requests.append(_request(catalog.action(slug), probe, values))
    for road in roads if len(requests) > 1 else ():
        if isinstance(road, DirectRoad):
            road.ask(requests)


def prove(shop: Workshop, road: Road, slug: str, needs: tuple[str, ...]) -> Outcome:
    """Run the probe of action ``slug`` on ``road`` and clean up after it. ``needs``: its permissions in this tenant.

    A service that is unwell proves nothing about a permission: the probe is made anew, with other disposable objects.
    """
    action = catalog.action(slug)
    outcomes: list[Outcome] = []

    def attempt() -> Outcome | None:
        outcome, failure = _tried(shop, road, action, needs)
        outcomes.append(outcome)
        return None if _unwell(failure) and len(outcomes) < _ATTEMPTS else outcome

    try:
        return shop.ctx.graph.until(attempt, f"the service is well enough for {action.name}", deadline=_UNWELL_PATIENCE)
    except NotSettled:
        return outcomes[-1]


def _tried(shop: Workshop, road: Road, action: Action, needs: tuple[str, ...]) -> tuple[Outcome, RunbookError | None]:
    try:
        outcome = _prove_once(shop, road, action, needs)
    except NothingFound as nothing:
        return not_tried(road.name, action, str(nothing)), None
    except RunbookError as error:
        cause = f"the object to try it on could not be made: {error.what.rstrip('.')}"
        return not_tried(road.name, action, cause, error.next_step, error=error if _unwell(error) else None), error
    return outcome, outcome.error


def _unwell(failure: RunbookError | None) -> bool:
    """Whether the failure says something about the service or the way to it, and nothing about a permission."""
    if failure is None or isinstance(failure, TransportError):
        return failure is not None
    found = explain(failure)
    if isinstance(failure, ServiceError) and failure.status in retry.statuses("busy", "uncertain"):
        return True
    return found.who == table().people["nobody"] or found.answer in _NO_SIGN_IN


def _prove_once(shop: Workshop, road: Road, action: Action, needs: tuple[str, ...]) -> Outcome:
    probe = recipes().probes[action.slug]
    spec = recipes().made.get(probe.makes)
    wanted = {**(spec.needs if spec else {}), **probe.needs}
    with shop.bench(wanted, owned=_OWN_ONLY in needs) as (values, made):
        return _send(shop, road, action, probe, values, made)


def _send(shop: Workshop, road: Road, action: Action, probe: Probe, values: Values, made: list[Thing]) -> Outcome:
    request, remark = _request(action, probe, values), ""
    try:
        reply = road.send(request, fresh=bool(made))
    except RunbookError as error:
        status = error.status if isinstance(error, ServiceError) and _reached(error) else None
        also = next((row for row in probe.also if row.status == status), None)
        if status is None or also is None:
            if probe.makes:
                shop.lost(probe.makes, values, error, made)
            elif action.effect == "delete" and made and retry.maybe_applied(error):
                made[-1].doubt = error
            return _refused(road.name, request, error)
        reply, remark = Reply(status, request_id=error.request_id or ""), also.why
    if probe.makes:
        shop.note(probe.makes, reply.body, values, made)
    elif action.effect == "delete" and made:
        made[-1].gone = True  # the subject of a probe is made last, after what it needs
    return Outcome(road.name, True, request.method, request.path, reply.status, reply.request_id, cause=remark)


def _request(action: Action, probe: Probe, values: Values) -> Request:
    spec = recipes().made.get(probe.makes)
    template = probe.body if probe.body is not None else (spec.body if spec else None)
    body = fill(template, values) if template is not None else None
    return filled(action, {name: str(fill(text, values)) for name, text in probe.path.items()}, probe.query, body)


def _reached(error: ServiceError) -> bool:
    """Whether Graph answered the action itself (StackOne's own complaint about a call proves nothing)."""
    return isinstance(error, GraphError) or "service behind it" in error.what


def _refused(road: RoadName, request: Request, error: RunbookError) -> Outcome:
    cause = error.what + (f" {error.meaning}" if error.meaning else "")
    status = error.status if isinstance(error, ServiceError) else None
    ids = error.request_id or "", error.code or ""
    used = None if _unwell(error) else False
    return Outcome(road, used, request.method, request.path, status, *ids, cause, error.next_step, error)


def refused(road: RoadName, action: Action, error: RunbookError) -> Outcome:
    """An outcome of a road that Entra ID refused, or did not answer, before any probe could be sent."""
    used, ids = None if _unwell(error) else False, (error.request_id or "", error.code or "")
    return Outcome(road, used, action.method, action.path, None, *ids, error.what, error.next_step, error)


def not_tried(road: RoadName, action: Action, cause: str, next_step: str = "", **more: Any) -> Outcome:
    """An outcome of a probe that was not sent, and why; ``more`` of its fields."""
    return Outcome(road, None, action.method, action.path, cause=cause, next_step=next_step, **more)


def renewed(account: Mapping[str, Any], *, works: bool, now: datetime) -> dict[str, Any]:
    """Proof that StackOne renews the tokens of the linked account:
    ``{"refresh": "proven" | "not yet" | "unknown", "refresh_reason": words, "refresh_provable_at": time or None}``.

    No documented call makes StackOne refresh. But an access token of Microsoft Graph lives 60 to 90 minutes
    (learn.microsoft.com/entra/identity-platform/access-tokens, "Token lifetime"), so an account that nobody touched
    longer than that and through which an action works now must have been refreshed since.
    ``account`` as StackOne lists it; ``works``: an action was carried out through it just now.
    """
    touched = when(account.get("updated_at"))
    if touched is None:
        return _said("unknown", "StackOne does not say when the account was changed last")
    if not works:
        return _said("unknown", "no action went through the account in this run")
    provable = touched + TOKEN_LIFE
    if now < provable:
        words = "the first access token may still be the one in use; run section 8 again after that time"
        return _said("not yet", words, provable)
    return _said("proven", "an action works although every access token from the linking has ended", provable)


def _said(state: str, reason: str, provable: datetime | None = None) -> dict[str, Any]:
    at = provable.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if provable else None
    return {"refresh": state, "refresh_reason": reason, "refresh_provable_at": at}
