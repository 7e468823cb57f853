"""What the pages for people share: templates, the headers that protect them, form tokens and cookies.

A form carries a token that must equal the browser's own cookie (double submit); the cookie is ``SameSite=Strict``,
so no other site can send a form here. No page needs a script or anything from another address.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from entra_sandbox.stackone.api import Threads
from entra_sandbox.stackone.connector import connector
from entra_sandbox.stackone.project import Project

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Cookie", "Page", "Visit", "go", "message", "page", "render"]

_FORM_COOKIE = "stackone_form"


@dataclass(frozen=True)
class Cookie:
    """A cookie to set; an empty value removes it."""

    name: str
    value: str
    path: str = "/"
    seconds: int | None = None
    samesite: str = "lax"


@dataclass(frozen=True)
class Visit:
    """One request of a browser. ``form`` is empty for a GET; ``form_token`` goes into every form of the answer.

    ``pages`` is the base address at which this browser sees StackOne's pages.
    """

    pages: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    cookies: Mapping[str, str]
    form: FormData
    form_token: str

    def field(self, name: str) -> str:
        """A text field of the form; empty if it is not there or is a file."""
        value = self.form.get(name)
        return value if isinstance(value, str) else ""

    def fields(self) -> dict[str, str]:
        """All text fields, the last value of each."""
        return {name: value for name, value in self.form.multi_items() if isinstance(value, str)}

    def checked(self, name: str) -> list[str]:
        """The values of the ticked boxes of this name."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]


@dataclass(frozen=True)
class Page:
    """An answer for a browser: a template with its values, or a redirect when ``to`` is set."""

    template: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    to: str = ""
    cookies: tuple[Cookie, ...] = ()


def go(to: str, *cookies: Cookie) -> Page:
    """Send the browser on (303: by GET)."""
    return Page(to=to, status=303, cookies=cookies)


def message(title: str, text: str, status: int = 400, code: str = "") -> Page:
    """A page that only says something."""
    return Page("message.html.j2", {"title": title, "text": text, "code": code}, status)


def page(
    project: Project, threads: Threads, handler: Callable[[Project, Visit], Page]
) -> Callable[[Request], Awaitable[Response]]:
    """A Starlette endpoint for a handler ``(project, visit) -> Page``; forms without their token are refused."""

    async def answer(request: Request) -> Response:
        cookie = request.cookies.get(_FORM_COOKIE, "")
        token = cookie if len(cookie) == 43 and cookie.isascii() else secrets.token_urlsafe(32)
        pages = project.pages(request.headers.get("host", ""))
        async with request.form(max_files=0, max_fields=200) as form:
            visit = Visit(pages, request.path_params, request.query_params, request.cookies, form, token)
            if request.method == "POST" and not _ours(visit, cookie):
                found = message("This form has expired", "Open the page again and send the form once more.", 403)
            else:
                found = await threads.run(handler, project, visit)
        return render(found, token, f"{pages} {project.authority(pages)}")

    return answer


def render(found: Page, token: str, targets: str) -> Response:
    """The page as a response, with its cookies and protective headers. Its forms may lead to ``targets`` alone."""
    response: Response
    if found.to:
        response = RedirectResponse(found.to, found.status)
    else:
        nonce = secrets.token_urlsafe(16)
        shared = {"nonce": nonce, "form_token": token, "connector": connector()}
        template = _templates().get_template(found.template)
        response = HTMLResponse(template.render({**shared, **found.values}), found.status)
        policy = f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self' {targets}"
        response.headers["content-security-policy"] = f"{policy}; frame-ancestors 'none'; base-uri 'none'"
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    response.headers["x-content-type-options"] = "nosniff"
    for one in (Cookie(_FORM_COOKIE, token, samesite="strict"), *found.cookies):
        _set_cookie(response, one)
    return response


def _ours(visit: Visit, cookie: str) -> bool:
    sent = visit.field("form_token")
    return bool(cookie) and hmac.compare_digest(sent.encode(), cookie.encode())


def _set_cookie(response: Response, cookie: Cookie) -> None:
    age = cookie.seconds if cookie.value else 0
    policy: Any = cookie.samesite
    response.set_cookie(cookie.name, cookie.value, max_age=age, path=cookie.path, httponly=True, samesite=policy)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("entra_sandbox.stackone")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
