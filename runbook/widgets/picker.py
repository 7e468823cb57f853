"""The action picker: all actions on the left, what the chosen ones cost on the right, live."""

from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import ipywidgets
from ipywidgets.widgets.widget_bool import CheckboxStyle

from runbook import catalog, mapping_file
from runbook.catalog.guide import SEPARATORS
from runbook.catalog.loader import resources
from runbook.catalog.model import Action
from runbook.catalog.scopes import Scopes
from runbook.errors import InputError
from runbook.parameters import Parameters, parse, save
from runbook.widgets.panel import Live, Panel, Table, page, render
from runbook.widgets.permissions import Pictures, ScopesPanel

TYPES: tuple[catalog.PermissionType, ...] = ("delegated", "application")


class Choice:
    """Changes with every click. It is kept when it is a valid one; an empty choice is shown but not kept."""

    def __init__(self, params: Parameters, file: Path, *, chosen: bool = True) -> None:
        self._params = params
        self._file = file
        self.actions: set[str] = set(params.actions) if chosen else set()
        self.types: tuple[catalog.PermissionType, ...] = params.permission_types
        self.source: Literal["guide", "least"] = params.permission_source
        self.note = ""

    @property
    def slugs(self) -> tuple[str, ...]:
        """The chosen actions in the order of the catalogue."""
        return tuple(action.slug for action in catalog.actions() if action.slug in self.actions)

    @property
    def scopes(self) -> Scopes:
        """The permissions of the choice as it stands."""
        return catalog.compute(self.slugs, self.types, self.source)

    @property
    def complete(self) -> bool:
        """Whether it can be kept and planned with."""
        return bool(self.actions) and bool(self.types)

    def set(self, slugs: Iterable[str], chosen: bool) -> None:
        """Choose these actions, or no longer."""
        self.actions = self.actions | set(slugs) if chosen else self.actions - set(slugs)

    def parameters(self) -> Parameters:
        """The parameters with this choice. Raises :class:`InputError` if it is not complete."""
        return parse({**self._params.model_dump(), **self._own()})

    def keep(self) -> None:
        """Write the choice into the parameters file, whole; everything else in the file stays as it is."""
        if not self.types:
            self.note = "Not saved: choose at least one permission type."
            return
        try:
            others = mapping_file.read(self._file) if self._file.is_file() else {}
            if not self.actions:
                others.pop("actions", None)
            save(parse({**others, **self._own()}), self._file, chosen=bool(self.actions))
        except InputError as error:
            self.note = f"Not saved: {'; '.join(map(str, error.problems))}"
        except OSError as error:
            self.note = f"Not saved: {self._file} cannot be written ({error.strerror})."
        else:
            self.note = f"Saved to {self._file}." if self.actions else f"No action is chosen in {self._file} any more."

    def _own(self) -> dict[str, object]:
        actions = {"actions": list(self.slugs)} if self.actions else {}
        return {**actions, "permission_types": list(self.types), "permission_source": self.source}


class _PickerRows:
    """All actions by resource. ``changed(slugs, chosen)`` is called once for every click, also on a whole group."""

    def __init__(self, chosen: Iterable[str], changed: Callable[[list[str], bool], None]) -> None:
        self._changed = changed
        self._quiet = False
        self.shown = {action.slug for action in catalog.actions()}
        self._boxes: dict[str, ipywidgets.Checkbox] = {}
        self._rows: dict[str, ipywidgets.HBox] = {}
        self._heads: dict[str, tuple[ipywidgets.HBox, ipywidgets.HTML, list[str]]] = {}
        self._style = CheckboxStyle(description_width="0px")
        self._tick = ipywidgets.Layout(width="270px", flex="0 0 auto")
        self._cost = ipywidgets.Layout(flex="1 1 220px", margin="0")
        wanted = set(chosen)
        children: list[Any] = [_headings()]
        ordered = sorted(catalog.actions(), key=lambda action: resources().index(action.resource))
        for resource, actions in groupby(ordered, key=lambda action: action.resource):
            members = list(actions)
            children.append(self._head(resource, members))
            children += [self._row(action, action.slug in wanted) for action in members]
        self._none = ipywidgets.HTML('<div class="rb soft">No action matches.</div>', layout={"display": "none"})
        self.layout = ipywidgets.VBox(
            [*children, self._none], layout=ipywidgets.Layout(max_height="560px", overflow="auto", display="block")
        )
        self.layout.add_class("rb-rows")
        self._count()

    def show(self, slugs: Iterable[str]) -> None:
        """Show only these actions, with the heads of their resources."""
        self.shown = shown = set(slugs)
        for slug, row in self._rows.items():
            row.layout.display = None if slug in shown else "none"
        for head, _, members in self._heads.values():
            head.layout.display = None if shown & set(members) else "none"
        self._none.layout.display = "none" if shown else None

    def tick(self, slugs: Iterable[str], chosen: bool) -> None:
        """Tick or clear those of these actions that are shown, at once and as one change."""
        named = [slug for slug in slugs if slug in self.shown and self._boxes[slug].value != chosen]
        self._quiet = True
        try:
            for slug in named:
                self._boxes[slug].value = chosen
        finally:
            self._quiet = False
        self._tell(named, chosen)

    def _head(self, resource: str, members: list[Action]) -> ipywidgets.HBox:
        slugs = [action.slug for action in members]
        words = ipywidgets.HTML(layout=ipywidgets.Layout(width="270px"))
        buttons = []
        for label, chosen in ((f"All {resource.lower()}", True), (f"No {resource.lower()}", False)):
            button = ipywidgets.Button(description=label, layout=ipywidgets.Layout(width="auto"))
            button.tooltip = f"Choose {'all' if chosen else 'none'} of {resource.lower()} that are shown"
            button.on_click(lambda _button, chosen=chosen: self.tick(slugs, chosen))
            buttons.append(button)
        head = ipywidgets.HBox([words, *buttons], layout=ipywidgets.Layout(align_items="center", flex="0 0 auto"))
        head.add_class("rb-group")
        self._heads[resource] = (head, words, slugs)
        return head

    def _row(self, action: Action, chosen: bool) -> ipywidgets.HBox:
        box = ipywidgets.Checkbox(chosen, description=action.name, indent=False, style=self._style, layout=self._tick)
        box.observe(lambda change: self._tell([action.slug], bool(change["new"])), names="value")
        cost = ipywidgets.HTML(render("Cost", action, _cost(action)), layout=self._cost)
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
            said = f'{resource} <span class="soft">{number} of {len(slugs)} chosen</span>'
            words.value = f'<div class="rb"><b>{said}</b></div>'


