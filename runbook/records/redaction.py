"""The one redaction: nothing that is written passes by it unscrubbed.

Two nets, one behind the other. *By structure*: values under telling names (``secretText``, ``access_token``,
``Authorization``, …) and values of telling shape (JWT, PEM private key, ``v1.<region>.<token>`` of StackOne, Entra ID's
client secrets, Basic and Bearer headers, userinfo of an address), in JSON and in text. *By value*: the exact secrets
that this process knows (:func:`register`), also URL-encoded, JSON- or HTML-escaped, and inside Base64.
"""

import base64
import datetime
import html
import json
import logging
import re
import threading
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import UUID

from runbook.data import text
from runbook.secrets.reference import KINDS
from runbook.secrets.secret import MASK, Secret, forget_seen, seen

_SHAPES = tomllib.loads(text("records/shapes.toml"))


@dataclass(frozen=True)
class _Rule:
    kind: str
    hints: frozenset[str]
    pattern: re.Pattern[str]
    near: int | None = None
    """A match begins at most so many characters before a hint; None: anywhere."""
    named: bool = False
    """A match begins with a name."""
    before: str = ""
    """A match begins with the last such character before a name."""

    def matches(self, text: str, lowered: str, names: Sequence[int]) -> Iterator[re.Match[str]]:
        """What ``finditer`` finds, tried only where it can begin (``names``: where a name does): far faster."""
        if (starts := names if self.named else self._before(text, lowered, names)) is None:
            yield from self.pattern.finditer(text)
            return
        end = 0
        for start in starts:
            if start >= end and (match := self.pattern.match(text, start)):
                yield match
                end = match.end()

    def _before(self, text: str, lowered: str, names: Sequence[int]) -> list[int] | None:
        if self.before:
            return sorted({text.rfind(self.before, 0, name) for name in names} - {-1})
        if self.near is None:
            return None
        at = _places_of(self.hints, lowered)
        return sorted({start for found in at for start in range(max(0, found - self.near), found + 1)})


def _lowered(text: str) -> bytes:
    """``text`` in lower case as far as a hint can have it; searched as bytes, which is several times as fast."""
    for letter, same in () if text.isascii() else _SAME:
        text = text.replace(letter, same)
    return text.encode("utf-8", "surrogatepass").lower()


def _names(text: str, lowered: str) -> list[int]:
    """Where a telling name begins, looked for once for all rules that need one."""
    starts: list[int] = []
    begin, near = 0, _SHAPES["near"]
    for at in sorted(_places_of(_SHAPES["hints"], lowered)):
        windows = _NAME.finditer(text, max(begin, at - near), at + 2 * near)
        starts += [start for found in windows if (start := found.start()) <= at]
        begin = at + 1
    return starts


def _places_of(forms: Iterable[str], text: str) -> set[int]:
    return {found.start() for form in forms if form in text for found in re.finditer(re.escape(form), text)}


def _pattern(pattern: str, any_case: bool) -> re.Pattern[str]:
    for name, part in _SHAPES["parts"].items():
        pattern = pattern.replace(f"{{{name}}}", part)
    return re.compile(pattern, re.IGNORECASE if any_case else 0)


def _rule(
    kind: str, pattern: str, hints: Sequence[str] = _SHAPES["hints"], *, any_case: bool = False, **where: Any
) -> _Rule:
    return _Rule(kind, frozenset(hints), _pattern(pattern, any_case), named=hints is _SHAPES["hints"], **where)


_RULES = tuple(_rule(**row) for row in _SHAPES["rules"])
_HINTS = sorted({(hint.encode(), hint) for rule in _RULES for hint in rule.hints})
_NAME = _pattern("(?={NAMES}|token)", any_case=True)
# What may stand where a secret would: a mask, nothing, a type, or the reference under which a secret is kept.
_HARMLESS = re.compile(
    r"\*+|…|\.\.\.|None|null|true|false|str|bytes|Secret|Basic|Bearer|Secret\('?\*+'?\)?"
    rf"|(?:{'|'.join(re.escape(kind.name) for kind in KINDS)}):.*",
    re.IGNORECASE,
)
_LONG = 1 << 16  # characters: a panel with its style sheet has some 20,000, a whole notebook some 80,000
_CODE_WORDS = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)*|AADSTS\d+")

_SHORTEST = 6
"""A known value with fewer characters cannot be told from ordinary text; it is masked under its name only."""


@dataclass(frozen=True)
class Finding:
    """A secret found in a text: its kind, the line it is on (from 1) and the offset; never the value."""

    kind: str
    line: int
    offset: int

    def __str__(self) -> str:
        return f"{self.kind} on line {self.line} (character {self.offset})"


