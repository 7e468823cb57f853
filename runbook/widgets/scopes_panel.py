"""The permissions of a choice: delegated and application apart, powerful ones in words, each with its reason."""

from __future__ import annotations

from runbook import catalog
from runbook.catalog import explain, guide
from runbook.catalog.scopes import Scopes
from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table


class ScopesPanel(Panel):
    """What the choice costs. ``separator`` is how the names are joined for copying."""

    def __init__(self, scopes: Scopes, separator: guide.Separator = "space") -> None:
        self._scopes, self._separator = scopes, separator

    def table(self) -> Table:
        rows = tuple(
            (kind, name, _powerful(name), ", ".join(_names(self._scopes.of(kind), name)))
            for kind in self._scopes.types
            for name in self._scopes.of(kind).names
        )
        return Table(("Type", "Permission", "Powerful", "Because of"), rows, "Permissions of this choice")

    def text(self) -> str:
        lines = [
            f"{kind.capitalize()} ({self._separator}): {self.joined(kind)}"
            for kind in self._scopes.types
            if self._scopes.of(kind).names
        ]
        cost = explain.summary(self._scopes) if self._scopes.actions else ()
        return "\n".join([*cost, self.table().text(), *lines, f"Guide: {guide.link(self._scopes.actions)}"])

    def joined(self, kind: catalog.PermissionType) -> str:
        """The names of one type as one text to paste; the sign-in's own scopes come first among delegated ones."""
        base = self._scopes.base if kind == "delegated" else ()
        return guide.joined(dict.fromkeys((*base, *self._scopes.of(kind).names)), self._separator)

    def fragment(self) -> str:
        if not self._scopes.actions:
            return (
                '<p class="soft">Nothing chosen yet. Tick actions, and the permissions that they need appear here.</p>'
            )
        parts = "".join(self._kind(kind) for kind in self._scopes.types)
        return f"{self._cost()}{parts}{self._covered()}{self._guide()}"

    def _cost(self) -> str:
        """Which few actions cost the most powerful permissions, and how to need less."""
        headline, *sentences = explain.summary(self._scopes)
        powerful = any(_powerful(name) for kind in self._scopes.types for name in self._scopes.of(kind).names)
        less = "".join(f"<li>{markup.escape(sentence)}</li>" for sentence in sentences)
        folded = markup.fold("What would need less, and why each is asked for", f"<ul>{less}</ul>") if less else ""
        return f'<div class="bar {"bad" if powerful else "good"}">{markup.escape(headline)}{folded}</div>'

    def _kind(self, kind: catalog.PermissionType) -> str:
        computed = self._scopes.of(kind)
        rows = "".join(_permission(name, _names(computed, name)) for name in computed.names)
        cannot = ", ".join(catalog.action(slug).name for slug in computed.unsupported)
        unable = f'<p class="wait">Not possible with {kind} permissions: {markup.escape(cannot)}.</p>' if cannot else ""
        text = self.joined(kind)
        copied = f'{markup.copy_button(text, f"{kind} permissions")} <span class="mono">{markup.escape(text)}</span>'
        head = f"<h3>{kind.capitalize()} permissions: {len(computed.names)}</h3>"
        return f'{head}{rows or "<p>None.</p>"}{unable}<p style="margin-top:8px">{copied}</p>'

    def _covered(self) -> str:
        rows = [
            f"{name} ({kind}), covered by {', '.join(by)}"
            for kind in self._scopes.types
            for name, by in self._scopes.of(kind).left_out.items()
        ]
        return f'<p class="soft">Not asked for: {markup.escape("; ".join(rows))}.</p>' if rows else ""

    def _guide(self) -> str:
        address = guide.link(self._scopes.actions)
        opened = markup.link(address, "StackOne’s guide for this choice")
        return (
            f"<p>{opened} {markup.copy_button(address, 'the guide link')}</p>"
            f"{markup.fold('About this link', f'<p>{markup.escape(guide.LINK_CAVEAT)}</p>')}"
        )


def _permission(name: str, actions: list[str]) -> str:
    power = _powerful(name)
    words = f'<span class="power">powerful: {markup.escape(power)}</span>' if power else ""
    only = "only for " if len(actions) == 1 else "for "
    return (
        f'<div class="perm"><span class="mono">{markup.escape(name)}</span>{words}'
        f'<span class="why">{markup.escape(only + ", ".join(actions))}</span></div>'
    )


def _names(computed: catalog.PermissionSet, name: str) -> list[str]:
    return [catalog.action(slug).name for slug in computed.why[name]]


def _powerful(name: str) -> str:
    return catalog.permissions()[name].powerful or ""
