"""How the administrator signs in to a real tenant from the terminal: one sign-in a run."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import ssl
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    pkcs12,
)

from tests.disguise.conftest import NEEDED, Desk, Tenant

Begin = Callable[..., Desk]


@pytest.fixture(scope="module")
def client_id(tenant: Tenant) -> str:
    return tenant.application(*NEEDED)


def test_a_plan_shows_the_code_beside_its_document_and_goes_on_when_it_was_entered(desk: Begin, client_id: str) -> None:
    at = desk(sign_in="device-code", client_id=client_id)
    done = at.call("plan", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pending"] > 0
    assert len(at.codes) == 1
    assert at.codes[0] not in done.stdout


BROWSER = """
import json, pathlib, sys
from entra_sandbox import attendant
from runbook.errors import HandOver
folder = pathlib.Path(__file__).parent
with (folder / "opened").open("a") as file:
    file.write("once\\n")
try:
    attendant.attend(json.loads((folder / "ready.json").read_text()), HandOver("admin_consent", "", sys.argv[1]), str)
except attendant.Lost:
    pass  # the last page is msal's own, and says nothing of a consent
"""


CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
IN_CHROMIUM = """
import json, pathlib, sys
from playwright.sync_api import sync_playwright
told = json.loads(pathlib.Path(__file__).with_name("told.json").read_text())
with sync_playwright() as started:
    browser = started.chromium.launch_persistent_context(
        told["profile"], executable_path=told["chromium"], args=["--no-sandbox", *told["arguments"]]
    )
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(sys.argv[1])
    pathlib.Path(told["profile"], "address").write_text(page.url)
    page.get_by_label("User name").fill(told["name"])
    page.get_by_label("Password").fill(told["password"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Authentication complete").wait_for()
    browser.close()
"""


def trusting(tenant: Tenant) -> list[str]:
    """Arguments by which a Chromium of its own goes through the sandbox's proxy and trusts it."""
    at, ca_file = urlsplit(tenant.ready["authority"]), tenant.ready["environment"]["SSL_CERT_FILE"]
    context = ssl.create_default_context(cafile=ca_file)
    with (
        socket.create_connection((str(at.hostname), at.port or 443)) as plain,
        context.wrap_socket(plain, server_hostname="login.microsoftonline.com") as secured,
    ):
        shown = x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
    digest = hashlib.sha256(shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    trusted = f"--ignore-certificate-errors-spki-list={base64.b64encode(digest).decode()}"
    return [f"--proxy-server={tenant.ready['environment']['HTTPS_PROXY']}", trusted]


def test_somebody_signs_in_in_a_headless_chromium_after_a_choice_of_accounts(
    desk: Begin, client_id: str, tenant: Tenant
) -> None:
    at = desk(sign_in="browser", client_id=client_id)
    name = tenant.person("Application Developer")
    told = {"name": name, "password": tenant.ready["users"][name]["password"], "arguments": trusting(tenant)}
    told |= {"profile": str(at.folder), "chromium": str(CHROMIUM)}
    (at.folder / "told.json").write_text(json.dumps(told))
    (at.folder / "person.py").write_text(IN_CHROMIUM)
    done = at.call("sign-in", "--json", BROWSER=f"{sys.executable} {at.folder / 'person.py'} %s &")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["signed_in"] == f"{name}, Application Developer"
    address = (at.folder / "address").read_text()
    assert address.startswith("https://login.microsoftonline.com/")
    assert "prompt=select_account" in address


def test_a_machine_without_a_browser_says_so_at_once(desk: Begin, client_id: str) -> None:
    done = desk(sign_in="browser", client_id=client_id).call("plan", PATH="/nowhere", BROWSER="")
    assert done.returncode == 1
    assert "There is no browser here" in done.stderr
    assert "/authorize" not in done.stderr


def made(key: rsa.RSAPrivateKey) -> bytes:
    """A certificate of this key, in PEM."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "runbook sign-in")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
    return builder.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def certified(tenant: Tenant) -> str:
    """A PEM with a key and its certificate, which is registered on the administrator's application."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = x509.load_pem_x509_certificate(made(key))
    with tenant.graph() as graph:
        path = f"/applications(appId='{tenant.ready['client_id']}')"
        value = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        entry = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": value}
        graph.patch(path, json={"keyCredentials": [entry]}).raise_for_status()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    return text.decode()


def federated(tenant: Tenant) -> str:
    """A token of another issuer that the administrator's application trusts: here the sandbox's own, of itself."""
    token = str(tenant.graph().headers["authorization"]).removeprefix("Bearer ")
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    trusted = {"name": "ci", "issuer": claims["iss"], "subject": claims["sub"], "audiences": [claims["aud"]]}
    with tenant.graph() as graph:
        path = f"/applications(appId='{tenant.ready['client_id']}')/federatedIdentityCredentials"
        graph.post(path, json=trusted).raise_for_status()
    return token


def in_pkcs12(tenant: Tenant) -> str:
    """The same as Azure Key Vault gives a certificate: PKCS#12 in base64."""
    pem = certified(tenant).encode()
    key, certificate = load_pem_private_key(pem, None), x509.load_pem_x509_certificate(pem)
    assert isinstance(key, rsa.RSAPrivateKey)
    whole = pkcs12.serialize_key_and_certificates(b"runbook", key, certificate, None, NoEncryption())
    return base64.b64encode(whole).decode()


@pytest.mark.parametrize(
    ("sign_in", "credential"), [("certificate", certified), ("certificate", in_pkcs12), ("federated", federated)]
)
def test_an_application_signs_in_by_itself_without_a_client_secret(
    desk: Begin, tenant: Tenant, sign_in: str, credential: Callable[[Tenant], str]
) -> None:
    text = credential(tenant)
    at = desk(sign_in=sign_in, client_secret_ref=f"file:admin/{sign_in}")
    line = [sys.executable, "-m", "runbook", "secrets", "set", f"file:admin/{sign_in}"]
    assert at.spoken(line, text).returncode == 0
    done = at.call("plan", "--json", "--sections", "2")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["signed_in"].startswith("application ")


@pytest.mark.parametrize("half", ["key", "certificate", "neither", "locked"])
def test_half_a_certificate_is_said_to_be_one_before_anything_is_sent(desk: Begin, half: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    clear = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    texts = {"key": clear, "certificate": made(key), "neither": b"bm90aGluZw==", "locked": locked + made(key)}
    done = desk(sign_in="certificate", client_secret_ref="env:CERTIFICATE").call(
        "plan", CERTIFICATE=texts[half].decode()
    )
    assert done.returncode == 2, done.stderr
    assert "client_secret_ref: does not name a certificate with its private key" in done.stderr
