"""Which of an application's redirect URIs a request means.

learn.microsoft.com/entra/identity-platform/reply-url: exact match, the port of a loopback address apart (RFC 8252
section 7.3).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from entra_sandbox.entra.directory import Client
from entra_sandbox.entra.errors import AadError

__all__ = ["choose", "is_public", "is_spa"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def choose(client: Client, asked: str) -> str:
    """The redirect URI to answer to. AADSTS500113 if the application has none, AADSTS50011 if ``asked`` is not its."""
    known = [uri for platform in ("web", "spa", "publicClient") for uri in _uris(client, platform)]
    if not known:
        raise AadError(500113)
    if not asked:
        return known[0]
    if not any(_same(uri, asked) for uri in known):
        raise AadError(50011, redirect_uri=asked, app_id=client.app_id)
    return asked


def is_public(client: Client, uri: str) -> bool:
    """Whether the redirect URI belongs to a platform that has no credential (and to no web platform)."""
    if any(_same(known, uri) for known in _uris(client, "web")):
        return False
    return any(_same(known, uri) for platform in ("spa", "publicClient") for known in _uris(client, platform))


def is_spa(client: Client, uri: str) -> bool:
    """Whether it is one of a single-page application, for which PKCE is a must."""
    return any(_same(known, uri) for known in _uris(client, "spa"))


def _uris(client: Client, platform: str) -> list[str]:
    return list((client.document.get(platform) or {}).get("redirectUris") or ())


def _same(known: str, asked: str) -> bool:
    if known == asked:
        return True
    first, second = urlsplit(known), urlsplit(asked)
    if first.scheme != "http" or second.scheme != "http" or first.hostname not in _LOOPBACK:
        # A registered address without a path is answered to with a trailing slash.
        return first.path in ("", "/") and second.path in ("", "/") and known.rstrip("/") == asked.rstrip("/")
    return (first.hostname, first.path or "/", first.query) == (second.hostname, second.path or "/", second.query)
