"""A person's browser as far as rehearsals need one: it follows redirects, keeps cookies, reads pages and sends forms.

It sees what a person sees: headings, alerts, labels, fields and buttons. It runs no script.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from urllib.parse import urljoin

import httpx

__all__ = ["Browser", "Control", "Form", "Lost", "Screen"]

_LOGGERS = ("httpx", "httpcore.http11")
_SILENT = frozenset({"script", "style", "template", "title"})
_VOID = frozenset({"input", "br", "hr", "img", "meta", "link", "source", "wbr"})


class Lost(Exception):
    """The page does not have what the person was looking for; the text says what it did say."""


@dataclass
class Control:
    """One field or button. ``kind`` is the input's type, or ``select``, ``textarea``, ``button``."""

    kind: str
    name: str
    value: str
    id: str = ""
    text: str = ""
    checked: bool = False
    options: list[tuple[str, str]] = field(default_factory=list)
    """Of a select: (value, text)."""


@dataclass
class Form:
    """A form as it is on the page; its controls are filled in place."""

    action: str
    method: str
    controls: list[Control] = field(default_factory=list)

    def find(self, *words: str) -> Control | None:
        """The field whose label is (or begins with) one of ``words``, in any casing."""
        wanted = [word.lower() for word in words]
        exact = [one for one in self.fields if one.text.lower() in wanted]
        begins = [one for one in self.fields if one.text.lower().startswith(tuple(wanted))]
        return next(iter(exact or begins), None)

    def of_kind(self, *kinds: str) -> Control | None:
        """The first field of one of these kinds."""
        return next((one for one in self.fields if one.kind in kinds), None)

    def button(self, *words: str) -> Control | None:
        """The button with one of these texts, in any casing; without words the first."""
        wanted = [word.lower() for word in words]
        return next((one for one in self.buttons if not wanted or one.text.lower() in wanted), None)

    @property
    def fields(self) -> list[Control]:
        """Everything but hidden fields and buttons."""
        return [one for one in self.controls if one.kind not in ("hidden", "button", "submit", "reset", "image")]

    @property
    def buttons(self) -> list[Control]:
        """Buttons that send the form."""
        return [one for one in self.controls if one.kind in ("button", "submit")]

    def data(self, pressed: Control | None) -> dict[str, list[str]]:
        """What the browser sends when ``pressed`` is clicked (HTML, form submission)."""
        sent: dict[str, list[str]] = {}
        for one in self.controls:
            unticked = one.kind in ("checkbox", "radio") and not one.checked
            other_button = one.kind in ("button", "submit", "reset", "image") and one is not pressed
            if one.name and not unticked and not other_button:
                sent.setdefault(one.name, []).append(one.value)
        return sent


@dataclass
class Screen:
    """One page: where it is, what it says, and its forms."""

    url: str
    status: int
    html: str = field(default="", repr=False)
    title: str = ""
    headings: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    text: str = ""
    forms: list[Form] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    """(text, address)"""

    def says(self) -> str:
        """What a person would repeat of this page, in one line."""
        heard = " / ".join(dict.fromkeys([*self.headings[:1], *self.alerts])) or self.text[:300] or self.title
        return f"{heard} (HTTP {self.status})" if self.status >= 400 else heard

    def link(self, text: str) -> str | None:
        """The address of the link with this text."""
        return next((address for found, address in self.links if found.lower() == text.lower()), None)


class Browser:
    """Cookies and a place to be. Only ``ca_file`` is trusted, and of proxies only ``proxy``, for HTTPS."""

    def __init__(self, ca_file: str, proxy: str | None = None) -> None:
        context = ssl.create_default_context(cafile=ca_file)
        through = {"https://": httpx.HTTPTransport(verify=context, proxy=proxy)} if proxy else None
        self._client = httpx.Client(verify=context, trust_env=False, mounts=through, timeout=30, follow_redirects=True)
        self._discretion = _Discretion()

    def __enter__(self) -> Browser:
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._discretion)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._discretion)

    def open(self, address: str) -> Screen:
        """Go to an address; :class:`Lost` if nothing answers there."""
        return self._go("GET", address)

    def send(self, screen: Screen, form: Form, pressed: Control | None = None) -> Screen:
        """Send a form by the given button, or by its first."""
        data = form.data(pressed or form.button())
        address = urljoin(screen.url, form.action or screen.url)
        return self._go("POST", address, data) if form.method == "post" else self._go("GET", address, query=data)

    def _go(
        self,
        method: str,
        address: str,
        data: Mapping[str, list[str]] | None = None,
        query: Mapping[str, list[str]] | None = None,
    ) -> Screen:
        try:
            response = self._client.request(method, address, data=data, params=query)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            place = address.partition("?")[0]
            raise Lost(f"{place} could not be opened: {type(error).__name__}: {error}") from error
        return read(str(response.url), response.status_code, response.text)


