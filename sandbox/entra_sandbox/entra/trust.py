"""The sandbox's CA for people's browsers: a page that says how to trust it and how to take it away, and its file.

The CA of a sandbox with a proxy also signs for the services' real hosts, so it is not offered: a browser that trusted
it would take whoever has its key for Microsoft.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from entra_sandbox import tls
from entra_sandbox.entra.pages import page
from entra_sandbox.entra.routing import Route
from entra_sandbox.services import Services

__all__ = ["routes"]

_NOT_OFFERED = "The CA of a sandbox with a proxy signs for real hosts and must not be trusted by a browser."


def routes(services: Services) -> list[Route]:
    """``/ca`` and ``/ca.pem``"""

    def explain(_request: Request) -> Response:
        certificate = _offered(services)
        if certificate is None:
            return PlainTextResponse(_NOT_OFFERED, 404)
        return page(
            "trust",
            file=services.ca_file,
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
            until=f"{certificate.not_valid_after_utc:%Y-%m-%d}",
            arguments=tls.browser_arguments(services.folder),
            address=services.addresses.api,
        )

    def download(_request: Request) -> Response:
        certificate = _offered(services)
        if certificate is None:
            return PlainTextResponse(_NOT_OFFERED, 404)
        headers = {"content-disposition": 'attachment; filename="entra-sandbox-ca.pem"'}
        return Response(services.ca_file.read_bytes(), media_type="application/x-x509-ca-cert", headers=headers)

    return [Route("/ca", explain), Route("/ca.pem", download)]


def _offered(services: Services) -> x509.Certificate | None:
    """The certificate, if it may sign for loopback names alone."""
    certificate = x509.load_pem_x509_certificate(services.ca_file.read_bytes())
    return certificate if tls.is_for_loopback_alone(certificate) else None
