"""A form for one action, built from the catalogue: path parameters, query options, fields of the body, whose token."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from runbook import catalog
from runbook.catalog.request import shape_words
from runbook.errors import InputError
from runbook.operations import order as orders
from runbook.operations.order import Order
from runbook.widgets.message import Message
from runbook.widgets.panel import Live, Panel, Table, page, render

_CALLERS = {
    "application": "the connector application, with exactly its permissions",
    "administrator": "the administrator's sign-in",
    "stackone": "StackOne, as the linked account",
}
_OPTIONS = {
    "$select": "displayName,id",
    "$filter": "startswith(displayName,'A')",
    "$search": '"displayName:ada"',
    "$orderby": "displayName",
    "$top": "5",
    "$skip": "10",
    "$count": "true",
    "$expand": "members($select=id)",
}


class Filled(Panel):
    """The form without widgets: every argument that the action takes, and what is given for it."""

    def __init__(self, order: Order | None) -> None:
        self._order = order

    def table(self) -> Table:
        """The arguments."""
        return Table(("Argument", "Value", "Takes"), tuple(self._rows()))

    def text(self) -> str:
        return self.table().text()

    def _rows(self) -> list[tuple[str, str, str]]:
        if self._order is None:
            return []
        action, request = self._order.action, self._order.request
        body = dict(request.body or {})
        return [
            ("action", action.name, f"{action.method} {action.path}"),
            *(
                (f"path {p.name}", request.path_values.get(p.name, ""), shape_words(p.shape))
                for p in action.path_parameters
            ),
            *(
                (f"query {name}", request.query.get(name, ""), f"such as {_OPTIONS.get(name, '')}")
                for name in action.query
            ),
            *((f"body {name}", _text(value), "") for name, value in body.items()),
            ("sent by", self._order.caller, _CALLERS[self._order.caller]),
            *([("max_rows", str(self._order.max_rows), "rows that are fetched and shown")] if action.is_list else []),
        ]


class ActionForm(Live):
    """``value`` is the order, or the InputError that says what is wrong with it; ``changed`` follows each change."""

    def __init__(self, order: Order | None, changed: Callable[[], None]) -> None:
        self._action = order.action if order else catalog.action("list_users")
        self._given = order
        self._tell = changed
        self._fields: dict[tuple[str, str], Any] = {}
        self._box: Any = None

    @property
    def value(self) -> Order | InputError:
        if self._box is None and self._given is not None:
            return self._given
        try:
            return orders.read(self.arguments())
        except InputError as error:
            return error

    def text(self) -> str:
        return self.still().text()

    def still(self) -> Filled:
        """The form as it stands, without widgets."""
        value = self.value
        return Filled(value if isinstance(value, Order) else self._given)

    def arguments(self) -> dict[str, Any]:
        """What the fields say, as :func:`runbook.operations.order.read` takes it; empty fields are left out."""
        _ = self.layout
        parts: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "body": {}}
        for (part, name), field in self._fields.items():
            if text := field.value.strip():
                parts[part][name] = _value(text) if part == "body" and not _is_text(self._schema(name)) else text
        body = parts["body"] or ({} if self._action.body else None)
        rows = self._rows_field.value
        return {"action": self._name.value, **parts, "body": body, "as_": self._caller.value, "max_rows": rows}

    def choose(self, name: str) -> None:
        """Another action: the form is built anew with its fields and its example. An unknown name is a mistake."""
        self._name.value = name
        try:
            action = catalog.action(name)
        except InputError:
            self._changed()
            return
        self._name.value = action.name
        if action.slug != self._action.slug:
            self._action, self._given = action, None
            self._build()
            self._changed()

    def field(self, part: str, name: str) -> Any:
        """The widget of one argument; ``part`` is path, query or body. KeyError if the action takes none such."""
        return self._fields[(part, name)]

    @property
    def layout(self) -> Any:
        if self._box is None:
            self._make()
        return self._box

    def _make(self) -> None:
        wide = ipywidgets.Layout(width="min(560px, 100%)")
        style = {"description_width": "170px"}
        names = tuple(action.name for action in catalog.actions())
        self._name = ipywidgets.Combobox(
            value=self._action.name, options=names, description="Action", layout=wide, style=style
        )
        self._caller = ipywidgets.Dropdown(
            options=[(words, caller) for caller, words in _CALLERS.items()],
            value=self._given.caller if self._given else orders.CALLER,
            description="Sent by",
            layout=wide,
            style=style,
        )
        self._rows_field = ipywidgets.BoundedIntText(
            self._given.max_rows if self._given else orders.MAX_ROWS,
            min=1,
            max=orders.MOST_ROWS,
            description="Most rows",
            style=style,
        )
        self._about = ipywidgets.HTML()
        self._arguments = ipywidgets.VBox()
        self._state = ipywidgets.HTML()
        self._box = ipywidgets.VBox([self._name, self._about, self._caller, self._arguments, self._state])
        self._name.observe(lambda change: self.choose(change["new"]), names="value")
        for widget in (self._caller, self._rows_field):
            widget.observe(lambda _change: self._changed(), names="value")
        self._build()

    def _build(self) -> None:
        """The fields of the present action."""
        action, given = self._action, self._given.request if self._given else None
        self._fields = {}
        for parameter in action.path_parameters:
            value = given.path_values.get(parameter.name, "") if given else ""
            self._add("path", parameter.name, value, shape_words(parameter.shape), parameter.means)
        for name in action.query:
            self._add("query", name, given.query.get(name, "") if given else "", f"such as {_OPTIONS.get(name, '')}")
        body = dict(given.body or {}) if given else _example(action)
        for name in body:
            self._add("body", name, _text(body[name]))
        self._arrange()
        self._about.value = page(render("ActionAbout", action))
        self._say()

    def _add(self, part: str, name: str, value: str, placeholder: str = "", tip: str = "") -> None:
        field = ipywidgets.Text(
            value=str(value),
            placeholder=placeholder,
            description=name,
            tooltip=tip or None,
            continuous_update=False,
            layout=ipywidgets.Layout(width="min(760px, 100%)"),
            style={"description_width": "170px"},
        )
        field.observe(lambda _change: self._changed(), names="value")
        self._fields[(part, name)] = field

    def _arrange(self) -> None:
        titles = {"path": "Which object", "query": "What to ask for", "body": "Body"}
        children: list[Any] = []
        for part, title in titles.items():
            fields = [field for (of, _name), field in self._fields.items() if of == part]
            if fields:
                children += [ipywidgets.HTML(f'<div class="rb"><h3>{title}</h3></div>'), *fields]
        if self._action.is_list:
            children.append(self._rows_field)
        if self._action.body is not None:
            children.append(self._more_fields())
        self._arguments.children = tuple(children)

    def _more_fields(self) -> ipywidgets.Dropdown:
        """Properties of the body's schema that have no field yet; choosing one gives it a field."""
        rest = [name for name in self._properties() if ("body", name) not in self._fields]
        more = ipywidgets.Dropdown(
            options=[("…", ""), *((name, name) for name in rest)],
            description="Add a field",
            style={"description_width": "170px"},
        )

        def add(change: Mapping[str, Any]) -> None:
            if change["new"]:
                self._add("body", change["new"], "", _kind(self._schema(change["new"])))
                self._arrange()

        more.observe(add, names="value")
        return more

    def _properties(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._action.body.schema.get("properties", {}) if self._action.body else {}
        return found

    def _schema(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._properties().get(name, {})
        if self._action.body and isinstance(found.get("$ref"), str):
            found = self._action.body.schema["$defs"][found["$ref"].removeprefix("#/$defs/")]
        return found

    def _changed(self) -> None:
        self._say()
        self.changed()
        self._tell()

    def _say(self) -> None:
        value = self.value
        problems = value.problems if isinstance(value, InputError) else ()
        said = {str(i): str(problem) for i, problem in enumerate(problems, 1)}
        shown = Message("To correct", "bad", "", said) if said else Message("Complete.", "good", "")
        self._state.value = shown.html()


def _example(action: catalog.Action) -> dict[str, Any]:
    """The catalogue's example of the body, with secrets to be made instead of written down."""
    if action.body is None:
        return {}
    return orders.with_generated(dict(action.body.example))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(text: str) -> Any:
    """JSON where the text is JSON, else the text: the schema says what is wrong with it."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_text(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", ())
    return "string" in ([kinds] if isinstance(kinds, str) else kinds)


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(str(choice) for choice in schema["enum"] if choice is not None)
    kinds = schema.get("type", "JSON")
    examples = {"boolean": "true or false", "array": '["…"]', "object": '{"…": …}'}
    return examples.get(kinds, "") if isinstance(kinds, str) else ""
