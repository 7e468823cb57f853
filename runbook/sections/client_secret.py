"""Section 5: the client secret with which StackOne proves that it may act as the application.

The value is shown by Entra ID once, goes straight into the secret store, and never anywhere else. If the store does
not take it, the secret is removed again, and one whose value was lost with a run that was killed is removed by the
next. The key ids of ours are listed on the application. Of those, one that has ended is removed, and so is a superseded
one of this store (:class:`Superseded`). A living one whose value is kept elsewhere (another machine) is left alone, and
no other is made beside it unless ``new_secret`` says so. Everybody else's stay.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from runbook.clients.entra import TokenResult
from runbook.errors import PlanRefused, RunbookError, SignInError
from runbook.records import redaction
from runbook.secrets import Secret
from runbook.sections import about
from runbook.sections.link_account import find_account, not_ours
from runbook.tenant import credentials, others
from runbook.tenant.base import Context
from runbook.tenant.changes import Change, Evidence, row
from runbook.tenant.credentials import TOKEN_LIFE, Credential, SecretPolicy, of_application, secret_name, when
from runbook.tenant.registration import (
    application,
    application_path,
    hold_marks,
    marks,
    require_application,
    service_principal,
    write,
)

NAME, NUMBER, TITLE, SUMMARY, PORTAL = about("client_secret")
# Invalid and expired; any other refusal says nothing about the secret, and another one would be refused likewise.
BAD_SECRET = frozenset({"AADSTS7000215", "AADSTS7000222"})


@dataclass(frozen=True)
class Superseded:
    """The one rule for a secret in whose place another was put: it stays until ``until``, and while there is ``doubt``.

    The profile has another one ``since``; that is ``secret_overlap_days`` ago, and every token that StackOne got with
    the old one has ended; the other one gives a token now; and a call went through the account, if one is linked
    (``proof`` in words).
    """

    since: datetime
    until: datetime
    doubt: RunbookError | None = None
    proof: str = "no account is linked, so StackOne signs in for nobody"

    @classmethod
    def read(cls, ctx: Context, found: Mapping[str, Any], good: Credential) -> "Superseded":
        marked = when(next(iter(marks(found, credentials.SINCE_MARK)), ""))
        since = max(filter(None, (marked, good.starts)), default=ctx.graph.session.now())
        until, account = since + timedelta(days=ctx.params.secret_overlap_days), find_account(ctx)
        if account is None:
            return cls(since, until)
        ended = since + TOKEN_LIFE
        if ctx.stackone.session.now() < ended:
            old = f"it may use a token from before until {ended:%Y-%m-%d %H:%M} UTC"
            return cls(since, max(until, ended), None, old)
        doubt = not_ours(ctx, account)
        proof = f"a call went through, and every token from before {since:%Y-%m-%d %H:%M} UTC has ended"
        return cls(since, max(until, ended), doubt, doubt.what if doubt else proof)


@dataclass(frozen=True)
class Observed:
    """The secrets there, the one of ours to use, whether it is proven and why not, and the tenant's policy.

    ``superseded`` is there when the profile has that one and others of this store still live; ``renew``: make another
    one although this one is far from its end.
    """

    secrets: list[Credential] = field(default_factory=list)
    good: Credential | None = None
    proven: bool = False
    refused: SignInError | None = None
    superseded: Superseded | None = None
    policy: SecretPolicy = field(default_factory=SecretPolicy)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    renew: bool = False

    @property
    def earlier(self) -> list[Credential]:
        """The others of ours that live and whose values are kept here."""
        return [each for each in self.secrets if each != self.good and each.ref and not each.expired(self.now)]


def read(ctx: Context) -> Observed:
    found = application(ctx, *credentials.policies(ctx))
    policy = credentials.read_policy(ctx, found)
    if found is None:
        return Observed(policy=policy, now=ctx.graph.session.now())
    good, proven, refused = credentials.current(ctx, found), False, None
    if good is not None and _may_sign_in(ctx, found):
        try:
            proven = bool(_proven_at(ctx, found, good))
        except SignInError as error:
            good, refused = None if error.code in BAD_SECRET else good, error
    seen = Observed(of_application(ctx, found), good, proven, refused, None, policy, ctx.graph.session.now())
    if good is not None and seen.earlier and [good.key_id] == marks(found, credentials.PROFILE_MARK):
        return replace(seen, superseded=Superseded.read(ctx, found, good))
    return seen


def _may_sign_in(ctx: Context, found: dict[str, Any]) -> bool:
    """Whether there is an enabled service principal; section 2 sees to it, and no secret is proven without."""
    principal = service_principal(ctx, found["appId"])
    return principal is not None and principal.get("accountEnabled") is not False


def _prove(ctx: Context, found: dict[str, Any], credential: Credential) -> TokenResult:
    """A token with this secret; the first refusals of a young one are waited out."""
    return ctx.graph.until(lambda: credentials.token(ctx, found, credential), "Entra ID accepts the new client secret")


def _proven_at(ctx: Context, found: dict[str, Any], credential: Credential) -> datetime:
    """When a token was obtained with it, by the service's clock: a moment ago if nothing was written since."""

    def prove() -> datetime:
        _prove(ctx, found, credential)
        return ctx.graph.session.now()

    return ctx.snapshot.remember(f"proof of {credential.key_id}", prove, tenant=True)


