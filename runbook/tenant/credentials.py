"""The client secrets of our application: whose they are, whether their value is kept here, whether they work.

The store keeps a value under tenant, application and key id, so it is found again from what the tenant says alone. A
secret counts as good when a token call with it succeeds, and for no other reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runbook.clients import entra
from runbook.clients.answers import told
from runbook.clients.entra import TokenResult
from runbook.errors import RunbookError, SecretStoreError, SignInError
from runbook.secrets import Secret
from runbook.tenant.base import Context

_ADDING, _NOTE = "adding", "the secret being added ends at "


@dataclass(frozen=True)
class Credential:
    """One entry of ``passwordCredentials``. ``ref`` is where its value is kept, empty if it is not kept here.

    ``lost``: a run from here ended between the making of this one and the keeping of its value, so nobody has it.
    """

    key_id: str
    description: str
    hint: str
    starts: datetime | None
    ends: datetime | None
    ours: bool
    ref: str
    lost: bool = False

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
    whole, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(whole + (f".{fraction[:6]:0<6}" if fraction else ""))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def secret_name(ctx: Context, app_id: str, key_id: str) -> str:
    """The name under which the store keeps the value of one secret."""
    return f"{ctx.target.tenant_id}/{app_id}/{key_id}"


def of_application(ctx: Context, found: Mapping[str, Any]) -> list[Credential]:
    """Every client secret of an application, newest first."""
    items = [_credential(ctx, found["appId"], item) for item in found.get("passwordCredentials") or ()]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(items, key=lambda item: (item.starts or oldest, item.key_id), reverse=True)


def _credential(ctx: Context, app_id: str, item: Mapping[str, Any]) -> Credential:
    ours = item.get("displayName") == ctx.params.secret_description
    ref = _kept(ctx, secret_name(ctx, app_id, item["keyId"])) if ours else ""
    return Credential(
        key_id=item["keyId"],
        description=item.get("displayName") or "",
        hint=item.get("hint") or "",
        starts=when(item.get("startDateTime")),
        ends=when(item.get("endDateTime")),
        ours=ours,
        ref=ref,
        lost=ours and not ref and when(item.get("endDateTime")) == when(_being_added(ctx, app_id)),
    )


def note_adding(ctx: Context, app_id: str, ends: str) -> None:
    """Note in the store, before a secret is made, when it will end; an empty ``ends`` says that its value is kept.

    If this process ends in between, the next run knows by this which secret has a value that nobody can have. Raises
    :class:`SecretStoreError`: then no secret may be made, as its value could not be kept either.
    """
    ctx.store.put(secret_name(ctx, app_id, _ADDING), Secret(f"{_NOTE}{ends}"))


def _being_added(ctx: Context, app_id: str) -> str:
    reference = ctx.store.reference(secret_name(ctx, app_id, _ADDING))
    return ctx.store.get(reference).reveal().removeprefix(_NOTE) if ctx.store.has(reference) else ""


def _kept(ctx: Context, name: str) -> str:
    """The reference of ``name`` if the store has a value for it, else an empty string."""
    reference = ctx.store.reference(name)
    return reference if ctx.store.has(reference) else ""


def current(ctx: Context, found: Mapping[str, Any]) -> Credential | None:
    """The newest of ours that has not ended and whose value is kept here; not yet proven to work."""
    now = ctx.graph.session.now()
    usable = [item for item in of_application(ctx, found) if item.ours and item.ref and not item.expired(now)]
    return usable[0] if usable else None


def require_current(ctx: Context, found: Mapping[str, Any]) -> Credential:
    """The secret to work with; :class:`RunbookError` when section 5 has not made it yet."""
    credential = current(ctx, found)
    if credential is None:
        raise RunbookError(
            "There is no client secret of ours whose value is kept here.",
            meaning="Section 5 makes it; a value can be read from Entra ID only at the moment when it is made.",
            next_step="run section 5 (client secret) first.",
        )
    return credential


def value(ctx: Context, credential: Credential) -> Secret:
    """The secret itself, from the store. Raises :class:`SecretStoreError`."""
    if not credential.ref:
        raise SecretStoreError(f"The value of the secret {credential.key_id} is not kept here.")
    return ctx.store.get(credential.ref)


def token(ctx: Context, found: Mapping[str, Any], credential: Credential) -> TokenResult:
    """A fresh application token with this secret. Raises :class:`SignInError`."""

    with aged(ctx, found, credential):
        return entra.application_token(ctx.target, found["appId"], value(ctx, credential), journal=ctx.journal)


@contextmanager
def aged(ctx: Context, found: Mapping[str, Any], credential: Credential) -> Iterator[None]:
    """A refused sign-in within knows how young the youngest of what it relies on is, all by the service's clock."""
    try:
        yield
    except SignInError as error:
        born = [moment for moment in (credential.starts, when(found.get("createdDateTime"))) if moment is not None]
        age = (ctx.graph.session.now() - max(born)).total_seconds() if born else None
        raise told(error, age_seconds=age) from error.__cause__
