"""What a cell shows: HTML for a person, text for a terminal, a table for a program; the same facts in each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from runbook.widgets import frontend, markup

if TYPE_CHECKING:
    from runbook.widgets.table import Table

__all__ = ["Area", "Panel"]


class Panel(ABC):
    """One thing shown. Saved notebooks keep its text and its HTML, so nothing is lost without a live widget."""

    @abstractmethod
    def table(self) -> Table:
        """The same facts as a plain table."""

    @abstractmethod
    def fragment(self) -> str:
        """The inner HTML, escaped, without the style sheet."""

    def text(self) -> str:
        """The same facts as plain text."""
        return self.table().text()

    def html(self) -> str:
        """The complete HTML with its style sheet."""
        return markup.page(self.fragment())

    def display(self) -> None:
        """Show it in the running cell."""

        frontend.show(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        return {"text/plain": self.text(), "text/html": self.html()}


class Area:
    """A place in a notebook whose content may change after its cell has ended.

    It is an ordinary output with a display id, not a widget: what it shows last is what the saved notebook holds.
    """

    def __init__(self, panel: Panel) -> None:
        from uuid import uuid4

        self.panel = panel
        self._display_id = uuid4().hex

    def show(self, panel: Panel) -> None:
        """Replace what is shown, wherever the area has been displayed."""

        self.panel = panel
        frontend.replace(panel, self._display_id)

    def _ipython_display_(self) -> None:

        frontend.show(self.panel, self._display_id)
