"""What an answer means: one table (``answers.json``) and one matcher for Entra ID, Microsoft Graph and StackOne.

A row names what it is about (service, status, code, message, path, circumstances) and says whether the answer passes by
itself, its cause, who can mend it and how. The first row that fits counts, so the special stands before the general.
The clients ask when they raise an error, the waits when they decide whether to go on, and :func:`explain` once more
where more circumstances are known.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from string import Formatter
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from runbook.errors import RunbookError, ServiceError, SignInError
from runbook.secrets import Secret

FRESH_SECONDS = 120
"""Younger things may be unknown to some replicas; nothing is documented, reports go up to minutes."""
SKEW_SECONDS = 300
"""The tolerance of token validation (learn.microsoft.com, access tokens)."""

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_QUOTED = re.compile(r"AADSTS\d{4,8}|\b[A-Z][A-Za-z]+_[A-Z][A-Za-z]+\b")

E = TypeVar("E", bound=RunbookError)


@dataclass(frozen=True)
class Explanation:
    """What is wrong, who can mend it, how, and what of this run shows it. ``name`` is the row's, empty if none fits."""

    cause: str
    who: str
    remedy: str
    code: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For ``summary.json`` and the report."""
        said = {"cause": self.cause, "who": self.who, "remedy": self.remedy, "code": self.code, "answer": self.name}
        return {**said, "evidence": dict(self.evidence)}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known about a failure; None (or empty) is: not known.

    Of the answer: ``service`` (``entra``, ``graph``, ``stackone``), ``method``, ``status``, ``code``, ``message``,
    ``path``, ``request_id``, ``retry_after`` (s), ``broken``: how the connection failed where no answer came.
    Of the circumstances: ``whose`` sign-in it was (``administrator``, ``person``, ``connector``, ``linked``),
    ``secret_looks_like_id``, ``age_seconds`` of the youngest thing that the request relies on, ``clock_offset_seconds``
    of the service's clock from this machine's, ``account_active``, ``consent_redirected`` (the consent page reported
    success), ``misplaced_ids`` (ids requested under the wrong type). Of a cell of the matrix: ``permission_type``,
    ``permissions``, ``requested``, ``granted``, ``in_token``.
    """

    service: str = ""
    method: str = ""
    status: int | None = None
    code: str = ""
    message: str = ""
    path: str = ""
    request_id: str = ""
    retry_after: float | None = None
    broken: str = ""
    whose: str = ""
    secret_looks_like_id: bool | None = None
    age_seconds: float | None = None
    clock_offset_seconds: float | None = None
    account_active: bool | None = None
    consent_redirected: bool | None = None
    misplaced_ids: tuple[str, ...] = ()
    permission_type: str = ""
    permissions: tuple[str, ...] = ()
    requested: bool | None = None
    granted: bool | None = None
    in_token: bool | None = None

    @property
    def fresh(self) -> bool:
        return self.age_seconds is not None and self.age_seconds < FRESH_SECONDS

    @property
    def clock_skewed(self) -> bool:
        return self.clock_offset_seconds is not None and abs(self.clock_offset_seconds) > SKEW_SECONDS

    @property
    def misplaced(self) -> bool:
        return bool(self.misplaced_ids)

    @property
    def codes(self) -> frozenset[str]:
        """The answer's code, and codes quoted in its message: StackOne nests the errors of Entra ID and Graph."""
        return frozenset({self.code, *_QUOTED.findall(self.message)} - {""})

    def words(self) -> dict[str, str]:
        """What a text of the table may name in braces."""
        return {
            "age": _seconds(self.age_seconds),
            "clock_offset": _seconds(self.clock_offset_seconds and abs(self.clock_offset_seconds)),
            "code": self.code or "no code",
            "retry_after": _seconds(self.retry_after),
            "permission_type": self.permission_type or "delegated or application",
            "permissions": " and ".join(self.permissions) or "of this action",
            "misplaced_ids": ", ".join(self.misplaced_ids),
        }


_DERIVED = ("fresh", "clock_skewed", "misplaced")
_FACT_NAMES = frozenset({*(each.name for each in fields(Facts)), *_DERIVED})
_ANSWER_NAMES = ("status", "code", "request_id", "path")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class When(_Strict):
    """What must hold: any of ``service``, ``status`` and ``code``; regular expressions for the rest; all ``facts``."""

    service: tuple[Literal["entra", "graph", "stackone"], ...] = ()
    method: str = ""
    status: tuple[int, ...] = ()
    code: tuple[str, ...] = ()
    message: str = ""
    path: str = ""
    facts: dict[str, bool | str] = Field(default_factory=dict)

    @field_validator("method", "message", "path")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _says_something_known(self) -> When:
        if unknown := self.facts.keys() - _FACT_NAMES:
            raise ValueError(f"no facts of this name: {', '.join(sorted(unknown))}")
        if not self.model_fields_set:
            raise ValueError("a row must name what it is about")
        return self

    def fits(self, facts: Facts) -> bool:
        """Whether the facts are of this kind."""
        return (
            (not self.service or facts.service in self.service)
            and (not self.status or facts.status in self.status)
            and (not self.code or bool(facts.codes & set(self.code)))
            and (not self.method or re.fullmatch(self.method, facts.method) is not None)
            and re.search(self.message, facts.message) is not None
            and re.search(self.path, facts.path.partition("?")[0]) is not None
            and all(getattr(facts, name) == value for name, value in self.facts.items())
        )


