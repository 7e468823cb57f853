"""How a browser comes to a sign-in page without a certificate warning: each of the ways that the page ``/ca`` names."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msal
import pytest
from entra_sandbox.server import running

from tests.sandbox_entra.conftest import App, Person, World, tls

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")
CALLBACK = "http://localhost:9/callback"


@contextmanager
def chromium(profile: Path, *arguments: str, **environment: str) -> Iterator[Any]:
    """A page in a browser of its own."""
    with playwright.sync_playwright() as started:
        context = started.chromium.launch_persistent_context(
            profile, executable_path=str(CHROMIUM), args=["--no-sandbox", *arguments], env={**os.environ, **environment}
        )
        context.set_default_timeout(120_000)
        yield context.new_page()
        context.close()


def asked(ready: dict[str, Any], app_id: str) -> str:
    """The address to which msal sends a person, from the discovery document over https."""
    client = msal.PublicClientApplication(
        app_id,
        authority=f"{ready['authority']}/{ready['tenant_id']}",
        instance_discovery=False,
        verify=ready["ca_file"],
    )
    return str(client.initiate_auth_code_flow(["User.Read"], redirect_uri=CALLBACK)["auth_uri"])


def sign_in(page: Any, address: str, login: str, password: str) -> str:
    """Where the browser is sent after the person signed in and consented."""
    page.goto(address)
    page.get_by_label("User name").fill(login)
    page.get_by_label("Password").fill(password)
    with page.expect_request(lambda sent: sent.url.startswith(CALLBACK)) as back:
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Accept").click()
    return str(back.value.url)


@pytest.fixture
def app(world: World) -> App:
    """An application that sends people to a page."""
    return world.app(publicClient={"redirectUris": [CALLBACK]})


@needs_chromium
def test_the_arguments_of_the_ready_line_open_the_https_page_in_one_browser(
    world: World, app: App, plain: Person, tmp_path: Path
) -> None:
    address = asked(world.ready, app.id)
    assert address.startswith("https://")
    with chromium(tmp_path / "warned") as page, pytest.raises(playwright.Error, match="ERR_CERT_AUTHORITY_INVALID"):
        page.goto(address)
    with chromium(tmp_path / "told", *world.ready["browser_arguments"]) as page:
        back = sign_in(page, address, plain.login, plain.password)
    assert "code=" in back


@needs_chromium
@pytest.mark.skipif(shutil.which("certutil") is None, reason="no certutil: apt-get install libnss3-tools")
def test_a_browser_that_trusts_the_downloaded_ca_meets_no_warning(world: World, app: App, tmp_path: Path) -> None:
    home = tmp_path / "home"
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    file = tmp_path / "ca.pem"
    file.write_bytes(httpx.get(f"{world.ready['pages']}/ca.pem", trust_env=False).content)
    for words in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "entra-sandbox", "-i", str(file)]):
        subprocess.run(["certutil", "-d", f"sql:{store}", *words], check=True, capture_output=True)
    with chromium(tmp_path / "profile", HOME=str(home)) as page:
        page.goto(asked(world.ready, app.id))
        assert page.get_by_label("User name").is_visible()
        page.goto(f"{world.ready['authority']}/ca")
        assert page.get_by_role("heading", name="The certificate of this sandbox").is_visible()
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=str(Path(folder) / "ca.png"), full_page=True)


def test_the_page_names_what_a_browser_will_show(world: World) -> None:
    shown = httpx.get(f"{world.ready['pages']}/ca", trust_env=False)
    assert shown.status_code == 200
    told = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", world.ready["ca_file"]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip().split("=")[1] in shown.text
    assert world.ready["browser_arguments"][0] in shown.text.replace("&#43;", "+").replace("&#x2F;", "/")


@needs_chromium
def test_with_plain_pages_whoever_reads_discovery_sends_people_to_http(tmp_path: Path) -> None:
    with running(tmp_path / "state.sqlite3", plain_pages=True) as ready:
        found = httpx.get(
            f"{ready['authority']}/{ready['tenant_id']}/v2.0/.well-known/openid-configuration",
            verify=tls(ready),
            trust_env=False,
        ).json()
        schemes = {key: urllib.parse.urlsplit(value).scheme for key, value in found.items() if key.endswith("endpoint")}
        assert {key for key, scheme in schemes.items() if scheme == "http"} == {
            "authorization_endpoint",
            "end_session_endpoint",
        }
        address = asked(ready, ready["client_id"])
        assert address.startswith(f"{ready['pages']}/")
        with chromium(tmp_path / "profile") as page:
            page.goto(address)
            assert page.get_by_text("AADSTS50011").first.is_visible(), "the application has no such address"


def test_the_ca_of_a_proxy_is_offered_to_nobody(tmp_path: Path) -> None:
    with running(tmp_path / "state.sqlite3", proxy=True) as ready:
        assert "browser_arguments" not in ready
        for path in ("/ca", "/ca.pem"):
            refused = httpx.get(f"{ready['pages']}{path}", trust_env=False)
            assert (refused.status_code, "CERTIFICATE" in refused.text) == (404, False)
