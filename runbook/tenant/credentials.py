"""The client secrets of our application: whose they are, whether their value is kept here, whether they work.

With them what the tenant's policy says about secrets, and fresh tokens, waited for until they carry what is granted.

The store keeps a value under tenant, application and key id, so it is found again from what the tenant says alone. A
secret is ours when its key id is listed on the application or its value is kept here, whatever it is called. It counts
as good when a token call with it succeeds, and for no other reason.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from runbook.clients import entra
from runbook.clients.answers import told
from runbook.clients.entra import TokenResult
from runbook.errors import GraphError, NotSettled, RunbookError, SecretStoreError, SignInError
from runbook.secrets import Secret
from runbook.tenant.base import Context
from runbook.tenant.registration import application, marks

ADDING, _NOTE = "adding", "the secret being added ends at "
MARK, PROFILE_MARK = "key", "profile-key"
"""The marks that list key ids of ours: every one, and the one that the connector profile was last handed."""
SINCE_MARK = "profile-since"
"""The mark that says since when the connector profile has a secret in place of another."""
TOKEN_LIFE = timedelta(minutes=90)
"""What an access token of Microsoft Graph lives at most (learn.microsoft.com/entra/identity-platform/access-tokens)."""


@dataclass(frozen=True)
class Credential:
    """One entry of ``passwordCredentials``. ``ref`` is where its value is kept, empty if it is not kept here.

    ``lost``: a run from here ended between the making of this one and the keeping of its value, so nobody has it.
    ``listed``: on the application, as ours.
    """

    key_id: str
    description: str
    hint: str
    starts: datetime | None
    ends: datetime | None
    ours: bool
    ref: str
    lost: bool = False
    listed: bool = True

    @property
    def elsewhere(self) -> bool:
        """Ours, and its value is kept where this machine does not look."""
        return self.ours and not self.ref and not self.lost

    def days_left(self, now: datetime) -> int:
        """Whole days until it ends; negative when it has ended. A secret without an end counts as a century."""
        return 36_500 if self.ends is None else (self.ends - now).days

    def expired(self, now: datetime) -> bool:
        return self.ends is not None and self.ends <= now


def when(text: str | None) -> datetime | None:
    """A time of Graph (ISO 8601, UTC, up to seven decimals) as a datetime."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def secret_name(ctx: Context, app_id: str, key_id: str) -> str:
    """The name under which the store keeps the value of one secret."""
    return f"{ctx.target.tenant_id}/{app_id}/{key_id}"


def of_application(ctx: Context, found: Mapping[str, Any]) -> list[Credential]:
    """Every client secret of an application, newest first."""
    listed = {*marks(found, MARK), *marks(found, PROFILE_MARK)}
    items = [_credential(ctx, found["appId"], item, listed) for item in found.get("passwordCredentials") or ()]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(items, key=lambda item: (item.starts or oldest, item.key_id), reverse=True)


def _credential(ctx: Context, app_id: str, item: Mapping[str, Any], listed: Collection[str]) -> Credential:
    key_id, described = str(item["keyId"]), str(item.get("displayName") or "")
    ref, known = _kept(ctx, secret_name(ctx, app_id, key_id)), key_id in listed
    starts, ends = when(item.get("startDateTime")), when(item.get("endDateTime"))
    # The note names a second that was chosen at random for the one secret that was being made.
    lost = described == ctx.params.secret_description and not ref and not known
    lost = lost and ends == when(_being_added(ctx, app_id))
    ours, hint = bool(ref) or lost or known, str(item.get("hint") or "")
    return Credential(key_id, described, hint, starts, ends, ours, ref, lost, known)


def note_adding(ctx: Context, app_id: str, ends: str) -> None:
    """Note in the store, before a secret is made, when it will end; an empty ``ends`` says that its value is kept.

    If this process ends in between, the next run knows by this which secret has a value that nobody can have. Raises
    :class:`SecretStoreError`: then no secret may be made, as its value could not be kept either.
    """
    ctx.store.put(secret_name(ctx, app_id, ADDING), Secret(f"{_NOTE}{ends}"))


def _being_added(ctx: Context, app_id: str) -> str:
    reference = ctx.store.reference(secret_name(ctx, app_id, ADDING))
    return ctx.store.get(reference).reveal().removeprefix(_NOTE) if ctx.store.has(reference) else ""