class Row(_Strict):
    """One known answer. ``then`` says how to go on after one that passes by itself; None: it stays.

    ``repeat``: a write was not applied; ``read-first``: it may have been; ``exists``: it is there already.
    """

    name: str
    when: When
    then: Literal["repeat", "read-first", "exists"] | None = None
    cause: str
    who: str
    remedy: str
    source: str = Field(min_length=1)

    @field_validator("cause", "remedy")
    @classmethod
    def _names_known_words(cls, value: str) -> str:
        named = {name for _text, name, _spec, _conversion in Formatter().parse(value) if name}
        if unknown := named - Facts().words().keys():
            raise ValueError(f"no words of this name: {', '.join(sorted(unknown))}")
        return value


class Table(_Strict):
    """``answers.json``."""

    about: str
    people: dict[str, str]
    rows: tuple[Row, ...]

    @model_validator(mode="after")
    def _is_sound(self) -> Table:
        if unknown := {row.who for row in self.rows} - self.people.keys():
            raise ValueError(f"nobody of this name among the people: {', '.join(sorted(unknown))}")
        names = [row.name for row in self.rows]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"more than one row is named {', '.join(sorted(twice))}")
        return self


@functools.cache
def table() -> Table:
    """``answers.json``, checked. Raises ``pydantic.ValidationError`` if a row is not as it must be."""
    return Table.model_validate_json(resources.files(__package__).joinpath("answers.json").read_bytes())


def look_up(failure: BaseException | Facts, **circumstances: Any) -> Row | None:
    """The first row that fits, or None. Raises ``TypeError`` for a circumstance of an unknown name."""
    facts = _facts(failure, circumstances)
    return next((row for row in table().rows if row.when.fits(facts)), None)


def explain(failure: BaseException | Facts, **circumstances: Any) -> Explanation:
    """The cause of ``failure``, who can mend it and how.

    ``circumstances`` are more facts, as in :class:`Facts`; an error keeps those of the place where it came up. Always
    answers: without a row an error of our own explains itself, and anything else says that nothing is known.
    """
    facts, row = _facts(failure, circumstances), look_up(failure, **circumstances)
    if row is not None:
        words, shown = facts.words(), _evidence(facts, row.when.facts)
        cause, remedy = row.cause.format_map(words), row.remedy.format_map(words)
        return Explanation(cause, table().people[row.who], remedy, facts.code, shown, row.name)
    own = failure if isinstance(failure, RunbookError) else RunbookError(str(failure) or type(failure).__name__)
    remedy = own.next_step or "look at the last call in the record; if nothing there explains it, report it with that."
    who = own.who or table().people["runner"]
    return Explanation(own.meaning or own.what, who, remedy[:1].upper() + remedy[1:], facts.code, _evidence(facts, {}))


def told(error: E, **circumstances: Any) -> E:
    """``error``, saying what its row says; one that no row fits keeps its own words. It keeps the circumstances."""
    error.circumstances |= circumstances
    if look_up(error) is not None:
        found = explain(error)
        error.meaning, error.who, error.next_step = found.cause, found.who, found.remedy
    return error


def looks_like_secret_id(secret: Secret) -> bool:
    """Whether what is used as a client secret has the shape of a secret's id: values never have it."""
    return _GUID.fullmatch(secret.reveal()) is not None


def aadsts_code(answer: Mapping[str, Any]) -> str | None:
    """The code (``AADSTS7000215``) in an error answer of Entra ID; None when it has none."""
    if found := re.search(r"AADSTS\d{4,8}", str(answer.get("error_description", ""))):
        return found.group()
    codes = answer.get("error_codes")
    return f"AADSTS{codes[0]}" if isinstance(codes, list) and codes else None


def _facts(failure: BaseException | Facts, circumstances: Mapping[str, Any]) -> Facts:
    facts = failure if isinstance(failure, Facts) else Facts()
    if isinstance(failure, ServiceError):
        facts = Facts(
            service=failure.service,
            method=failure.method,
            status=failure.status,
            message=failure.message,
            path=failure.path,
            retry_after=failure.retry_after,
        )
    elif isinstance(failure, SignInError):
        facts = Facts(service="entra", message=failure.what)
    if isinstance(failure, ServiceError | SignInError):
        facts = replace(facts, code=failure.code or "", request_id=failure.request_id or "")
    kept = failure.circumstances if isinstance(failure, RunbookError) else {}
    return replace(facts, **{**kept, **circumstances})


def _evidence(facts: Facts, used: Mapping[str, Any]) -> dict[str, str]:
    """What of this run shows it: the answer, and the facts that the row relied on."""
    shown = {name: getattr(facts, name) for name in (*_ANSWER_NAMES, *used)}
    return {name: _shown(value) for name, value in shown.items() if value not in (None, "")}


def _shown(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _seconds(value: float | None) -> str:
    if value is None:
        return "a while"
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"
