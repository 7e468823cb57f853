"""A picture of actions against permissions in which an over-powerful permission jumps out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook.catalog import explain, loader, names
from runbook.catalog.model import PermissionType
from runbook.catalog.scopes import Scopes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]

_MARKS = {"read": ("o", "reads"), "write": ("s", "writes"), "delete": ("X", "deletes")}
_QUIET, _STRONG, _EXTREME, _GRID = "#33608c", "#9a5b00", "#b3261e", "#e3e6ea"
_EXTREME_POWER = 6


def draw(scopes: Scopes, kind: PermissionType) -> Figure:
    """Actions (rows, by resource) against permissions (columns, the most powerful on the right).

    A mark says that the action uses the permission: circle reads, square writes, cross deletes. It is filled where the
    action needs the permission by itself, hollow where it would do with less. A powerful permission has a triangle
    at its name and the words for what it can do; the most powerful have two, and a hatched band, so that colour is
    not the only cue. The figure belongs to no window; a notebook shows it, ``savefig`` writes it.
    """
    from matplotlib.figure import Figure

    table = explain.matrix(scopes, kind)
    rows, columns = len(table.actions), len(table.permissions)
    powerful = [name for name in table.permissions if loader.permissions()[name].powerful]
    height = 2.8 + 0.24 * rows + 0.2 * len(powerful)
    figure = Figure(figsize=(4.2 + 0.5 * max(columns, 6), height), layout="constrained")
    axes = figure.add_subplot()
    for column, name in enumerate(table.permissions):
        if _rank(name) == 2:
            axes.axvspan(column - 0.5, column + 0.5, fc="#fbe9e7", ec=_EXTREME, hatch="//", alpha=0.35, zorder=0)
    for row, slug in enumerate(table.actions):
        mark = _MARKS[names.action(slug).effect][0]
        for column, used in enumerate(table.cells[row]):
            if used:
                colour = _colour(table.permissions[column])
                inside = colour if table.forced[row][column] else "white"
                axes.scatter(column, row, marker=mark, s=52, facecolor=inside, edgecolor=colour, zorder=3)
    _label(axes, table)
    axes.set_title(f"{rows} actions and their {columns} {kind} permissions", loc="left", fontsize=12, pad=12)
    if powerful:
        words = "\n".join(f"{_named(name)}: {loader.permissions()[name].powerful}" for name in reversed(powerful))
        figure.supxlabel(words, fontsize=8.5, color=_EXTREME, ha="left", x=0.02)
    return figure


def _rank(name: str) -> int:
    """0: nothing to say; 1: powerful; 2: can hand out access, change sign-in, or raise itself."""
    permission = loader.permissions()[name]
    return 0 if not permission.powerful else 2 if permission.power >= _EXTREME_POWER else 1


def _colour(name: str) -> str:
    return (_QUIET, _STRONG, _EXTREME)[_rank(name)]


def _named(name: str) -> str:
    return f"{'▲' * _rank(name)} {name}".strip()


def _label(axes: Axes, table: explain.Matrix) -> None:
    from matplotlib.lines import Line2D

    rows, columns = len(table.actions), len(table.permissions)
    axes.set_xlim(-0.5, max(columns, 1) - 0.5)
    axes.set_ylim(max(rows, 1) - 0.5, -0.5)
    labels = [_named(name) for name in table.permissions]
    axes.set_xticks(range(columns), labels, rotation=50, ha="left", rotation_mode="anchor", fontsize=8.5)
    axes.xaxis.tick_top()
    for label, name in zip(axes.get_xticklabels(), table.permissions, strict=True):
        label.set_color(_colour(name))
        label.set_fontweight("bold" if _rank(name) else "normal")
    axes.set_yticks(range(rows), [names.action(slug).name for slug in table.actions], fontsize=8.5)
    axes.grid(color=_GRID, zorder=1)
    axes.tick_params(length=0)
    for row in range(1, rows):
        if names.action(table.actions[row]).resource != names.action(table.actions[row - 1]).resource:
            axes.axhline(row - 0.5, color="#9aa3ad", linewidth=0.8, zorder=2)
    axes.spines[:].set_visible(False)
    legend = [Line2D([], [], marker=mark, ls="", color=_QUIET, label=words) for mark, words in _MARKS.values()]
    legend.append(Line2D([], [], marker="o", ls="", mfc="white", color=_QUIET, label="would do with less"))
    axes.legend(handles=legend, loc="upper left", bbox_to_anchor=(0, 0), ncols=4, frameon=False, fontsize=8.5)
