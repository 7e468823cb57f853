"""Why something failed, who can mend it and how: from an error, or the facts of a failed cell, to an explanation.

One table, ``explanations.json``, knows the circumstances that a code alone does not tell (the id of a secret pasted for
its value, a consent page that lied, a token older than its grant). What a code means by itself is in the tables of
:mod:`runbook.clients.explain`, which are asked after it; an error of our own explains itself.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from string import Formatter
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from runbook.clients.explain import aadsts, graph_next_step, stackone_next_step
from runbook.errors import NotSettled, RunbookError, ServiceError, SignInError
from runbook.secrets import Secret

__all__ = ["Explanation", "Facts", "explain", "looks_like_secret_id", "table"]

FRESH_SECONDS = 120
"""Younger things may be unknown to some replicas; nothing is documented, reports go up to minutes."""
SKEW_SECONDS = 300
"""The tolerance of token validation (learn.microsoft.com, access tokens)."""

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_AADSTS = re.compile(r"AADSTS\d{4,8}")


@dataclass(frozen=True)
class Explanation:
    """What is wrong, who can mend it, how, and what of this run shows it. ``name`` is the row's, empty if none fits."""

    cause: str
    who: str
    remedy: str
    code: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    name: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For ``summary.json`` and the report."""
        return {
            "cause": self.cause,
            "who": self.who,
            "remedy": self.remedy,
            "code": self.code,
            "evidence": dict(self.evidence),
        }

    def __str__(self) -> str:
        return f"{self.cause} Who can mend it: {self.who}. Next: {self.remedy}"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known about a failure; None (or empty) is: not known.

    Of the answer: ``service`` (``entra``, ``graph``, ``stackone``), ``status``, ``code``, ``message``, ``path``,
    ``request_id``, ``retry_after`` (s). Of the cell: ``permission_type``, ``permissions``, ``requested``, ``granted``,
    ``in_token``. Of the circumstances: ``secret_looks_like_id``, ``age_seconds`` of the youngest thing that the request
    relies on, ``consent_redirected`` (the consent page reported success), ``service_principal`` (it exists),
    ``misplaced_ids`` (ids requested under the wrong type), ``token_tenant`` and ``tenant_id``,
    ``clock_offset_seconds`` between this machine and the service, ``account_active``.
    """

    service: str = ""
    status: int | None = None
    code: str = ""
    message: str = ""
    path: str = ""
    request_id: str = ""
    retry_after: float | None = None
    permission_type: str = ""
    permissions: tuple[str, ...] = ()
    requested: bool | None = None
    granted: bool | None = None
    in_token: bool | None = None
    secret_looks_like_id: bool | None = None
    age_seconds: float | None = None
    consent_redirected: bool | None = None
    service_principal: bool | None = None
    misplaced_ids: tuple[str, ...] = ()
    token_tenant: str = ""
    tenant_id: str = ""
    clock_offset_seconds: float | None = None
    account_active: bool | None = None

    @property
    def fresh(self) -> bool:
        return self.age_seconds is not None and self.age_seconds < FRESH_SECONDS

    @property
    def wrong_tenant(self) -> bool:
        return bool(self.token_tenant and self.tenant_id) and self.token_tenant.lower() != self.tenant_id.lower()

    @property
    def clock_skewed(self) -> bool:
        return self.clock_offset_seconds is not None and abs(self.clock_offset_seconds) > SKEW_SECONDS

    @property
    def misplaced(self) -> bool:
        return bool(self.misplaced_ids)

    @property
    def codes(self) -> frozenset[str]:
        """The answer's code, and codes quoted in its message: StackOne nests the errors of Entra ID and Graph."""
        return frozenset(
            {self.code, *_AADSTS.findall(self.message), *re.findall(r"\b[A-Za-z]+_[A-Za-z]+\b", self.message)}
        )

    def words(self) -> dict[str, str]:
        """What a text of the table may name in braces."""
        return {
            "age": _seconds(self.age_seconds),
            "clock_offset": _seconds(self.clock_offset_seconds and abs(self.clock_offset_seconds)),
            "retry_after": _seconds(self.retry_after),
            "permission_type": self.permission_type or "delegated or application",
            "permissions": " and ".join(self.permissions) or "of this action",
            "misplaced_ids": ", ".join(self.misplaced_ids),
            "token_tenant": self.token_tenant,
            "tenant_id": self.tenant_id,
        }


_FACT_NAMES = frozenset({*(each.name for each in fields(Facts)), "fresh", "wrong_tenant", "clock_skewed", "misplaced"})
_ANSWER_NAMES = ("status", "code", "request_id", "path")


