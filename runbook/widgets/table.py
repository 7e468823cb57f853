"""A plain table: text and HTML of the same rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from textwrap import wrap

from runbook import words
from runbook.widgets import markup

_WIDEST = 60  # characters of a column in text before it is wrapped


@dataclass(frozen=True)
class Table:
    """Rows of words under named columns. Words in the columns ``toned`` are coloured by what they say."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    toned: Collection[str] = ()

    def text(self) -> str:
        """Columns side by side, long words wrapped; an empty table says so."""
        head = [self.caption] if self.caption else []
        if not self.rows:
            return "\n".join([*head, "(nothing)"])
        cells = [[_wrap(cell) for cell in row] for row in (self.columns, *self.rows)]
        widths = [max(len(line) for row in cells for line in row[i]) for i in range(len(self.columns))]
        lines = [line for row in cells for line in _side_by_side(row, widths)]
        ruler = "  ".join("-" * width for width in widths)
        return "\n".join([*head, lines[0], ruler, *lines[1:]])

    def html(self, head: str = "") -> str:
        """The table as an HTML fragment with row headers, escaped; ``head`` is a head of several rows of its own."""
        if not self.rows:
            return f'<p class="soft">{markup.escape(self.caption)} Nothing.</p>' if self.caption else ""
        caption = f"<caption>{markup.escape(self.caption)}</caption>" if self.caption else ""
        names = "".join(f'<th scope="col">{markup.escape(name)}</th>' for name in self.columns)
        body = "".join(f"<tr>{self._row(row)}</tr>" for row in self.rows)
        return f"<table>{caption}<thead>{head or f'<tr>{names}</tr>'}</thead><tbody>{body}</tbody></table>"

    def _row(self, row: tuple[str, ...]) -> str:
        first = f'<th scope="row">{self._cell(0, row[0])}</th>'
        return first + "".join(f"<td>{self._cell(i, cell)}</td>" for i, cell in enumerate(row[1:], start=1))

    def _cell(self, index: int, cell: str) -> str:
        if self.columns[index] in self.toned and words.tone(cell) != "none":
            return markup.word(cell)
        return markup.link(cell) if cell.startswith("https://") and " " not in cell else markup.escape(cell)


def _wrap(cell: str) -> list[str]:
    return [line for part in cell.split("\n") for line in (wrap(part, _WIDEST) or [""])]


def _side_by_side(row: list[list[str]], widths: list[int]) -> list[str]:
    height = max(len(cell) for cell in row)
    return [
        "  ".join(
            (cell[i] if i < len(cell) else "").ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for i in range(height)
    ]