def _kept(ctx: Context, name: str) -> str:
    """The reference of ``name`` if the store has a value for it, else an empty string."""
    reference = ctx.store.reference(name)
    return reference if ctx.store.has(reference) else ""


def current(ctx: Context, found: Mapping[str, Any]) -> Credential | None:
    """The newest of ours that has not ended and whose value is kept here; not yet proven to work."""
    now = ctx.graph.session.now()
    usable = [item for item in of_application(ctx, found) if item.ours and item.ref and not item.expired(now)]
    there = {str(item["keyId"]) for item in found.get("passwordCredentials") or ()}
    if usable and ctx.known.secret in {"", *there}:  # else a late replica's, which lacks what this run saw
        ctx.known.secret = usable[0].key_id
    return usable[0] if usable else None


def require_current(ctx: Context, found: Mapping[str, Any]) -> Credential:
    """The secret to work with, waited for where this run saw one; :class:`RunbookError` when there is none."""

    def known(of: Mapping[str, Any]) -> Credential | None:
        newest = current(ctx, of)
        return newest if newest and newest.key_id == ctx.known.secret else None

    credential = known(found)
    if credential is None and ctx.known.secret and not ctx.snapshot.looking:
        seen, pace = "the client secret, seen before, is seen again", ctx.graph.pace
        patience = pace.lag if current(ctx, found) else pace.deadline / 2
        try:
            credential = ctx.until(lambda: known(application(ctx) or found), seen, deadline=patience, sightings=1)
        except NotSettled:
            ctx.known.secret = ""  # somebody removed it: what is left counts, and nobody waits again
    credential = credential or current(ctx, application(ctx) or found)
    if credential is None:
        raise RunbookError.named("no_secret")
    return credential


def value(ctx: Context, credential: Credential) -> Secret:
    """The secret itself, from the store. Raises :class:`SecretStoreError`."""
    if not credential.ref:
        raise SecretStoreError(f"The value of the secret {credential.key_id} is not kept here.")
    return ctx.store.get(credential.ref)


def token(ctx: Context, found: Mapping[str, Any], credential: Credential) -> TokenResult:
    """A fresh application token with this secret. Raises :class:`SignInError`."""

    with _aged(ctx, found, credential):
        return entra.application_token(ctx.target, found["appId"], value(ctx, credential), http=ctx.administrator.http)


@contextmanager
def _aged(ctx: Context, found: Mapping[str, Any], credential: Credential) -> Iterator[None]:
    """A refused sign-in within knows how young the youngest of what it relies on is.

    By what this run made itself, without any clock; of what was made before it, by the service's clock alone.
    """
    try:
        yield
    except SignInError as error:
        age = ctx.graph.age(f"{credential.key_id} {found['appId']}")
        born = [moment for moment in (credential.starts, when(found.get("createdDateTime"))) if moment is not None]
        if age is None and born:
            age = (ctx.graph.session.now() - max(born)).total_seconds()
        raise told(error, age_seconds=age) from error.__cause__


# Grants reach tokens with a delay: some 30 s are reported after consent (AADSTS65001 until then).
_PATIENCE = 60.0
NO_CONSENT_YET = "AADSTS65001"
# The other: the code was redeemed, and the answer with the token lost on its way.
_AGAIN = frozenset({NO_CONSENT_YET, "AADSTS54005"})


def application_roles(ctx: Context, found: Mapping[str, Any], granted: frozenset[str] | None) -> TokenResult:
    """An application token by client credentials; waits a while until it carries every granted permission.

    Raises :class:`SignInError`.
    """
    credential = require_current(ctx, found)
    last: list[TokenResult] = []

    def attempt() -> TokenResult | None:
        last[:] = [token(ctx, found, credential)]
        return last[0] if (granted or frozenset()) <= set(last[0].roles) else None

    try:
        carries = "a fresh token carries every granted permission"
        return ctx.until(attempt, carries, deadline=_patience(ctx), sightings=1)
    except NotSettled:
        return last[0]


