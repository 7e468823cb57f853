"""The kinds of illnesses and what each of them can be told: the faults file as it is checked on load."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from entra_sandbox import facts

__all__ = [
    "Ahead",
    "AppManagement",
    "Challenge",
    "ClockSkew",
    "ConsentLies",
    "Course",
    "Cut",
    "Drip",
    "Federated",
    "Huge",
    "Illness",
    "Lag",
    "LateGrants",
    "NextLink",
    "Refusing",
    "Reply",
    "Reset",
    "SecretDelay",
    "SecretPolicy",
    "Slow",
    "Stale",
    "State",
    "Synced",
    "Throttle",
    "Truncate",
    "Unavailable",
    "Unlicensed",
    "Unpublished",
    "Young",
]

Seconds = Annotated[float, Field(ge=0, le=3600)]
Span = tuple[Seconds, Seconds]


class Match(BaseModel):
    """Which requests an illness may strike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: Literal["graph", "entra", "stackone"] | None = None
    method: str | None = None
    path: str = "*"

    def fits(self, service: str, method: str, path: str) -> bool:
        """Whether the request is one of them."""
        return (
            self.service in (None, service)
            and (self.method is None or self.method.upper() == method.upper())
            and fnmatchcase(path.lower(), self.path.lower())
        )


class Illness(BaseModel):
    """What every illness has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: Match = Match()
    chance: Annotated[float, Field(ge=0, le=1)] = 1.0
    skip: Annotated[int, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=0)] | None = None


class Refusing(Illness):
    """What every error has: ``Retry-After`` in seconds or, ``as_date``, as an HTTP date (RFC 9110 10.2.3), or none."""

    retry_after: Annotated[int, Field(ge=0)] | None = None
    as_date: bool = False

    @model_validator(mode="after")
    def _dated(self) -> Refusing:
        if self.as_date and self.retry_after is None:
            raise ValueError("as_date needs retry_after, in seconds from now")
        return self


class Reply(Refusing):
    """An error instead of the answer: ``before`` anything is done, or ``after`` a write took effect."""

    kind: Literal["answer"]
    status: Annotated[int, Field(ge=400, le=599)]
    code: str
    message: str = "The request could not be served."
    when: Literal["before", "after"] = "before"


class Throttle(Refusing):
    """429, with ``Retry-After`` or (``retry_after: null``) without."""

    kind: Literal["throttle"]
    retry_after: Annotated[int, Field(ge=0)] | None = 1


class Unavailable(Refusing):
    """500, 502, 503 or 504 in the shape of the service, ``before`` anything is done or ``after`` it was done."""

    kind: Literal["unavailable"]
    status: Literal[500, 502, 503, 504] = 503
    when: Literal["before", "after"] = "before"


class Reset(Illness):
    """The connection is reset ``before`` anything is done or ``after`` it was done."""

    kind: Literal["reset"]
    when: Literal["before", "after"] = "before"


class Cut(Illness):
    """The connection is closed in good order, without an answer, ``before`` anything is done or ``after`` it was."""

    kind: Literal["cut"]
    when: Literal["before", "after"] = "before"


class Slow(Illness):
    """The answer takes its time (seconds, or a span of them)."""

    kind: Literal["slow"]
    seconds: Span


class Truncate(Illness):
    """The body breaks off in the middle."""

    kind: Literal["truncate"]


class Drip(Illness):
    """The answer never ends: its head, then a blank at a time, for ``seconds`` at most; then the connection breaks."""

    kind: Literal["drip"]
    seconds: Annotated[float, Field(gt=0, le=3600)] = 600


class Huge(Illness):
    """The answer is ``megabytes`` long: blanks before its JSON; with ``gzip`` it is sent a thousandth as long."""

    kind: Literal["huge"]
    megabytes: Annotated[int, Field(ge=1, le=512)] = 64
    gzip: bool = False


class NextLink(Illness):
    """The page of a list at Microsoft Graph names a next page that is the same again (``repeat``) or leads back to it
    (``cycle``), that is on another host (``elsewhere``), or that is no text (``number``).
    """

    kind: Literal["next_link"]
    how: Literal["repeat", "cycle", "elsewhere", "number"] = "repeat"


class Lag(Illness):
    """A new object is not seen by reads, and not accepted in links, for some seconds."""

    kind: Literal["lag"]
    read: Span = (0, 0)
    link: Span = (0, 0)


class Ahead(Illness):
    """Replicas: the one that serves a Graph request is ahead of the slowest by so many seconds, drawn each time.

    With ``lag`` a new object is seen, then not found, then seen again, until the slowest replica has it.
    """

    kind: Literal["ahead"]
    seconds: Span


class Stale(Illness):
    """What a write changed or removed is for some seconds read as it was before, on single reads and in lists.

    With ``ahead`` the old and the new take turns until the slowest replica has the change.
    Source: the notes on replication of learn.microsoft.com/graph/api/group-get and …/oauth2permissiongrant-list.
    """

    kind: Literal["stale"]
    seconds: Span


class SecretDelay(Illness):
    """The token endpoint takes a new client secret only after some seconds (AADSTS7000215 until then)."""

    kind: Literal["secret_delay"]
    seconds: Span


class LateGrants(Illness):
    """A new permission is missing from tokens for some seconds, counted from the first that would have shown it."""

    kind: Literal["late_grants"]
    seconds: Seconds


class ClockSkew(Illness):
    """The clock of all services, or of one, is off from the machine's by ``seconds`` (negative: behind).

    It shows in the ``Date`` of answers, in what the service writes, and in what it takes for valid.
    """

    kind: Literal["clock_skew"]
    seconds: Annotated[float, Field(ge=-86400, le=86400)]
    service: Literal["graph", "entra", "stackone"] | None = None


class Young(Illness):
    """Answers that Entra ID and Microsoft Graph give for something that is a few seconds old, and that mean only this.

    It lasts ``seconds`` from the create of an application, a service principal or a secret. ``Error_…`` and
    ``Directory_ConcurrencyViolation`` are 409 answers of Microsoft Graph to changes of the application, ``AADSTS…``
    are the token endpoint's to its tokens.
    """

    kind: Literal["young"]
    error: Literal[
        "Error_MsaAppDoesNotExist",
        "Directory_ConcurrencyViolation",
        "AADSTS500011",
        "AADSTS650052",
        "AADSTS700016",
        "AADSTS7000215",
        "AADSTS7000229",
    ]
    seconds: Span


class Challenge(Illness):
    """Continuous access evaluation: Graph wants a new token (``insufficient_claims``) in the middle of a run."""

    kind: Literal["claims_challenge"]


class State(BaseModel):
    """What every state of a tenant has: nothing but itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Unpublished(State):
    """Microsoft Graph does not publish these permissions in this cloud: no read, grant or token knows them.

    Source: learn.microsoft.com/graph/deployments (national clouds publish fewer permissions).
    """

    kind: Literal["unpublished"]
    permissions: Annotated[tuple[str, ...], Field(min_length=1)]

    @field_validator("permissions")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(names) - facts.permissions().keys()):
            raise ValueError(f"no permission of Microsoft Graph that the sandbox has: {', '.join(unknown)}")
        return names


