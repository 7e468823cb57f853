"""A picture of actions x permissions: which action costs which permission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table

__all__ = ["Picture"]

CELL = 20  # pixels of a row and of a column
LETTER = 7.4  # pixels that a letter takes on average at 12 pixels


class Picture(Panel):
    """Rows are actions, columns are permissions, a dot says that the action needs the permission.

    ``needs`` maps the name of an action to the permissions that it needs, in the order to be shown.
    """

    def __init__(self, needs: Mapping[str, Sequence[str]], title: str) -> None:
        self._needs, self._title = dict(needs), title
        self._permissions = tuple(sorted({name for names in self._needs.values() for name in names}))

    @property
    def value(self) -> Mapping[str, Sequence[str]]:
        return self._needs

    def table(self) -> Table:
        rows = tuple((action, ", ".join(names) or "none") for action, names in self._needs.items())
        return Table(("Action", "Permissions"), rows, self._title)

    def fragment(self) -> str:
        if not self._permissions:
            return f'<p class="soft">{markup.escape(self._title)}: nothing to draw.</p>'
        return f'<div class="picture">{self._svg()}</div>{markup.fold("The picture as a table", self.table().html())}'

    def _svg(self) -> str:
        left = 12 + max(len(name) for name in self._needs) * LETTER
        top = 14 + max(len(name) for name in self._permissions) * LETTER * 0.72
        slant = max(len(name) for name in self._permissions) * LETTER * 0.72
        width = left + CELL * len(self._permissions) + slant
        height = top + CELL * len(self._needs) + 6
        columns = "".join(self._column(i, name, left, top, height) for i, name in enumerate(self._permissions))
        rows = "".join(self._row(i, action, left, top, width - slant) for i, action in enumerate(self._needs))
        return (
            f'<svg width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{markup.escape(self._title)}">'
            f"<title>{markup.escape(self._title)}</title>{columns}{rows}</svg>"
        )

    def _column(self, index: int, name: str, left: float, top: float, height: float) -> str:
        x = left + CELL * index + CELL / 2
        ends = f'x1="{x:.0f}" y1="{top:.0f}" x2="{x:.0f}" y2="{height - 6:.0f}"'
        return (
            f'<line {ends} stroke="currentColor" opacity="0.12"/>'
            f'<text transform="translate({x + 3:.0f} {top - 5:.0f}) rotate(-45)">{markup.escape(name)}</text>'
        )

    def _row(self, index: int, action: str, left: float, top: float, right: float) -> str:
        y = top + CELL * index + CELL / 2
        dots = "".join(
            f'<circle cx="{left + CELL * i + CELL / 2:.0f}" cy="{y:.0f}" r="5" fill="#2f6fde"/>'
            for i, name in enumerate(self._permissions)
            if name in self._needs[action]
        )
        line = (
            f'<line x1="{left:.0f}" y1="{y:.0f}" x2="{right:.0f}" y2="{y:.0f}" stroke="currentColor" opacity="0.12"/>'
        )
        return f'{line}<text x="{left - 8:.0f}" y="{y + 4:.0f}" text-anchor="end">{markup.escape(action)}</text>{dots}'
