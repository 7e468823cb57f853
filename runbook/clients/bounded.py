"""Answers from the net in bounds: how large, how deep, in how many pages, in which letters, and until when.

A service that was taken over, or a proxy on the way to it, can send anything. What goes beyond these bounds is no
answer of Microsoft Graph or StackOne, and is refused before it costs memory or time without end.
"""

import json
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from runbook.errors import TransportError

LARGEST = 64 << 20
"""Bytes of one answer after decompression; a page of 999 users with every property has some 5 MiB."""
_DEEPEST, _NESTED = 100, (dict, list)
_MOST_PAGES = 10_000  # of 100 items at least: more than any list that is read whole here


class OutOfBounds(httpx.DecodingError):
    """The answer is none that the service would give; nothing of it was used."""


class Unreadable(Exception):
    """The answer says that it is JSON and is none: it was cut on the way."""


_now = threading.local()


class Pages:
    """The pages of one list, in their order: none comes twice, and none is without end. ``call`` names the list."""

    def __init__(self, call: str) -> None:
        self._call = call
        self._turned: set[str] = set()

    def turn(self, page: object) -> None:
        """Go on to ``page``: its address, its cursor, or what is in it. Raises :class:`TransportError`."""
        if not isinstance(page, str) or page in self._turned or len(self._turned) >= _MOST_PAGES:
            raise TransportError.named("endless_pages", call=self._call, count=len(self._turned))
        self._turned.add(page)


class Deadline:
    """For the calls of this thread within the context: everything must have arrived ``seconds`` from its beginning."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        _now.ends = time.monotonic() + self._seconds
        _now.seconds = self._seconds

    def __exit__(self, *_exc: object) -> None:
        _now.ends = None


class _Stream(httpcore.NetworkStream):
    """A connection on which no single read or TLS handshake outlasts the deadline of its thread."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        ends = getattr(_now, "ends", None)
        if ends is None:
            return self._stream.read(max_bytes, timeout)
        left = ends - time.monotonic()
        try:
            if left > 0:
                return self._stream.read(max_bytes, left if timeout is None else min(timeout, left))
        except httpcore.ReadTimeout:
            if time.monotonic() < ends:
                raise
        raise httpcore.ReadTimeout(f"the answer took over {_now.seconds:.0f} s")

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(*args, **options))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    def connect_tcp(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        return _Stream(super().connect_tcp(*args, **options))


def bound(client: httpx.Client) -> httpx.Client:
    """``client`` with connections that know :class:`Deadline`; httpx's own timeouts begin anew with each piece."""
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = _Backend()
    return client


def content(pieces: Iterable[bytes]) -> bytes:
    """All of an answer. Raises :class:`OutOfBounds` as soon as it is too large."""
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) > LARGEST:
            raise OutOfBounds(f"the answer is larger than {LARGEST >> 20} MiB")
    return bytes(found)


def text(raw: bytes, charset: str | None) -> str:
    """The answer's text; in UTF-8 where it names letters that nobody knows."""
    try:
        return raw.decode(charset or "utf-8", errors="replace")
    except (LookupError, UnicodeError):
        return raw.decode("utf-8", errors="replace")


def parsed(text: str) -> Any:
    """The JSON of an answer. Raises :class:`Unreadable`, or :class:`OutOfBounds` when it is nested too deeply."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise OutOfBounds(f"the answer is nested deeper than {_DEEPEST}") from None
    except ValueError:
        raise Unreadable("the answer is not the JSON that it says it is, as if it had been cut off") from None
    if text.count("{") + text.count("[") <= _DEEPEST:  # nothing is nested deeper than it has brackets
        return value
    level = _within([value])
    for _ in range(_DEEPEST):
        level = [inner for one in level for inner in _within(one)]
        if not level:
            return value
    raise OutOfBounds(f"the answer is nested deeper than {_DEEPEST}")


def _within(value: dict[str, Any] | list[Any]) -> list[Any]:
    members = value.values() if isinstance(value, dict) else value
    return [member for member in members if type(member) in _NESTED]
