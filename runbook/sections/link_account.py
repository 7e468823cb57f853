"""Section 7: a person signs in once, and StackOne gets a linked account through which the actions run.

An account is ours when its id is listed on the application or named by ``account_id``, or when its owner had none
before a person was asked to link one. It is opened again when StackOne does not list it as active, or when the
connector profile was saved after it was last linked: its tokens then carry the scopes of before. Whose organization it
reaches is asked through it before anything counts as proven by it.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from runbook.catalog.guide import CONNECTOR_KEY
from runbook.clients.answers import aadsts_code, explain, told
from runbook.errors import HandOver, NotSettled, Parked, PlanRefused, RunbookError, SignInError, StackOneError
from runbook.records import redaction
from runbook.secrets import Secret
from runbook.sections import about
from runbook.sections.connector_profile import find_profile, profile_id, refuse
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, row
from runbook.tenant.consent import consent_url
from runbook.tenant.credentials import NO_CONSENT_YET, when
from runbook.tenant.registration import Mark, all_marks, application, fingerprint, hold_marks, marks, own_name, write

NAME, NUMBER, TITLE, SUMMARY, PORTAL = about("link_account")
_CONSENT_PATIENCE = 15.0
_ID, _ASKED, _EARLIER = "account", "account-asked", "account-earlier"
_OF_PROFILE = ("secret_of_profile", "secret_ended", "application_unknown", "permission_undeclared")
ANOTHER = "another_organization"


@dataclass(frozen=True)
class Observed:
    """The connector profile and our linked account, as StackOne lists them; ``stranger``: the owner has another one.

    ``failed``: what StackOne says of an attempt with the link that is handed over; empty while there is none.
    ``asked``: a person has that link.
    """

    profile: dict[str, Any] | None
    account: dict[str, Any] | None
    listed: bool = False
    stranger: bool = False
    failed: str = ""
    asked: bool = False


def find_account(ctx: Context) -> dict[str, Any] | None:
    """Our linked account, or None; not yet asked whose organization it reaches."""
    return _observed(ctx).account


def accounts_of(ctx: Context, found: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Every account that is listed on the application, customers' too, and one not listed yet that was asked for."""
    named = all_marks(found).items()
    listed = {id_ for name, ids in named if name.startswith(_ID) and not name.startswith(_ASKED) for id_ in ids}
    there = {id_: account for id_ in sorted(listed) if (account := _account(ctx, id_))}
    mine = find_account(ctx) if application(ctx) else None
    return [*({**there, str(mine["id"]): mine} if mine else there).values()]


def _account(ctx: Context, id_: str) -> dict[str, Any] | None:
    try:
        return ctx.snapshot.remember(f"account {id_}", lambda: ctx.stackone.account(id_))
    except StackOneError as error:
        if error.status != 404:
            raise
        return None


def unlink(ctx: Context, id_: str) -> None:
    """Delete an account of ours at StackOne. What is gone already is done."""

    def gone() -> bool | None:
        ctx.snapshot.forget()
        return _account(ctx, id_) is None or None

    def delete() -> bool:
        ctx.stackone.delete_account(id_)
        return True

    ctx.graph.ensure(gone, delete, what="The end of the linked account", absent=True)


def kept_links(ctx: Context) -> list[str]:
    """The names under which the store may still keep a link that was handed over."""
    kept = _kept(ctx, read(ctx))
    return [kept, f"{kept}/session"]


def owner(ctx: Context) -> str:
    """Whose account it is, at StackOne."""
    return own_name(ctx, ctx.params.account_owner_id, f"entra-id-runbook{_of(ctx)}", "-")


def _of(ctx: Context) -> str:
    """What marks and names say besides of a customer's account."""
    return f"-{ctx.params.customer_tenant_id}" if ctx.params.customer_tenant_id else ""