def plan(ctx: Context, observed: Observed) -> list[Change]:
    changes = [_main(ctx, observed)]
    for secret in observed.secrets:
        if observed.good is None or secret.key_id != observed.good.key_id:
            changes.append(_other(secret, observed, pruned="secrets" in ctx.params.prune))
    if any(secret.ref and not secret.listed for secret in observed.secrets):
        note, what = "a run from here ended before it was listed", "mark of a client secret kept here"
        changes.append(Change(what, "absent", "present", "changed", note, {"list": True}))
    return changes + others.pruned(ctx, NAME)


def _main(ctx: Context, observed: Observed) -> Change:
    days = _lifetime(ctx, observed.policy)
    margin = ctx.params.secret_renew_before_days
    good = observed.good
    label = f"client secret {ctx.params.secret_description!r}"
    wanted = f"valid for {days} days, value kept in the secret store"
    if good is not None and not observed.renew and good.days_left(observed.now) >= min(margin, days - 1):
        state = "proven" if observed.proven else "not proven now"
        note = f"{observed.refused.meaning.rstrip('.')}; no fault of the secret" if observed.refused else ""
        now = f"key {good.key_id}, {good.days_left(observed.now)} days left, {state}"
        return Change(label, now, wanted, "same", note)
    if observed.policy.forbidden:
        note = f"an app management policy ({observed.policy.name or 'without a name'}) forbids client secrets"
        now = "absent" if good is None else f"{good.days_left(observed.now)} days left"
        return Change(label, now, wanted, "unknown", note, {"forbidden": observed.policy.name})
    if good is not None:
        now = f"{good.days_left(observed.now)} days left"
        note = "another takes its place" if observed.renew else f"renewed {margin} days before it ends"
        note += "; the old one stays for now"
    elif observed.refused:
        now = f"refused by Entra ID ({observed.refused.code})"
        note = f"{observed.refused.meaning.rstrip('.')}; a new one is made"
    elif elsewhere := _elsewhere(observed.secrets, observed.now):
        instead = "a new one is made" if ctx.params.new_secret else "no other is made without --new-secret"
        now, note = f"key {elsewhere[0].key_id}, value not kept here", f"Entra ID shows a value only once; {instead}"
        if not ctx.params.new_secret:
            return Change(label, now, wanted, "unknown", note, {"elsewhere": True})
    else:
        now, note = "absent", ""
    if days < ctx.params.secret_lifetime_days:
        note = f"{note}; the tenant's policy allows {days} days at most".removeprefix("; ")
    if observed.policy.perhaps:
        note = f"{note}; a policy forbids it to all but exempt callers, which shows when it is tried".removeprefix("; ")
    if not observed.policy.known:
        note = f"{note}; the tenant's policy on secrets may not be read with this sign-in".removeprefix("; ")
    there = {item.key_id: item.listed for item in observed.secrets}
    return Change(label, now, wanted, "added", note, {"days": days, "there": there})


def _elsewhere(secrets: Sequence[Credential], now: datetime) -> list[Credential]:
    """The living ones of ours whose values are kept elsewhere, the newest first."""
    return [secret for secret in secrets if secret.elsewhere and not secret.expired(now)]


def _lifetime(ctx: Context, policy: SecretPolicy) -> int:
    limit = policy.max_days
    return ctx.params.secret_lifetime_days if limit is None else max(1, min(ctx.params.secret_lifetime_days, limit))


