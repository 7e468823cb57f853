"""Buttons that do something: nothing is written before a person presses one. And noticing what they did elsewhere."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from IPython import get_ipython

from runbook.widgets.panel import Area, Live, Several, page, render

if TYPE_CHECKING:
    import ipywidgets

# Jupyter may handle two clicks in two threads. What one press began is ended before another may begin, in this kernel.
_TURN = threading.Lock()


class Question(NamedTuple):
    """What is asked before something is removed. ``name`` has to be typed; where it is empty one more click does."""

    text: str
    name: str
    agreed: Callable[[], None]


class Offer(NamedTuple):
    """One button: its label, and what pressing does. ``press`` returns the words that stand beside it afterwards.

    ``asks`` is called first; what it asks is shown, and ``press`` waits until a person has agreed.
    """

    label: str
    press: Callable[[], str]
    asks: Callable[[], Question | None] = lambda: None


class ApplyButton(Live):
    """The offers of a step. After each press ``offers()`` is asked again: what can be done may have changed.

    ``value`` are the words beside the buttons; ``below`` is the place under them for what a person has to do.
    """

    def __init__(self, offers: Callable[[], Sequence[Offer]], hint: str = "") -> None:
        self._offers, self.value, self._waiting = offers, hint, ""
        self.below = Area(Several([]))
        self._row: ipywidgets.HBox | None = None
        self._said: Any = None
        self._open: tuple[Offer, Question] | None = None

    def text(self) -> str:
        return " ".join([*(f"[{offer.label}]" for offer in self._offers()), self.value])

    @property
    def layout(self) -> Any:
        """The live buttons; they are disabled while one works, so that nothing is applied twice."""
        if self._row is None:
            import ipywidgets

            self._said = ipywidgets.HTML(layout=ipywidgets.Layout(margin="0 0 0 10px"))
            self._row = ipywidgets.HBox(layout=ipywidgets.Layout(align_items="center", flex_flow="row wrap"))
            self._row.add_class("rb-offers")
            self._refresh(self.value)
        return self._row

    def say(self, words: str) -> None:
        """Put words beside the buttons."""
        self.value, self._waiting = words, ""
        self._say()

    def wait(self, words: str) -> None:
        """Say beside the words what is waited for; they stay."""
        self._waiting = words
        self._say()

    def _say(self) -> None:
        if self._said is not None:
            self._said.value = page(render("Said", " ".join(filter(None, (self.value, self._waiting)))))

    def _ipython_display_(self) -> None:
        super()._ipython_display_()
        self.below._ipython_display_()

    def renew(self, words: str) -> None:
        """Begin anew, with no question open: what it was about has changed."""
        self._open = None
        self._refresh(words)

    def close(self) -> None:
        """Offer nothing any more."""
        self._offers = list
        self.below.show(Several([]))
        self.renew("the notebook was opened anew; run this cell again.")

    def press(self, offer: Offer) -> None:
        """What pressing its button does; nothing while an earlier press is at work."""
        if not _TURN.acquire(blocking=False):
            return
        words, self._open = "Failed unexpectedly.", None
        try:
            for button in self._row.children[:-1] if self._row is not None else ():
                button.disabled = True
            self.say("Working …")
            question = offer.asks()
            self._open = (offer, question) if question else None
            words = question.text if question else offer.press()
        except KeyboardInterrupt:
            words = "Stopped."
        finally:
            self._refresh(words, pressed=True)
            _TURN.release()

    def _refresh(self, words: str, *, pressed: bool = False) -> None:
        if self._row is not None:
            buttons = [self._button(offer, style="" if i else "primary") for i, offer in enumerate(self._offers())]
            self._row.children = (*buttons, *self._answers(buttons), *self._focus(pressed), self._said)
        self.say(words)
        self.changed()

    def _focus(self, pressed: bool) -> list[ipywidgets.Widget]:
        """Who works without a mouse goes on where they were; the same key once more agrees to no question."""
        import ipywidgets

        careful = self._open is not None and not self._open[1].name
        return [ipywidgets.HTML(render("focus", careful), layout={"display": "none"})] if pressed else []

    def _answers(self, buttons: Sequence[ipywidgets.Button]) -> list[ipywidgets.Widget]:
        """How the open question is answered. The buttons before it rest: a second click says nothing."""
        import ipywidgets

        if self._open is None:
            return []
        offer, question = self._open
        for button in buttons:
            button.disabled = True
        field = ipywidgets.Text(description="Tenant's name:", style={"description_width": "initial"})

        def agree() -> str:
            if question.name and field.value.strip() != question.name:
                self._open = (offer, question)
                return f"That is not the tenant's name, {question.name}; nothing was removed."
            question.agreed()
            again = offer.asks()
            self._open = (offer, again) if again else None
            return again.text if again else offer.press()

        yes = self._button(Offer("Remove", agree), style="danger")
        no = self._button(Offer("Keep everything", lambda: "nothing was removed."))
        return [*([field] if question.name else []), yes, no]

    def _button(self, offer: Offer, *, style: str = "") -> ipywidgets.Button:
        import ipywidgets

        button = ipywidgets.Button(
            description=offer.label, button_style=style, layout=ipywidgets.Layout(width="auto", min_width="110px")
        )
        button.add_class("rb-main")
        button.on_click(lambda pressed: self._clicked(pressed, offer))
        return button

    def _clicked(self, button: ipywidgets.Button, offer: Offer) -> None:
        """Press it in the kernel's main thread: JupyterLab's interrupt arrives there only."""
        kernel = getattr(get_ipython(), "kernel", None)
        if kernel is not None and threading.current_thread() is not threading.main_thread():
            kernel.io_loop.add_callback(_interruptible, self._clicked, button, offer)
            return
        # The second click of a double click comes when the first has been worked off: its button is gone by then.
        if self._row is not None and button in self._row.children and not button.disabled:
            self.press(offer)


def _interruptible(work: Callable[..., None], *arguments: Any) -> None:
    """Do it as a kernel executes a cell; otherwise it ignores interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        work(*arguments)
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass
class Watch:
    """Looks ``every`` few seconds until ``changed()`` is true, then calls ``then()`` once.

    It lives on the kernel's own event loop, so other cells run in between. ``tell`` gets the seconds that are left.
    """

    changed: Callable[[], bool]
    then: Callable[[], None]
    tell: Callable[[int], None]
    seconds: float
    every: float
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look; without a running event loop there is nobody to notice for, and nothing happens."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._task = loop.create_task(self._look(loop))

    def stop(self) -> None:
        """Look no longer."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        end = loop.time() + self.seconds
        while (left := end - loop.time()) > 0:
            self.tell(int(left))
            await asyncio.sleep(self.every)
            if self.changed():
                self._task = None  # what follows may begin a watch of its own
                self.then()
                return
        self.tell(0)
