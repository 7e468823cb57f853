"""How long the client secrets of the application still live, and whose they are: a table and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runbook import words
from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table

_SOON = 30  # days before its end in which a secret asks for attention
WIDTH, ROW = 320, 24  # pixels of the longest bar and of a row
_NEVER = 36_500  # days that stand for a secret without an end


class SecretAges(Panel):
    """``secrets`` as section 5 tells them: ``description``, ``key_id``, ``ours`` and ``days_left`` of each."""

    def __init__(self, secrets: Sequence[Mapping[str, Any]]) -> None:
        self._secrets = sorted(secrets, key=lambda secret: int(secret["days_left"]))

    def table(self) -> Table:
        rows = tuple(
            (str(s["description"]), _whose(s), _left(s), _state(s)[0], str(s["key_id"])) for s in self._secrets
        )
        caption = words.plural(len(rows), "client secret") + " on the application, the first to end first"
        return Table(("Description", "Whose", "Left", "State", "Key id"), rows, caption)

    def fragment(self) -> str:
        longest = max((min(int(s["days_left"]), 730) for s in self._secrets), default=0)
        bars = "".join(self._bar(i, secret, max(longest, _SOON)) for i, secret in enumerate(self._secrets))
        left = max((len(f"{s['description']} ({_whose(s)})") for s in self._secrets), default=0) * 7.2 + 8
        width, height = left + WIDTH + 110, ROW * len(self._secrets) + 4
        said = markup.escape("; ".join(f"{s['description']}, {_whose(s)}: {_left(s)}" for s in self._secrets))
        svg = (
            f'<svg width="{width:.0f}" height="{height}" viewBox="{-left:.0f} 0 {width:.0f} {height}" role="img" '
            f'aria-label="Days left of each client secret. {said}">{bars}</svg>'
        )
        return f'<h3>Ages of the client secrets</h3><div class="picture">{svg}</div>{self.table().html()}'

    def _bar(self, number: int, secret: Mapping[str, Any], longest: int) -> str:
        y, length = ROW * number, WIDTH * max(0, min(int(secret["days_left"]), longest)) / longest
        name = markup.escape(f"{secret['description']} ({_whose(secret)})")
        return (
            f'<text x="-8" y="{y + 16}" text-anchor="end">{name}</text>'
            f'<rect class="{_state(secret)[1]}" x="0" y="{y + 4}" width="{max(length, 3):.0f}" height="16" rx="3"/>'
            f'<text x="{max(length, 3) + 8:.0f}" y="{y + 16}">{_left(secret)}</text>'
        )


def _whose(secret: Mapping[str, Any]) -> str:
    return "ours" if secret["ours"] else "not ours"


def _left(secret: Mapping[str, Any]) -> str:
    days = int(secret["days_left"])
    return "no end" if days >= _NEVER else "ended" if days < 0 else words.plural(days, "day")


def _state(secret: Mapping[str, Any]) -> tuple[str, words.Tone]:
    days = int(secret["days_left"])
    return ("ended", "bad") if days < 0 else ("ends soon", "wait") if days < _SOON else ("valid", "good")
