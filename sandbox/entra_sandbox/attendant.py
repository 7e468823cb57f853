"""Plays the people of a rehearsal: whatever a run hands over to a person is done here, over HTTP, by their pages.

No back door: pages are opened, forms read and sent as a browser would. What cannot be done raises
:class:`~entra_sandbox.browser.Lost` with what the page said, as a person would report it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from entra_sandbox.browser import Browser, Control, Form, Lost, Screen

__all__ = ["HandOver", "Lost", "attend"]

ADMINISTRATOR = "Global Administrator"
_MOST_SCREENS = 10
_PREFIX = "microsoftentraid_"


class HandOver(Protocol):
    """What is handed over; a caller's own class may have more."""

    @property
    def kind(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, str]: ...


def attend(ready: Mapping[str, Any], hand_over: HandOver, reveal: Callable[[str], str]) -> bool:
    """Do what a person is asked to do. False if this kind is not known; :class:`Lost` if it could not be done.

    ``ready`` is the ready line of the sandbox. ``hand_over.fields`` hold no secret: the value of ``Client Secret`` is
    a reference, and ``reveal(reference)`` gives the secret when the form is filled in.
    """
    kinds: dict[str, Callable[[_Person], None]] = {
        "connector_profile": lambda person: person.fill_in_profile(hand_over.fields, reveal),
        "connector_profile_removal": lambda person: person.remove_profile(hand_over.fields),
        "link_account": lambda person: person.link_account(hand_over.url, hand_over.fields),
        "admin_consent": lambda person: person.consent(hand_over.url, hand_over.fields),
        "device_sign_in": lambda person: person.enter_code(hand_over.url, hand_over.fields),
    }
    play = kinds.get(hand_over.kind)
    if play is None:
        return False
    with Browser(str(ready["ca_file"]), ready.get("https_proxy")) as browser:
        play(_Person(ready, browser))
    return True


class _Person:
    """Somebody with a browser, the dashboard's password and the Global Administrator's."""

    def __init__(self, ready: Mapping[str, Any], browser: Browser) -> None:
        self._ready = ready
        self._browser = browser

    # the dashboard of StackOne

    def fill_in_profile(self, fields: Mapping[str, str], reveal: Callable[[str], str]) -> None:
        """Create the connector profile, or change the one of this name."""
        given = {_plain(name): value for name, value in fields.items()}
        name = given.get("name") or given.get("profilename") or given.get("connectorprofilename") or ""
        if not name:
            raise Lost("the hand-over names no connector profile")
        screen = self._profiles()
        address = screen.link(name) or screen.link("+ Connector Profile")
        if address is None:
            raise Lost(f"the dashboard offers no connector profile: {screen.says()}")
        screen = self._browser.open(address)
        form = _form_with(screen, "Client ID")
        _fill(form, {**given, "name": name}, reveal)
        _choose_actions(form, given.get("actions") or given.get("actionstoenable"))
        screen = self._browser.send(screen, form, form.button("Create profile", "Save changes"))
        if screen.alerts or screen.link(name) is None:
            raise Lost(f"the connector profile was not saved: {screen.says()}")

    def remove_profile(self, fields: Mapping[str, str]) -> None:
        """Delete the connector profile of this name; nothing to do if there is none."""
        name = {_plain(key): value for key, value in fields.items()}.get("name", "")
        address = self._profiles().link(name)
        if address is None:
            return
        screen = self._browser.open(address)
        for form in screen.forms:
            button = form.button("Delete profile")
            if button is not None:
                after = self._browser.send(screen, form, button)
                if after.alerts or after.link(name) is not None:
                    raise Lost(f"the connector profile was not deleted: {after.says()}")
                return
        raise Lost(f"the page offers no deletion: {screen.says()}")

    def _profiles(self) -> Screen:
        entry = self._ready.get("stackone_dashboard")
        if not isinstance(entry, Mapping):
            raise Lost("the sandbox's ready line does not say how to sign in to the dashboard (stackone_dashboard)")
        screen = self._browser.open(str(entry["url"]))
        form = next((one for one in screen.forms if one.of_kind("password")), None)
        if form is not None:
            _set(form.of_kind("email", "text"), str(entry["user"]))
            _set(form.of_kind("password"), str(entry["password"]))
            screen = self._browser.send(screen, form)
        if screen.alerts or screen.status >= 400:
            raise Lost(f"the dashboard could not be opened: {screen.says()}")
        return screen

    # Entra ID

    def link_account(self, url: str, fields: Mapping[str, str]) -> None:
        """Open the auth link, connect, sign in (as ``username`` if that is one of the seeded people), consent."""
        screen = self._browser.open(url)
        form = next((one for one in screen.forms if one.button("Connect")), None)
        if form is None or screen.status >= 400:
            raise Lost(f"the link does not offer to connect: {screen.says()}")
        given = {_plain(name): value for name, value in fields.items()}
        end = self._through(self._browser.send(screen, form, form.button("Connect")), given.get("username", ""))
        if not any("is connected" in heading for heading in end.headings):
            raise Lost(f"the account was not linked: {end.says()}")

    def consent(self, url: str, fields: Mapping[str, str]) -> None:
        """Open the admin-consent link, sign in (as ``username`` if that is one of the seeded people), accept."""
        end = self._through(self._browser.open(url), fields.get("username", ""))
        query = parse_qs(urlsplit(end.url).query)
        if "error" in query:
            raise Lost(f"the consent was refused: {' '.join(query.get('error_description', query['error']))}")
        if query.get("admin_consent", [""])[0].lower() != "true":
            raise Lost(f"the consent ended on another page: {end.says()}")

    def enter_code(self, url: str, fields: Mapping[str, str]) -> None:
        """Open the verification address, enter the code, sign in as in :meth:`consent`, accept."""
        given = {_plain(name): value for name, value in fields.items()}
        code = given.get("code") or given.get("usercode") or ""
        screen = self._browser.open(url)
        form = next((one for one in screen.forms if one.of_kind("text") and not one.of_kind("password")), None)
        if form is None or not code:
            raise Lost(f"there is no code to enter, or nowhere to enter it: {screen.says()}")
        _set(form.of_kind("text"), code)
        end = self._through(self._browser.send(screen, form), given.get("username", ""))
        if end.status >= 400 or end.alerts:
            raise Lost(f"the device was not signed in: {end.says()}")

    def _through(self, screen: Screen, user: str = "") -> Screen:
        """Sign in and accept until a page asks for nothing more."""
        name, password = self._credentials(user)
        signed_in = False
        for _ in range(_MOST_SCREENS):
            step = _next_step(screen)
            if step is None:
                return screen
            form, kind, button = step
            if kind == "password" and signed_in:
                raise Lost(f"the sign-in failed: {screen.says()}")
            if kind in ("user", "password"):
                _set(form.of_kind("email", "text"), name)
            if kind == "password":
                _set(form.of_kind("password"), password)
                signed_in = True
            screen = self._browser.send(screen, form, button)
        raise Lost(f"the sign-in does not come to an end: {screen.says()}")

    def _credentials(self, user: str) -> tuple[str, str]:
        people = {name.lower(): name for name in self._ready["users"]}
        if user.lower() in people:
            name = people[user.lower()]
            return name, self._ready["users"][name]["password"]
        for name, person in self._ready["users"].items():
            if ADMINISTRATOR in person["roles"]:
                return name, person["password"]
        raise Lost(f"the sandbox has no {ADMINISTRATOR}")


