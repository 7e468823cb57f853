"""Section 7: a person signs in once, and StackOne gets a linked account through which the actions run.

Found by owner and provider, so running again finds the same account. It is opened again when StackOne does not list it
as active, or when the connector profile was saved after the account was last linked: its tokens then carry the scopes
of before.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbook.catalog.guide import CONNECTOR_KEY
from runbook.clients.answers import aadsts_code, told
from runbook.errors import HandOver, NotSettled, Parked, RunbookError, SignInError
from runbook.records import redaction
from runbook.secrets import Secret
from runbook.sections import about
from runbook.sections.connector_profile import find_profile
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, row
from runbook.tenant.credentials import NO_CONSENT_YET, when

NAME, NUMBER, TITLE, SUMMARY, PORTAL = about("link_account")


_CONSENT_PATIENCE = 15.0


@dataclass(frozen=True)
class Observed:
    """The connector profile and the linked account, as StackOne lists them."""

    profile: dict[str, Any] | None
    account: dict[str, Any] | None


def find_account(ctx: Context) -> dict[str, Any] | None:
    """The linked account of our owner; an active one before others, the newest among equals."""
    found = list(ctx.stackone.accounts(provider=CONNECTOR_KEY, owner_id=ctx.params.account_owner_id))
    return max(
        found, key=lambda item: (item.get("status") == "active", str(item.get("created_at") or "")), default=None
    )


def read(ctx: Context) -> Observed:
    return Observed(find_profile(ctx), find_account(ctx))


def plan(ctx: Context, observed: Observed) -> list[Change]:
    label = f"linked account of {ctx.params.account_owner_id!r}"
    account = observed.account
    if account is None:
        return [Change(label, "absent", "active", "added", "a person signs in")]
    status = str(account.get("status"))
    if status != "active":
        return [Change(label, f"{status}{_reasons(account)}", "active", "changed", "a person signs in again")]
    if _older_than_profile(account, observed.profile):
        note = "a person signs in again: its tokens carry the scopes of the profile as it was before"
        return [Change(label, "active, older than the connector profile", "active", "changed", note)]
    return [Change(label, "active", "active", "same")]


def _reasons(account: Mapping[str, Any]) -> str:
    texts = [
        str(r.get("description") or r.get("code")) for r in account.get("status_reasons") or () if isinstance(r, dict)
    ]
    return f" ({'; '.join(texts)})" if texts else ""


def _older_than_profile(account: Mapping[str, Any], profile: Mapping[str, Any] | None) -> bool:
    linked = when(account.get("updated_at") or account.get("created_at"))
    saved = when((profile or {}).get("updated_at"))
    return linked is not None and saved is not None and linked < saved


def apply(ctx: Context, _changes: Sequence[Change]) -> None:
    observed = read(ctx)
    if observed.profile is None:
        raise RunbookError(
            f"StackOne has no connector profile {ctx.params.connector_profile_name!r}.",
            next_step="run section 6 (connector profile) first.",
        )

    ctx.graph.until(
        functools.partial(_link, ctx, observed),
        "the consent just given is known everywhere",
        # Nobody is asked twice for another reason.
        passing=lambda error: NO_CONSENT_YET in str(error) and ctx.target.attend is not None,
        deadline=_CONSENT_PATIENCE,
    )


def _link(ctx: Context, observed: Observed) -> bool:
    """Open a session, hand its link over, and wait until the account is active: True."""
    profile = observed.profile or {}
    ask = functools.partial(
        ctx.stackone.connect_session,
        owner_id=ctx.params.account_owner_id,
        owner_name=ctx.params.account_owner_name,
        provider=CONNECTOR_KEY,
        connector_profile_id=profile.get("id"),
        account_id=observed.account["id"] if observed.account else None,
        username=ctx.params.account_username or None,
    )
    # One session too many does no harm: a session that nobody opens links nothing.
    session = ctx.graph.until(ask, "StackOne opens a session for linking")
    redaction.register(str(session["token"]))
    hand_over = _hand_over(ctx, session)
    try:
        ctx.hand_over(hand_over)
    except RunbookError:
        # Somebody may have tried just now and failed: then their reason is worth more than another link.
        _explain(ctx, session)
        raise
    _wait(ctx, session, observed, hand_over)
    ctx.journal.made("updated" if observed.account else "created", "linked account")
    ctx.store.delete(hand_over.kept)
    return True


def _hand_over(ctx: Context, session: Mapping[str, Any]) -> HandOver:
    fields = {"account owner": f"{ctx.params.account_owner_name} ({ctx.params.account_owner_id})"}
    if ctx.params.account_username:
        fields["username"] = ctx.params.account_username
    return HandOver(
        kind="link_account",
        title="Sign in to link an account of this tenant to StackOne",
        url=str(session["auth_link_url"]),
        # Whoever holds the link may link an account, for days: records show where it is kept, not the link.
        kept=ctx.store.put(f"{ctx.target.tenant_id}/link/{session['id']}", Secret(str(session["auth_link_url"]))),
        steps=(
            "Open the link in a browser; StackOne shows “Microsoft Entra ID” and a Connect button.",
            "Press Connect and sign in with the account whose permissions StackOne is to use.",
            "StackOne says that the account is linked; the window may be closed.",
        ),
        fields=fields,
        who="The person whose account StackOne is to use",
        expires_at=session.get("expires_at"),
    )


def _wait(ctx: Context, session: Mapping[str, Any], before: Observed, hand_over: HandOver) -> None:
    def linked() -> dict[str, Any] | None:
        _explain(ctx, session)
        account = find_account(ctx)
        if account is None or account.get("status") != "active" or _older_than_profile(account, before.profile):
            return None
        return account

    try:
        ctx.until(
            linked, "StackOne lists the account as active", deadline=float(ctx.params.link_timeout_seconds), sightings=1
        )
    except NotSettled:
        raise Parked(hand_over) from None


def _explain(ctx: Context, session: Mapping[str, Any]) -> None:
    """Raise with StackOne's and Entra's reason if the latest attempt to connect failed."""
    body = {"token": session.get("token")}
    answer = ctx.stackone.session.request("POST", "/connect_sessions/authenticate", json=body, effect="read")
    attempt = answer.body.get("latest_connection_attempt") if answer.ok and isinstance(answer.body, dict) else None
    if not attempt or not attempt.get("oauth_error_code"):
        return
    text = str(attempt.get("oauth_error_description") or "")
    error = str(attempt["oauth_error_code"])
    failure = SignInError(
        f"Linking the account failed: {error}: {text}".rstrip(": "),
        code=aadsts_code({"error_description": text}) or error,
    )
    raise told(failure, whose="linked")


def verify(ctx: Context) -> Evidence:
    profile, account = find_profile(ctx), find_account(ctx)
    if account is None:
        return Evidence(None, [row("linked account", "absent", "GET /accounts")], next_step="run section 7 again.")
    read_back, source = ctx.stackone.account(account["id"]), "GET /accounts/{id}"
    status = str(read_back.get("status"))
    rows = [
        row("account", account["id"], source),
        row("status", status + _reasons(read_back), source),
        row("owner", f"{read_back.get('origin_owner_name')} ({read_back.get('origin_owner_id')})", source),
        row("linked by", read_back.get("origin_username") or "not told by StackOne", source),
        row("connector profile", (profile or {}).get("id", "absent"), "GET /auth_configs"),
    ]
    said = read_back.get
    linked = {"id": account["id"], "provider": said("provider"), "status": status}
    linked |= {"owner_id": said("origin_owner_id"), "username": said("origin_username")}
    ok = status == "active"
    next_step = "" if ok else "run section 7 again: the person signs in once more."
    return Evidence(ok, rows, {"account": linked}, next_step=next_step)
