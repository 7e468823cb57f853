"""What admin consent will mean, in plain words, before anybody gives it."""

from __future__ import annotations

from runbook import catalog, words
from runbook.catalog.scopes import Scopes
from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table

_MEANINGS = {
    "delegated": "StackOne may do this in the name of the person who links the account, and never more than that "
    "person may.",
    "application": "StackOne may do this in the whole tenant, at any time, with nobody signed in.",
}


class Consent(Panel):
    """Each permission of the choice with what it lets StackOne do; powerful ones first and by name."""

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes
        known = catalog.permissions()
        names = {name for kind in scopes.types for name in scopes.of(kind).names}
        self._permissions = sorted((known[name] for name in names), key=lambda each: (-each.power, each.name))

    def table(self) -> Table:
        rows = tuple(
            (each.name, self._types(each.name), each.powerful or catalog.power_words()[each.power])
            for each in self._permissions
        )
        return Table(("Permission", "Type", "What it can do"), rows, "What consent allows, the most powerful first")

    def text(self) -> str:
        return "\n".join([*self._sentences(), self.table().text()])

    def fragment(self) -> str:
        powerful = [each for each in self._permissions if each.powerful]
        named = "".join(
            f"<li><b>{markup.escape(each.name)}</b> {markup.escape(each.powerful or '')}</li>" for each in powerful
        )
        said = "".join(f"<p>{markup.escape(sentence)}</p>" for sentence in self._sentences())
        tone = "bad" if powerful else "good"
        folded = markup.fold(words.plural(len(self._permissions), "permission"), self.table().html())
        return (
            f'<div class="bar {tone}"><span class="word">What consent means</span>{said}<ul>{named}</ul></div>{folded}'
        )

    def _types(self, name: str) -> str:
        return " and ".join(kind for kind in self._scopes.types if name in self._scopes.of(kind).names)

    def _sentences(self) -> list[str]:
        of_types = [
            f"{words.plural(len(self._scopes.of(kind).names), f'{kind} permission')}: {_MEANINGS[kind]}"
            for kind in self._scopes.types
        ]
        powerful = ", ".join(each.name for each in self._permissions if each.powerful)
        last = f"Powerful among them: {powerful}." if powerful else "None of them is powerful."
        return [*of_types, "It holds until somebody takes it away, for everybody in the tenant.", last]
