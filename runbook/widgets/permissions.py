"""What a choice of actions costs: its permissions, what consent to them means, and a picture of both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from runbook import catalog, words
from runbook.catalog import explain, guide
from runbook.catalog.model import Permission
from runbook.catalog.scopes import Scopes
from runbook.widgets.panel import Panel, Table

_MEANINGS = {
    "delegated": "StackOne may do this in the name of the person who links the account, and never more than that "
    "person may.",
    "application": "StackOne may do this in the whole tenant, at any time, with nobody signed in.",
}
_CELL = 20  # pixels of a row and of a column of the picture
_LETTER = 7.2  # pixels that a letter takes at most at 12 pixels
_OPEN_UP_TO = 24  # actions; a larger picture is folded away until somebody wants it
_EXTREME = 6  # power from which a permission hands out access, changes sign-in, or raises itself


class ScopesPanel(Panel):
    """The permissions of a choice, powerful ones in words. ``separator`` is how the names are joined for copying."""

    caveat = guide.LINK_CAVEAT

    def __init__(self, scopes: Scopes, separator: str = "space") -> None:
        self.scopes, self._separator = scopes, separator
        self.cost = explain.summary(scopes) if scopes.actions and scopes.types else ()
        """Which few actions cost the most powerful permissions, and how to need less; a sentence a line."""
        self.guide = guide.link(scopes.actions)
        self.powerful = any(power for kind in scopes.types for _, _, power, _ in self.rows(kind))

    def rows(self, kind: catalog.PermissionType) -> list[tuple[str, str, str, str]]:
        """Type, permission, what it can do where that needs saying, and the actions that need it."""
        known, of_kind = catalog.permissions(), self.scopes.of(kind)
        return [(kind, name, known[name].powerful or "", _names(of_kind.why[name])) for name in of_kind.names]

    def cannot(self, kind: catalog.PermissionType) -> str:
        """The chosen actions that this type of permission does not allow."""
        return _names(self.scopes.of(kind).unsupported)

    @property
    def covered(self) -> str:
        """What the guide asks for and a higher permission covers."""
        return "; ".join(
            f"{name} ({kind}), covered by {', '.join(by)}"
            for kind in self.scopes.types
            for name, by in self.scopes.of(kind).left_out.items()
        )

    def joined(self, kind: catalog.PermissionType) -> str:
        """The names of one type as one text to paste; the sign-in's own scopes come first among delegated ones."""
        return self.scopes.joined(kind, self._separator)

    def text(self) -> str:
        rows = tuple(row for kind in self.scopes.types for row in self.rows(kind))
        table = Table(("Type", "Permission", "Powerful", "Because of"), rows, "Permissions of this choice")
        kinds = [kind for kind in self.scopes.types if self.scopes.of(kind).names]
        lines = [f"{kind.capitalize()} ({self._separator}): {self.joined(kind)}" for kind in kinds]
        return "\n".join([*self.cost, table.text(), *lines, f"Guide: {self.guide}"])


class Consent(Panel):
    """What admin consent will mean: each permission with what it lets StackOne do, powerful ones first and by name."""

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes
        names = {name for kind in scopes.types for name in scopes.of(kind).names}
        found = (catalog.permissions()[name] for name in names)
        self._permissions = sorted(found, key=lambda each: (-each.power, each.name))
        self.powerful = [each for each in self._permissions if each.powerful]
        named = ", ".join(each.name for each in self.powerful)
        self.sentences = [
            *(
                f"{words.plural(len(scopes.of(kind).names), f'{kind} permission')}: {_MEANINGS[kind]}"
                for kind in scopes.types
            ),
            *filter(None, [explain.price(scopes)]),
            "It holds until somebody takes it away, for everybody in the tenant.",
            f"Powerful among them: {named}." if named else "None of them is powerful.",
        ]

    def table(self) -> Table:
        """Every permission with what it can do, the most powerful first."""
        types = {
            each.name: " and ".join(kind for kind in self._scopes.types if each.name in self._scopes.of(kind).names)
            for each in self._permissions
        }
        rows = tuple((p.name, types[p.name], p.powerful or catalog.power_words()[p.power]) for p in self._permissions)
        return Table(("Permission", "Type", "What it can do"), rows, "What consent allows, the most powerful first")

    def text(self) -> str:
        return "\n".join([*self.sentences, self.table().text()])


@dataclass(frozen=True)
class Pictures:
    """A picture for each permission type, or one if both look the same; ``opened`` unless it is a large one."""

    drawn: tuple[dict[str, Any], ...]
    opened: bool

    @classmethod
    def of(cls, scopes: Scopes) -> Pictures:
        """The pictures of a choice; none for an empty one."""
        matrices = [explain.matrix(scopes, kind) for kind in scopes.types if scopes.of(kind).names]
        kinds = " and ".join(each.kind for each in matrices)
        if matrices and all(replace(each, kind=matrices[0].kind) == matrices[0] for each in matrices):
            drawn = [_picture(matrices[0], kinds)]
        else:
            drawn = [_picture(each, each.kind) for each in matrices]
        return cls(tuple(drawn), len(scopes.actions) <= _OPEN_UP_TO)


def _picture(matrix: explain.Matrix, kinds: str) -> dict[str, Any]:
    """Where everything stands, in pixels: a column a permission (the most powerful last), a row an action."""
    known = [catalog.permissions()[name] for name in matrix.permissions]
    actions = [catalog.action(slug) for slug in matrix.actions]
    names = [f"{'▲' * _rank(each)} {each.name}".strip() for each in known]
    left = round(12 + _LETTER * max(len(action.name) for action in actions))
    slant = round(_LETTER * 0.72 * max(map(len, names)))
    top, right = slant + 14, left + _CELL * len(known)
    columns = [
        {"name": name, "powerful": each.powerful, "rank": _rank(each), "x": left + _CELL * i}
        for i, (each, name) in enumerate(zip(known, names, strict=True))
    ]
    rows = [{"name": action.name, "y": top + _CELL * i, "effect": action.effect} for i, action in enumerate(actions)]
    marks = [
        {**columns[column], **rows[row], "forced": matrix.forced[row][column]}
        for row, cells in enumerate(matrix.cells)
        for column, used in enumerate(cells)
        if used
    ]
    uses = tuple(
        (action.name, ", ".join(name for name, used in zip(matrix.permissions, cells, strict=True) if used))
        for action, cells in zip(actions, matrix.cells, strict=True)
    )
    title = f"{words.plural(len(actions), 'action')} and their {len(known)} {kinds} permissions"
    return {
        **{"title": title, "columns": columns, "rows": rows, "marks": marks},
        **{"left": left, "right": right, "top": top, "bottom": top + _CELL * len(actions), "width": right + slant},
        "table": Table(("Action", "Permissions"), uses),
    }


def _rank(permission: Permission) -> int:
    """0: nothing to say; 1: powerful; 2: can hand out access, change sign-in, or raise itself."""
    return 0 if not permission.powerful else 2 if permission.power >= _EXTREME else 1


def _names(slugs: tuple[str, ...]) -> str:
    return ", ".join(catalog.action(slug).name for slug in slugs)
