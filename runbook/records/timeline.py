"""The lives of the client secrets as a time line: when each was made, what becomes of it, and when it ends.

Notebook and report show the same picture; its words are the accessible text, its rows the table beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, Template
from markupsafe import Markup

from runbook import words

_SOON = 30  # days before its end in which a secret asks for attention
_NEVER = 36_500  # days that stand for a secret without an end
_WIDTH = 340  # pixels of the axis: with its names it fits a small screen
_LONGEST = timedelta(days=800)  # what is drawn of a secret without an end


@dataclass(frozen=True)
class Life:
    """One secret: pixels of its begin, of today, of where it is no longer meant to be used, and of its end."""

    name: str
    tone: words.Tone
    begin: int
    today: int
    unused: int
    end: int
    marks: tuple[tuple[str, int], ...]
    row: tuple[str, ...]


class TimeLine:
    """``secrets`` as section 5 tells them, ``at`` the moment (ISO 8601) at which it looked.

    Of each: ``description``, ``key_id``, ``ours``, ``days_left``, ``starts_at``, ``ends_at``, ``in_profile``, and
    ``profile_since``, ``renew_at`` and ``kept_until``, each empty where there is none.
    """

    columns = ("Description", "Whose", "Made", "Ends", "Left", "State", "Next", "Key id")
    legend = (
        "Full: still meant to be used. Faint: over, or not to be used. Circle: StackOne has it since then. "
        "Diamond: from then on another is made. Cross: from then on it is removed."
    )

    def __init__(self, secrets: Sequence[Mapping[str, Any]], at: str) -> None:
        self._now = datetime.fromisoformat(at)
        known = [when for each in secrets for name in ("starts_at", "ends_at") if (when := _moment(each[name]))]
        self._first = min([self._now, *known])
        self._last = max([self._now, *(min(when, self._now + _LONGEST) for when in known)])
        if any(not each["ends_at"] for each in secrets):
            self._last = self._now + _LONGEST
        self.lives = [self._life(each) for each in sorted(secrets, key=lambda each: int(each["days_left"]))]
        self.left = 12 + 7 * max(len(life.name) for life in self.lives)
        self.today = self._x(self._now)
        steps = [self._first + (self._last - self._first) * part / 4 for part in range(5)]
        self.ticks = [(self._x(when), f"{when:%Y-%m-%d}") for when in steps]

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "TimeLine | None":
        """The time line in the facts of a section; None where they tell of no secrets, or not when they were made."""
        secrets, at = facts.get("secrets"), (facts.get("secret") or {}).get("proven_at")
        return cls(secrets, at) if secrets and at and all("starts_at" in each for each in secrets) else None

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The same in words, the first to end first, under ``columns``."""
        return tuple(life.row for life in self.lives)

    @property
    def caption(self) -> str:
        return words.plural(len(self.lives), "client secret") + " on the application, the first to end first"

    def svg(self) -> Markup:
        """The picture, coloured by the page that it stands in."""
        return Markup(template().render(line=self, width=_WIDTH))

    def _x(self, when: datetime) -> int:
        part = (when - self._first) / max(self._last - self._first, timedelta(days=1))
        return round(_WIDTH * min(1.0, max(0.0, part)))

    def _life(self, secret: Mapping[str, Any]) -> Life:
        begin, ends = _moment(secret["starts_at"]) or self._first, _moment(secret["ends_at"]) or self._last
        since, renew, until = (_moment(secret.get(name)) for name in ("profile_since", "renew_at", "kept_until"))
        days, ended = int(secret["days_left"]), ends <= self._now
        state = "ended" if ended else "superseded" if until else "ends soon" if days < _SOON else "valid"
        tones: Mapping[str, words.Tone] = {"ended": "bad", "superseded": "none", "ends soon": "wait", "valid": "good"}
        marks = (("has", since), ("renewed", renew), ("removed", until))
        if secret.get("in_profile"):
            state += ", in StackOne's profile" + (f" since {since:%Y-%m-%d}" if since else "")
        row = (
            str(secret["description"]),
            "ours" if secret["ours"] else "not ours",
            secret["starts_at"][:10] or "unknown",
            secret["ends_at"][:10] or "never",
            "no end" if days >= _NEVER else "ended" if ended else words.plural(days, "day"),
            state,
            _next(ours=bool(secret["ours"]), ended=ended, renew=renew, until=until),
            str(secret["key_id"]),
        )
        drawn = tuple((name, self._x(when)) for name, when in marks if when and when <= self._last)
        moments = (begin, max(begin, min(self._now, ends)), min(until, ends) if until else ends, ends)
        first, today, unused, last = map(self._x, moments)
        return Life(f"{row[0]} ({row[1]})", tones[state.partition(",")[0]], first, today, unused, last, drawn, row)


def _next(*, ours: bool, ended: bool, renew: datetime | None, until: datetime | None) -> str:
    if not ours:
        return "left alone"
    if ended:
        return "removed by the next run"
    if until:
        return f"removed from {until:%Y-%m-%d} on, once StackOne works without it"
    return f"another is made from {renew:%Y-%m-%d} on" if renew else ""


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@cache
def template() -> Template:
    """Of the picture, compiled once."""

    loader = PackageLoader("runbook.records", ".")
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True).get_template(
        "timeline.svg.j2"
    )
