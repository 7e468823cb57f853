"""The button that applies a plan: nothing is written before a person presses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runbook.widgets import frontend, markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table

if TYPE_CHECKING:
    import ipywidgets

__all__ = ["ApplyButton"]


class ApplyButton(Panel):
    """``label`` says what pressing does; ``press`` does it and returns the words that stand beside the button after."""

    def __init__(self, label: str, press: Callable[[], str], *, enabled: bool = True, hint: str = "") -> None:
        self._label, self._press, self._enabled, self._hint = label, press, enabled, hint
        self._box: ipywidgets.HBox | None = None

    @property
    def value(self) -> str:
        """The words beside the button."""
        return self._hint

    def table(self) -> Table:
        return Table(("What", "Value"), ((self._label, self._hint),))

    def text(self) -> str:
        return f"[{self._label}] {self._hint}".strip()

    def fragment(self) -> str:
        return f"<p>{markup.escape(self.text())}</p>"

    @property
    def layout(self) -> Any:
        """The live button; it is disabled while it works, so that nothing is applied twice."""
        if self._box is None:
            self._box = self._built()
        return self._box

    def _built(self) -> ipywidgets.HBox:
        import ipywidgets

        button = ipywidgets.Button(
            description=self._label,
            button_style="primary" if self._enabled else "",
            disabled=not self._enabled,
            layout=ipywidgets.Layout(width="auto", min_width="140px"),
        )
        button.add_class("rb-main")
        said = ipywidgets.HTML(markup.page(f'<span class="soft">{markup.escape(self._hint)}</span>'))

        def clicked(_button: Any) -> None:
            button.disabled = True
            said.value = markup.page('<span class="soft" role="status">Working …</span>')
            try:
                self._hint = self._press()
            finally:
                button.disabled = False
            said.value = markup.page(f'<span role="status">{markup.escape(self._hint)}</span>')

        button.on_click(clicked)
        return ipywidgets.HBox([button, said], layout=ipywidgets.Layout(align_items="center"))

    def _ipython_display_(self) -> None:

        frontend.show(self.layout)
