"""How Entra ID's pages are rendered: one template each, no script or style from anywhere else.

The forms, for those who drive them without a browser (every form also has the hidden field ``flow``):

=====================  ======================================================================================
page, posted to        fields
=====================  ======================================================================================
sign-in ``…/login``    ``login`` (user principal name), ``passwd``; button "Sign in"
pick account           ``account`` (object id, or ``other``), posted to ``…/account``
verify ``…/verify``    ``decision`` = ``continue`` or ``cancel`` (stands for multi-factor authentication)
consent ``…/consent``  ``decision`` = ``accept`` or ``cancel``; checkbox ``organization`` = ``1``
device login           ``otc`` (the user code), posted to ``…/oauth2/deviceauth``; button "Next"
=====================  ======================================================================================
"""

from __future__ import annotations

import secrets
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

from entra_sandbox.entra.call import NO_STORE, Call
from entra_sandbox.entra.errors import AadError

if TYPE_CHECKING:
    import jinja2

__all__ = ["error_page", "give_back", "page"]


def page(template: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """Render ``templates/<template>.html.j2``."""
    nonce = secrets.token_urlsafe(16)
    html = _environment().get_template(f"{template}.html.j2").render(nonce=nonce, **values)
    # No form-action: browsers would apply it to the redirect to the application, too.
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; frame-ancestors 'none'"
    headers = {
        **NO_STORE,
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return HTMLResponse(html, status, headers=headers)


def error_page(call: Call, error: AadError) -> HTMLResponse:
    """What a person sees when the sign-in cannot go on, with everything that an administrator will ask for."""
    body = error.body(call.store.now(), call.base, call.correlation_id)
    return page("error", 400, error=error, body=body)


def give_back(address: str, mode: str, values: dict[str, str]) -> Response:
    """Send the browser back to the application: ``mode`` is ``query``, ``fragment`` or ``form_post``."""
    if mode == "form_post":
        return page("form_post", address=address, values=values)
    parts = urlsplit(address)
    if mode == "fragment":
        target = urlunsplit(parts._replace(fragment=urlencode(values)))
    else:
        query = "&".join(part for part in (parts.query, urlencode(values)) if part)
        target = urlunsplit(parts._replace(query=query))
    return RedirectResponse(target, 302, headers=NO_STORE)


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