_LIBRARIES = frozenset({"azure", "httpcore", "httpx", "msal", "requests", "runbook", "stamina", "urllib3"})
# httpcore shows headers as pairs of bytes.
_PAIR = re.compile(r"(?i)(b?'(?:set-cookie|cookie|location|(?:proxy-)?authorization)', b?)('[^']*'|\"[^\"]*\")")
_ANSI = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]")

_SAME = [*zip("\u017f\u212a\u0130\u0131", "skii", strict=True)]  # for re.IGNORECASE
_lock = threading.Lock()
_known: set[str] = set()
# By a part of them: only where that part stands is the rest compared.
_known_forms: dict[str, set[str]] = {}


def register(*secrets: Secret | str) -> None:
    """Make exact values known to this process, so that they are masked wherever they stand, in whatever encoding.

    Values shorter than :data:`_SHORTEST` are left to their names.
    """
    global _known_forms
    values = {secret.reveal() if isinstance(secret, Secret) else secret for secret in secrets}
    with _lock:
        new = {value for value in values if len(value) >= _SHORTEST and value != MASK} - _known
        if new:
            forms = {part: {*of} for part, of in _known_forms.items()}  # others may be reading what is there
            for value, form in [(one, form) for one in new for form in _encodings(one) if len(form) >= _SHORTEST]:
                stem = max(re.findall("[A-Za-z0-9]{6,}", value), key=len, default="%")  # unchanged but in Base64
                forms.setdefault(stem if stem in form else form, set()).add(form)
            _known_forms = forms
            _known.update(new)  # last: what was searched is remembered by how many they are


def _learn() -> None:
    """Whatever was ever held as a :class:`Secret` here is known without being registered."""
    if new := seen() - _known:
        register(*new)


def forget() -> None:
    """Forget every known value (between the tests of one process)."""
    global _known_forms
    forget_seen()
    with _lock:
        _known.clear()
        _known_forms = {}
        _seen_spans.cache_clear()
        _seen_long_spans.cache_clear()


def scrub(value: Any) -> Any:
    """The same shape with every secret masked: text, or what JSON can hold (tuples and sets become lists).

    Paths, dates, UUIDs and enumerations become their text. Raises ``TypeError`` for anything else: an object of
    unknown form could show a secret.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Enum):
        return scrub(value.value)
    if isinstance(value, str):
        return scrub_text(value)
    if isinstance(value, bytes):
        return scrub_text(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, Mapping):
        return {scrub_text(str(name)): _scrub_member(str(name), member) for name, member in value.items()}
    if isinstance(value, set | frozenset):
        return [scrub(member) for member in sorted(value, key=repr)]
    if isinstance(value, list | tuple):
        return _scrub_lines(value) or [scrub(member) for member in value]
    if isinstance(value, PurePath | UUID | datetime.date | datetime.time):
        return scrub_text(str(value))
    raise TypeError(f"{type(value).__name__} is not written into a record; give its plain form")


def scrub_text(text: str) -> str:
    """``text`` with every secret masked.

    Terminal colours can stand inside a secret (coloured tracebacks): where they do, the text comes back without them.
    """
    scrubbed = _scrub_plain(_scrub_json(text))
    if "\x1b[" in scrubbed:
        plain_text = plain(scrubbed)
        without_colours = _scrub_plain(plain_text)
        if without_colours != plain_text:
            return without_colours
    return scrubbed


def _scrub_json(text: str) -> str:
    """A text that is JSON is scrubbed by its structure, and comes back as it was if there is nothing to mask."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return text
    try:
        value = json.loads(text)
        scrubbed = scrub(value)
    except (ValueError, RecursionError):
        return text
    return text if scrubbed == value else json.dumps(scrubbed, ensure_ascii=False)


def plain(text: str) -> str:
    """``text`` without terminal colours."""
    return _ANSI.sub("", text)


def find(text: str) -> tuple[Finding, ...]:
    """Where secrets stand in ``text``: what a scan of a finished file must not find."""
    if not (spans := _spans(text)):
        return ()
    return tuple(Finding(kind, text.count("\n", 0, start) + 1, start) for kind, start, _ in sorted(spans, key=_start))


def _scrub_plain(text: str) -> str:
    # Each pass may join texts into a new telling shape only by masks, which are harmless: two passes settle it.
    for _ in range(2):
        spans = sorted(_spans(text), key=_start)
        if not spans:
            return text
        text = "".join(_pieces(text, spans))
    return text


def _pieces(text: str, spans: list[tuple[str, int, int]]) -> Iterator[str]:
    position = 0
    for _kind, start, end in spans:
        if end <= position:
            continue
        if start >= position:
            yield text[position:start]
            yield MASK
        position = end
    yield text[position:]


