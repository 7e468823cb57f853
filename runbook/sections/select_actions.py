"""Section 1: the choice of actions, and the permissions that it costs. Nothing on the tenant changes."""

from collections.abc import Sequence
from typing import Any

from runbook import catalog
from runbook.catalog import guide
from runbook.catalog.scopes import Scopes
from runbook.sections import about
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, row

NAME, NUMBER, TITLE, SUMMARY, PORTAL = about("select_actions")


def read(ctx: Context) -> Scopes:
    """The permissions of the choice, from the catalogue alone."""
    return ctx.scopes


def plan(ctx: Context, observed: Scopes) -> list[Change]:  # noqa: ARG001
    """Always one line that changes nothing: the choice itself."""
    chosen = [catalog.action(slug).name for slug in ctx.params.actions]
    count = f"{len(chosen)} of {len(catalog.actions())} actions"
    return [Change("choice of actions", count, count, "same", note=", ".join(chosen), hashed=",".join(sorted(chosen)))]


def apply(ctx: Context, changes: Sequence[Change]) -> None:
    """Nothing to do: a choice changes nothing on the tenant."""


def powerful(ctx: Context) -> dict[str, str]:
    """The permissions of the choice that give far-reaching power, each with that power in words."""
    known = catalog.permissions()
    names = {*ctx.scopes.delegated.names, *ctx.scopes.application.names}
    return {name: words for name in sorted(names) if (words := known[name].powerful)}


def verify(ctx: Context) -> Evidence:
    """The permissions, each with the actions that need it, and the guide's address for this choice."""
    by_name = {slug: catalog.action(slug).name for slug in ctx.params.actions}
    rows = [
        row(f"{name} ({kind})", f"needed by {', '.join(by_name[slug] for slug in of.why[name])}", "catalogue")
        for kind, of in (("delegated", ctx.scopes.delegated), ("application", ctx.scopes.application))
        for name in of.names
    ]
    base = " ".join(ctx.scopes.base)
    rows.append(row("sign-in permissions (delegated)", base, "OAuth 2.0, needed to link an account"))
    rows.append(row("guide for this choice", guide.link(ctx.params.actions), "StackOne guide"))
    notes = [f"{name}: {words}." for name, words in powerful(ctx).items()]
    facts: dict[str, Any] = {
        "choice": {
            "actions": list(ctx.params.actions),
            "delegated": list(ctx.scopes.delegated.names),
            "application": list(ctx.scopes.application.names),
            "base": list(ctx.scopes.base),
            "guide": guide.link(ctx.params.actions),
        }
    }
    return Evidence(True, rows, facts, notes)
