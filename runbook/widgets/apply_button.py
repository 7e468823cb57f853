"""Buttons that do something: nothing is written before a person presses one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbook.widgets import frontend, markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table

if TYPE_CHECKING:
    import ipywidgets

__all__ = ["ApplyButton", "Offer"]


@dataclass(frozen=True)
class Offer:
    """One button: its label, and what pressing does. ``press`` returns the words that stand beside it afterwards."""

    label: str
    press: Callable[[], str]


class ApplyButton(Panel):
    """The offers of a step. After each press ``offers()`` is asked again: what can be done may have changed."""

    def __init__(self, offers: Callable[[], Sequence[Offer]], hint: str = "") -> None:
        self._offers, self._hint = offers, hint
        self._row: ipywidgets.HBox | None = None
        self._said: Any = None

    @property
    def value(self) -> str:
        """The words beside the buttons."""
        return self._hint

    def table(self) -> Table:
        return Table(("Button", "State"), tuple((offer.label, self._hint) for offer in self._offers()))

    def text(self) -> str:
        return " ".join([*(f"[{offer.label}]" for offer in self._offers()), self._hint])

    def fragment(self) -> str:
        return f"<p>{markup.escape(self.text())}</p>"

    @property
    def layout(self) -> Any:
        """The live buttons; they are disabled while one works, so that nothing is applied twice."""
        if self._row is None:
            import ipywidgets

            self._said = ipywidgets.HTML(layout=ipywidgets.Layout(margin="0 0 0 10px"))
            self._row = ipywidgets.HBox(layout=ipywidgets.Layout(align_items="center", flex_flow="row wrap"))
            self._refresh(self._hint)
        return self._row

    def say(self, words: str) -> None:
        """Put words beside the buttons."""
        self._hint = words
        if self._said is not None:
            self._said.value = markup.page(f'<span role="status">{markup.linked(words)}</span>')

    def press(self, offer: Offer) -> None:
        """What pressing its button does."""
        if self._row is not None:
            for button in self._row.children[:-1]:
                button.disabled = True
        self.say("Working …")
        words = "Failed unexpectedly."
        try:
            words = offer.press()
        finally:
            self._refresh(words)

    def _refresh(self, words: str) -> None:
        if self._row is not None:
            buttons = [self._button(offer, first=not i) for i, offer in enumerate(self._offers())]
            self._row.children = (*buttons, self._said)
        self.say(words)

    def _button(self, offer: Offer, *, first: bool) -> ipywidgets.Button:
        import ipywidgets

        button = ipywidgets.Button(
            description=offer.label,
            button_style="primary" if first else "",
            layout=ipywidgets.Layout(width="auto", min_width="110px"),
        )
        button.add_class("rb-main")
        button.on_click(lambda _button: self.press(offer))
        return button

    def _ipython_display_(self) -> None:
        frontend.show(self.layout)
