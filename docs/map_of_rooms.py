"""The map of the rooms of ``runbook/`` as SVG, drawn from its imports."""

from __future__ import annotations

from html import escape
from pathlib import Path

from tests.arrows import Package

WIDE, HIGH, ACROSS, DOWN = 118, 26, 132, 62


def floors(uses: dict[str, set[str]]) -> list[list[str]]:
    """The rooms by how far above the ground they stand, the highest first."""
    height: dict[str, int] = {}

    def of(room: str) -> int:
        if room not in height:
            height[room] = 1 + max((of(used) for used in uses[room]), default=-1)
        return height[room]

    for room in uses:
        of(room)
    return [sorted(room for room in uses if height[room] == floor) for floor in range(max(height.values()), -1, -1)]


def direct(uses: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows without those that follow from others."""

    def below(room: str) -> set[str]:
        return uses[room].union(*(below(used) for used in uses[room]))

    return [
        (room, used)
        for room in sorted(uses)
        for used in sorted(uses[room])
        if not any(used in below(other) for other in uses[room] - {used})
    ]


def drawn() -> str:
    """The SVG. Arrows that follow from others are left out: A to B and B to C stand for A to C."""
    house = Package(Path(__file__).resolve().parent.parent / "runbook")
    uses: dict[str, set[str]] = {room: set() for room in house.rooms()}
    for module, used in house.arrows.items():
        uses[house.room(module)] |= {house.room(each) for each in used} - {house.room(module)}
    rows = floors(uses)
    most = max(map(len, rows))
    width, height = most * ACROSS, len(rows) * DOWN
    place = {
        room: (int(width / 2 + (number - (len(row) - 1) / 2) * ACROSS), 30 + floor * DOWN)
        for floor, row in enumerate(rows)
        for number, room in enumerate(row)
    }
    lines = [
        f'<path d="M{place[a][0]} {place[a][1] + HIGH // 2} C{place[a][0]} {place[a][1] + 42} {place[b][0]} '
        f'{place[b][1] - 42} {place[b][0]} {place[b][1] - HIGH // 2 - 3}" marker-end="url(#tip)"/>'
        for a, b in direct(uses)
    ]
    boxes = [
        f'<rect x="{x - WIDE // 2}" y="{y - HIGH // 2}" width="{WIDE}" height="{HIGH}" rx="5"/>'
        f'<text x="{x}" y="{y + 4}">{escape(room)}</text>'
        for room, (x, y) in place.items()
    ]
    return "\n".join([HEAD.format(width=width, height=height), "<g class='arrows'>", *lines, "</g>", *boxes, "</svg>"])


HEAD = """<svg class="rooms" viewBox="0 0 {width} {height}" role="img" aria-label="The rooms of runbook, from the roof \
down to the ground floor; each arrow leads from a room to one that it uses." style="max-width:100%;height:auto">
<style>.rooms rect {{ fill: var(--color-background-secondary, #f8f9fb);
stroke: var(--color-foreground-muted, #6b6f76) }}
.rooms text {{ font: 12px sans-serif; text-anchor: middle; fill: var(--color-foreground-primary, #000) }}
.rooms .arrows {{ fill: none; stroke: var(--color-brand-primary, #0a4bff); stroke-opacity: .55 }}</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">
<path d="M0 0 8 4 0 8z" style="fill: var(--color-brand-primary, #0a4bff); stroke: none"/></marker></defs>"""