class _Discretion(logging.Filter):
    """A browser's addresses and cookies hold links, codes and sessions: the HTTP library must not log them."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread


def read(url: str, status: int, html: str) -> Screen:
    """The page as a person meets it."""
    reader = _Reader(Screen(url, status, html))
    reader.feed(html)
    reader.close()
    return reader.done()


class _Reader(HTMLParser):
    """Collects forms with their labels, headings, alerts and text."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(convert_charrefs=True)
        self.screen = screen
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self._form: Form | None = None
        self._labels: list[tuple[str, str]] = []
        self._wrapped: dict[int, list[Control]] = {}
        self._texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value if value is not None else name for name, value in attrs}
        if tag == "form":
            self._form = Form(found.get("action", ""), found.get("method", "get").lower())
            self.screen.forms.append(self._form)
        if tag in ("input", "select", "textarea", "button"):
            self._control(tag, found)
        if tag == "option":
            self._add_option(found)
        if tag == "br":
            self.handle_data("\n")
        if tag not in _VOID:
            self._open.append((tag, found, []))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        for _, _, texts in self._open:
            texts.append(data)
        if not any(tag in _SILENT for tag, _, _ in self._open):
            self._texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        if not any(opened == tag for opened, _, _ in self._open):
            return
        while self._open:
            opened, attrs, texts = self._open.pop()
            self._closed(opened, attrs, " ".join("".join(texts).split()), len(self._open))
            if opened == tag:
                return

    def done(self) -> Screen:
        """The screen, with each field named by its label."""
        for target, text in self._labels:
            for form in self.screen.forms:
                for one in form.controls:
                    if one.id == target and one.kind not in ("button", "submit"):
                        one.text = text
        self.screen.text = " ".join("".join(self._texts).split())
        return self.screen

    def _control(self, tag: str, attrs: dict[str, str]) -> None:
        if self._form is None or "disabled" in attrs:
            return
        kind = attrs.get("type", "text").lower() if tag == "input" else tag
        if tag == "button" and attrs.get("type", "submit").lower() != "submit":
            return
        checkable = kind in ("checkbox", "radio")
        one = Control(kind, attrs.get("name", ""), attrs.get("value", "on" if checkable else ""), attrs.get("id", ""))
        one.checked = "checked" in attrs
        one.text = attrs.get("aria-label", attrs.get("value", "") if kind == "submit" else attrs.get("placeholder", ""))
        self._form.controls.append(one)
        for depth, (opened, _, _) in enumerate(self._open):
            if opened == "label":
                self._wrapped.setdefault(depth, []).append(one)

    def _add_option(self, attrs: dict[str, str]) -> None:
        select = self._last("select")
        if select is not None:
            value = attrs.get("value", "")
            select.options.append((value, ""))
            if len(select.options) == 1 or "selected" in attrs:
                select.value = value

    def _closed(self, tag: str, attrs: dict[str, str], text: str, depth: int) -> None:
        if tag == "title":
            self.screen.title = text
        if tag in ("h1", "h2"):
            self.screen.headings.append(text)
        if attrs.get("role") == "alert" and text:
            self.screen.alerts.append(text)
        if tag == "a" and "href" in attrs:
            self.screen.links.append((text, urljoin(self.screen.url, attrs["href"])))
        if tag == "label":
            self._labels += [(attrs["for"], text)] if "for" in attrs else []
            for one in self._wrapped.pop(depth, []):
                one.text = text
        self._close_control(tag, text)
        if tag == "form":
            self._form = None

    def _close_control(self, tag: str, text: str) -> None:
        one = self._last(tag) if tag in ("button", "textarea") else None
        if one is not None and tag == "button":
            one.text = one.text or text
        elif one is not None:
            one.value = text
        select = self._last("select") if tag == "option" else None
        if select is not None and select.options:
            select.options[-1] = (select.options[-1][0], text)

    def _last(self, kind: str) -> Control | None:
        controls = self._form.controls if self._form else []
        return next((one for one in reversed(controls) if one.kind == kind), None)
