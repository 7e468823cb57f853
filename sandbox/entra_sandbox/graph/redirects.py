"""Which redirect URIs a registration may have: learn.microsoft.com/entra/identity-platform/reply-url"""

from __future__ import annotations

from urllib.parse import urlsplit

from entra_sandbox.graph import errors
from entra_sandbox.graph.resource import Document

__all__ = ["check_redirects"]

_MOST, _MOST_PERSONAL, _LONGEST = 256, 100, 256
_FORBIDDEN = frozenset("!$'(),;")
_LOOPBACK = frozenset({"localhost", "127.0.0.1"})


def check_redirects(doc: Document) -> None:
    """:class:`GraphFault` 400 if a redirect URI of the application breaks a rule for its audience."""
    personal = "Personal" in str(doc.get("signInAudience") or "")
    total = 0
    for platform in ("web", "spa", "publicClient"):
        uris = (doc.get(platform) or {}).get("redirectUris") or []
        total += len(uris)
        for uri in uris:
            if reason := _refusal(uri, platform, personal):
                raise errors.bad_request(f"Reply URL '{uri}' is invalid: {reason}", target=f"{platform}.redirectUris")
        if len(set(uris)) != len(uris):
            raise errors.bad_request("Redirect URIs must be unique.", target=f"{platform}.redirectUris")
    if total > (_MOST_PERSONAL if personal else _MOST):
        raise errors.bad_request("The number of redirect URIs exceeds the limit of the application.")


def _refusal(uri: str, platform: str, personal: bool) -> str:
    if len(uri) > _LONGEST:
        return f"it is longer than {_LONGEST} characters."
    if _FORBIDDEN & set(uri) or any(character <= " " for character in uri):
        return "it holds a character that is not allowed."
    try:
        split = urlsplit(uri)
        host, _port = split.hostname or "", split.port
    except ValueError:
        return "it is not an absolute URI."
    if not split.scheme or (not split.netloc and platform != "publicClient"):
        return "it is not an absolute URI."
    if "#" in uri:
        return "it has a fragment."
    if split.query and personal:
        return "query strings are not allowed for personal accounts."
    if "*" in uri and personal:
        return "wildcards are not allowed for personal accounts."
    if host.startswith("[") or ":" in host:
        return "IPv6 addresses are not supported."
    if platform != "publicClient" and split.scheme == "http" and host not in _LOOPBACK:
        return "it must begin with 'https' unless it is localhost."
    if platform != "publicClient" and split.scheme not in ("http", "https"):
        return "its scheme is not allowed here."
    return ""
