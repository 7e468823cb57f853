"""Who is signed in to this browser, and the request that a form belongs to.

A browser is known by one cookie (``HttpOnly``, ``SameSite=Lax``). A form carries the request it belongs to, sealed,
with the browser in it: a page of somebody else can neither read nor make such a field, which keeps forged posts out.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field, replace

from starlette.requests import Request
from starlette.responses import Response

from entra_sandbox.entra.directory import User, user_by_id
from entra_sandbox.entra.token_response import SignIn, hashed, sweep
from entra_sandbox.services import Services
from entra_sandbox.store import Store
from entra_sandbox.vault import SealBroken, Vault

__all__ = ["Browser", "Interaction", "browser_of", "sealed_interaction"]

_KIND = "entra.browser"
_FLOW_SECONDS = 1800
_SESSION_SECONDS = 86400


@dataclass(frozen=True)
class Browser:
    """A browser and the people who are signed in to it. ``new`` asks for its cookie to be set."""

    store: Store
    name: str
    value: str
    new: bool

    @property
    def id(self) -> str:
        """What is kept instead of the cookie's value."""
        return hashed(self.value)

    def sign_ins(self) -> list[SignIn]:
        """Sign-ins that are still good, the oldest first."""
        kept = self.store.get(_KIND, self.id) or {"accounts": []}
        found = []
        for account in kept["accounts"]:
            user = user_by_id(self.store, account["user"])
            if user is not None and account["at"] + _SESSION_SECONDS > self.store.now():
                found.append(SignIn(user, tuple(account["methods"]), account["at"]))
        return found

    def signed_in(self, user: User, methods: tuple[str, ...]) -> Browser:
        """This person signed in: a browser with a new cookie, so that one planted before is worth nothing."""
        kept = self.store.get(_KIND, self.id) or {"accounts": []}
        others = [account for account in kept["accounts"] if account["user"] != user.id]
        now = self.store.now()
        account = {"user": user.id, "methods": list(methods), "at": now}
        fresh = Browser(self.store, self.name, secrets.token_urlsafe(32), True)
        with self.store.transaction():
            self.store.delete(_KIND, self.id)
            sweep(self.store, _KIND)
            kept = {"id": fresh.id, "accounts": [*others, account], "expires": now + _SESSION_SECONDS}
            self.store.put(_KIND, kept)
        return fresh

    def sign_out(self) -> None:
        """Forget everybody."""
        self.store.delete(_KIND, self.id)

    def remember(self, response: Response) -> Response:
        """Set the cookie if it is not in the browser yet."""
        if self.new:
            response.set_cookie(self.name, self.value, httponly=True, samesite="lax", path="/")
        return response


def browser_of(services: Services, request: Request) -> Browser:
    """The browser that sent this request. Ports share cookies, so the name is that of this sandbox alone."""
    name = "sandbox_" + hashlib.sha256(str(services.store.path).encode()).hexdigest()[:8]
    value = request.cookies.get(name, "")
    if len(value) == 43:
        return Browser(services.store, name, value, False)
    return Browser(services.store, name, secrets.token_urlsafe(32), True)


@dataclass(frozen=True)
class Interaction:
    """A request that a person has to do something for.

    ``kind`` is ``authorize``, ``admin_consent`` or ``device``; ``user`` (object id) was chosen or has signed in on
    its behalf; ``fresh`` tells that they have just given their password.
    """

    kind: str
    segment: str
    parameters: dict[str, str]
    user: str | None = None
    fresh: bool = False
    consented: bool = False
    extras: dict[str, str] = field(default_factory=dict)

    def of(self, user: User, *, fresh: bool = False) -> Interaction:
        """The same for this person."""
        return replace(self, user=user.id, fresh=self.fresh or fresh)

    def seal(self, vault: Vault, browser: Browser) -> str:
        """The field ``flow`` of a form in this browser."""
        return vault.seal(json.dumps({"browser": browser.id, **asdict(self)}))


def sealed_interaction(vault: Vault, browser: Browser, sealed: str) -> Interaction:
    """Read the field ``flow``; ``SealBroken`` if it is not from here or too old.

    From another browser it starts over: whatever was done on its behalf there does not count here.
    """
    found = json.loads(vault.open_(sealed, seconds=_FLOW_SECONDS))
    owner = found.pop("browser", None)
    try:
        interaction = Interaction(**found)
    except TypeError as error:
        raise SealBroken("sealed for something else") from error
    if owner != browser.id:
        return replace(interaction, user=None, fresh=False, consented=False)
    return interaction
