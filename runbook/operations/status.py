"""How a tenant stands, in five lines and one verdict, for people and for monitoring: only reads.

The last proof is looked for among the records: nothing on the tenant says when an action was last proven.
"""

from pathlib import Path
from typing import Any

from runbook import words
from runbook.operations.doctor import Finding
from runbook.parameters import Parameters
from runbook.records import shelf
from runbook.sections import NAMES, client_secret, section
from runbook.tenant import others
from runbook.tenant.base import Attends, Context, open_context
from runbook.tenant.changes import pending
from runbook.tenant.registration import application, signed_in, tenant

# What works and is not as it is to be: something is due, or somebody else was at it.
_CHANGED = "changed"


def standing(params: Parameters, person: Attends | None = None) -> tuple[list[Finding], dict[str, Any]]:
    """The five lines, and what monitoring reads: ``{"days_left", "pending", "others", "last_proof"}``.

    ``person``: as for :func:`runbook.operations.doctor.examine`. Raises :class:`RunbookError` when the tenant cannot
    be read.
    """
    facts: dict[str, Any] = {"days_left": None, "pending": [], "others": [], "last_proof": None}
    with open_context(params, hand_over=person) as ctx:
        lines = (_tenant, _secret, _as_planned, _others, _last_proof)
        return [line(ctx, facts) for line in lines], facts


def _tenant(ctx: Context, _facts: dict[str, Any]) -> Finding:
    found = application(ctx)
    said = f"{tenant(ctx)}; signed in: {signed_in(ctx)}"
    if found is None:
        what = f"no application {ctx.params.unique_name} in {said}"
        return Finding("tenant", "failed", what, "run the guide: `runbook run`.")
    return Finding("tenant", "passed", f"{found['displayName']} ({found['appId']}) in {said}")


def _secret(ctx: Context, facts: dict[str, Any]) -> Finding:
    observed = client_secret.read(ctx)
    good, margin = observed.good, ctx.params.secret_renew_before_days
    if good is None:
        why = observed.refused.what if observed.refused else "none of ours whose value is kept here"
        return Finding("client secret", "failed", why, "run section 5: `runbook run --sections 5`.")
    facts["days_left"] = days = good.days_left(observed.now)
    said = f"key {good.key_id}, {words.plural(days, 'day')} left, {'proven now' if observed.proven else 'refused now'}"
    if not observed.proven:
        why = f"{said}: {observed.refused.what}" if observed.refused else f"{said}: no usable service principal"
        return Finding("client secret", "failed", why, "read the plan: `runbook plan`.")
    if days < margin:
        return Finding("client secret", _CHANGED, said, "renew it: `runbook rotate`.")
    return Finding("client secret", "passed", said)


def _as_planned(ctx: Context, facts: dict[str, Any]) -> Finding:
    chosen = [section(name) for name in NAMES[:-1]]
    plan = {each.NAME: each.plan(ctx, each.read(ctx)) for each in chosen}
    facts["pending"] = [
        {"section": name, **change.shown()} for name, changes in plan.items() for change in pending(changes)
    ]
    found = {each.TITLE: len(pending(plan[each.NAME])) for each in chosen}
    said = ", ".join(f"{words.plural(count, 'change')} in {title}" for title, count in found.items() if count)
    state, remedy = (_CHANGED, "read them: `runbook plan`.") if said else ("passed", "")
    return Finding("as chosen", state, said or "nothing to change", remedy)


def _others(ctx: Context, facts: dict[str, Any]) -> Finding:
    found = others.found(ctx)
    facts["others"] = [each.shown() for each in found]
    known = [each for each in found if each.kind != "unknown"]
    unread = ", ".join(each.what for each in found if each.kind == "unknown")
    unseen = f"; not to be seen: {unread}" if unread else ""
    said = "; ".join(filter(None, (_touched(each) for each in known[:3])))
    said += f"; and {len(known) - 3} more" if len(known) > 3 else ""
    adopted = not any(tag.endswith(":application:registered") for tag in (application(ctx) or {}).get("tags") or ())
    state = "passed" if not known else "not tried" if adopted else _CHANGED
    return Finding("made by others", state, (said or "nothing") + unseen, "read them: `runbook plan`." if known else "")


def _touched(other: others.Other) -> str:
    return f"{other.what} ({other.by})" if other.by else other.what


def _last_proof(ctx: Context, facts: dict[str, Any]) -> Finding:
    folder = Path(ctx.params.records)
    found = shelf.last_proof(folder, ctx.target.tenant_id, ctx.params.unique_name)
    if found is None:
        return Finding("last proof", "not tried", f"no record of one in {folder}", "prove it: `runbook verify`.")
    last, _ = found
    facts["last_proof"] = {"run_id": last.run_id, "at": last.finished_at, "verdict": last.verdict, "holds": last.holds}
    ended = last.finished_at or "not ended"
    said = f"{last.proven} of {words.plural(last.actions, 'action')} proven, {ended}, {last.folder}"
    if not last.holds:
        return Finding(
            "last proof", "failed", f"{said}: the record does not hold", "check it: `runbook records verify`."
        )
    state = "passed" if last.verdict == "passed" else "failed"
    return Finding("last proof", state, said, "" if state == "passed" else "prove it: `runbook verify`.")
