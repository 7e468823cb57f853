"""The action picker: all actions on the left, what they cost on the right, live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from runbook import catalog
from runbook.catalog.guide import SEPARATORS
from runbook.widgets import markup
from runbook.widgets.choice import TYPES, Choice
from runbook.widgets.panel import Live, Panel
from runbook.widgets.picture import pictures
from runbook.widgets.scopes_panel import ScopesPanel
from runbook.widgets.table import Table

EFFECTS = ("read", "write", "delete")


class PickedTable(Panel):
    """The choice without widgets: the chosen actions, the permissions that they need, and the picture of both."""

    def __init__(self, choice: Choice) -> None:
        self._choice, self._scopes = choice, ScopesPanel(choice.scopes)

    def table(self) -> Table:
        actions = [catalog.action(slug) for slug in self._choice.slugs]
        rows = tuple((a.name, a.resource, a.effect, f"{a.method} {a.path}") for a in actions)
        caption = f"{len(rows)} of {len(catalog.actions())} actions chosen"
        return Table(("Action", "Resource", "Effect", "Request"), rows, caption, ("Effect",))

    def text(self) -> str:
        return f"{self.table().text()}\n\n{self._scopes.text()}"

    def fragment(self) -> str:
        return self.table().html() + self._scopes.fragment() + pictures(self._choice.scopes)


class Picker(Live):
    """Every change of the ``choice`` is kept in the parameters file; then ``changed`` is called."""

    def __init__(self, choice: Choice, changed: Callable[[], None], *, overridden: bool) -> None:
        self.choice, self._tell, self._overridden = choice, changed, overridden
        self._box: Any = None

    def table(self) -> Table:
        return PickedTable(self.choice).table()

    def text(self) -> str:
        return PickedTable(self.choice).text()

    def fragment(self) -> str:
        return self.table().html() + ScopesPanel(self.choice.scopes).fragment()

    def html(self) -> str:
        """The twin, and the picture below it, which is no widget and stays to be seen."""
        return super().html() + markup.page(pictures(self.choice.scopes))

    @property
    def layout(self) -> Any:
        if self._box is None:
            self._box = self._built()
        return self._box

    def _built(self) -> ipywidgets.HBox:
        from runbook.widgets.picker_rows import PickerRows

        self._rows = PickerRows(self.choice.slugs, self._ticked)
        self._state = ipywidgets.HTML()
        self._cost = ipywidgets.HTML()
        self._search = ipywidgets.Text(
            description="Search",
            placeholder="action, resource or permission",
            style={"description_width": "50px"},
            layout=ipywidgets.Layout(width="290px"),
        )
        self._separator = ipywidgets.ToggleButtons(
            options=list(SEPARATORS), value="space", description="Separator", style={"button_width": "78px"}
        )
        self._effects = {name: self._tick(f"{name.capitalize()} actions", True, self._filter) for name in EFFECTS}
        self._types = {kind: self._tick(kind.capitalize(), kind in self.choice.types, self._changed) for kind in TYPES}
        self._source = ipywidgets.Dropdown(
            options=[("as the guide asks", "guide"), ("least that works", "least")],
            value=self.choice.source,
            description="Permissions",
            layout=ipywidgets.Layout(width="260px"),
        )
        self._search.observe(lambda _change: self._filter(), names="value")
        self._separator.observe(lambda _change: self._refresh(), names="value")
        self._source.observe(lambda _change: self._changed(), names="value")
        self._refresh()
        return self._assembled()

    def _assembled(self) -> ipywidgets.HBox:
        wrap = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        find = ipywidgets.HBox([self._search, *self._effects.values()], layout=wrap)
        presets = ipywidgets.HBox([self._preset(*item) for item in self._presets()], layout=wrap)
        presets.add_class("rb-quiet")
        ask = ipywidgets.HBox([*self._types.values(), self._source], layout=wrap)
        left = ipywidgets.VBox(
            [find, presets, self._rows.layout], layout=ipywidgets.Layout(flex="3 1 600px", min_width="420px")
        )
        right = ipywidgets.VBox(
            [self._state, ask, self._separator, self._cost],
            layout=ipywidgets.Layout(flex="2 1 340px", min_width="320px", padding="0 0 0 16px"),
        )
        return ipywidgets.HBox([left, right], layout=ipywidgets.Layout(flex_flow="row wrap", width="100%"))

    def _presets(self) -> list[tuple[str, str, list[str], bool]]:
        every = [action.slug for action in catalog.actions()]
        named = [
            (preset.title, preset.about, list(preset.actions), True)
            for preset in catalog.presets().values()
            if len(preset.actions) < len(every)
        ]
        return [*named, ("Select all", "All actions.", every, True), ("Select none", "No action.", every, False)]

    def _preset(self, title: str, about: str, slugs: list[str], chosen: bool) -> ipywidgets.Button:
        button = ipywidgets.Button(description=title, tooltip=about, layout=ipywidgets.Layout(width="auto"))

        def press(_button: Any) -> None:
            if chosen:
                self._rows.tick([slug for slug in self.choice.slugs if slug not in slugs], False)
            self._rows.tick(slugs, chosen)

        button.on_click(press)
        return button

    @staticmethod
    def _tick(label: str, on: bool, changed: Callable[[], None]) -> ipywidgets.Checkbox:
        box = ipywidgets.Checkbox(on, description=label, indent=False, layout=ipywidgets.Layout(width="auto"))
        box.add_class("rb-tick")
        box.observe(lambda _change: changed(), names="value")
        return box

    def _filter(self) -> None:
        effects = {name for name, box in self._effects.items() if box.value}
        found = catalog.select(search=self._search.value)
        self._rows.show(action.slug for action in found if action.effect in effects)

    def _ticked(self, slugs: list[str], chosen: bool) -> None:
        self.choice.set(slugs, chosen)
        self._changed()

    def _changed(self) -> None:
        self.choice.types = tuple(kind for kind in TYPES if self._types[kind].value)
        self.choice.source = self._source.value
        self.choice.keep()
        self._refresh()
        self.changed()
        self._tell()

    def _refresh(self) -> None:
        choice = self.choice
        wins = (
            " The parameters cell sets actions and wins over the file when it runs again." if self._overridden else ""
        )
        count = f"{len(choice.actions)} of {len(catalog.actions())} actions"
        self._state.value = (
            f'<div class="rb" role="status"><span class="large">{count}</span>'
            f'<p class="soft">{markup.escape(choice.note + wins)}</p></div>'
        )
        self._cost.value = f'<div class="rb">{ScopesPanel(choice.scopes, self._separator.value).fragment()}</div>'
