"""The header line: where one is in the guide, on which tenant, signed in as whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table


@dataclass(frozen=True)
class Step:
    """One of the eight steps; ``state`` is a word (done, open, next, …) or empty when it was not looked at."""

    number: int
    title: str
    state: str = ""


@dataclass(frozen=True)
class Place:
    """What the header says. ``target`` is in plain words; ``signed_in`` names who and with which roles."""

    steps: tuple[Step, ...]
    current: int
    target: str
    tenant: str
    signed_in: str
    rehearsal: bool


class Header(Panel):
    """The guide's eight steps with the current one marked, the target in plain words, and who is signed in."""

    def __init__(self, place: Place, title: str = "", about: str = "", portal: str = "") -> None:
        self._place, self._title, self._about, self._portal = place, title, about, portal

    def table(self) -> Table:
        place = self._place
        rows = [
            ("Step", f"{place.current} of {len(place.steps)}: {self._title}" if place.current else self._title),
            ("What it does", self._about),
            ("In the portal", self._portal),
            ("Target", place.target),
            ("Tenant", place.tenant),
            ("Signed in as", place.signed_in),
            ("Guide", _line(place.steps)),
        ]
        return Table(("What", "Value"), tuple((name, text) for name, text in rows if text))

    def text(self) -> str:
        return "\n".join(f"{name}: {text}" for name, text in self.table().rows)

    def fragment(self) -> str:
        place = self._place
        pairs = [
            ("Target", markup.word(place.target, place.rehearsal)),
            ("Tenant", markup.escape(place.tenant)),
            ("Signed in as", markup.escape(place.signed_in)),
        ]
        about = f"<p>{markup.escape(self._about)}</p>" if self._about else ""
        portal = f'<p class="soft">In the portal: {markup.escape(self._portal)}</p>' if self._portal else ""
        return f'<div class="card">{_rail(place)}{about}{portal}{markup.facts(pairs)}</div>'


def _rail(place: Place) -> str:
    items = "".join(
        f'<li{_current(step, place)}><span class="n">{step.number}</span>{markup.escape(step.title)}{_state(step)}</li>'
        for step in place.steps
    )
    return f'<ol class="steps" aria-label="Steps of the guide">{items}</ol>' if items else ""


def _current(step: Step, place: Place) -> str:
    return ' aria-current="step"' if step.number == place.current else ""


def _state(step: Step) -> str:
    return f" {markup.word(step.state)}" if step.state else ""


def _line(steps: Sequence[Step]) -> str:
    return ", ".join(f"{step.number} {step.title}{f' ({step.state})' if step.state else ''}" for step in steps)