def delegated_scopes(ctx: Context, found: Mapping[str, Any], granted: frozenset[str] | None) -> TokenResult:
    """A delegated token by device code, for the person to whom the code is handed over.

    A person is asked once. The attendant of a rehearsal is asked again while a fresh grant has not reached the token.
    Raises :class:`Parked` when nobody is there, :class:`SignInError` when Entra ID refuses.
    """

    credential = require_current(ctx, found)
    secret = value(ctx, credential)
    last: list[TokenResult] = []

    def attempt() -> TokenResult | None:
        with _aged(ctx, found, credential):
            over = ctx.administrator.http
            last[:] = [entra.delegated_token(ctx.target, found["appId"], secret, ctx.hand_over, http=over)]
        return last[0] if (granted or frozenset()) <= set(last[0].scopes) else None

    try:
        return ctx.graph.until(
            attempt,
            "a delegated token carries every granted permission",
            passing=lambda error: isinstance(error, SignInError) and error.code in _AGAIN,
            deadline=0 if ctx.target.attend is None else _patience(ctx),
        )
    except NotSettled:
        return last[0]


def _patience(ctx: Context) -> float:
    return 10.0 if ctx.target.rehearsal else _PATIENCE


_DEFAULT_POLICY = "/policies/defaultAppManagementPolicy"
_DURATION = TypeAdapter(timedelta)


@dataclass(frozen=True)
class SecretPolicy:
    """``max_days`` is None without a limit; ``known`` is False when the policy may not be read.

    ``perhaps``: forbidden to all but callers that the policy exempts. ``name``: of the policy.
    """

    known: bool = True
    forbidden: bool = False
    perhaps: bool = False
    max_days: int | None = None
    name: str = ""


def days(duration: str) -> int | None:
    """Whole days of an ISO 8601 duration; a month counts 30 and a year 365, so the result is never too long."""
    try:
        return _DURATION.validate_python(duration).days if duration.startswith("P") else None
    except ValidationError:
        return None


def _own_policies(object_id: str) -> str:
    return f"/applications/{object_id}/appManagementPolicies"


def policies(ctx: Context) -> Iterator[str]:
    """What :func:`read_policy` will ask for, as far as that is known before the application was read."""
    yield _DEFAULT_POLICY
    if ctx.known.object_id:
        yield _own_policies(ctx.known.object_id)


def read_policy(ctx: Context, found: Mapping[str, Any] | None) -> SecretPolicy:
    """What binds our application (or one made now): a policy of its own, else the tenant's default policy.

    Source: learn.microsoft.com/graph/api/resources/appmanagementconfiguration (passwordCredentials restrictions).
    """
    try:
        own = ctx.snapshot.items(_own_policies(found["id"]), _DEFAULT_POLICY) if found else []
        policy = own[0] if own else ctx.snapshot.find(_DEFAULT_POLICY)
    except GraphError as error:
        if error.status == 403:
            return SecretPolicy(known=False)
        raise
    if not policy or not policy.get("isEnabled"):
        return SecretPolicy()
    restrictions = policy.get("restrictions" if own else "applicationRestrictions") or {}
    rules = list(_in_force(restrictions.get("passwordCredentials") or (), found))
    limits = [days(str(r.get("maxLifetime") or "")) for r in rules if r.get("restrictionType") == "passwordLifetime"]
    known = [limit for limit in limits if limit is not None]
    forbidding = [rule for rule in rules if rule.get("restrictionType") == "passwordAddition"]
    # Which callers are exempt depends on attributes that few sign-ins may read: that shows when it is tried.
    strict = [rule for rule in forbidding if not (rule.get("excludeActors") or {}).get("customSecurityAttributes")]
    return SecretPolicy(
        forbidden=bool(strict) or 0 in known,
        perhaps=bool(forbidding) and not strict,
        max_days=min(known) if known else None,
        name=str(policy.get("displayName") or ""),
    )


def _in_force(rules: Iterable[Mapping[str, Any]], found: Mapping[str, Any] | None) -> Iterable[Mapping[str, Any]]:
    """The rules that are enabled and concern this application: some hold only for those created after a date."""
    created = when((found or {}).get("createdDateTime"))
    for rule in rules:
        after = when(rule.get("restrictForAppsCreatedAfterDateTime"))
        exempt = after is not None and created is not None and created < after
        if rule.get("state", "enabled") == "enabled" and not exempt:
            yield rule
