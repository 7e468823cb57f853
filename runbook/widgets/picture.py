"""A picture of actions against permissions in which a powerful permission jumps out; SVG without any script."""

from __future__ import annotations

from dataclasses import replace

from runbook import catalog
from runbook.catalog import explain
from runbook.catalog.model import Permission
from runbook.catalog.scopes import Scopes
from runbook.widgets import markup
from runbook.widgets.table import Table

_CELL = 20  # pixels of a row and of a column
_LETTER = 7.2  # pixels that a letter takes at most at 12 pixels
_OPEN_UP_TO = 24  # actions; a larger picture is folded away until somebody wants it
_EXTREME_POWER = 6
_MARKS = {
    "read": '<circle cx="10" cy="10" r="5"/>',
    "write": '<rect x="5" y="5" width="10" height="10"/>',
    "delete": '<path d="M5 5L15 15M15 5L5 15" stroke-width="3"/>',
}
_LEGEND = (
    "Circle: reads. Square: writes. Cross: deletes. Hollow or faint: the action would do with less, and uses what "
    "others brought. ▲: powerful. ▲▲: can hand out access, change how people sign in, or raise itself."
)


def pictures(scopes: Scopes) -> str:
    """A picture for each permission type, or one if both look the same, each also as a table; empty for no choice."""
    matrices = [explain.matrix(scopes, kind) for kind in scopes.types if scopes.of(kind).names]
    if not matrices:
        return ""
    if all(replace(each, kind=matrices[0].kind) == matrices[0] for each in matrices):
        drawn = _figure(matrices[0], " and ".join(each.kind for each in matrices))
    else:
        drawn = "".join(_figure(each, each.kind) for each in matrices)
    inside = f'<div class="figures">{drawn}</div><p class="soft">{_LEGEND}</p>'
    title = "Picture: which action needs which permission"
    return markup.fold(title, inside, opened=len(scopes.actions) <= _OPEN_UP_TO)


def _figure(matrix: explain.Matrix, kinds: str) -> str:
    known = [catalog.permissions()[name] for name in matrix.permissions]
    title = f"{len(matrix.actions)} actions and their {len(known)} {kinds} permissions"
    powerful = [permission for permission in reversed(known) if permission.powerful]
    said = "".join(f"<li>{markup.escape(f'{_named(each)}: {each.powerful}')}</li>" for each in powerful)
    rows = [
        (catalog.action(slug).name, ", ".join(name for name, used in zip(matrix.permissions, row, strict=True) if used))
        for slug, row in zip(matrix.actions, matrix.cells, strict=True)
    ]
    table = markup.fold("The picture as a table", Table(("Action", "Permissions"), tuple(rows)).html())
    caption = f'<figcaption><b>{title}</b><ul class="bad">{said}</ul></figcaption>'
    return f"<figure>{caption}{_svg(matrix, known, title)}{table}</figure>"


def _svg(matrix: explain.Matrix, known: list[Permission], title: str) -> str:
    left = 12 + _LETTER * max(len(catalog.action(slug).name) for slug in matrix.actions)
    slant = _LETTER * 0.72 * max(len(_named(permission)) for permission in known)
    top, bottom = slant + 14, slant + 14 + _CELL * len(matrix.actions)
    width = left + _CELL * len(known) + slant
    columns = "".join(_column(each, left + _CELL * i, top, bottom) for i, each in enumerate(known))
    lines = "".join(_line(slug, left, top + _CELL * i, width - slant) for i, slug in enumerate(matrix.actions))
    marks = "".join(
        f'<g class="power{_rank(known[column])}{"" if matrix.forced[row][column] else " less"}" '
        f'transform="translate({left + _CELL * column:.0f} {top + _CELL * row:.0f})">'
        f"{_MARKS[catalog.action(slug).effect]}</g>"
        for row, slug in enumerate(matrix.actions)
        for column, used in enumerate(matrix.cells[row])
        if used
    )
    size = f'width="{width:.0f}" height="{bottom + 6:.0f}" viewBox="0 0 {width:.0f} {bottom + 6:.0f}"'
    words = "; ".join(f"{each.name}: {each.powerful}" for each in known if each.powerful)
    text = markup.escape(f"{title}. Powerful: {words or 'none'}. The table below it says the same.")
    return f'<div class="picture"><svg {size} role="img" aria-label="{text}">{columns}{lines}{marks}</svg></div>'


def _column(permission: Permission, x: float, top: float, bottom: float) -> str:
    rank, middle = _rank(permission), x + _CELL / 2
    band = (
        f'<rect class="band" x="{x:.0f}" y="{top:.0f}" width="{_CELL}" height="{bottom - top:.0f}"/>'
        if rank > 1
        else ""
    )
    return (
        f'{band}<line x1="{middle:.0f}" y1="{top:.0f}" x2="{middle:.0f}" y2="{bottom:.0f}"/>'
        f'<text class="power{rank}" transform="translate({middle + 3:.0f} {top - 5:.0f}) rotate(-45)">'
        f"{markup.escape(_named(permission))}</text>"
    )


def _line(slug: str, left: float, y: float, right: float) -> str:
    middle, name = y + _CELL / 2, markup.escape(catalog.action(slug).name)
    return (
        f'<line x1="{left:.0f}" y1="{middle:.0f}" x2="{right:.0f}" y2="{middle:.0f}"/>'
        f'<text x="{left - 8:.0f}" y="{middle + 4:.0f}" text-anchor="end">{name}</text>'
    )


def _rank(permission: Permission) -> int:
    """0: nothing to say; 1: powerful; 2: can hand out access, change sign-in, or raise itself."""
    return 0 if not permission.powerful else 2 if permission.power >= _EXTREME_POWER else 1


def _named(permission: Permission) -> str:
    return f"{'▲' * _rank(permission)} {permission.name}".strip()
