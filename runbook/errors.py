"""Every error that the runbook raises, in one tree.

RunbookError                  exit code 1
├── InputError                2   the choice, a parameter or an argument is wrong; nothing was sent
├── Parked                    3   a person must act; run again afterwards
├── Interrupted               130 stopped by a signal; safe to run again
├── PlanRefused                   the plan would touch something that is not ours, or applying was not allowed
├── SignInError                   Entra ID refused a token (``code`` is the AADSTS number)
├── ServiceError                  an HTTP answer that is an error
│   ├── GraphError                Microsoft Graph (``code`` is Graph's own)
│   └── StackOneError             StackOne
├── TransportError                no usable answer: DNS, TLS, timeout, connection reset, truncated body
├── NotSettled                    a change was accepted but could not be seen before the deadline
├── SecretStoreError              a secret could not be kept or fetched
└── RecordError                   a record could not be written, or does not hold what it claims
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from runbook.data import table

__all__ = (
    *("GraphError", "InputError", "Interrupted", "NotSettled", "Parked", "PlanRefused", "RecordError", "RunbookError"),
    *("SecretStoreError", "ServiceError", "SignInError", "StackOneError", "TransportError"),
)


@dataclass(frozen=True)
class Problem:
    """One mistake in the input: where it is, what is wrong, and what would be right."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" {self.hint}" if self.hint else "")


@dataclass(frozen=True)
class HandOver:
    """What a person has to do before the run can go on.

    ``kind`` is one of ``admin_consent``, ``connector_profile``, ``link_account``, ``device_sign_in``,
    ``connector_profile_removal``, ``approval``.
    ``fields`` are shown to the person and are never secret; a secret appears in them as its reference.
    ``kept`` is set where the address itself lets whoever holds it act: the reference of the address in the secret
    store, which records show in its place.
    """

    kind: str
    title: str
    url: str
    steps: tuple[str, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)
    who: str = ""
    expires_at: str | None = None
    kept: str = ""

    @classmethod
    def named(cls, kind: str, words: Mapping[str, Any], **more: Any) -> Self:
        """What ``hand_overs.json`` says of this kind, with ``words`` in its braces."""
        text = table("hand_overs.json")[kind]
        steps = tuple(step.format_map(words) for step in text["steps"])
        return cls(kind, text["title"].format_map(words), steps=steps, who=text["who"], **more)


def pasted(word: object) -> str:
    """``word`` in a command: a shell reads it whole, and the command does not take it for an option."""
    text = str(word)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def _filled(text: str, words: Mapping[str, Any]) -> str:
    """``text`` with ``words`` in its braces; between backticks stands a command, into which they are pasted."""
    parts = text.split("`")
    for number, part in enumerate(parts):
        told = {name: pasted(word) for name, word in words.items()} if number % 2 else words
        parts[number] = part.format_map(told)
    return "`".join(parts)


class RunbookError(Exception):
    """What happened, what it means, who can mend it, and the next thing to do.

    ``circumstances`` are facts of the place where it came up, for :mod:`runbook.clients.answers`.
    """

    exit_code: ClassVar[int] = 1
    ticket: object = None
    """Of a write that failed: under which number a journal announced it."""
    unfinished: Any = None
    """Of a list that failed in the middle: the listing, whose ``read`` goes on behind the pages that came."""

    def __init__(
        self,
        what: str,
        *,
        meaning: str = "",
        next_step: str = "",
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.meaning = meaning
        self.who = ""
        self.next_step = next_step
        self.code = code
        self.request_id = request_id
        self.circumstances: dict[str, Any] = {}

    @classmethod
    def named(cls, code: str, **words: Any) -> Self:
        """The error of this code in ``errors.json``, with ``words`` in its braces."""
        return cls(code=code, **{part: _filled(text, words) for part, text in table("errors.json")[code].items()})

    def __str__(self) -> str:
        lines = [self.what]
        if self.meaning:
            lines.append(f"What it means: {self.meaning}")
        if self.who:
            lines.append(f"Who can mend it: {self.who}")
        if self.next_step:
            lines.append(f"Next: {self.next_step}")
        if self.request_id:
            lines.append(f"Request id: {self.request_id}")
        return "\n".join(lines)


class InputError(RunbookError):
    """The input is wrong. Every mistake is named at once, and nothing was sent."""

    exit_code = 2

    def __init__(self, problems: Problem | list[Problem] | tuple[Problem, ...], *, next_step: str = "") -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        count = len(self.problems)
        what = f"{count} mistake{'s' if count != 1 else ''} in the input; nothing was sent.\n" + "\n".join(
            f"  - {problem}" for problem in self.problems
        )
        super().__init__(what, next_step=next_step or "correct the input and run the same command again.")


class Parked(RunbookError):
    """The run waits for a person; what is done so far stays done."""

    exit_code = 3

    def __init__(self, hand_over: HandOver) -> None:
        kept = f"the link that `runbook secrets get {hand_over.kept}` shows" if hand_over.kept else hand_over.url
        super().__init__(
            f"Parked: {hand_over.title}",
            meaning=f"{hand_over.who or 'A person'} must act before the run can go on.",
            next_step=f"open {kept}, follow the steps, then run the same command again.",
        )
        self.hand_over = hand_over


class Interrupted(RunbookError):
    """The run was stopped by a signal. It is safe to run it again."""

    exit_code = 130


class PlanRefused(RunbookError):
    """The plan was not carried out: it would touch what is not ours, or nobody allowed it."""


class SignInError(RunbookError):
    """Entra ID gave no token. ``code`` is like ``AADSTS7000215``."""


class ServiceError(RunbookError):
    """An HTTP answer that is an error. ``status`` is the HTTP status, ``code`` the service's own."""

    service: ClassVar[str] = "service"

    def __init__(
        self,
        what: str,
        *,
        status: int,
        method: str = "",
        path: str = "",
        message: str = "",
        retry_after: float | None = None,
        **told: Any,
    ) -> None:
        super().__init__(what, **told)
        self.status = status
        self.method = method
        self.path = path
        self.message = message
        self.retry_after = retry_after


class GraphError(ServiceError):
    """Microsoft Graph answered with an error body (learn.microsoft.com/graph/errors)."""

    service = "graph"


class StackOneError(ServiceError):
    """StackOne answered with an error body."""

    service = "stackone"


class TransportError(RunbookError):
    """No usable answer came back: DNS, TLS, timeout, connection reset, truncated body.

    ``maybe_applied``: it was a write and had been sent, so it may have taken effect; read before repeating it.
    """

    def __init__(self, what: str, *, maybe_applied: bool = False, **told: Any) -> None:
        super().__init__(what, **told)
        self.maybe_applied = maybe_applied


class NotSettled(RunbookError):
    """A change was accepted but could not be seen before the deadline of its step."""


class SecretStoreError(RunbookError):
    """A secret could not be kept or fetched."""


class RecordError(RunbookError):
    """A record could not be written, or does not hold what it claims."""
