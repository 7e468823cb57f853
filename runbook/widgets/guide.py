"""Where one is: the header of a notebook, and the guide as a list on the front page."""

from collections.abc import Sequence
from dataclasses import dataclass

from runbook.widgets.panel import Panel, Table


@dataclass(frozen=True)
class Chapter:
    """One step of the guide: its state in a word (empty where it was not looked at), why, and its notebook."""

    number: int
    title: str
    state: str
    reason: str
    notebook: str


@dataclass(frozen=True)
class Place:
    """What the header says. ``target`` is in plain words; ``signed_in`` names who and with which roles."""

    steps: tuple[Chapter, ...]
    current: int
    target: str
    tenant: str
    signed_in: str
    rehearsal: bool
    choice: str = ""


class Header(Panel):
    """The guide's steps with the current one marked, the target in words, and who is signed in."""

    def __init__(self, place: Place, title: str = "") -> None:
        self.place, self.title = place, title

    def text(self) -> str:
        place = self.place
        guide = (f"{step.number} {step.title}{f' ({step.state})' if step.state else ''}" for step in place.steps)
        said = {
            "Step": f"{place.current} of {len(place.steps)}: {self.title}" if place.current else self.title,
            "Target": place.target,
            "Tenant": place.tenant,
            "Signed in as": place.signed_in,
            "Actions": place.choice,
            "Guide": ", ".join(guide),
        }
        return "\n".join(f"{name}: {text}" for name, text in said.items() if text)


class GuideList(Panel):
    """The steps in order, as the tenant says, and what is missing before one can begin."""

    def __init__(self, chapters: Sequence[Chapter], missing: Sequence[str] = ()) -> None:
        self.chapters, self.missing = tuple(chapters), tuple(missing)

    def text(self) -> str:
        rows = tuple((f"{c.number}", c.title, c.state, c.reason, c.notebook) for c in self.chapters)
        table = Table(("Step", "What", "State", "Why", "Notebook"), rows, "The guide")
        return "\n".join([table.text(), *(f"Missing: {text}" for text in self.missing)])
