"""Addresses of the pages, and clients of Microsoft's own library, for tests of sign-in."""

import datetime
import html
from typing import Any
from urllib.parse import urlencode

import msal
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from entra_sandbox.browser import Screen
from entra_sandbox.entra import tokens

from tests.sandbox_entra.conftest import CALLBACK, App, World, code_of


def link(world: World, app: App, *, tenant: str = "", scope: str = "openid User.Read", **more: str) -> str:
    query = {
        "client_id": app.id,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": scope,
        "state": "s",
        **more,
    }
    query = {name: value for name, value in query.items() if value}
    return f"{world.ready['pages']}/{tenant or world.tenant}/oauth2/v2.0/authorize?{urlencode(query)}"


def consent_link(world: World, app: App, *, version: str = "", **more: str) -> str:
    query = {"client_id": app.id, "redirect_uri": CALLBACK, "state": "s", **more}
    return f"{world.ready['pages']}/{world.tenant}/{version}adminconsent?{urlencode(query)}"


def trouble(end: Any) -> int:
    """The AADSTS number on an error page."""
    assert isinstance(end, Screen), end
    return code_of({"error_description": html.unescape(end.alerts[0])})


def confidential(world: World, app: App, tenant: str = "", **options: Any) -> msal.ConfidentialClientApplication:
    wanted = {"client_credential": app.secret, "instance_discovery": False, "verify": world.ready["ca_file"]}
    return msal.ConfidentialClientApplication(app.id, authority=world.authority(tenant), **{**wanted, **options})


def public(world: World, app: App, tenant: str = "", **options: Any) -> msal.PublicClientApplication:
    wanted = {"instance_discovery": False, "verify": world.ready["ca_file"]}
    return msal.PublicClientApplication(app.id, authority=world.authority(tenant), **{**wanted, **options})


def claims_of(world: World, result: dict[str, Any]) -> dict[str, Any]:
    assert "access_token" in result, result
    return tokens.verify(world.store, result["access_token"])


def certificate_of(name: str) -> tuple[x509.Certificate, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate, private.decode()
