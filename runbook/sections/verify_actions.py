"""Section 8: every chosen action proven, with fresh tokens, on every road it has.

The matrix compares each action's permissions in five stages (wanted, requested, granted, in the token, used) for both
permission types, and runs it through StackOne as the linked account. *Used* is a request: a read for a read; for a
write, a disposable object of the runbook's own is made, used and removed, and only where writes are allowed. What was
not tried is neither a pass nor a failure. Direct and StackOne's road both prove the delegated permission.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from runbook import catalog, words
from runbook.clients.answers import explain
from runbook.clients.calls import FixedToken
from runbook.clients.graph import GraphClient
from runbook.clients.settle import Progress
from runbook.errors import NotSettled, Parked, RunbookError, SignInError, TransportError
from runbook.proof import probing
from runbook.proof.probing import DirectRoad, Outcome, Road, RoadName, StackOneRoad, not_tried, prove, refused, renewed
from runbook.proof.recipes import recipes
from runbook.proof.workshop import Workshop
from runbook.sections import about
from runbook.sections.link_account import ANOTHER, find_account, not_ours
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, row
from runbook.tenant.credentials import application_roles, current, delegated_scopes
from runbook.tenant.permissions import TYPES, Permissions, PermissionType, Wanted, table
from runbook.tenant.registration import application, published, require_application, require_principal
from runbook.words import Kind

NAME, NUMBER, TITLE, SUMMARY, PORTAL = about("verify_actions")

_WORKERS = 4  # well under every documented limit of Graph; the slow ones are spaced by the client
Needs = Mapping[PermissionType, tuple[str, ...]]
# Rows of the table of answers: Conditional Access often blocks the device code flow, or wants more than it can give.
# That says nothing of the action.
_CODE_BLOCKED = frozenset({"conditional_access", "second_factor", "interrupted"})
_ROADS: tuple[RoadName, ...] = ("delegated", "application", "stackone")


@dataclass
class Roads:
    """The roads that are open, why the others are not (and what to do), and the permissions in the direct tokens."""

    open: dict[RoadName, Road] = field(default_factory=dict)
    closed: dict[RoadName, tuple[str, str]] = field(default_factory=dict)
    refused: dict[RoadName, RunbookError] = field(default_factory=dict)
    tokens: dict[PermissionType, frozenset[str] | None] = field(default_factory=dict)
    absent: set[RoadName] = field(default_factory=set)
    account: Mapping[str, Any] | None = None


def read(ctx: Context) -> list[str]:
    """What must be there before anything can be tried and is not."""
    published(ctx)  # with what is asked for next, in one request
    found = application(ctx)
    if found is None:
        return ["the application (section 2)"]
    return [] if current(ctx, found) else ["a client secret (section 5)"]


def plan(ctx: Context, observed: list[str]) -> list[Change]:
    """Nothing on the tenant changes for good; ``unknown`` while something that a proof needs is missing."""
    count = words.plural(len(ctx.params.actions), "action")
    writes = sum(recipes().writes(slug) for slug in ctx.params.actions)
    note = "disposable objects are made and removed again" if writes and ctx.allow_writes else ""
    if writes and not ctx.allow_writes:
        note = f"{writes} of them write and are not tried, because allow_writes is off"
    kind: Kind = "unknown" if observed else "same"
    now = f"needs {' and '.join(observed)}" if observed else "tried anew in every run"
    return [Change(f"proof of {count}", now, "tried anew", kind, note, hashed="proof")]


def apply(ctx: Context, changes: Sequence[Change]) -> None:
    """Nothing to do: the proof is the reading back."""


def verify(ctx: Context) -> Evidence:
    found = require_application(ctx)
    principal = require_principal(ctx, found["appId"])
    state = _permissions(ctx)
    wanted = state.wanted(ctx)
    always = {"application": found, "principal": principal, "graph_principal": {"id": state.resource_id}}
    shop = Workshop(ctx, always, owner=principal["id"])
    if ctx.applying and ctx.allow_writes:
        shop.sweep(ctx.params.actions)
    shop.look(ctx.params.actions)
    with ExitStack() as stack:
        roads = _open_roads(ctx, stack, found, state)
        probing.read_ahead(shop, roads.open.values(), ctx.params.actions)
        pool = stack.enter_context(ThreadPoolExecutor(_WORKERS, "probe"))
        # Leaving early (an interrupt, a defect) must not wait for probes that have not begun; those under way clean up.
        stack.callback(pool.shutdown, cancel_futures=True)
        actions = ctx.tried = []
        begun = time.monotonic()
        for action in pool.map(lambda slug: _action(ctx, slug, shop, roads, state, wanted), ctx.params.actions):
            actions.append(action)
            if ctx.graph.progress is not None:
                count, seconds = len(ctx.params.actions), time.monotonic() - begun
                ctx.graph.progress(Progress("every action is tried", len(actions), count, seconds, 0))
    return _evidence(actions, table(state, wanted, roads.tokens), shop, roads, _refresh(ctx, roads, actions))


def _permissions(ctx: Context) -> Permissions:
    """What is requested and granted; a grant that this run saw before is waited for, as another replica may be late."""

    def seen() -> Permissions | None:
        state = Permissions.read(ctx)
        gone = (set(ctx.known.granted.get(kind, ())) - (state.granted[kind] or set()) for kind in TYPES)
        return None if any(gone) else state

    try:
        return seen() or ctx.until(seen, "what was granted is seen again", deadline=ctx.graph.pace.deadline / 6)
    except NotSettled:
        return Permissions.read(ctx)


def _refresh(ctx: Context, roads: Roads, actions: list[dict[str, Any]]) -> dict[str, Any]:
    if roads.account is None:
        return {}
    works = any(isinstance(action["stackone"], dict) and action["stackone"]["used"] is True for action in actions)
    return renewed(roads.account, works=works, now=ctx.stackone.session.now())


def _open_roads(ctx: Context, stack: ExitStack, found: Mapping[str, Any], state: Permissions) -> Roads:
    roads = Roads()
    for kind in reversed(TYPES):
        if kind in ctx.params.permission_types:
            _open_direct(ctx, stack, found, state, kind, roads)
        else:
            roads.closed[kind] = f"{kind} permissions were not chosen", ""
    if "delegated" not in ctx.params.permission_types:
        roads.closed["stackone"] = "delegated permissions were not chosen, and a linked account works with those", ""
        return roads
    account = find_account(ctx)
    if account is None:
        roads.closed["stackone"] = "no account is linked", "run section 7 (link an account)."
        roads.absent.add("stackone")
    elif account.get("status") == "active" and (error := not_ours(ctx, account)):
        if error.code == ANOTHER:
            roads.refused["stackone"] = error
        else:
            roads.closed["stackone"] = f"{error.what} {error.meaning}", error.next_step
    elif account.get("status") == "active":
        roads.open["stackone"] = StackOneRoad(ctx, str(account["id"]))
        roads.account = account
    else:
        known = explain(None, account_active=False)
        roads.closed["stackone"] = f"{known.cause} Who can mend it: {known.who}", known.remedy
        roads.absent.add("stackone")
    return roads


def _open_direct(
    ctx: Context, stack: ExitStack, found: Mapping[str, Any], state: Permissions, kind: PermissionType, roads: Roads
) -> None:
    """A road with a fresh token of one type; without one it stays closed, with the reason."""

    if kind == "delegated" and not ctx.applying:
        roads.closed[kind] = "nobody was asked to sign in", ""
        return
    try:
        result = (application_roles if kind == "application" else delegated_scopes)(ctx, found, state.granted[kind])
    except Parked:
        roads.closed[kind] = "nobody was there to sign in with a code", "let that person run section 8."
        roads.absent.add(kind)
        return
    except (SignInError, TransportError) as error:
        if kind == "delegated" and explain(error).answer in _CODE_BLOCKED:
            roads.closed[kind] = f"this tenant does not let people sign in with a code ({error.code})", error.next_step
        else:
            roads.refused[kind] = error
        return
    roads.tokens[kind] = frozenset(result.roles if kind == "application" else result.scopes)
    client = stack.enter_context(GraphClient(ctx.target, FixedToken(result.token), ctx.journal))
    roads.open[kind] = DirectRoad(ctx, kind, client)


def _action(
    ctx: Context, slug: str, shop: Workshop, roads: Roads, state: Permissions, wanted: Mapping[PermissionType, Wanted]
) -> dict[str, Any]:
    """One row of the matrix, in the shape of ``summary.json``."""
    action = catalog.action(slug)
    cells: dict[str, Any] = {}
    outcomes: dict[RoadName, Outcome] = {}
    for name in _ROADS:
        kind = _kind(name)
        if kind not in ctx.params.permission_types:
            cells[name] = "—"
            continue
        needs = wanted[kind].needs(slug)
        outcome = _try(ctx, slug, shop, roads, name, needs)
        outcomes[name] = outcome
        used: Any = "not tried" if outcome.used is None else outcome.used
        stages = {} if name == "stackone" else _stages(needs, kind, state, roads.tokens.get(kind))
        cells[name] = {**stages, "used": used}
    verdict = _verdict(outcomes)
    explained = _explain(cells, outcomes, {kind: wanted[kind].needs(slug) for kind in TYPES}, state.misplaced)
    best = outcomes.get("application") or outcomes.get("stackone") or next(iter(outcomes.values()))
    return {
        "slug": slug,
        "name": action.name,
        **cells,
        "probe": best.shown(),
        "probes": {name: outcome.shown() for name, outcome in outcomes.items()},
        "verdict": verdict,
        "untried_for": _untried_for(outcomes) if verdict == "not tried" else "",
        "explanation": _in_words(outcomes, explained) if verdict != "passed" else "",
        "explanations": explained,
    }


def _try(ctx: Context, slug: str, shop: Workshop, roads: Roads, name: RoadName, needs: tuple[str, ...]) -> Outcome:
    action = catalog.action(slug)
    if name in roads.refused:
        return refused(name, action, roads.refused[name])
    # What may not be tried at all is no reason to look for a person.
    if recipes().writes(slug) and not ctx.allow_writes:
        off = "it writes, and allow_writes is off", "set allow_writes to try it."
        return not_tried(name, action, *off, because="parameters")
    if (reason := recipes().probes[slug].rehearsal_only) and not ctx.target.rehearsal:
        return not_tried(name, action, reason, because="parameters")
    road = roads.open.get(name)
    if road is None:
        why = roads.closed.get(name, ("there is no way to try it", ""))
        return not_tried(name, action, *why, because="person" if name in roads.absent else "")
    if recipes().writes(slug) and not ctx.applying:
        return not_tried(name, action, "writes are tried when the plan is applied")
    return prove(shop, road, slug, needs)


def _stages(
    needs: tuple[str, ...], kind: PermissionType, state: Permissions, token: frozenset[str] | None
) -> dict[str, bool | None]:
    """The first four stages of one cell; None where it is not known."""
    if not needs:
        return {"wanted": False, "requested": False, "granted": False, "in_token": False}
    names, granted = frozenset(needs), state.granted[kind]
    return {
        "wanted": True,
        "requested": names <= state.requested[kind],
        "granted": None if granted is None else names <= granted,
        "in_token": None if token is None else names <= token,
    }


def _kind(road: RoadName) -> PermissionType:
    return "application" if road == "application" else "delegated"


def _verdict(outcomes: Mapping[RoadName, Outcome]) -> str:
    """Failed if any road failed; passed if every chosen permission type is proven; else not tried."""
    if any(outcome.used is False for outcome in outcomes.values()):
        return "failed"
    proven = {name for name, outcome in outcomes.items() if outcome.used}
    application = "application" not in outcomes or "application" in proven
    delegated = "delegated" not in outcomes or bool(proven & {"delegated", "stackone"})
    return "passed" if application and delegated else "not tried"


def _untried_for(outcomes: Mapping[RoadName, Outcome]) -> str:
    """Why an action is not proven: a missing ``person`` before ``parameters`` that forbid it; else empty."""
    reasons = {outcome.because for outcome in outcomes.values() if outcome.used is None}
    return next((reason for reason in ("person", "", "parameters") if reason in reasons), "")


def _explain(
    cells: Mapping[str, Any], outcomes: Mapping[RoadName, Outcome], needs: Needs, misplaced: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Cause, evidence, who can mend it and how, for every road that was refused or on which nothing was answered."""
    explained: dict[str, dict[str, Any]] = {}
    for name, outcome in outcomes.items():
        if outcome.error is not None:
            kind = _kind(name)
            # The linked account's token is StackOne's: what is in it cannot be seen.
            seen = ("requested", "granted") if name == "stackone" else ("requested", "granted", "in_token")
            stages = {stage: cells[kind].get(stage) for stage in seen}
            wrong = () if stages.get("granted") else tuple(i for i, name in misplaced.items() if name in needs[kind])
            about = {"permission_type": kind, "permissions": needs[kind], "misplaced_ids": wrong}
            found = explain(outcome.error, **about, **stages)
            explained[name] = asdict(found)
    return explained