def _observed(ctx: Context, profile: dict[str, Any] | None = None) -> Observed:
    found = application(ctx)
    listed, asked = marks(found, _ID + _of(ctx)), fingerprint(owner(ctx)) in marks(found, _ASKED + _of(ctx))
    for id_ in [ctx.params.account_id] if ctx.params.account_id else [*listed, *marks(found, _EARLIER + _of(ctx))]:
        account = ctx.stackone.account(id_) if ctx.params.account_id else _account(ctx, id_)
        if account and (ctx.params.account_id or ctx.params.account_owner_id in ("", account.get("origin_owner_id"))):
            return Observed(profile, account, listed == [id_])
    ask, whose = ctx.stackone.accounts, owner(ctx)
    of_owner = ctx.snapshot.remember(f"accounts {whose}", lambda: list(ask(provider=CONNECTOR_KEY, owner_id=whose)))
    newest = max(of_owner, key=lambda item: (item.get("status") == "active", str(item.get("created_at"))), default=None)
    if newest:
        ctx.snapshot.remember(f"account {newest['id']}", lambda: newest)
    return Observed(profile, newest if asked else None, stranger=bool(newest) and not asked)


def not_ours(ctx: Context, account: Mapping[str, Any]) -> RunbookError | None:
    """Why nothing counts as proven through an account: it reaches another organization, or which one cannot be asked.

    Microsoft Graph tells the id of the organization to every token that may sign in (``User.Read``;
    learn.microsoft.com/graph/api/organization-list). The code is :data:`ANOTHER` or ``organization_unknown``.
    """
    id_ = str(account["id"])
    linking = f"{id_} as of {account.get('updated_at')}"  # which changes when a person links it anew
    about = {"account": id_, "tenant": ctx.params.customer_tenant_id or ctx.target.tenant_id}
    try:
        reached = ctx.known.reached.get(linking) or _organization(ctx, id_)
    except RunbookError as error:
        return RunbookError.named("organization_unknown", **about, reason=error.what)
    if account.get("updated_at"):
        ctx.known.reached[linking] = reached
    return None if reached == about["tenant"] else RunbookError.named(ANOTHER, **about, reached=reached)


def _organization(ctx: Context, account_id: str) -> str:
    try:
        body = ctx.stackone.proxied(account_id, "/organization?$select=id")
    except StackOneError:
        if not {"list_organizations"} & set(ctx.params.actions):
            raise
        body = ctx.stackone.call_action(f"{CONNECTOR_KEY}_list_organizations", account_id, effect="read")
    items = body.get("value") or body.get("data") or ()
    return next((str(item.get("id")) for item in items if isinstance(item, dict)), "")


def read(ctx: Context) -> Observed:
    def look() -> Observed:
        return _observed(ctx, find_profile(ctx))

    observed = ctx.past_lag(look, lambda seen: seen.stranger, "the application lists the account")
    kept = ctx.store.reference(f"{_kept(ctx, observed)}/session")
    token = json.loads(ctx.store.get(kept).reveal())["token"] if ctx.store.has(kept) else ""
    return replace(observed, failed=" ".join(_failed(ctx, token)).strip(), asked=True) if token else observed


def plan(ctx: Context, observed: Observed) -> list[Change]:
    label = f"linked account of {owner(ctx)!r}"
    account = observed.account
    if observed.stranger:
        note = "an account of this owner is there and is not listed on this tenant's application: it is left alone"
        return [Change(label, "not ours", "active", "unknown", note)]
    if account is None:
        tried = f"absent; linking failed: {observed.failed}" if observed.failed else "absent"
        note = f"a person {'was asked to sign' if observed.asked else 'signs'} in"
        return [Change(label, tried, "active", "added", note, asked=observed.asked)]
    status = str(account.get("status"))
    if status != "active":
        return [Change(label, f"{status}{_reasons(account)}", "active", "changed", "a person signs in again")]
    if _older_than_profile(account, observed.profile):
        note = "a person signs in again: its tokens carry the scopes of the profile as it was before"
        return [Change(label, "active, older than the connector profile", "active", "changed", note)]
    if not observed.listed:
        return [Change(label, "active, not listed yet", "active", "changed", "its id is noted on the application")]
    return [Change(label, "active", "active", "same")]


def _reasons(account: Mapping[str, Any]) -> str:
    said = [each for each in account.get("status_reasons") or () if isinstance(each, dict)]
    texts = [str(each.get("description") or each.get("code")) for each in said]
    return f" ({'; '.join(texts)})" if texts else ""


