"""What codes of Entra ID, Graph and StackOne mean, and how to mend it: ``aadsts.json`` and ``codes.json``."""

from __future__ import annotations

import functools
import json
import re
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from runbook.errors import SignInError

__all__ = ["Aadsts", "Code", "aadsts", "aadsts_code", "codes", "graph_next_step", "sign_in_error", "stackone_next_step"]

_AADSTS = re.compile(r"AADSTS(\d{4,8})")


class Aadsts(BaseModel):
    """One code of Entra ID's token service: what it means, who can mend it, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    meaning: str
    who: str
    remedy: str


class Code(BaseModel):
    """One answer of Graph or StackOne; an empty ``code`` fits any, ``message`` is the beginning of the message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: Literal["graph", "stackone"]
    status: int
    code: str = ""
    message: str = ""
    path: str = ""
    meaning: str
    remedy: str

    @field_validator("path")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        re.compile(value)
        return value


@functools.cache
def aadsts() -> dict[str, Aadsts]:
    """The table of AADSTS codes, by number."""
    rows = [Aadsts.model_validate(row) for row in _data("aadsts.json")]
    table = {row.code: row for row in rows}
    if len(table) != len(rows):
        raise ValueError("aadsts.json has a code twice")
    return table


@functools.cache
def codes() -> tuple[Code, ...]:
    """The table of Graph's and StackOne's answers; the first row that fits counts."""
    return tuple(Code.model_validate(row) for row in _data("codes.json"))


def _data(name: str) -> list[dict[str, Any]]:
    loaded = json.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
    rows: list[dict[str, Any]] = loaded["rows"]
    return rows


def _look_up(service: str, status: int, code: str, message: str, path: str) -> tuple[str, str]:
    for row in codes():
        if (
            row.service == service
            and row.status == status
            and row.code in ("", code)
            and message.startswith(row.message)
            and re.search(row.path, path) is not None
        ):
            return row.meaning, row.remedy
    return "", ""


def graph_next_step(status: int, code: str, message: str, path: str) -> tuple[str, str]:
    """Meaning and next step for an answer of Graph; both empty when nothing is known."""
    return _look_up("graph", status, code, message, path)


def stackone_next_step(status: int, message: str, path: str) -> tuple[str, str]:
    """Meaning and next step for an answer of StackOne; both empty when nothing is known."""
    return _look_up("stackone", status, "", message, path)


def aadsts_code(answer: dict[str, Any]) -> str | None:
    """The AADSTS number in a token endpoint's error answer, as text without its prefix."""
    found = _AADSTS.search(str(answer.get("error_description", "")))
    if found:
        return found.group(1)
    codes = answer.get("error_codes")
    return str(codes[0]) if isinstance(codes, list) and codes else None


def sign_in_error(answer: dict[str, Any], *, subject: str) -> SignInError:
    """An error answer of the token endpoint (RFC 6749 section 5.2, with Entra's additions) as our error.

    ``subject`` says who asked for what ("the new client secret"). Entra's text is kept without its trace lines.
    """
    number = aadsts_code(answer)
    row = aadsts().get(number or "")
    description = re.split(r"\s*(?:\r?\n|Trace ID:)", str(answer.get("error_description", "")), maxsplit=1)[0]
    error = str(answer.get("error", "unknown_error"))
    said = description or error
    return SignInError(
        f"Entra ID gave no token for {subject}: {said}" + ("" if said.endswith(".") else "."),
        meaning=row.meaning if row else "",
        next_step=f"{row.remedy} (Who can: {row.who}.)"
        if row
        else "Look the code up at https://login.microsoftonline.com/error.",
        code=f"AADSTS{number}" if number else error,
        request_id=answer.get("trace_id") or answer.get("correlation_id"),
    )
