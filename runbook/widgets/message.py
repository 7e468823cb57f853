"""One line with its reason: the verdict of a section, or an error with what it means and what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from runbook import words
from runbook.errors import InputError, RunbookError
from runbook.widgets.panel import Panel


class Message(Panel):
    """A word, a sentence and what follows from it."""

    def __init__(self, word: str, tone: str, sentence: str, details: Mapping[str, str] | None = None) -> None:
        self.word, self.tone, self.sentence = word, tone, sentence
        self.details = {name: text for name, text in (details or {}).items() if text}

    def text(self) -> str:
        lines = [f"{self.word}: {self.sentence}" if self.sentence else self.word]
        return "\n".join(lines + [f"{name}: {text}" for name, text in self.details.items()])


def verdict(state: str, sentence: str, next_step: str = "") -> Message:
    """The verdict of a section or of a run; ``state`` is one of :data:`runbook.words.VERDICTS`."""
    return Message(state.capitalize(), words.tone(state), sentence, {"Next": next_step})


def failure(error: RunbookError) -> Message:
    """An error as a person reads it: what happened, what it means, the next thing to do."""
    if isinstance(error, InputError):
        problems = {
            f"{i}. {problem.where}": f"{problem.what} {problem.hint}".strip()
            for i, problem in enumerate(error.problems, 1)
        }
        return Message(
            "Not started", "bad", "the input has mistakes; nothing was sent.", {**problems, "Next": error.next_step}
        )
    return Message(
        "Stopped",
        "bad",
        error.what,
        {
            "What it means": error.meaning,
            "Who can mend it": error.who,
            "Next": error.next_step,
            "Code": error.code or "",
            "Request id": error.request_id or "",
        },
    )
