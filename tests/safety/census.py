"""What is on the sandbox of one choice, counted, and what a journal announces and claims of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from runbook.records.journal import Event
from runbook.sections import NAMES, section
from runbook.tenant.base import Context, pending, plan_sections
from runbook.tenant.credentials import require_current, token
from runbook.tenant.registration import require_application

__all__ = ["COUNTED", "census", "contradictions", "unconverged"]

COUNTED = ("application", "service principal", "grant", "assignment", "secret", "profile", "account")
_CREATES = (
    ("application", "PATCH", re.compile(r"/v1\.0/applications\(uniqueName='[^']+'\)")),
    ("service principal", "POST", re.compile(r"/v1\.0/servicePrincipals")),
    ("grant", "POST", re.compile(r"/v1\.0/oauth2PermissionGrants")),
    ("assignment", "POST", re.compile(r"/v1\.0/servicePrincipals/[^/]+/appRoleAssignedTo")),
    ("secret", "POST", re.compile(r"/v1\.0/applications/[^/]+/addPassword")),
)
_REMOVES = (
    ("grant", "DELETE", re.compile(r"/v1\.0/oauth2PermissionGrants/[^/]+")),
    ("assignment", "DELETE", re.compile(r"/v1\.0/servicePrincipals/[^/]+/appRole.*")),
    ("secret", "POST", re.compile(r"/v1\.0/applications/[^/]+/removePassword")),
)
_HANDED_OVER = {"connector_profile": "profile", "link_account": "account"}


def census(ctx: Context) -> Counter[str]:
    """How many of each kind there are, found by what a duplicate would share with the first."""
    found: Counter[str] = Counter()
    params = ctx.params
    named = f"displayName eq '{params.application_name}'"
    for item in ctx.graph.list("/applications", filter=named):
        found["application"] += 1
        found["secret"] += len(item["passwordCredentials"])
        for principal in ctx.graph.list("/servicePrincipals", filter=f"appId eq '{item['appId']}'"):
            found["service principal"] += 1
            grants = ctx.graph.list("/oauth2PermissionGrants", filter=f"clientId eq '{principal['id']}'")
            found["grant"] += len(list(grants))
            assigned = list(ctx.graph.list(f"/servicePrincipals/{principal['id']}/appRoleAssignments"))
            found["assignment"] += len(assigned)
            found["assignment twice"] += len(assigned) - len({one["appRoleId"] for one in assigned})
    found["profile"] = sum(one["name"] == params.connector_profile_name for one in ctx.stackone.auth_configs())
    found["account"] = len(list(ctx.stackone.accounts(owner_id=params.account_owner_id)))
    return found


def contradictions(events: Iterable[Event], made: Mapping[str, int]) -> Iterator[str]:
    """Where the journal claims more than was ``made``, or more was made than it announced before."""
    events = list(events)
    announced = Counter(_intents(events, done=False))
    claimed = Counter(_intents(events, done=True))
    for kind in COUNTED:
        least = claimed[kind] - announced[f"no {kind}"]
        most = announced[kind] - claimed[f"no {kind}"]
        if not least <= made[kind] <= most:
            yield f"{kind}: the journal claims {least} to {most}, there are {made[kind]} more than before"


def _intents(events: list[Event], *, done: bool) -> Iterator[str]:
    """The kinds whose creation (or, with ``no`` before it, removal) is announced, or known to be done."""
    outcomes = {event["intent"]: event for event in events if event["event"] == "http.outcome"}
    for event in events:
        if event["event"] == ("hand_over.done" if done else "hand_over") and event["kind"] in _HANDED_OVER:
            yield _HANDED_OVER[event["kind"]]
        if event["event"] != "http.intent":
            continue
        status = int(outcomes.get(event["seq"], {}).get("status") or 0)
        for prefix, table in (("", _CREATES), ("no ", _REMOVES)):
            for kind, method, path in table:
                if method != event["method"] or not path.fullmatch(event["path"].partition("?")[0]):
                    continue
                created = status == 201 if kind == "application" else 200 <= status < 300
                if created or not done:
                    yield prefix + kind


def unconverged(ctx: Context) -> Iterator[str]:
    """What is not as one whole run leaves it: each once, a secret that works, nothing left to change."""
    found = census(ctx)
    for kind in COUNTED:
        if kind != "assignment" and found[kind] != 1:
            yield f"{found[kind]} of {kind} after the run was repeated"
    if found["assignment"] == 0 or found["assignment twice"]:
        yield f"{found['assignment']} assignments, {found['assignment twice']} of them twice"
    own = require_application(ctx)
    if not token(ctx, own, require_current(ctx, own)).roles:
        yield "the secret opens a token without permissions"
    for name, changes in plan_sections(ctx, [section(name) for name in NAMES[:7]]).items():
        if left := pending(changes):
            yield f"{name} would still change {[change.what for change in left]}"