def _older_than_profile(account: Mapping[str, Any], profile: Mapping[str, Any] | None) -> bool:
    linked = when(account.get("updated_at") or account.get("created_at"))
    saved = when((profile or {}).get("content_at"))
    return linked is not None and saved is not None and linked < saved


def _usable(account: Mapping[str, Any], profile: Mapping[str, Any] | None) -> bool:
    return account.get("status") == "active" and not _older_than_profile(account, profile)


def apply(ctx: Context, _changes: Sequence[Change]) -> None:
    observed = read(ctx)
    if observed.profile is None:
        raise RunbookError.named("no_profile")
    if observed.stranger:
        raise PlanRefused.named("account_not_ours", owner=owner(ctx))
    account = observed.account
    if account is None:  # whoever runs next can tell that the account was made since
        write(ctx, {_ASKED + _of(ctx): fingerprint(owner(ctx)), **_listed(ctx, "")}, {})
    else:  # before it is opened again: that would turn another tenant's account into ours
        _refuse_another(not_ours(ctx, account), strict=bool(ctx.params.account_id) and not observed.listed)
    if account is None or not _usable(account, observed.profile):
        account = ctx.graph.until(
            functools.partial(_link, ctx, observed),
            "the consent just given is known everywhere",
            # Nobody is asked twice for another reason.
            passing=lambda error: NO_CONSENT_YET in str(error) and ctx.target.attend is not None,
            deadline=_CONSENT_PATIENCE,
        )
    _refuse_another(not_ours(ctx, account))
    ctx.snapshot.forget_tenant()
    write(ctx, {**_listed(ctx, str(account["id"])), _ASKED + _of(ctx): ""}, {})
    _forget(ctx, _kept(ctx, observed))


def _listed(ctx: Context, id_: str) -> dict[str, Mark]:
    """The marks by which this account is the one in use, and those of other owners stay ours."""
    found, names = application(ctx), (_ID + _of(ctx), _EARLIER + _of(ctx))
    others = {other for name in names for other in marks(found, name)} - {id_}
    return dict(zip(names, (id_, sorted(other for other in others if _account(ctx, other))), strict=True))


def _refuse_another(error: RunbookError | None, *, strict: bool = False) -> None:
    if error and (strict or error.code == ANOTHER):
        raise error


def _link(ctx: Context, observed: Observed) -> dict[str, Any]:
    """Hand the link of an open session over, and wait until the account is active; the account."""
    kept = _kept(ctx, observed)
    session = _opened(ctx, observed, kept)
    redaction.register(str(session["token"]))
    hand_over = _hand_over(ctx, session, ctx.store.reference(kept))
    try:
        ctx.hand_over(hand_over)
    except RunbookError:
        # Somebody may have tried meanwhile and failed: then their reason is worth more than the link.
        _explain(ctx, session, kept)
        raise
    account = _wait(ctx, session, observed, hand_over, kept)
    ctx.journal.made("updated" if observed.account else "created", "linked account")
    return account


def _kept(ctx: Context, observed: Observed) -> str:
    """The name under which the link is kept; another one as soon as anything is asked for that it does not give."""
    said = [(observed.profile or {}).get(name) for name in ("id", "updated_at")]
    said += [owner(ctx), ctx.params.account_owner_name, ctx.params.account_username]
    return f"{ctx.target.tenant_id}/link/{fingerprint(*map(str, said))}"


def _opened(ctx: Context, observed: Observed, kept: str) -> dict[str, Any]:
    """The session whose link was handed over before, while it is open; else a new one.

    Whoever holds the link may link an account, for days: records show where it is kept, not the link.
    """
    of_session = ctx.store.reference(f"{kept}/session")
    if ctx.store.has(of_session):
        before: dict[str, Any] = json.loads(ctx.store.get(of_session).reveal())
        if ctx.stackone.session_of(before["token"]) is not None:
            return before
    days = timedelta(days=ctx.params.link_lifetime_days)
    ask = functools.partial(
        ctx.stackone.connect_session,
        owner_id=owner(ctx),
        owner_name=ctx.params.account_owner_name,
        provider=CONNECTOR_KEY,
        expires_in=int(days.total_seconds()),
        connector_profile_id=(observed.profile or {}).get("id"),
        account_id=observed.account["id"] if observed.account else None,
        username=ctx.params.account_username or None,
    )
    # One session too many does no harm: a session that nobody opens links nothing.
    made = ctx.graph.until(ask, "StackOne opens a session for linking")
    ends = f"{ctx.stackone.session.now() + days:%Y-%m-%dT%H:%M:%SZ}"
    session = {"token": str(made["token"]), "url": str(made["auth_link_url"]), "expires_at": ends}
    ctx.store.put(kept, Secret(session["url"]))
    ctx.store.put(f"{kept}/session", Secret(json.dumps(session)))
    return session


