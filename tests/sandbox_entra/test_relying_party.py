"""What OpenID Connect relying parties ask for: discovery that keeps its word, any casing, version 1.0."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
import pytest
from entra_sandbox.browser import Screen

from tests.sandbox_entra.conftest import CALLBACK, GRAPH, App, Person, World, values


def ask(app: App, **more: str) -> str:
    return urlencode({"client_id": app.id, "redirect_uri": CALLBACK, "response_type": "code", "nonce": "n", **more})


def brought_back(answer: Screen | str) -> dict[str, str]:
    """What the application gets, in the address or in a form that the page sends."""
    if isinstance(answer, str):
        return values(answer)
    (form,) = answer.forms
    return {control.name: control.value for control in form.controls}


@pytest.mark.parametrize("version", ["v2.0/", ""])
def test_discovery_advertises_what_is_served(
    http: httpx.Client, world: World, app: App, plain: Person, version: str
) -> None:
    document = http.get(f"/{world.tenant}/{version}.well-known/openid-configuration").json()
    for name, value in document.items():
        if name.endswith(("_endpoint", "_uri")):
            assert http.get(value).status_code != 404, name
    scope = {"scope": "openid"} if version else {"scope": "openid", "resource": "https://graph.microsoft.com"}
    world.consent(app, "User.Read")
    for kind in document["response_types_supported"]:
        for mode in document["response_modes_supported"]:
            asked = ask(app, response_type=kind, response_mode=mode, **scope)
            answer = plain.open(f"{document['authorization_endpoint']}?{asked}")
            assert brought_back(answer)["code"], (kind, mode)
    assert not document["frontchannel_logout_supported"]


@pytest.mark.parametrize(
    "address",
    [
        "/{tenant}/V2.0/.Well-Known/OpenID-Configuration",
        "/{tenant}/Discovery/V2.0/Keys",
        "/COMMON/v2.0/.well-known/openid-configuration",
        "/Common/OAuth2/V2.0/Authorize",
        "/OIDC/UserInfo",
    ],
)
def test_addresses_are_the_same_in_any_casing(http: httpx.Client, world: World, address: str) -> None:
    address = address.format(tenant=world.tenant)
    assert http.get(address).status_code == http.get(address.lower()).status_code != 404


def test_the_token_endpoint_is_https_alone_in_any_casing(world: World, app: App) -> None:
    form = {"grant_type": "client_credentials", "client_id": app.id, "client_secret": app.secret}
    form["scope"] = "https://graph.microsoft.com/.default"
    with httpx.Client(base_url=world.ready["pages"], trust_env=False) as pages:
        assert pages.post(f"/{world.tenant}/OAuth2/V2.0/TOKEN", data=form).status_code == 403


@pytest.mark.parametrize("scope", [{}, {"scope": "openid"}, {"scope": "openid profile offline_access"}])
def test_version_one_takes_the_resource_beside_any_scope(
    http: httpx.Client, world: World, app: App, plain: Person, scope: dict[str, str]
) -> None:
    world.consent(app, "User.Read")
    resource = "https://graph.microsoft.com/"
    answer = plain.open(f"{world.authority()}/oauth2/authorize?{ask(app, resource=resource, **scope)}")
    form = {"grant_type": "authorization_code", "client_id": app.id, "client_secret": app.secret}
    form |= {"redirect_uri": CALLBACK, "code": values(answer)["code"], "resource": resource}
    found: dict[str, Any] = http.post(f"/{world.tenant}/oauth2/token", data=form).json()
    access, identity = (
        jwt.decode(found[name], options={"verify_signature": False}) for name in ("access_token", "id_token")
    )
    assert access["aud"].rstrip("/") in (GRAPH, "https://graph.microsoft.com")
    assert "User.Read" in access["scp"].split()
    assert (identity["aud"], identity["nonce"]) == (app.id, "n")
    assert ("refresh_token" in found) == ("offline_access" in scope.get("scope", ""))


def test_version_two_knows_no_resource(world: World, app: App, plain: Person) -> None:
    answer = plain.open(f"{world.authority()}/oauth2/v2.0/authorize?{ask(app, resource='https://graph.microsoft.com')}")
    assert "AADSTS900144" in str(answer)