def _other(secret: Credential, observed: Observed, *, pruned: bool) -> Change:
    label, remove = f"client secret {secret.description!r} ({secret.key_id})", {"remove": secret.key_id}
    left = "ended" if secret.expired(observed.now) else f"{secret.days_left(observed.now)} days left"
    if not secret.ours and pruned:
        return Change(label, left, "absent", "removed", "not ours, pruned", remove)
    if not secret.ours:
        return Change(label, left, "left alone", "same", "not ours", hashed="another's secret")
    if secret.lost:
        note = "its value was lost with a run that ended before it was kept"
        return Change(label, left, "absent", "removed", note, remove, hashed="lost secret")
    if secret.expired(observed.now):
        return Change(label, left, "absent", "removed", "of use to nobody", remove, hashed="ended secret")
    if secret.elsewhere:
        note = "its value is kept elsewhere, and whoever has it may be using it"
        return Change(label, left, "left alone", "same", note, hashed="another store's secret")
    if old := observed.superseded:
        if observed.proven and not old.doubt and observed.now >= old.until:
            note = f"superseded: the connector profile has the other one since {old.since:%Y-%m-%d}"
            return Change(label, left, "absent", "removed", note, remove, hashed="superseded secret")
        doubt = "the other one is not proven" if old.doubt is None else old.doubt.what
        note = f"superseded, kept until {old.until:%Y-%m-%d %H:%M} UTC"
        note = note if observed.now < old.until else f"superseded, kept while in doubt: {doubt}"
        return Change(label, left, "left alone", "same", note, hashed="earlier secret")
    note = "StackOne may be using it until the connector profile is switched"
    return Change(label, left, "left alone", "same", note, hashed="earlier secret")


def apply(ctx: Context, changes: Sequence[Change]) -> None:
    others.remove(ctx, changes)
    found = require_application(ctx)
    for change in changes:
        if "remove" in change.data:
            remove(ctx, found, str(change.data["remove"]))
    for change in changes:
        if "forbidden" in change.data:
            raise PlanRefused.named("secrets_forbidden", name=change.data["forbidden"])
        if "elsewhere" in change.data:
            raise PlanRefused.named("secret_elsewhere")
        if "days" in change.data:
            _add(ctx, found, int(change.data["days"]), change.data["there"])
        if "list" in change.data:
            _list(ctx)


def _add(ctx: Context, found: dict[str, Any], days: int, there: Mapping[str, bool]) -> None:
    # No two runs choose the same end, so that the note of one is never taken for a secret of another.
    # By the service's clock, as it is compared there with what a policy allows.
    ends = ctx.graph.session.now().replace(microsecond=0) + timedelta(days=days, seconds=-secrets.randbelow(3600))
    credentials.note_adding(ctx, found["appId"], f"{ends:%Y-%m-%dT%H:%M:%SZ}")
    made = _made(ctx, found, f"{ends:%Y-%m-%dT%H:%M:%SZ}", there)
    secret = Secret(made.pop("secretText"))
    redaction.register(secret)
    key_id = str(made["keyId"])
    try:
        ref = ctx.store.put(secret_name(ctx, found["appId"], key_id), secret)
    except RunbookError:
        # A secret whose value nobody keeps is only a risk.
        remove(ctx, found, key_id)
        raise
    kept = {"key_id": key_id, "ends_at": made.get("endDateTime"), "ref": ref, "description": made.get("displayName")}
    ctx.journal.event("secret.kept", section=NAME, secret=kept)
    ctx.known.secret = key_id
    _list(ctx, key_id)  # at once, as another machine may be looking
    credential = ctx.until(lambda: _seen(ctx, key_id), "the new client secret is listed on the application")
    _remove_lost(ctx, there)
    credentials.note_adding(ctx, found["appId"], "")
    _yield_to_another(ctx, credential, there)
    _prove(ctx, found, credential)
    _yield_to_another(ctx, credential, there)


def _list(ctx: Context, *new: str) -> None:
    """List ours on the application; those that are gone, or were only lost, are listed no longer."""
    secrets = of_application(ctx, require_application(ctx))
    write(ctx, {credentials.MARK: [*new, *(item.key_id for item in secrets if item.ours and not item.lost)]}, {})


def _yield_to_another(ctx: Context, mine: Credential, there: Mapping[str, bool]) -> None:
    """Of secrets that two machines made at the same time the older stays; both sides come to the same result.

    ``there`` are the key ids that the plan saw, and whether they were listed. The other's may not be listed yet: here
    its description is enough, as only the one just made here is removed.
    """
    found, name = require_application(ctx), ctx.params.secret_description
    rivals = [
        item
        for item in of_application(ctx, found)
        if (item.elsewhere and not there.get(item.key_id))
        or (item.description == name and not item.ours and item.key_id not in there)
    ]
    if rivals and min((*rivals, mine), key=lambda item: (str(item.starts), item.key_id)) is not mine:
        remove(ctx, found, mine.key_id)
        _list(ctx)
        raise PlanRefused.named("secret_at_once")