def _spans(text: str) -> tuple[tuple[str, int, int], ...]:
    if len(text) < _SHORTEST:  # no shape is shorter
        return ()
    _learn()
    return (_seen_spans if len(text) < _LONG else _seen_long_spans)(text, len(_known))


def _all_spans(text: str, _values: int) -> tuple[tuple[str, int, int], ...]:
    """Papermill saves a notebook several times, and what is sealed was searched as it was written: by as many."""
    return (*_found_spans(text),)


_seen_spans, _seen_long_spans = lru_cache(2048)(_all_spans), lru_cache(32)(_all_spans)


def _found_spans(text: str) -> Iterator[tuple[str, int, int]]:
    # Plain searches: far faster than one pattern of hundreds of alternatives.
    for form in [form for part, forms in _known_forms.items() if part in text for form in forms]:
        # RFC 3986 section 2.1: the case of a percent-encoding's digits says nothing.
        matches = re.finditer(re.escape(form), text, re.IGNORECASE if "%" in form else 0)
        yield from (("known value", found.start(), found.end()) for found in matches)
    lower = _lowered(text)
    if not (hints := [hint for sought, hint in _HINTS if sought in lower]):
        return
    lowered = lower.decode("utf-8", "surrogatepass")  # as long as the text
    names = _names(text, lowered)
    for rule in [rule for rule in _RULES if not rule.hints.isdisjoint(hints)]:
        for match in rule.matches(text, lowered, names):
            start, end = match.span("secret")
            if not _HARMLESS.fullmatch(text, start, end):
                yield rule.kind, start, end


def _start(span: tuple[str, int, int]) -> tuple[int, int]:
    return span[1], -span[2]


def _scrub_lines(members: Sequence[Any]) -> list[str]:
    """A text that is kept as a list of its lines (nbformat on disk) is one text: a private key has many lines."""
    if len(members) < 2 or not all(isinstance(line, str) for line in members):
        return []
    text = "".join(members)
    if "PRIVATE KEY" not in text and not all(line.endswith("\n") for line in members[:-1]):
        return []
    scrubbed = scrub_text(text)
    return list(members) if scrubbed == text else scrubbed.splitlines(keepends=True)


def _scrub_member(name: str, member: Any) -> Any:
    if _is_secret_name(name):
        return _mask_leaves(member)
    if isinstance(member, str) and _is_authorization_code(name, member):
        return MASK
    return scrub(member)


def _mask_leaves(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {scrub_text(str(name)): _mask_leaves(member) for name, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_mask_leaves(member) for member in value]
    if isinstance(value, str) and (not value or _HARMLESS.fullmatch(value)):
        return value
    return MASK


def _is_secret_name(name: str) -> bool:
    """Whether what stands under ``name`` in JSON is a secret."""
    bare = name.lower().replace("_", "").replace("-", "")
    return bare in _SHAPES["names"] or bare.endswith(tuple(_SHAPES["endings"]))


def _is_authorization_code(name: str, value: str) -> bool:
    """An authorization code is long and random; an error code is short, or words joined by underscores."""
    return name.lower() == "code" and len(value) >= 16 and (len(value) >= 48 or not _CODE_WORDS.fullmatch(value))


def _encodings(value: str) -> frozenset[str]:
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
    strict = quote_plus(value).replace("~", "%7E")  # as browsers encode a form (URL standard)
    for form in (quote(value, safe=""), quote(value), quote_plus(value), quote(value, safe="~/+="), strict):
        yield form
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), form)
        yield quote(form, safe="")  # an address inside an address


def _in_base64(value: bytes) -> Iterator[str]:
    """The characters that ``value`` makes of any Base64 text around it, for each of the three alignments."""
    for shift in range(3):
        first = -(-shift * 8 // 6)  # the first character that depends on the value alone
        last = (shift + len(value)) * 8 // 6  # the character after the last one that does
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            form = encode(b"\0" * shift + value).decode()[first:last]
            if len(form) >= 8:
                yield form


def scrub_logs() -> None:
    """From now on no record of these libraries' loggers, at any level, leaves with a secret; once is enough.

    What libraries log at their loudest holds tokens, codes and cookies: it is scrubbed as it is logged.
    """
    make = logging.getLogRecordFactory()
    if not isinstance(make, _Scrubbing):
        logging.setLogRecordFactory(_Scrubbing(make))


class _Scrubbing:
    """A factory of log records around another one. Loggers that are off never come here."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *args: Any, **options: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*args, **options)
        if record.name.partition(".")[0] in _LIBRARIES:
            text = _PAIR.sub(rf"\1'{MASK}'", record.getMessage())
            record.msg, record.args = scrub_text(text), None
        return record
