"""One line with its reason (a verdict, an error), and what a person takes elsewhere: a hand-over, a value to copy."""

from collections.abc import Mapping

from runbook import words
from runbook.errors import HandOver, InputError, RunbookError
from runbook.widgets.panel import Panel, Table


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
        numbered = enumerate(error.problems, 1)
        said = {f"{i}. {problem.where}": f"{problem.what} {problem.hint}".strip() for i, problem in numbered}
        said["Next"] = error.next_step
        return Message("Not started", "bad", "the input has mistakes; nothing was sent.", said)
    said = {"What it means": error.meaning, "Who can mend it": error.who, "Next": error.next_step}
    ids = {"Code": error.code or "", "Request id": error.request_id or ""}
    return Message("Stopped", "bad", error.what, said | ids)


class HandOverCard(Panel):
    """Who has to do what, where, with which values; no field of it is a secret.

    Where nobody is at the screen the card ends in a record, so a link that is kept in the secret store stays there.
    """

    def __init__(self, hand_over: HandOver, *, attended: bool = True) -> None:
        self.hand_over = hand_over
        self.shown = attended or not hand_over.kept
        self.elsewhere = f"kept as {hand_over.kept}; `runbook secrets get {hand_over.kept}` shows it"
        kinds = ("link_account", "admin_consent", "device_sign_in")
        self.for_phone = self.shown and hand_over.kind in kinds and hand_over.url.startswith(("https://", "http://"))

    @staticmethod
    def label(field: str) -> str:
        """As the form itself calls it, such as *Client ID*."""
        return (field[:1].upper() + field[1:]).replace("_id", " ID").replace("_secret", " Secret").replace("_", " ")

    @staticmethod
    def is_secret(field: str) -> bool:
        """Whether the value of a field is the reference of the secret that goes there."""
        return field.lower().replace(" ", "").replace("_", "") == "clientsecret"

    def text(self) -> str:
        item = self.hand_over
        lines = [item.title, f"Who: {item.who}", f"Link: {item.url if self.shown else self.elsewhere}"]
        lines += [f"{number}. {step}" for number, step in enumerate(item.steps, start=1)]
        lines += [f"Until: {item.expires_at}"] if item.expires_at else []
        values = Table(
            ("Field", "Value"),
            tuple((self.label(name), value) for name, value in item.fields.items()),
            "Values to put in",
        )
        return "\n".join(lines) + (f"\n{values.text()}" if item.fields else "")

    def qr_code(self) -> str:
        """The link as an inline SVG of a QR code (ISO/IEC 18004), dark on white so that any camera reads it."""
        import segno

        svg = segno.make(self.hand_over.url, error="m").svg_inline(scale=3, border=2, dark="#111", light="#fff")
        return f'<span class="qr" role="img" aria-label="QR code of the link">{svg}</span>'


class KeyValue(Panel):
    """The one value that somebody takes away from a step, in large letters and with a copy button; it is not secret."""

    def __init__(self, name: str, value: str) -> None:
        self.name, self.value = name, value

    def text(self) -> str:
        return f"{self.name}: {self.value}"