def _made(ctx: Context, found: dict[str, Any], ends: str, before: Collection[str]) -> dict[str, Any]:
    """The answer of ``addPassword``, with the value. A secret whose answer was lost on the way is removed again."""
    body = {"passwordCredential": {"displayName": ctx.params.secret_description, "endDateTime": ends}}
    doubt: RunbookError | None = None

    def create() -> dict[str, Any] | None:
        nonlocal doubt
        try:
            return ctx.graph.post(f"/applications/{found['id']}/addPassword", body, fresh=True)
        except RunbookError as error:
            doubt = error
            raise

    # What is found has no value and is of no use: it is removed, so that one more is made.
    def removed() -> None:
        ctx.snapshot.forget()
        _remove_lost(ctx, before, doubt)

    made, _ = ctx.graph.ensure(removed, create, what="A client secret with its value", absent=True)
    if made.get("secretText"):
        return made
    raise RunbookError.named("secret_without_value")


def _remove_lost(ctx: Context, before: Collection[str], doubt: RunbookError | None = None) -> None:
    """Remove the secrets, in ``doubt`` until now, whose answers were lost: nobody knows their values."""
    found = require_application(ctx)
    lost = [item for item in of_application(ctx, found) if item.lost and item.key_id not in before]
    for item in lost:
        if doubt is not None:
            ctx.graph.session.settled(doubt.ticket, applied=True, created=True)
            doubt = None
        else:  # it shows so late that it was taken for one that was never made
            ctx.journal.made("created", "client secret")
        remove(ctx, found, item.key_id)


def _seen(ctx: Context, key_id: str) -> Credential | None:
    found = application(ctx)
    listed = of_application(ctx, found) if found else []
    return next((item for item in listed if item.key_id == key_id), None)


def remove(ctx: Context, found: Mapping[str, Any], key_id: str) -> None:
    """Remove a secret of ours by its key id, and its value from the store."""
    ctx.graph.remove(f"/applications/{found['id']}/removePassword", {"keyId": key_id})
    reference = ctx.store.reference(secret_name(ctx, found["appId"], key_id))
    ctx.store.delete(reference)


def verify(ctx: Context) -> Evidence:
    found = require_application(ctx)
    credential = credentials.require_current(ctx, found)
    hold_marks(ctx)
    proven_at = _proven_at(ctx, found, credential)
    ends = f"{credential.ends:%Y-%m-%dT%H:%M:%SZ}" if credential.ends else ""
    source, endpoint = "GET " + application_path(ctx), f"POST /{ctx.target.tenant_id}/oauth2/v2.0/token"
    rows = [
        row("key id", credential.key_id, source),
        row("description", credential.description, source),
        row("ends at", f"{ends} ({credential.days_left(proven_at)} days left)", source),
        row("value kept in", credential.ref, "secret store"),
        row("proof", f"a token was obtained with it at {proven_at:%H:%M:%S} UTC", endpoint),
    ]
    others = [item for item in of_application(ctx, found) if item.key_id != credential.key_id]
    rows += [row("another secret", f"{item.description!r}, hint {item.hint}…", source) for item in others]
    secret = {name: getattr(credential, name) for name in ("key_id", "ref", "description")}
    secret |= {"ends_at": ends, "proven_at": f"{proven_at:%Y-%m-%dT%H:%M:%SZ}"}
    lives = [_life(ctx, found, item, credential) for item in (credential, *others)]
    return Evidence(True, rows, {"secret": secret, "secrets": lives})


def _life(ctx: Context, found: Mapping[str, Any], item: Credential, good: Credential) -> dict[str, Any]:
    """One secret as the time line shows it (:class:`runbook.records.timeline.TimeLine`)."""
    in_profile = marks(found, credentials.PROFILE_MARK)
    since = when(next(iter(marks(found, credentials.SINCE_MARK)), ""))
    overlap, margin = timedelta(ctx.params.secret_overlap_days), timedelta(ctx.params.secret_renew_before_days)
    superseded = item != good and item.ref and in_profile == [good.key_id] and since
    moments = {
        "starts_at": item.starts,
        "ends_at": item.ends,
        "profile_since": since if in_profile == [item.key_id] else None,
        "renew_at": item.ends - margin if item == good and item.ends else None,
        "kept_until": since + overlap if since and superseded else None,
    }
    return {
        **{name: getattr(item, name) for name in ("key_id", "description", "ours")},
        "days_left": item.days_left(ctx.graph.session.now()),
        "in_profile": in_profile == [item.key_id],
        **{name: f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else "" for name, moment in moments.items()},
    }
