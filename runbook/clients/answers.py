"""What an answer means: one table (``answers.json``) and one matcher for Entra ID, Microsoft Graph and StackOne.

A row names what it is about (service, status, code, message, path, circumstances) and says whether the answer passes by
itself, its cause, who can mend it and how. The first row that fits counts, so the special stands before the general.
The clients ask when they raise an error, the waits when they decide whether to go on, and :func:`explain` once more
where more circumstances are known.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from runbook import data
from runbook.errors import RunbookError, ServiceError, SignInError
from runbook.secrets import Secret

_FRESH_SECONDS = 120
"""Younger things may be unknown to some replicas; nothing is documented, reports go up to minutes."""
SKEW_SECONDS = 300
"""The tolerance of token validation (learn.microsoft.com, access tokens)."""
_CIRCUMSTANCES = frozenset(
    {"broken", "whose", "secret_looks_like_id", "age_seconds", "clock_offset_seconds", "account_active"}
    | {"consent_redirected", "misplaced_ids", "permission_type", "permissions", "requested", "granted", "in_token"}
)
"""What may be known besides the answer; what is missing (or None) is not known.

``broken``: how the connection failed where no answer came; ``whose`` sign-in it was (``administrator``,
``connector``, ``linked``); ``secret_looks_like_id``; ``age_seconds`` of the youngest thing that the request relies on;
``clock_offset_seconds`` of the service's clock from this machine's; ``account_active``; ``consent_redirected``: the
consent page reported success; ``misplaced_ids``: requested under the wrong type. Of a cell of the matrix:
``permission_type``, ``permissions``, ``requested``, ``granted``, ``in_token``.
"""
_ANSWER = ("service", "method", "status", "code", "message", "path", "request_id", "retry_after")
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_QUOTED = re.compile(r"AADSTS\d{4,8}|\b[A-Z][A-Za-z]+_[A-Z][A-Za-z]+\b")

E = TypeVar("E", bound=RunbookError)
Known = Mapping[str, Any]


@dataclass(frozen=True)
class Explanation:
    """What is wrong, who can mend it, how, and what of this run shows it. ``answer`` is the row, empty if none fits."""

    cause: str
    who: str
    remedy: str
    code: str
    evidence: dict[str, str]
    answer: str = ""


class Strict(BaseModel):
    """Data of a table: nothing that it does not name, and nothing changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class When(Strict):
    """What must hold: any of ``service``, ``status`` and ``code``; regular expressions for the rest; all ``facts``."""

    service: tuple[Literal["entra", "graph", "stackone"], ...] = ()
    method: str = ""
    status: tuple[int, ...] = ()
    code: tuple[str, ...] = ()
    message: str = ""
    path: str = ""
    facts: dict[str, bool | str] = Field(default_factory=dict)

    def concerns(self, service: str, status: int | None) -> bool:
        """Whether it speaks of such answers at all."""
        return (not self.service or service in self.service) and (not self.status or status in self.status)

    def fits(self, known: Known) -> bool:
        """Whether what is known of an answer that it concerns is of this kind."""
        return (
            # StackOne quotes the codes of Entra ID and Graph in its message.
            (not self.code or not {known["code"], *_QUOTED.findall(known["message"])}.isdisjoint(self.code))
            and (not self.method or re.fullmatch(self.method, known["method"]) is not None)
            and re.search(self.message, known["message"]) is not None
            and re.search(self.path, known["path"].partition("?")[0]) is not None
            and all(known.get(name) == value for name, value in self.facts.items())
        )


class Row(Strict):
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


class Table(Strict):
    """``answers.json``."""

    about: str
    people: dict[str, str]
    rows: tuple[Row, ...]


@functools.cache
def table() -> Table:
    """``answers.json``."""
    return Table.model_validate(data.table("clients/answers.json"))


def look_up(failure: BaseException | None, **circumstances: Any) -> Row | None:
    """The first row that fits, or None. Raises ``TypeError`` for a circumstance of an unknown name."""
    known = _known(failure, circumstances)
    return next((row for row in _candidates(known["service"], known["status"]) if row.when.fits(known)), None)


@functools.cache
def _candidates(service: str, status: int | None) -> tuple[Row, ...]:
    return tuple(row for row in table().rows if row.when.concerns(service, status))


def explain(failure: BaseException | None, **circumstances: Any) -> Explanation:
    """The cause of ``failure``, who can mend it and how.

    ``circumstances`` are those of :data:`_CIRCUMSTANCES`; an error keeps those of the place where it came up. Always
    answers: without a row an error of our own explains itself, and anything else says that nothing is known.
    """
    known, row = _known(failure, circumstances), look_up(failure, **circumstances)
    used = ("status", "code", "request_id", "path", *(row.when.facts if row else ()))
    evidence = {name: _shown(known[name]) for name in used if known[name] not in (None, "")}
    if row is not None:
        cause, remedy = (text.format_map(_words(known)) for text in (row.cause, row.remedy))
        return Explanation(cause, table().people[row.who], remedy, known["code"], evidence, row.name)
    own = failure if isinstance(failure, RunbookError) else RunbookError(str(failure) or type(failure).__name__)
    remedy = own.next_step or "look at the last call in the record; if nothing there explains it, report it with that."
    who = own.who or table().people["runner"]
    return Explanation(own.meaning or own.what, who, remedy[:1].upper() + remedy[1:], known["code"], evidence)


def told(error: E, **circumstances: Any) -> E:
    """``error``, saying what its row says; one that no row fits keeps its own words. It keeps the circumstances."""
    error.circumstances |= circumstances
    found = explain(error)
    if found.answer:
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


def _known(failure: BaseException | None, circumstances: Known) -> dict[str, Any]:
    """The answer, the circumstances of the error and those that are given, and what follows from them."""
    known: dict[str, Any] = dict.fromkeys(_ANSWER, "") | {"status": None, "retry_after": None}
    if isinstance(failure, ServiceError):
        known |= {name: getattr(failure, name) for name in _ANSWER}
    elif isinstance(failure, SignInError):
        known |= {"service": "entra", "message": failure.what, "code": failure.code, "request_id": failure.request_id}
    known |= {"code": known["code"] or ""}
    known |= {**(failure.circumstances if isinstance(failure, RunbookError) else {}), **circumstances}
    if unknown := known.keys() - {*_CIRCUMSTANCES, *_ANSWER}:
        raise TypeError(f"no circumstances of this name: {', '.join(sorted(unknown))}")
    age, offset = known.get("age_seconds"), known.get("clock_offset_seconds")
    return known | {
        "fresh": age is not None and age < _FRESH_SECONDS,
        "clock_skewed": offset is not None and abs(offset) > SKEW_SECONDS,
        "misplaced": bool(known.get("misplaced_ids")),
    }


def _words(known: Known) -> dict[str, str]:
    """What a text of the table may name in braces."""
    offset = known.get("clock_offset_seconds")
    return {
        "age": _seconds(known.get("age_seconds")),
        "clock_offset": _seconds(offset and abs(offset)),
        "code": known["code"] or "no code",
        "retry_after": _seconds(known["retry_after"]),
        "permission_type": known.get("permission_type") or "delegated or application",
        "permissions": " and ".join(known.get("permissions") or ()) or "of this action",
        "misplaced_ids": ", ".join(known.get("misplaced_ids") or ()),
    }


def _shown(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _seconds(value: float | None) -> str:
    if value is None:
        return "a while"
    if value >= 7200:
        return f"{value / 3600:.0f} hours"
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"
