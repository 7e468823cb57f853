"""The forms in which a value can stand in a file: as it is, URL-encoded, JSON- or HTML-escaped, inside Base64."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus


def encodings(value: str) -> frozenset[str]:
    """Every form of ``value`` that is worth looking for, itself among them."""
    return frozenset({value, *_escaped(value), *_url_encoded(value), *_in_base64(value.encode())})


def _escaped(value: str) -> Iterator[str]:
    yield repr(value)[1:-1]
    yield html.escape(value, quote=False)
    quoted = html.escape(value)  # ' becomes &#x27; other libraries (markupsafe, JavaScript) write &#39; and &#34;
    yield quoted
    yield quoted.replace("&#x27;", "&#39;")
    yield quoted.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]  # JSON in a string of JSON


def _url_encoded(value: str) -> Iterator[str]:
    for form in (quote(value, safe=""), quote(value), quote_plus(value), quote(value, safe="~/+="), _strict(value)):
        yield form
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), form)
        yield quote(form, safe="")  # an address inside an address


def _strict(value: str) -> str:
    """As browsers encode a form (application/x-www-form-urlencoded of the URL standard): also ``~``."""
    return quote_plus(value).replace("~", "%7E")


def _in_base64(value: bytes) -> Iterator[str]:
    """The characters that ``value`` makes of any Base64 text around it, for each of the three alignments."""
    for shift in range(3):
        first = -(-shift * 8 // 6)  # the first character that depends on the value alone
        last = (shift + len(value)) * 8 // 6  # the character after the last one that does
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            form = encode(b"\0" * shift + value).decode()[first:last]
            if len(form) >= 8:
                yield form
