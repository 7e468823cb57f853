"""A plain table: text, HTML and a DataFrame of the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook.widgets import markup

if TYPE_CHECKING:
    import pandas

__all__ = ["Table"]

WIDEST = 60  # characters of a column in text before it is wrapped


@dataclass(frozen=True)
class Table:
    """Rows of words under named columns. ``tones`` gives the colour of words, by column and content."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    tones: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, object]], columns: Sequence[str] = (), caption: str = "") -> Table:
        """A table of mappings; without ``columns`` they are the keys in the order in which they first appear."""
        names = tuple(columns) or tuple(dict.fromkeys(name for row in rows for name in row))
        return cls(names, tuple(tuple(_words(row.get(name)) for name in names) for row in rows), caption)

    def frame(self) -> pandas.DataFrame:
        """The rows as a pandas DataFrame of strings."""
        import pandas

        return pandas.DataFrame(list(self.rows), columns=list(self.columns))

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

    def html(self) -> str:
        """The table as an HTML fragment with a header row and row headers, escaped."""
        if not self.rows:
            return f'<p class="soft">{markup.escape(self.caption)} Nothing.</p>' if self.caption else ""
        caption = f"<caption>{markup.escape(self.caption)}</caption>" if self.caption else ""
        head = "".join(f'<th scope="col">{markup.escape(name)}</th>' for name in self.columns)
        body = "".join(f"<tr>{self._row(row)}</tr>" for row in self.rows)
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _row(self, row: tuple[str, ...]) -> str:
        first = f'<th scope="row">{self._cell(0, row[0])}</th>'
        return first + "".join(f"<td>{self._cell(i, cell)}</td>" for i, cell in enumerate(row[1:], start=1))

    def _cell(self, index: int, cell: str) -> str:
        tone = self.tones.get(self.columns[index], {}).get(cell)
        if tone:
            return markup.word(cell, tone)
        return markup.link(cell) if cell.startswith("https://") and " " not in cell else markup.escape(cell)


def _words(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_words(item) for item in value)
    return str(value)


def _wrap(cell: str) -> list[str]:
    from textwrap import wrap

    return [line for part in cell.split("\n") for line in (wrap(part, WIDEST) or [""])]


def _side_by_side(row: list[list[str]], widths: list[int]) -> list[str]:
    height = max(len(cell) for cell in row)
    return [
        "  ".join(
            (cell[i] if i < len(cell) else "").ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for i in range(height)
    ]