def _headings() -> ipywidgets.HBox:
    titles = {"Action": "0 0 270px", "Effect, and the permission that it needs by itself": "1 1 220px"}
    cells = [ipywidgets.HTML(f'<div class="rb soft">{t}</div>', layout={"flex": flex}) for t, flex in titles.items()]
    head = ipywidgets.HBox(cells, layout={"flex": "0 0 auto"})
    head.add_class("rb-head")
    return head


def _cost(action: Action) -> str:
    """The permissions that it needs when chosen alone."""
    scopes = catalog.compute([action.slug])
    delegated, application = (" + ".join(of.names) or "not possible" for of in (scopes.delegated, scopes.application))
    return delegated if application == delegated else f"{delegated} · application: {application}"


_ALL, _NONE = "Select all", "Select none"
EFFECTS = ("read", "write", "delete")


class PickedTable(Panel):
    """The choice without widgets: the chosen actions, the permissions that they need, and the picture of both."""

    def __init__(self, choice: Choice) -> None:
        self._choice, self.scopes, self.pictures = choice, ScopesPanel(choice.scopes), Pictures.of(choice.scopes)

    def table(self) -> Table:
        """The chosen actions."""
        actions = [catalog.action(slug) for slug in self._choice.slugs]
        rows = tuple((a.name, a.resource, a.effect, f"{a.method} {a.path}") for a in actions)
        caption = f"{len(rows)} of {len(catalog.actions())} actions chosen"
        return Table(("Action", "Resource", "Effect", "Request"), rows, caption, ("Effect",))

    def text(self) -> str:
        return f"{self.table().text()}\n\n{self.scopes.text()}"


class Picker(Live):
    """Every change of the ``choice`` is kept in the parameters file; then ``changed`` is called."""

    def __init__(self, choice: Choice, changed: Callable[[], None], *, overridden: bool) -> None:
        self.choice, self._tell, self._overridden = choice, changed, overridden
        self._box: Any = None

    def still(self) -> PickedTable:
        """The choice as it stands, without widgets."""
        return PickedTable(self.choice)

    def text(self) -> str:
        return self.still().text()

    def html(self) -> str:
        """The twin, and the picture below it, which is no widget and stays to be seen."""
        return super().html() + page(render("Pictures", Pictures.of(self.choice.scopes)))

    @property
    def layout(self) -> Any:
        if self._box is None:
            self._box = self._built()
        return self._box

    def _built(self) -> ipywidgets.HBox:
        self._rows = _PickerRows(self.choice.slugs, self._ticked)
        self._of_shown: dict[str, ipywidgets.Button] = {}
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
        ).add_class("rb-wide")
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
            [ask, self._separator, find, presets, self._rows.layout],
            layout=ipywidgets.Layout(flex="3 1 600px", min_width="min(420px, 100%)"),
        )
        right = ipywidgets.VBox(
            [self._state, self._cost],
            layout=ipywidgets.Layout(flex="2 1 340px", min_width="min(320px, 100%)", padding="0 0 0 16px"),
        )
        return ipywidgets.HBox([left, right], layout=ipywidgets.Layout(flex_flow="row wrap", width="100%"))

    def _presets(self) -> list[tuple[str, str, list[str], bool]]:
        every = [action.slug for action in catalog.actions()]
        named = [
            (preset.title, preset.about, list(preset.actions), True)
            for preset in catalog.presets().values()
            if len(preset.actions) < len(every)
        ]
        return [*named, (_ALL, "All actions that are shown.", every, True), (_NONE, "None of them.", every, False)]

    def _preset(self, title: str, about: str, slugs: list[str], chosen: bool) -> ipywidgets.Button:
        button = ipywidgets.Button(description=title, tooltip=about, layout=ipywidgets.Layout(width="auto"))
        self._of_shown |= {title: button} if title in (_ALL, _NONE) else {}

        def press(_button: Any) -> None:
            if title not in self._of_shown:
                for box in self._effects.values():
                    box.value = True
                self._search.value = ""  # so that all that is chosen is seen
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
        count = len(self._rows.shown)
        for title, button in self._of_shown.items():
            button.description = f"{title}: the {count} shown" if count < len(catalog.actions()) else title

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
        wins = "The parameters cell sets actions and wins over the file when it runs again." if self._overridden else ""
        count = f"{len(choice.actions)} of {len(catalog.actions())} actions"
        self._state.value = page(render("Chosen", count, f"{choice.note} {wins}".strip()))
        self._cost.value = f'<div class="rb">{ScopesPanel(choice.scopes, self._separator.value).fragment()}</div>'