def _label(road: RoadName) -> str:
    return "Through StackOne" if road == "stackone" else f"With {road} permissions"


def _in_words(outcomes: Mapping[RoadName, Outcome], explained: Mapping[str, Mapping[str, Any]]) -> str:
    """For a person: why each road that did not pass did not, who can mend it, and how; a sentence a line."""
    lines = []
    for name, outcome in outcomes.items():
        label = _label(name)
        if name in explained:
            why = explained[name]
            seen = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in why["evidence"].items())
            label += ": not tried" if outcome.used is None else ""
            lines += [f"{label}: {why['cause']}", f"Who can mend it: {why['who']}.", f"Next: {why['remedy']}"]
            lines += [f"Seen: {seen}."] if seen else []
        elif outcome.used is None:
            next_step = f" Next: {outcome.next_step}" if outcome.next_step else ""
            lines.append(f"{label}: not tried, {outcome.cause.rstrip('.')}.{next_step}")
    return "\n".join(lines)


def _evidence(
    actions: list[dict[str, Any]], permissions: dict[str, Any], shop: Workshop, roads: Roads, refreshed: dict[str, Any]
) -> Evidence:
    verdicts = [action["verdict"] for action in actions]
    failed, untried = verdicts.count("failed"), verdicts.count("not tried")
    counts = f"{verdicts.count('passed')} proven, {failed} failed, {untried} not tried"
    notes = [counts, *(f"{action['name']}: {action['explanation']}" for action in actions if action["explanation"])]
    closed = [(_label(name), why.rstrip("."), then) for name, (why, then) in roads.closed.items() if then]
    notes += [f"{label}: not tried, {why}. Next: {then}" for label, why, then in closed]
    notes += [f"Left behind, please remove: {item}" for item in shop.litter]
    if shop.swept:
        notes.append(f"Removed what an earlier proof had left: {', '.join(shop.swept)}")
    facts = {"permissions": permissions, "actions": actions, "litter": shop.litter, "probe_mark": shop.mark.text}
    rows = list(_rows(actions))
    if refreshed:
        facts["account"] = refreshed
        said = f"{refreshed['refresh']}: {refreshed['refresh_reason']}"
        rows.append(row("refresh of the linked account", said, "StackOne /accounts and this run's calls"))
    next_step = ""
    unwell = any(action["verdict"] == "not tried" and action["explanations"] for action in actions)
    if failed:
        next_step = "read the explanation beside each failed action, mend it, and run section 8 again."
    elif unwell:
        next_step = "a service was unwell, which says nothing of a permission: run section 8 again in some minutes."
    elif any(action["untried_for"] == "person" for action in actions):
        next_step = "let a person link an account (section 7) or sign in with the code, and run section 8 again."
    return Evidence(False if unwell else _ok(actions), rows, facts, notes, next_step)


def _ok(actions: Sequence[Mapping[str, Any]]) -> bool | None:
    """False when one failed; None when a person was missing or nothing was proven; what parameters forbid is fine."""
    verdicts = {action["verdict"] for action in actions}
    if "failed" in verdicts:
        return False
    reasons = {action["untried_for"] for action in actions if action["verdict"] == "not tried"}
    return None if "person" in reasons or ("" in reasons and "passed" not in verdicts) else True


def _rows(actions: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    for action in actions:
        for name, probe in action["probes"].items():
            source = "POST /actions/rpc" if name == "stackone" else f"{probe['method']} {probe['path']}"
            status = f" ({probe['status']})" if probe["status"] else ""
            yield row(f"{action['name']}, {name}", f"{probe['outcome']}{status}", source, probe["request_id"])
