"""What Entra ID accepts as a web redirect URI.

Source: learn.microsoft.com/entra/identity-platform/reply-url ("Redirect URI restrictions and limitations").
Standard library only: the parameters check a redirect URI with it before anything is sent.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import SplitResult, urlsplit

_MAX_LENGTH = 256
MAX_URIS = 256
_REFUSED = "!$'(),;"
_BLANK = re.compile(r"[\s\x00-\x1f\x7f\\]")
_LOOPBACK = ("localhost", "127.0.0.1")


def redirect_problems(uri: str) -> list[str]:
    """Every reason for which Entra ID would refuse ``uri`` for an organization-only application; empty if none.

    The audiences that the runbook makes (one or any organization) allow query strings, so those pass.
    """
    if not uri:
        return ["is empty."]
    if _BLANK.search(uri):
        return ["must not hold spaces, control characters or backslashes."]
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return [f"{uri!r} is not a URI."]
    if not parts.scheme or not parts.hostname:
        return [f"{uri!r} is not an absolute address, such as https://api.stackone.com/callback."]
    return [*_scheme(parts), *_host(parts), *_text(uri, parts)]


def _scheme(parts: SplitResult) -> list[str]:
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return []
    if parts.scheme == "http":
        return ["must begin with https; http is accepted for localhost only."]
    return [f"must begin with https, not with {parts.scheme}."]


def _host(parts: SplitResult) -> list[str]:
    host = parts.hostname or ""
    problems = []
    if parts.username is not None or parts.password is not None:
        problems.append("must not hold a user name or password.")
    if "*" in host:
        problems.append("must not hold a wildcard.")
    if ":" in host:
        try:
            if IPv6Address(host).is_loopback:
                problems.append("must not use the IPv6 loopback address; write localhost.")
        except AddressValueError:
            problems.append(f"{host!r} is not a host.")
    return problems


def _text(uri: str, parts: SplitResult) -> list[str]:
    problems = []
    if len(uri) > _MAX_LENGTH:
        problems.append(f"has {len(uri)} characters; Entra ID accepts {_MAX_LENGTH}.")
    if "#" in uri:
        problems.append("must not hold a fragment (#).")
    if "*" in parts.path + parts.query:
        problems.append("must not hold a wildcard.")
    found = sorted({character for character in uri if character in _REFUSED})
    if found:
        problems.append(f"must not hold {' '.join(found)}.")
    return problems
