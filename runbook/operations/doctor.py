"""What will fail, and who must act, before a run: everything that it relies on is tried, and the tenant only read.

The least privilege of a choice is computed from what its sections call (``tenant/rights.json``) and from what its
proofs look for or make (``proof/probes.json``). One entry is written into the secret store and removed again.
"""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runbook import catalog
from runbook.catalog.guide import CONNECTOR_KEY
from runbook.catalog.scopes import Family, smallest
from runbook.clients.answers import SKEW_SECONDS
from runbook.clients.http import Session
from runbook.errors import Parked, RecordError, RunbookError
from runbook.parameters import Parameters
from runbook.proof.recipes import need, recipes
from runbook.records.manifest import public_key
from runbook.secrets import Secret
from runbook.secrets.stores import open_store
from runbook.sections import section
from runbook.tenant.base import Attends, Context, open_context, plan_sections
from runbook.tenant.changes import pending
from runbook.tenant.credentials import read_policy
from runbook.tenant.registration import application, signed_in
from runbook.tenant.rights import rights

_UNSEEN = frozenset({"policy_unseen", "policy_exempts"})


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``needs``: the least permissions for all of the choice.

    ``state``: ``passed``; ``failed``: a run fails by it; ``parked``: a person must act; ``not tried``: not to be seen.
    """

    about: str
    state: str
    said: str
    remedy: str = ""
    needs: tuple[str, ...] = ()


def _finding(about: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(about, "passed", check())
    except RunbookError as error:
        unseen = error.code in _UNSEEN or getattr(error, "status", None) == 403
        state = "parked" if isinstance(error, Parked) else "not tried" if unseen else "failed"
        return Finding(about, state, f"{error.what} {error.meaning}".strip(), error.next_step)


def examine(params: Parameters, sections: Collection[str], person: Attends | None = None) -> Iterator[Finding]:
    """Look at everything that ``sections`` rely on; what fails does not keep from looking at the rest.

    ``person(target, journal)``: how a person who signs in is told a code.
    """
    yield _finding("secret store", partial(_keeps, params))
    yield _finding("records", partial(_written, params))
    with ExitStack() as stack:
        opened: list[Context] = []

        def enter() -> str:
            opened.append(stack.enter_context(open_context(params, hand_over=person)))
            return opened[0].target.description

        yield _finding("target", enter)
        for ctx in opened:
            at = ctx.target.endpoints
            for name, base in {"Entra ID": at.authority, "Microsoft Graph": at.graph, "StackOne": at.stackone}.items():
                yield _finding(f"way to {name}", partial(_reached, ctx, name, base))
            yield (key := _finding("StackOne API key", partial(_key, ctx)))
            yield (sign_in := _finding("sign-in", partial(_who, ctx)))
            if sign_in.state == "passed":
                yield from _rights(ctx, sections)
                yield _finding("policy on client secrets", partial(_policy, ctx))
                yield _finding("licences", partial(_licences, ctx))
                if key.state == "passed":
                    yield _finding("plan", partial(_planned, ctx, sections))


def _keeps(params: Parameters) -> str:
    store = open_store(params.secret_store)
    reference = store.put("doctor/probe", Secret("kept for a moment by the doctor"))
    store.get(reference)
    store.delete(reference)
    return store.describe()


def _written(params: Parameters) -> str:
    """Where the record goes, and the key that signs it."""
    folder = Path(params.records).absolute()
    there = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise RecordError(f"Records cannot be written below {there}.", next_step="give another folder with --records.")
    if not params.signing_key_ref:
        return f"go to {folder}, unsigned"
    public_key(open_store(params.secret_store).get(params.signing_key_ref))
    return f"go to {folder}, signed"


def _planned(ctx: Context, sections: Collection[str]) -> str:
    plan = plan_sections(ctx, map(section, sections))
    return f"{sum(len(pending(changes)) for changes in plan.values())} changes are pending"


def _reached(ctx: Context, service: str, base: str) -> str:
    """Proxy, TLS and clock, by any answer at all."""
    once = ctx.target.pace.model_copy(update={"attempts": 1})
    with closing(Session(base, service, pace=once, ca_file=ctx.target.endpoints.ca_file)) as session:
        session.request("GET", "/")
        seconds = round(session.clock_offset or 0)
    if abs(seconds) > SKEW_SECONDS:
        raise RunbookError.named("clock_off", service=service, seconds=seconds)
    return f"{base}, its clock {seconds:+d} s"


def _key(ctx: Context) -> str:
    count = sum(1 for _ in ctx.stackone.connector_profiles(connector_key=CONNECTOR_KEY))
    return f"opens a project with {count} connector profiles of {CONNECTOR_KEY}"


def _who(ctx: Context) -> str:
    ctx.administrator.identity()
    return signed_in(ctx)


def _rights(ctx: Context, sections: Collection[str]) -> Iterator[Finding]:
    """The least privilege of the choice, what of it is missing, and what the sign-in has besides."""
    who, families = ctx.administrator.identity(), list[Family]()
    for right in rights(ctx, sections):
        families.append(tuple(map(frozenset, right["any"])))
        state, remedy = ("passed", "") if right["may"] else (right["without"], f"done by {right['who']}.")
        least = " + ".join(right["any"][0])
        yield Finding(f"section {right['section']}: {right['what']}", state, f"by {least}", remedy)
    for action, tried in _helpers(ctx).items() if "verify_actions" in sections else ():
        access = catalog.action(action).access("application" if who.kind == "app" else "delegated")
        families.append(tuple(map(frozenset, access.alternatives)))
        may = any(frozenset(who.permissions) >= names for names in families[-1])
        state, remedy = ("passed", "") if may else ("not tried", "give it to this sign-in; else those are not tried.")
        about = f"{catalog.action(action).name}, to try {', '.join(tried)}"
        yield Finding(about, state, f"by {' + '.join(access.least)}", remedy)
    needs = tuple(sorted(smallest(families)))
    more = ", ".join(sorted(set(who.permissions) - {*needs, *ctx.scopes.base})) or "nothing"
    yield Finding("least privilege", "passed", f"{', '.join(needs)}; this sign-in has {more} besides", needs=needs)


def _helpers(ctx: Context) -> dict[str, list[str]]:
    """By action (slug) with which the administrator finds or makes what chosen ones are tried on: their names."""
    table, helpers = recipes(), dict[str, list[str]]()
    calls = {(action.method, action.path): action.slug for action in catalog.actions()}
    for slug in ctx.params.actions:
        for source, name in map(need, table.probes[slug].needs.values()):
            found = table.found.get(name) if source.startswith("found") else None
            spec = found or table.made.get(name)
            helper = calls.get(("GET" if found else "POST", spec.path if spec else ""))
            if helper and (ctx.allow_writes or not table.writes(slug)):
                helpers.setdefault(helper, []).append(catalog.action(slug).name)
    return helpers


def _policy(ctx: Context) -> str:
    policy = read_policy(ctx, application(ctx))
    if not policy.known:
        raise RunbookError.named("policy_unseen")
    if policy.perhaps:
        raise RunbookError.named("policy_exempts", name=policy.name)
    if policy.forbidden:
        raise RunbookError.named("secrets_forbidden", name=policy.name)
    longest = "no limit" if policy.max_days is None else f"at most {policy.max_days} days"
    return f"{longest}; {ctx.params.secret_lifetime_days} are asked for"


def _licences(ctx: Context) -> str:
    licensed = {action.name: action.licence for action in map(catalog.action, ctx.params.actions) if action.licence}
    skus = ctx.graph.list("/subscribedSkus") if licensed else ()
    plans = {str(plan["servicePlanName"]) for sku in skus for plan in sku.get("servicePlans") or ()}
    # P2 is called as P1 with an addition (AAD_PREMIUM_P2).
    missing = {name: of for name, of in licensed.items() if not any(plan.startswith(of.plan) for plan in plans)}
    if missing:
        needs = ", ".join(sorted({licence.needs for licence in missing.values()}))
        raise RunbookError.named("unlicensed", needs=needs, actions=", ".join(missing))
    return "the chosen actions have theirs" if licensed else "no chosen action needs one"
