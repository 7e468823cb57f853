"""Rotation of the client secret: a new one is made and proven, StackOne's profile gets it, the old one goes later.

It is sections 5 and 6 with one wish more, and their rules: whose a secret is, and when a superseded one may go
(:class:`runbook.sections.client_secret.Superseded`). The tenant is the state. While an earlier secret of this store
lives, a rotation is under way, and running again goes on with it; only then another one begins. With ``only_when_due``
a new secret is made when section 5 would make one, so that a timer may call this every day.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runbook.clients.answers import aadsts_code
from runbook.errors import PlanRefused
from runbook.sections import client_secret, connector_profile
from runbook.sections.link_account import find_account, not_ours
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, pending, row
from runbook.tenant.registration import require_application

NAME, NUMBER, TITLE = "rotate_secret", 0, "Rotate the client secret"
SUMMARY = "A new client secret, proven by a sign-in and handed to StackOne, before the old one is removed."
PORTAL = "Certificates & secrets of the application, then the connector profile in StackOne."


@dataclass(frozen=True)
class Observed:
    """The secrets, with the wish for another one; the profile with the newest; ``broken``: StackOne is refused."""

    secrets: client_secret.Observed
    profile: connector_profile.Observed
    broken: str = ""


def read(ctx: Context) -> Observed:
    """Raises :class:`RunbookError` when there is no application yet."""
    require_application(ctx)
    secrets = client_secret.read(ctx)
    begins = secrets.good is not None and not secrets.earlier and not ctx.params.only_when_due
    return Observed(replace(secrets, renew=begins), connector_profile.read(ctx, newest=True), _broken(ctx))


def _broken(ctx: Context) -> str:
    """Why StackOne could not sign in with the secret that is in its profile; empty where that is not said."""
    account = find_account(ctx) or {}
    said = [str(each.get("description")) for each in account.get("status_reasons") or () if isinstance(each, dict)]
    codes = {aadsts_code({"error_description": text}) for text in said} if account.get("status") == "error" else set()
    return next(iter(client_secret.BAD_SECRET & codes), "")


def plan(ctx: Context, observed: Observed) -> list[Change]:
    changes = client_secret.plan(ctx, observed.secrets)
    added = any(change.kind == "added" for change in changes)
    return [*changes, _profile(observed, added=added)]


def _profile(observed: Observed, *, added: bool) -> Change:
    profile, form, good = observed.profile.profile, observed.profile.form, observed.secrets.good
    label, wanted = "secret in the connector profile", "the newest one"
    if profile is None or form is None:
        note = "there is none of ours: section 6 makes it"
        return Change(label, "no profile", "no profile", "same", note)
    if not added and good is not None and observed.profile.used == good.key_id and not observed.broken:
        return Change(label, wanted, wanted, "same")
    if not observed.profile.only_secret:
        note = "more than its secret would change: give the parameters of the connection, or use `runbook run`"
        return Change(label, "another profile than these parameters want", wanted, "unknown", note, {"differs": True})
    now = f"refused by Entra ID ({observed.broken})" if observed.broken else "an earlier one"
    again = {"again": bool(observed.broken)}
    return Change(label, now, wanted, "changed", "a person saves it in StackOne's form", again)


def apply(ctx: Context, changes: Sequence[Change]) -> None:
    if any("differs" in change.data for change in changes):
        raise PlanRefused.named("profile_differs")
    client_secret.apply(ctx, changes)
    for change in pending(changes):
        if "again" in change.data:
            ctx.snapshot.forget()
            connector_profile.put_in(ctx, newest=True, again=bool(change.data["again"]))
            if account := find_account(ctx):
                not_ours(ctx, account)  # a call makes StackOne try what it has now
            ctx.snapshot.forget()


def verify(ctx: Context) -> Evidence:
    """The secret by a token; the profile by its list; and by the linked account, as soon as that proves something."""
    found = client_secret.verify(ctx)
    observed = read(ctx)
    secrets, profile = observed.secrets, observed.profile.profile
    in_use = secrets.good is not None and observed.profile.used == secrets.good.key_id
    held = "the newest secret" if in_use else "none" if profile is None else "an earlier secret"
    rows = [row("secret in the connector profile", held, "GET /connector_profiles, mark on the application")]
    if secrets.superseded:
        rows.append(row("StackOne, as the linked account", secrets.superseded.proof, "POST /unified/proxy"))
    doubt = observed.broken or (secrets.superseded and secrets.superseded.doubt)
    ok = (in_use or profile is None) and not doubt
    return replace(found, ok=ok, rows=[*found.rows, *rows], next_step=_next(secrets, ok=ok))


def _next(secrets: client_secret.Observed, *, ok: bool) -> str:
    if not ok:
        return "run `runbook rotate` again: what StackOne is refused with is handed over again."
    old = secrets.superseded
    return (
        f"run `runbook rotate` again after {old.until:%Y-%m-%d %H:%M} UTC: the old one is removed then." if old else ""
    )