class SecretPolicy(State):
    """Every tenant's app management policy forbids new client secrets, or limits their life to ``max_days``.

    Source: learn.microsoft.com/graph/api/resources/tenantappmanagementpolicy
    """

    kind: Literal["secret_policy"]
    forbid: bool = False
    max_days: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> SecretPolicy:
        if self.forbid == (self.max_days is not None):
            raise ValueError("either forbid: true or max_days")
        return self


class AppManagement(State):
    """Every tenant's default app management policy, or with ``applications`` a policy of these applications' own.

    ``forbid`` and ``max_days`` name restriction types as Microsoft Graph does; ``audiences`` are refused values of
    ``signInAudience``; ``exempt`` are callers (patterns of user principal names or application ids) with the custom
    security attribute that the rules exclude; ``applications`` are patterns of display or unique names, also of
    applications that are made later.
    Source: learn.microsoft.com/graph/api/resources/applicationauthenticationmethodpolicy
    """

    kind: Literal["app_management"]
    forbid: tuple[Literal["passwordAddition", "customPasswordAddition"], ...] = ()
    max_days: dict[Literal["passwordLifetime", "asymmetricKeyLifetime"], Annotated[int, Field(ge=1)]] = {}
    audiences: tuple[str, ...] = ()
    created_after: AwareDatetime | None = None
    state: Literal["enabled", "disabled"] = "enabled"
    exempt: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()


class Synced(State):
    """Users (patterns of user principal names) and groups (of display names) are synchronized from on-premises.

    Source: learn.microsoft.com/graph/api/resources/user and …/group, onPremisesSyncEnabled.
    """

    kind: Literal["synced"]
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Federated(State):
    """Domains whose users sign in at an identity provider of their own (``authenticationType: Federated``).

    Source: learn.microsoft.com/graph/api/resources/domain
    """

    kind: Literal["federated"]
    domains: Annotated[tuple[str, ...], Field(min_length=1)]


class Unlicensed(State):
    """No subscription of a tenant has these service plans; without both of them there is no Entra ID P1.

    Source: learn.microsoft.com/entra/identity/conditional-access/overview, licence requirements.
    """

    kind: Literal["unlicensed"]
    plans: tuple[str, ...] = ("AAD_PREMIUM", "AAD_PREMIUM_P2")


class ConsentLies(Illness):
    """Consent ends with success and grants nothing."""

    kind: Literal["consent_lies"]


Kind = Annotated[
    Reply
    | Throttle
    | Unavailable
    | Reset
    | Cut
    | Slow
    | Truncate
    | Drip
    | Huge
    | NextLink
    | Lag
    | Ahead
    | Stale
    | SecretDelay
    | LateGrants
    | ClockSkew
    | Young
    | Challenge
    | ConsentLies
    | Unpublished
    | SecretPolicy
    | AppManagement
    | Synced
    | Federated
    | Unlicensed,
    Field(discriminator="kind"),
]


class Course(BaseModel):
    """A faults file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    illnesses: tuple[Kind, ...] = ()

    @model_validator(mode="after")
    def _one_clock(self) -> Course:
        clocks = [illness.service for illness in self.illnesses if isinstance(illness, ClockSkew)]
        if len(set(clocks)) < len(clocks):
            raise ValueError("there is only one clock of each service: at most one clock_skew for it")
        return self
