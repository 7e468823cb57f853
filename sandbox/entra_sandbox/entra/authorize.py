"""Where people come in: authorize, admin consent, the device page, sign-out, and the page of an error."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from entra_sandbox.entra.call import Call
from entra_sandbox.entra.errors import catalogue
from entra_sandbox.entra.grant_types import DEVICE_KIND
from entra_sandbox.entra.pages import give_back, page
from entra_sandbox.entra.routing import Route
from entra_sandbox.entra.scopes import of_resource
from entra_sandbox.entra.session import Browser, Interaction
from entra_sandbox.entra.sign_in import advance, handler
from entra_sandbox.services import Services

__all__ = ["routes"]


def routes(services: Services) -> list[Route]:
    """Addresses that applications and people are sent to."""
    both = ["GET", "POST"]

    def explain(request: Request) -> Response:
        code = request.query_params.get("code", "")
        entry = catalogue().get(code)
        return page("explain", 200 if entry else 404, code=code, entry=entry)

    return [
        Route("/{tenant}/oauth2/v2.0/authorize", handler(services, _starts("authorize")), methods=both),
        Route("/{tenant}/oauth2/authorize", handler(services, _first_authorize), methods=both),
        Route("/{tenant}/v2.0/adminconsent", handler(services, _starts("admin_consent"))),
        Route("/{tenant}/adminconsent", handler(services, _starts("admin_consent"))),
        Route("/{tenant}/adminconsent/done", handler(services, _consent_done)),
        Route("/{tenant}/oauth2/deviceauth", handler(services, _device), methods=both),
        Route("/{tenant}/oauth2/v2.0/deviceauth", handler(services, _device), methods=both),
        Route("/{tenant}/devicelogin", handler(services, _device), methods=both),
        Route("/devicelogin", handler(services, _device), methods=both),
        Route("/{tenant}/oauth2/v2.0/logout", handler(services, _logout), methods=both),
        Route("/{tenant}/oauth2/logout", handler(services, _logout), methods=both),
        Route("/error", explain),
    ]


def _starts(kind: str) -> Callable[[Call, Browser], Response]:
    def start(call: Call, browser: Browser) -> Response:
        return advance(call, Interaction(kind, call.segment, dict(call.parameters)), browser)

    return start


def _first_authorize(call: Call, browser: Browser) -> Response:
    """The v1.0 endpoint: it names a resource, and always signs in."""
    parameters = dict(of_resource(call.parameters))
    if "resource" in parameters and "openid" not in parameters["scope"].split():
        parameters["scope"] += " openid"
    return advance(call, Interaction("authorize", call.segment, parameters), browser)


def _consent_done(call: Call, _browser: Browser) -> Response:
    if call.get("error"):
        return page("done", 400, title="Consent was not given", text=call.get("error_description"))
    return page("done", title="Consent was given", text="You may now close this window.")


def _device(call: Call, browser: Browser) -> Response:
    """The page on which the user code is typed in (RFC 8628 section 3.3)."""
    typed = "".join(character for character in call.get("otc").upper() if character.isalnum())
    if not typed:
        return page("device", code="", mistake="", action=f"/{call.segment}/oauth2/deviceauth")
    waiting = call.store.first(DEVICE_KIND, userCode=typed, status="pending")
    if waiting is None or call.store.now() >= waiting["expires"]:
        mistake = "That code didn't work. Check the code and try again."
        return page("device", 400, code=typed, mistake=mistake, action=f"/{call.segment}/oauth2/deviceauth")
    # A code typed by hand is an act of the person, so somebody who is signed in already is still asked who they are.
    parameters = {"prompt": "select_account"}
    interaction = Interaction("device", waiting["segment"], parameters, extras={"code": waiting["id"]})
    return advance(call, interaction, browser)


def _logout(call: Call, browser: Browser) -> Response:
    """OpenID Connect RP-Initiated Logout 1.0; the address to go to must be one of a registered application."""
    browser.sign_out()
    target = call.get("post_logout_redirect_uri")
    if target and _registered(call, target):
        return give_back(target, "query", {"state": call.get("state")} if call.get("state") else {})
    return page("done", title="You signed out of your account", text="It's a good idea to close all browser windows.")


def _registered(call: Call, address: str) -> bool:
    for application in call.store.find("application"):
        platforms = (application.get(name) or {} for name in ("web", "spa", "publicClient"))
        if any(address in (platform.get("redirectUris") or ()) for platform in platforms):
            return True
    return False
