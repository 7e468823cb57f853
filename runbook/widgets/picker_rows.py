"""The rows of the picker: one checkbox an action, labelled by its name, under its resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import ipywidgets
from ipywidgets.widgets.widget_bool import CheckboxStyle

from runbook import catalog
from runbook.catalog.model import RESOURCES, Action
from runbook.widgets import markup


class PickerRows:
    """All actions by resource. ``changed(slugs, chosen)`` is called once for every click, also on a whole group."""

    def __init__(self, chosen: Iterable[str], changed: Callable[[list[str], bool], None]) -> None:
        self._changed = changed
        self._quiet = False
        self._boxes: dict[str, ipywidgets.Checkbox] = {}
        self._rows: dict[str, ipywidgets.HBox] = {}
        self._heads: dict[str, tuple[ipywidgets.HBox, ipywidgets.HTML, list[str]]] = {}
        self._style = CheckboxStyle(description_width="0px")
        self._tick = ipywidgets.Layout(width="330px", flex="0 0 auto")
        self._cost = ipywidgets.Layout(flex="1 1 auto", margin="0")
        wanted = set(chosen)
        children: list[Any] = [_headings()]
        ordered = sorted(catalog.actions(), key=lambda action: RESOURCES.index(action.resource))
        for resource, actions in groupby(ordered, key=lambda action: action.resource):
            members = list(actions)
            children.append(self._head(resource, members))
            children += [self._row(action, action.slug in wanted) for action in members]
        self.layout = ipywidgets.VBox(
            children, layout=ipywidgets.Layout(max_height="560px", overflow="auto", display="block")
        )
        self.layout.add_class("rb-rows")
        self._count()

    def show(self, slugs: Iterable[str]) -> int:
        """Show only these actions, with the heads of their resources; returns how many are shown."""
        shown = set(slugs)
        for slug, row in self._rows.items():
            row.layout.display = None if slug in shown else "none"
        for head, _, members in self._heads.values():
            head.layout.display = None if shown & set(members) else "none"
        return len(shown)

    def tick(self, slugs: Iterable[str], chosen: bool) -> None:
        """Tick or clear these actions at once, as one change."""
        named = [slug for slug in slugs if self._boxes[slug].value != chosen]
        self._quiet = True
        try:
            for slug in named:
                self._boxes[slug].value = chosen
        finally:
            self._quiet = False
        self._tell(named, chosen)

    def _head(self, resource: str, members: list[Action]) -> ipywidgets.HBox:
        slugs = [action.slug for action in members]
        words = ipywidgets.HTML(layout=ipywidgets.Layout(width="330px"))
        buttons = []
        for label, chosen in ((f"All {resource.lower()}", True), ("None", False)):
            button = ipywidgets.Button(description=label, layout=ipywidgets.Layout(width="auto"))
            button.tooltip = f"Choose {'all' if chosen else 'none'} of {resource.lower()}"
            button.on_click(lambda _button, chosen=chosen: self.tick(slugs, chosen))
            buttons.append(button)
        head = ipywidgets.HBox([words, *buttons], layout=ipywidgets.Layout(align_items="center", flex="0 0 auto"))
        head.add_class("rb-group")
        self._heads[resource] = (head, words, slugs)
        return head

    def _row(self, action: Action, chosen: bool) -> ipywidgets.HBox:
        box = ipywidgets.Checkbox(chosen, description=action.name, indent=False, style=self._style, layout=self._tick)
        box.observe(lambda change: self._tell([action.slug], bool(change["new"])), names="value")
        cost = ipywidgets.HTML(f'<div class="rb">{_cost(action)}</div>', layout=self._cost)
        row = ipywidgets.HBox([box, cost], layout=ipywidgets.Layout(align_items="center", flex="0 0 auto"))
        row.add_class("rb-row")
        self._boxes[action.slug], self._rows[action.slug] = box, row
        return row

    def _tell(self, slugs: list[str], chosen: bool) -> None:
        if self._quiet or not slugs:
            return
        self._changed(slugs, chosen)
        self._count()

    def _count(self) -> None:
        for resource, (_, words, slugs) in self._heads.items():
            number = sum(self._boxes[slug].value for slug in slugs)
            said = f'{markup.escape(resource)} <span class="soft">{number} of {len(slugs)} chosen</span>'
            words.value = f'<div class="rb"><b>{said}</b></div>'


def _headings() -> ipywidgets.HBox:
    width = ipywidgets.Layout(width="330px", flex="0 0 auto")
    wide = ipywidgets.Layout(flex="1 1 auto")
    names = ipywidgets.HTML('<div class="rb soft">Action</div>', layout=width)
    costs = ipywidgets.HTML(
        '<div class="rb soft">Effect, and the permission that it needs by itself</div>', layout=wide
    )
    head = ipywidgets.HBox([names, costs], layout=ipywidgets.Layout(flex="0 0 auto"))
    head.add_class("rb-head")
    return head


def _cost(action: Action) -> str:
    """The kind of action in a word, and the permissions that it needs when chosen alone."""
    scopes = catalog.compute([action.slug])
    delegated, application = scopes.delegated.names, scopes.application.names
    text = _words(delegated)
    if application != delegated:
        text = f"{text} · application: {_words(application)}"
    kind = f'<span class="kind">{markup.word(action.effect)}</span>'
    return f'{kind}<span class="mono soft">{markup.escape(text)}</span>'


def _words(names: tuple[str, ...]) -> str:
    return " + ".join(names) or "not possible"