def _next_step(screen: Screen) -> tuple[Form, str, Control | None] | None:
    """The form to send next, what it asks for, and the button to press."""
    for form in screen.forms:
        if form.of_kind("password"):
            return form, "password", form.button("Sign in", "Next")
    for form in screen.forms:
        accept = form.button("Accept", "Continue", "Yes")
        if accept is not None:
            return form, "accept", accept
    for form in screen.forms:
        if form.find("email", "user", "username", "sign in", "account"):
            return form, "user", form.button("Next", "Sign in")
    return None


def _form_with(screen: Screen, label: str) -> Form:
    found = next((form for form in screen.forms if form.find(label)), None)
    if found is None:
        raise Lost(f"the page has no field {label!r}: {screen.says()}")
    return found


def _fill(form: Form, given: Mapping[str, str], reveal: Callable[[str], str]) -> None:
    texts = {"Name": "name", "Client ID": "clientid", "Scopes": "scopes", "Directory (tenant) ID": "directorytenantid"}
    for label, key in texts.items():
        if key in given:
            _set(form.find(label), given[key])
    for label, key in {"Connector": "connector", "Type": "type"}.items():
        if given.get(key):
            _select(form.find(label), given[key])
    if given.get("clientsecret"):
        _set(form.find("Client Secret"), reveal(given["clientsecret"]))
    for label, key in {"Enabled": "enabled", "Default": "default"}.items():
        box = form.find(label)
        if box is not None and (key in given or label == "Enabled"):
            box.checked = given.get(key, "yes").strip().lower() not in ("no", "false", "off", "")


def _choose_actions(form: Form, wanted: str | None) -> None:
    """Tick exactly the wanted actions; None leaves them as they are."""
    if wanted is None:
        return
    boxes = {_plain(one.value): one for one in form.fields if one.name == "actions"}
    names = [part.strip().removeprefix(_PREFIX) for part in re.split(r"[,\n]", wanted) if part.strip()]
    unknown = [name for name in names if _plain(name) not in boxes]
    if unknown:
        raise Lost(f"the form offers no action {unknown[0]!r}")
    for name, box in boxes.items():
        box.checked = name in {_plain(one) for one in names}


def _set(control: Control | None, value: str) -> None:
    if control is None:
        raise Lost("the form lacks a field that it should have")
    control.value = value


def _select(control: Control | None, text: str) -> None:
    options = control.options if control else []
    found = [value for value, shown in options if text.strip().lower() in (shown.lower(), value.lower())]
    if control is None or not found:
        raise Lost(f"the form does not offer {text!r}")
    control.value = found[0]


def _plain(name: str) -> str:
    return re.sub(r"\(optional\)|[^a-z0-9]", "", name.lower())
