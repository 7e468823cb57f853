"""How secrets look: the names that they stand under and the shapes that they have, in JSON and in text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbook.secrets.kinds import KINDS

# Names as compared: lower case, without "_" and "-". OAuth 2.0 (RFC 6749, 7521, 7636, 8628), Graph, StackOne, HTTP.
_SECRET_NAMES = frozenset(
    (
        *("secrettext", "clientsecret", "secretvalue", "accesstoken", "refreshtoken", "idtoken", "sessiontoken"),
        *("authtoken", "bearertoken", "token", "password", "passwd", "passphrase", "assertion", "clientassertion"),
        *("samlresponse", "devicecode", "codeverifier", "apikey", "privatekey", "authorization"),
        *("proxyauthorization", "cookie", "setcookie"),
    )
)
_SECRET_ENDINGS = (
    "secrettext",
    "clientsecret",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "password",
    "apikey",
    "privatekey",
)

# Names as found in text, with quotes of JSON, Python, HTML and nested escaping around them.
_QUOTE = r"(?:\\*[\"']|&quot;|&\#34;|&\#0?39;|&\#x27;|%22|%27)"
# To the closing quote of the same nesting: an escaped quote inside the value has one backslash more before it.
_UP_TO_QUOTE = r"(?P<secret>(?:(?!(?<!\\)(?P=quote))[^\n])+)"
_NAMES = (
    r"(?:secret_?-?text|client_?-?secret(?:_?-?value)?|secret_?-?value|(?:access|refresh|id|session|auth|bearer)_?-?token"
    r"|(?:new_?|current_?)?password|passwd|passphrase|(?:client_?-?)?assertion|SAMLResponse|device_?-?code"
    r"|code_?-?verifier|(?:x-|stackone_?)?api_?-?key|private_?-?key|(?:proxy-)?authorization|(?:set-)?cookie)"
)
_NAME_START = r"(?<![A-Za-z0-9])"
_NAME_END = r"(?![A-Za-z0-9_-])"


@dataclass(frozen=True)
class _Rule:
    kind: str
    hints: tuple[str, ...]  # without one of these (in lower case) there is nothing to search for: most texts are short
    pattern: re.Pattern[str]  # its group "secret" is what must not be seen


def _rule(kind: str, hints: str, pattern: str, flags: int = 0) -> _Rule:
    return _Rule(kind, tuple(hints.split("|")), re.compile(pattern, flags))


_HINTS = "secret|token|passw|passphrase|assertion|samlresponse|code|key|authorization|cookie"


RULES: tuple[_Rule, ...] = (
    _rule(
        "private key",
        "private key",
        r"(?P<secret>-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:(?!-----)[\s\S])*"
        r"(?:-----END [A-Z0-9 ]*PRIVATE KEY-----)?)",
    ),
    _rule("JSON web token", "eyj", r"(?<![A-Za-z0-9_-])(?P<secret>eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){1,4})"),
    _rule("StackOne API key", "v1.", r"(?<![A-Za-z0-9.])(?P<secret>v1\.[a-z][a-z0-9-]*\.[A-Za-z0-9_~+/=.-]{12,})"),
    _rule("client secret of Entra ID", "q~", r"(?P<secret>[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34})"),
    _rule(
        "refresh token of Entra ID",
        ".a",
        r"(?<![A-Za-z0-9._-])(?P<secret>[01]\.A[A-Za-z0-9_-]{60,}(?:\.[A-Za-z0-9_-]+)*)",
    ),
    # "Basic authentication" and 'Bearer realm=""' are words, not credentials: a credential is not all lower case.
    _rule(
        "credentials of a header",
        "basic|bearer",
        r"(?i:\b(?:Basic|Bearer))\s+(?P<secret>(?![a-z]+\b)[A-Za-z0-9._~+/-]{8,}=*)",
    ),
    _rule("userinfo of an address", "://", r"[A-Za-z][A-Za-z0-9+.-]{0,30}://(?P<secret>[^/\s:@\"'<>]*:[^/\s@\"'<>]+)@"),
    _rule(
        "named value",
        _HINTS,
        rf"{_NAME_START}{_NAMES}{_NAME_END}{_QUOTE}?\]?\s*(?:=|:|=&gt;|%3D)\s*\[?\s*"
        rf"[bfr]?(?P<quote>{_QUOTE}){_UP_TO_QUOTE}",
        re.IGNORECASE,
    ),
    _rule(
        "named value of a form",
        _HINTS,
        rf"(?:{_NAME_START}{_NAMES}|(?<![A-Za-z0-9_$])token)(?:=|%3D)(?P<secret>[^\s&;,\"'<>\\)\]}}]+)",
        re.IGNORECASE,
    ),
    _rule(
        "named value of a header",
        _HINTS,
        rf"{_NAME_START}{_NAMES}{_NAME_END}:[ \t]*(?:(?:Basic|Bearer)[ \t]+)?"
        r"(?P<secret>[^\s&;,\"'<>\\(){}\[\]]{6,})",
        re.IGNORECASE,
    ),
    _rule("cookies of a header", "cookie", r"\b(?:set-)?cookie:[ \t]*(?P<secret>[^\s\"'][^\r\n]{3,})", re.IGNORECASE),
    _rule(
        "named value of a table",
        "</t",
        rf">\s*[\w.-]{{0,40}}?{_NAMES}\s*</t[dh]>\s*<t[dh][^>]*>(?P<secret>[^<]+)<",
        re.IGNORECASE,
    ),
    _rule("token of an answer", "token", rf"{_QUOTE}token{_QUOTE}\s*:\s*(?P<quote>{_QUOTE}){_UP_TO_QUOTE}"),
    _rule("authorization code", "code=", r"(?:^|[?&#]|&amp;)code=(?P<secret>[^\s&\"'<>#\\]{16,})"),
)
# What may stand where a secret would: a mask, nothing, a type, or the reference under which a secret is kept.
HARMLESS = re.compile(
    r"\*+|…|\.\.\.|None|null|true|false|str|bytes|Secret|Basic|Bearer|Secret\('?\*+'?\)?"
    rf"|(?:{'|'.join(re.escape(kind.name) for kind in KINDS)}):.*",
    re.IGNORECASE,
)
_CODE_WORDS = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)*|AADSTS\d+")


def is_secret_name(name: str) -> bool:
    """Whether what stands under ``name`` in JSON is a secret."""
    bare = name.lower().replace("_", "").replace("-", "")
    return bare in _SECRET_NAMES or bare.endswith(_SECRET_ENDINGS)


def is_authorization_code(name: str, value: str) -> bool:
    """An authorization code is long and random; an error code is short, or words joined by underscores."""
    return name.lower() == "code" and len(value) >= 16 and (len(value) >= 48 or not _CODE_WORDS.fullmatch(value))
