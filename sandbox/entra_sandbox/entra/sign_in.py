"""The way of a person through the pages: who are you, is it really you, do you consent - and back.

:func:`advance` looks at a request and shows the next page that is needed, or ends it. Every post handler changes one
thing and calls it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from entra_sandbox.entra import consents, traces
from entra_sandbox.entra.call import Call, call_of, form_of
from entra_sandbox.entra.directory import GRAPH, User, is_password_of, service_principal, user_by_id, user_by_name
from entra_sandbox.entra.errors import AadError
from entra_sandbox.entra.pages import error_page, page
from entra_sandbox.entra.policy import check_sign_in
from entra_sandbox.entra.principals import ensure_principal
from entra_sandbox.entra.purposes import Ask, Authorize, Purpose, purpose_of
from entra_sandbox.entra.routing import Route
from entra_sandbox.entra.scopes import resource_of
from entra_sandbox.entra.session import Browser, Interaction, browser_of, sealed_interaction
from entra_sandbox.entra.token_response import SignIn
from entra_sandbox.services import Services
from entra_sandbox.vault import SealBroken

__all__ = ["advance", "handler", "routes"]

Work = Callable[[Call, Browser], Response]


def routes(services: Services) -> list[Route]:
    """The forms of the pages."""
    forms = {"login": _login, "account": _account, "verify": _verify, "consent": _consent}
    return [Route(f"/{{tenant}}/{name}", handler(services, work), methods=["POST"]) for name, work in forms.items()]


def handler(services: Services, work: Work) -> Any:
    """An endpoint that reads the request, runs ``work`` in a thread, sets the cookie, and shows errors as a page."""

    async def handle(request: Request) -> Response:
        browser = browser_of(services, request)
        call: Call | None = None
        try:
            sources = [await form_of(request)] if request.method == "POST" else []
            call = call_of(services, request, request.query_params, *sources)
            return browser.remember(await run_in_threadpool(work, call, browser))
        except AadError as error:
            return error_page(call or call_of(services, request), error)

    return handle


def advance(
    call: Call, interaction: Interaction, browser: Browser, mistake: AadError | None = None, typed: str = ""
) -> Response:
    """The next page of this request, or its end. ``mistake`` is shown on the sign-in page, with the name ``typed``."""
    call = replace(call, segment=interaction.segment, parameters=interaction.parameters)
    purpose = purpose_of(call, interaction.kind, interaction.extras)
    prompt = call.get("prompt").split()
    if isinstance(purpose, Authorize):
        try:
            purpose.check()
        except AadError as error:
            return purpose.fail(error)
    sign_in, page_wanted = _who(call, interaction, browser, prompt)
    if sign_in is None:
        if "none" in prompt:
            return purpose.fail(AadError(50058))
        if page_wanted == "account":
            return _account_page(call, interaction, browser, purpose)
        return _login_page(call, interaction, browser, purpose, mistake, typed)
    interaction = interaction.of(sign_in.user)
    try:
        return _signed_in(call, interaction, browser, purpose, sign_in, "none" in prompt)
    except AadError as error:
        if isinstance(purpose, Authorize) and error.code in (650053, 500011, 28000, 70011):
            return purpose.fail(error)
        raise


def _who(call: Call, interaction: Interaction, browser: Browser, prompt: list[str]) -> tuple[SignIn | None, str]:
    """The sign-in to go on with, or the page to show: ``login`` or ``account``."""
    known = browser.sign_ins()
    if interaction.user is not None:
        chosen = next((one for one in known if one.user.id == interaction.user), None)
        if chosen is not None and (interaction.fresh or "login" not in prompt):
            return chosen, ""
        return None, "login"
    if "login" in prompt:
        return None, "login"
    if hint := call.get("login_hint").lower():
        return next((one for one in known if one.user.name.lower() == hint), None), "login"
    tenant = call.tenant()
    fitting = [one for one in known if tenant is None or one.user.tenant.id == tenant.id]
    if "select_account" in prompt and known:
        return None, "account"
    if len(fitting) == 1:
        return fitting[0], ""
    return None, "account" if fitting else "login"


def _signed_in(
    call: Call, interaction: Interaction, browser: Browser, purpose: Purpose, sign_in: SignIn, silent: bool
) -> Response:
    user, tenant = sign_in.user, call.tenant()
    if tenant is not None and tenant.id != user.tenant.id:
        raise AadError(
            50020,
            user=user.name,
            provider=f"{call.base}/{user.tenant.id}/",
            tenant=tenant.name,
            app_id=purpose.client.app_id,
            app_name=purpose.client.name,
        )
    if user.tenant.id != purpose.client.home and not purpose.client.multi_tenant:
        raise AadError(700016, app_id=purpose.client.app_id, tenant=user.tenant.name)
    principal = service_principal(call.store, user.tenant, purpose.client.app_id)
    target = resource_of(call.store, user.tenant, purpose.resource_name).app_id if purpose.resource_name else GRAPH
    device = interaction.kind == "device"
    try:
        with traces.watched(call, user, purpose.client):
            check_sign_in(call.store, user, purpose.client, principal, target, sign_in.methods, device_code=device)
    except AadError as error:
        if silent:
            return purpose.fail(error)
        if error.code == 50076:
            return _page("verify", call, interaction, browser, user=user, error=error)
        raise
    ask = None if interaction.consented else purpose.ask(user)
    if ask is None:
        return purpose.finish(sign_in)
    if silent:
        return purpose.fail(AadError(65001, app_id=purpose.client.app_id, app_name=purpose.client.name))
    return _consent_page(call, interaction, browser, purpose, user, ask)


# pages


def _login_page(
    call: Call, interaction: Interaction, browser: Browser, purpose: Purpose, mistake: AadError | None, typed: str
) -> Response:
    chosen = user_by_id(call.store, interaction.user) if interaction.user else None
    name = typed or (chosen.name if chosen else call.get("login_hint"))
    client = purpose.client
    return _page(
        "sign_in", call, interaction, browser, 400 if mistake else 200, name=name, client=client, error=mistake
    )


def _account_page(call: Call, interaction: Interaction, browser: Browser, purpose: Purpose) -> Response:
    people = [sign_in.user for sign_in in browser.sign_ins()]
    return _page("account", call, interaction, browser, people=people, client=purpose.client)


def _consent_page(
    call: Call, interaction: Interaction, browser: Browser, purpose: Purpose, user: User, ask: Ask
) -> Response:
    may = _may_for_all(user, ask)
    refused = not may and (ask.organization or any(part.needs_admin for part in ask.parts))
    values = {
        "user": user,
        "client": purpose.client,
        "rows": [row for part in ask.parts for row in part.rows(may)],
        "organization": ask.organization,
        "offered": may and not ask.organization,
    }
    return _page("approval" if refused else "consent", call, interaction, browser, **values)


def _page(
    template: str, call: Call, interaction: Interaction, browser: Browser, status: int = 200, /, **values: Any
) -> Response:
    flow = interaction.seal(call.services.vault, browser)
    response = page(template, status, flow=flow, action=f"/{interaction.segment}/", **values)
    return browser.remember(response)


# forms


def _login(call: Call, browser: Browser) -> Response:
    interaction = _interaction(call, browser)
    tenant = replace(call, segment=interaction.segment).tenant()
    name = call.get("login").strip()
    try:
        user = user_by_name(call.store, name, tenant.name if tenant else interaction.segment)
        asked = replace(call, segment=interaction.segment, parameters=interaction.parameters)
        with traces.watched(call, user, purpose_of(asked, interaction.kind, interaction.extras).client):
            if not is_password_of(call.store, user, call.get("passwd")):
                raise AadError(50126)
            if user.document.get("accountEnabled") is False:
                raise AadError(50057)
    except AadError as error:
        return advance(call, replace(interaction, user=None), browser, error, name)
    browser = browser.signed_in(user, ("pwd",))
    return browser.remember(advance(call, interaction.of(user, fresh=True), browser))


def _account(call: Call, browser: Browser) -> Response:
    interaction = _interaction(call, browser)
    parameters = {**interaction.parameters, "prompt": interaction.parameters.get("prompt", "")}
    chosen = call.get("account")
    if chosen == "other":
        parameters["prompt"] = "login"
        return advance(call, replace(interaction, user=None, parameters=parameters), browser)
    user = user_by_id(call.store, chosen)
    return advance(call, interaction.of(user) if user else interaction, browser)


def _verify(call: Call, browser: Browser) -> Response:
    interaction = _interaction(call, browser)
    sign_in = next((one for one in browser.sign_ins() if one.user.id == interaction.user), None)
    if sign_in is None:
        return advance(call, interaction, browser)
    if call.get("decision") != "continue":
        raise AadError(50076, resource=GRAPH)
    browser = browser.signed_in(sign_in.user, tuple(dict.fromkeys([*sign_in.methods, "mfa"])))
    return browser.remember(advance(call, interaction, browser))


def _consent(call: Call, browser: Browser) -> Response:
    interaction = _interaction(call, browser)
    sign_in = next((one for one in browser.sign_ins() if one.user.id == interaction.user), None)
    if sign_in is None:
        return advance(call, interaction, browser)
    asking = replace(call, segment=interaction.segment, parameters=interaction.parameters)
    purpose = purpose_of(asking, interaction.kind, interaction.extras)
    ask = purpose.ask(sign_in.user)
    if ask is not None:
        refused = _refused(sign_in.user, ask)
        if call.get("decision") != "accept":
            return purpose.fail(refused or AadError(65004))
        if refused:
            return purpose.fail(refused)
        everybody = ask.organization or (call.get("organization") == "1" and _may_for_all(sign_in.user, ask))
        _record(call, purpose, sign_in.user, ask, everybody)
    return advance(call, replace(interaction, consented=True), browser)


def _interaction(call: Call, browser: Browser) -> Interaction:
    try:
        return sealed_interaction(call.services.vault, browser, call.need("flow"))
    except SealBroken:
        raise AadError(9002313) from None


def _may_for_all(user: User, ask: Ask) -> bool:
    graph_roles = any(part.roles and part.resource.is_graph for part in ask.parts)
    return consents.may_consent_for_all(user, graph_roles=graph_roles)


def _refused(user: User, ask: Ask) -> AadError | None:
    if _may_for_all(user, ask) or not (ask.organization or any(part.needs_admin for part in ask.parts)):
        return None
    names = ", ".join(name for part in ask.parts for name in (*part.names, *part.roles))
    return AadError(90094, permissions=names)


def _record(call: Call, purpose: Purpose, user: User, ask: Ask, everybody: bool) -> None:
    """Write the consent down, unless a played illness makes it a lie."""
    illness = call.services.extras.get("faults")
    if illness is not None and illness.consent_lies():
        return
    with call.store.transaction():
        principal = ensure_principal(call.store, user.tenant, purpose.client)
        for part in ask.parts:
            whose = None if everybody else user.id
            before, after = consents.grant(
                call.store, user.tenant, principal, part.resource, part.names, user_id=whose, replace=ask.replace
            )
            traces.granted(call, user, before, after)
            for made in consents.assign_roles(call.store, user.tenant, principal, part.resource, part.roles):
                traces.assigned(call, user, made)
        names = [name for part in ask.parts for name in (*part.names, *part.roles)]
        traces.consented(call, user, principal, names, everybody=everybody)