def _forget(ctx: Context, kept: str) -> None:
    for name in (kept, f"{kept}/session"):
        ctx.store.delete(ctx.store.reference(name))


def _hand_over(ctx: Context, session: Mapping[str, Any], kept: str) -> HandOver:
    fields = {"account owner": f"{ctx.params.account_owner_name} ({owner(ctx)})"}
    if ctx.params.account_username:
        fields["username"] = ctx.params.account_username
    if customer := ctx.params.customer_tenant_id:
        url = consent_url(ctx, str((application(ctx) or {}).get("appId")), customer)
        fields["before, an administrator of the customer consents"] = url
    ends = session["expires_at"]
    return HandOver.named("link_account", {}, url=session["url"], kept=kept, fields=fields, expires_at=ends)


def _wait(ctx: Context, session: Mapping[str, Any], before: Observed, hand_over: HandOver, kept: str) -> dict[str, Any]:
    def linked() -> dict[str, Any] | None:
        account = find_account(ctx)
        if account and _usable(account, before.profile):
            return account
        _explain(ctx, session, kept)
        return None

    seconds = float(ctx.params.link_timeout_seconds)
    try:
        return ctx.until(linked, "StackOne lists the account as active", deadline=seconds, sightings=1)
    except NotSettled:
        raise Parked(hand_over) from None


def _explain(ctx: Context, session: Mapping[str, Any], kept: str) -> None:
    """Raise with StackOne's and Entra's reason if the latest attempt failed; the next one gets a new link."""
    error, text = _failed(ctx, session["token"])
    if not error:
        return
    _forget(ctx, kept)
    said, code = f"Linking the account failed: {error}: {text}", aadsts_code({"error_description": text})
    failure = SignInError(said.rstrip(": "), code=code or error)
    told(failure, whose="linked")
    if explain(failure).answer in _OF_PROFILE:  # what is in the profile is not what was confirmed
        refuse(ctx)
    raise failure


def _failed(ctx: Context, token: str) -> tuple[str, str]:
    """The error of the latest attempt in an open session, and its description; empty if there was none."""
    attempt = (ctx.stackone.session_of(token) or {}).get("latest_connection_attempt") or {}
    return str(attempt.get("oauth_error_code") or ""), str(attempt.get("oauth_error_description") or "")


def verify(ctx: Context) -> Evidence:
    read_back, source = find_account(ctx), "GET /accounts"
    if read_back is None:
        return Evidence(None, [row("linked account", "absent", "GET /accounts")], next_step="run section 7 again.")
    status = str(read_back.get("status"))
    rows = [
        row("account", read_back["id"], source),
        row("status", status + _reasons(read_back), source),
        row("owner", f"{read_back.get('origin_owner_name')} ({read_back.get('origin_owner_id')})", source),
        row("linked by", read_back.get("origin_username") or "not told by StackOne", source),
        row("connector profile", profile_id(ctx, application(ctx)) or "absent", "mark on GET /applications"),
    ]
    said = read_back.get
    linked = {"id": read_back["id"], "provider": said("provider"), "status": status}
    linked |= {"owner_id": said("origin_owner_id"), "username": said("origin_username")}
    if status != "active":
        return Evidence(False, rows, {"account": linked}, [], "run section 7 again: the person signs in once more.")
    hold_marks(ctx)
    _refuse_another(error := not_ours(ctx, read_back))
    reached = error.what if error else ctx.params.customer_tenant_id or ctx.target.tenant_id
    rows.append(row("organization", reached, "POST /unified/proxy"))
    linked |= {} if error else {"organization": reached, "linked_at": said("updated_at")}
    return Evidence(True, rows, {"account": linked}, [f"{error.what} {error.meaning}"] if error else [])
