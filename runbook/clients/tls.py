"""Whom to trust: a target's own CA file and nothing else, or what this machine trusts."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import certifi

from runbook.errors import InputError, Problem

# In the order in which requests (and so msal and the Azure libraries) and then OpenSSL look.
_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """A verifying TLS context.

    With ``ca_file`` exactly that CA is trusted, whatever the environment says: on many machines REQUESTS_CA_BUNDLE is
    set, and a sandbox must work in spite of it. Without it, those variables are honoured as real tenants behind
    company proxies need; else the system's store. Raises :class:`InputError` for a file that cannot be used.
    """
    if ca_file is not None:
        return _from(str(ca_file), "the target's CA file")
    for name in _VARIABLES:
        if value := os.environ.get(name):
            return _from(value, name)
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        # Some installations of Python come without a store of their own.
        context.load_verify_locations(cafile=certifi.where())
    return context


def _from(value: str, where: str) -> ssl.SSLContext:
    path = Path(value)
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=value)
        return ssl.create_default_context(cafile=value)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it holds no certificate"
        raise InputError(Problem(where, f"{value} cannot be used: {reason}.")) from None
