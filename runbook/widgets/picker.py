"""The action picker: 67 actions on the left, what they cost on the right, live."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook import catalog
from runbook.catalog.guide import SEPARATORS
from runbook.parameters import Parameters
from runbook.widgets import frontend, markup
from runbook.widgets.choice import TYPES, Choice
from runbook.widgets.panel import Panel
from runbook.widgets.picture import Picture
from runbook.widgets.scopes_panel import ScopesPanel
from runbook.widgets.table import Table

if TYPE_CHECKING:
    import ipywidgets

__all__ = ["PickedTable", "Picker"]

EFFECTS = ("read", "write", "delete")


class PickedTable(Panel):
    """The choice without widgets: the chosen actions, and the permissions that they need."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._scopes = ScopesPanel(choice.scopes)

    @property
    def value(self) -> tuple[str, ...]:
        return self._choice.slugs

    def table(self) -> Table:
        actions = [catalog.action(slug) for slug in self.value]
        rows = tuple((a.name, a.resource, a.effect, f"{a.method} {a.path}") for a in actions)
        caption = f"{len(rows)} of {len(catalog.actions())} actions chosen"
        return Table(("Action", "Resource", "Effect", "Request"), rows, caption)

    def text(self) -> str:
        return f"{self.table().text()}\n\n{self._scopes.text()}"

    def fragment(self) -> str:
        return self.table().html() + self._scopes.fragment() + picture(self._choice).fragment()


class Picker(Panel):
    """``value`` is the tuple of chosen slugs. Every change is kept in the parameters file and told to observers."""

    def __init__(self, params: Parameters, file: Path, *, chosen: bool = True, overridden: bool = False) -> None:
        self._choice = Choice(params, file, chosen=chosen)
        self._overridden = overridden
        self._observers: list[Callable[[Choice], None]] = []
        self._box: Any = None

    @property
    def value(self) -> tuple[str, ...]:
        return self._choice.slugs

    @property
    def choice(self) -> Choice:
        """The choice as it stands."""
        return self._choice

    def observe(self, observer: Callable[[Choice], None]) -> None:
        """Call ``observer`` with the choice after every change."""
        self._observers.append(observer)

    def still(self) -> PickedTable:
        """The plain twin."""
        return PickedTable(self._choice)

    def table(self) -> Table:
        return self.still().table()

    def text(self) -> str:
        return self.still().text()

    def fragment(self) -> str:
        return self.still().fragment()

    @property
    def layout(self) -> Any:
        if self._box is None:
            self._box = self._built()
        return self._box

    def _ipython_display_(self) -> None:

        frontend.show(self.layout)

    def _built(self) -> ipywidgets.VBox:
        import ipywidgets

        from runbook.widgets.picker_rows import PickerRows

        self._rows = PickerRows(self._choice.slugs, self._ticked)
        self._state = ipywidgets.HTML()
        self._cost = ipywidgets.HTML()
        self._picture = ipywidgets.HTML()
        self._search = ipywidgets.Text(
            description="Search",
            placeholder="action, resource or permission",
            style={"description_width": "50px"},
            layout=ipywidgets.Layout(width="290px"),
        )
        self._separator = ipywidgets.ToggleButtons(
            options=list(SEPARATORS), value="space", description="Separator", style={"button_width": "78px"}
        )
        self._effects = {name: self._toggle(name.capitalize()) for name in EFFECTS}
        self._types = {kind: self._type(kind) for kind in TYPES}
        self._source = ipywidgets.Dropdown(
            options=[("as the guide asks", "guide"), ("least that works", "least")],
            value=self._choice.source,
            description="Permissions",
            layout=ipywidgets.Layout(width="260px"),
        )
        self._search.observe(self._filter, names="value")
        self._separator.observe(lambda _change: self._refresh(), names="value")
        self._source.observe(lambda _change: self._changed(), names="value")
        self._refresh()
        return self._assembled()

    def _assembled(self) -> ipywidgets.VBox:
        import ipywidgets

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
        both = ipywidgets.HBox([left, right], layout=ipywidgets.Layout(flex_flow="row wrap", width="100%"))
        return ipywidgets.VBox([ipywidgets.HTML(markup.style()), both, self._picture])

    def _presets(self) -> list[tuple[str, str, list[str], bool]]:
        every = [action.slug for action in catalog.actions()]
        named = [
            (preset.title, preset.about, list(preset.actions), True)
            for preset in catalog.presets().values()
            if len(preset.actions) < len(every)
        ]
        return [*named, ("Select all", "All actions.", every, True), ("Select none", "No action.", every, False)]

    def _preset(self, title: str, about: str, slugs: list[str], chosen: bool) -> ipywidgets.Button:
        import ipywidgets

        button = ipywidgets.Button(description=title, tooltip=about, layout=ipywidgets.Layout(width="auto"))

        def press(_button: Any) -> None:
            if chosen:
                self._rows.tick([slug for slug in self._choice.slugs if slug not in slugs], False)
            self._rows.tick(slugs, chosen)

        button.on_click(press)
        return button

    def _toggle(self, label: str) -> ipywidgets.Checkbox:
        import ipywidgets

        box = ipywidgets.Checkbox(
            True, description=f"{label} actions", indent=False, layout=ipywidgets.Layout(width="auto")
        )
        box.add_class("rb-tick")
        box.observe(self._filter, names="value")
        return box

    def _type(self, kind: catalog.PermissionType) -> ipywidgets.Checkbox:
        import ipywidgets

        box = ipywidgets.Checkbox(
            kind in self._choice.types,
            description=kind.capitalize(),
            indent=False,
            layout=ipywidgets.Layout(width="auto"),
        )
        box.add_class("rb-tick")
        box.observe(lambda _change: self._changed(), names="value")
        return box

    def _filter(self, _change: Any) -> None:
        effects = {name for name, box in self._effects.items() if box.value}
        found = catalog.select(search=self._search.value)
        self._rows.show(action.slug for action in found if action.effect in effects)

    def _ticked(self, slugs: list[str], chosen: bool) -> None:
        self._choice.set(slugs, chosen)
        self._changed()

    def _changed(self) -> None:
        self._choice.types = tuple(kind for kind in TYPES if self._types[kind].value)
        self._choice.source = self._source.value
        self._choice.keep()
        self._refresh()
        for observer in self._observers:
            observer(self._choice)

    def _refresh(self) -> None:
        choice = self._choice
        wins = (
            " The parameters cell sets actions and wins over the file when it runs again." if self._overridden else ""
        )
        count = f"{len(choice.actions)} of {len(catalog.actions())} actions"
        self._state.value = (
            f'<div class="rb" role="status"><span class="large">{count}</span>'
            f'<p class="soft">{markup.escape(choice.note + wins)}</p></div>'
        )
        self._cost.value = f'<div class="rb">{ScopesPanel(choice.scopes, self._separator.value).fragment()}</div>'
        self._picture.value = f'<div class="rb">{_folded(choice)}</div>'


def picture(choice: Choice) -> Picture:
    """Which chosen action costs which permission, both permission types together."""
    scopes = choice.scopes
    needs = {
        catalog.action(slug).name: sorted(
            {name for kind in scopes.types for name in scopes.of(kind).per_action.get(slug, ())}
        )
        for slug in choice.slugs
    }
    return Picture(needs, "Which action needs which permission")


def _folded(choice: Choice) -> str:
    if not choice.actions:
        return ""
    return markup.fold(
        "Picture: which action needs which permission", picture(choice).fragment(), opened=len(choice.actions) <= 24
    )