class _When(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    service: tuple[str, ...] = ()
    status: tuple[int, ...] = ()
    code: tuple[str, ...] = ()
    message: str = ""
    path: str = ""
    facts: dict[str, bool | str] = Field(default_factory=dict)

    @field_validator("message", "path")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _says_something_known(self) -> _When:
        unknown = self.facts.keys() - _FACT_NAMES
        if unknown:
            raise ValueError(f"no facts of this name: {', '.join(sorted(unknown))}")
        if not (self.service or self.status or self.code or self.message or self.path or self.facts):
            raise ValueError("a row must name what it is about")
        return self

    def fits(self, facts: Facts) -> bool:
        return (
            (not self.service or facts.service in self.service)
            and (not self.status or facts.status in self.status)
            and (not self.code or bool(facts.codes & set(self.code)))
            and bool(re.search(self.message, facts.message))
            and bool(re.search(self.path, facts.path))
            and all(getattr(facts, name) == value for name, value in self.facts.items())
        )


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    when: _When
    cause: str
    who: str
    remedy: str
    source: str

    @field_validator("cause", "remedy")
    @classmethod
    def _names_known_words(cls, value: str) -> str:
        unknown = {
            name for _text, name, _spec, _conversion in Formatter().parse(value) if name
        } - Facts().words().keys()
        if unknown:
            raise ValueError(f"no words of this name: {', '.join(sorted(unknown))}")
        return value


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str
    people: dict[str, str]
    rows: tuple[_Row, ...]

    @model_validator(mode="after")
    def _knows_its_people(self) -> _Table:
        unknown = {row.who for row in self.rows} - self.people.keys()
        if unknown:
            raise ValueError(f"nobody of this name among the people: {', '.join(sorted(unknown))}")
        return self


@functools.cache
def table() -> _Table:
    """``explanations.json``, checked. Raises ``pydantic.ValidationError`` if a row is not as it must be."""
    return _Table.model_validate_json(resources.files(__package__).joinpath("explanations.json").read_bytes())


def explain(failure: BaseException | Facts | Mapping[str, Any], **circumstances: Any) -> Explanation:
    """The cause of ``failure`` (an error, or the facts of a failed cell), and what to do about it.

    ``circumstances`` are more facts, as in :class:`Facts`. Always answers; a failure that nothing is known about says
    so. Raises ``TypeError`` for a fact of an unknown name.
    """
    facts = replace(_facts(failure), **circumstances)
    for row in table().rows:
        if row.when.fits(facts):
            words = facts.words()
            return Explanation(
                cause=row.cause.format_map(words),
                who=table().people[row.who],
                remedy=row.remedy.format_map(words),
                code=facts.code,
                evidence=_evidence(facts, row.when.facts),
                source=row.source,
                name=row.name,
            )
    cause, who, remedy = _by_code(facts) or _by_itself(failure) or _unknown(facts)
    return Explanation(cause, who, remedy, facts.code, _evidence(facts, {}))


def looks_like_secret_id(secret: Secret) -> bool:
    """Whether what is used as a client secret has the shape of a secret's id: values never have it."""
    return _GUID.fullmatch(secret.reveal()) is not None


def _facts(failure: BaseException | Facts | Mapping[str, Any]) -> Facts:
    if isinstance(failure, Facts):
        return failure
    if isinstance(failure, Mapping):
        return Facts(**failure)
    if isinstance(failure, ServiceError):
        return Facts(
            service=failure.service,
            status=failure.status,
            code=failure.code or "",
            message=failure.message,
            path=failure.path,
            request_id=failure.request_id or "",
            retry_after=failure.retry_after,
        )
    if isinstance(failure, SignInError):
        return Facts(
            service="entra", code=failure.code or "", message=failure.what, request_id=failure.request_id or ""
        )
    if isinstance(failure, NotSettled):
        return Facts(code="NotSettled", message=failure.what)
    return Facts()


def _evidence(facts: Facts, used: Mapping[str, Any]) -> dict[str, str]:
    """What of this run shows it: the answer, and the facts that the row relied on."""
    shown = {name: getattr(facts, name) for name in (*_ANSWER_NAMES, *used)}
    return {name: _shown(value) for name, value in shown.items() if value not in (None, "")}


def _shown(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _by_code(facts: Facts) -> tuple[str, str, str] | None:
    people = table().people
    for code in sorted(facts.codes):
        row = aadsts().get(code.removeprefix("AADSTS"))
        if row is not None and code.startswith("AADSTS"):
            return row.meaning, row.who, row.remedy
    if facts.status is None:
        return None
    look_up = stackone_next_step if facts.service == "stackone" else None
    meaning, remedy = (
        look_up(facts.status, facts.message, facts.path)
        if look_up
        else graph_next_step(facts.status, facts.code, facts.message, facts.path)
    )
    if not meaning:
        return None
    passes = facts.status in (429, 500, 502, 503, 504)
    who = (
        "nobody"
        if passes
        else "stackone"
        if facts.service == "stackone"
        else "consent"
        if facts.status == 403
        else "runner"
    )
    return meaning, people[who], remedy


def _by_itself(failure: object) -> tuple[str, str, str] | None:
    """An error of ours says what it means and what to do."""
    if not isinstance(failure, RunbookError) or (isinstance(failure, ServiceError) and not failure.meaning):
        return None
    remedy = failure.next_step or "run again; if it stays, look at the calls in the record."
    return failure.meaning or failure.what, table().people["runner"], remedy[:1].upper() + remedy[1:]


def _unknown(facts: Facts) -> tuple[str, str, str]:
    said = f" ({facts.code or facts.status})" if facts.code or facts.status else ""
    return (
        f"The cause is not known{said}.",
        table().people["runner"],
        "Look at the call in the record; the service's support can follow its request id.",
    )


def _seconds(value: float | None) -> str:
    if value is None:
        return "a while"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min"
