"""What Entra ID accepts as a web redirect URI.

Source: learn.microsoft.com/entra/identity-platform/reply-url ("Redirect URI restrictions and limitations").
Standard library only: the parameters check a redirect URI with it before anything is sent.
"""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

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
        _ = parts.port, ":" in (parts.hostname or "") and ip_address(parts.hostname or "")
    except ValueError:
        return [f"{uri!r} is not a URI."]
    if not parts.scheme or not parts.hostname:
        return [f"{uri!r} is not an absolute address, such as https://api.stackone.com/callback."]
    host, path = parts.hostname, parts.path + parts.query
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    refused = sorted({character for character in uri if character in _REFUSED})
    rules = {
        "must begin with https; http is accepted for localhost only.": not secure,
        "must not hold a user name or password.": parts.username is not None or parts.password is not None,
        "must not hold a wildcard.": "*" in host + path,
        "must not use the IPv6 loopback address; write localhost.": ":" in host and ip_address(host).is_loopback,
        f"has {len(uri)} characters; Entra ID accepts {_MAX_LENGTH}.": len(uri) > _MAX_LENGTH,
        "must not hold a fragment (#).": "#" in uri,
        f"must not hold {' '.join(refused)}.": bool(refused),
    }
    return [said for said, broken in rules.items() if broken]
