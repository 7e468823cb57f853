"""The one transport: every request of the product, to Entra ID, Microsoft Graph and StackOne, goes out here.

TLS is always verified, everything has a timeout, every call is journaled (a write before it goes out and
again after), and the one retry loop of :mod:`runbook.clients.retry` stands behind it. What an answer *means* is the
business of the service's own client; here only the absence of a usable answer is an error.
"""

import datetime
import os
import ssl
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import httpx

from runbook.clients import bounded, retry
from runbook.clients.answers import told
from runbook.clients.bounded import OutOfBounds, Unreadable
from runbook.clients.calls import CallLog, NoLog, shown_path
from runbook.clients.retry import Pace
from runbook.clients.target import Target, tls_context
from runbook.errors import InputError, Problem, RunbookError, TransportError
from runbook.version import VERSION

Effect = Literal["read", "write"]

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_LAST_PORT = 65_535
_PASSING = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, read whole. ``body`` is the parsed JSON, ``None`` when there is none.

    ``ticket``: of a write, the number under which a journal announced it.
    """

    status: int
    headers: Mapping[str, str]
    text: str = field(repr=False)
    body: Any = field(repr=False)
    request_id: str | None = None
    ticket: object = None

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def object(self, call: str) -> dict[str, Any]:
        """The body as an object. Raises :class:`TransportError` when it is none; ``call`` names what was asked."""
        if not isinstance(self.body, dict):
            raise TransportError(f"{call} answered {self.status} without an object.")
        return self.body


@dataclass
class _Call:
    """One logical call: what is journaled about it, and what the attempts share."""

    method: str
    url: str
    effect: Effect
    repeatable: bool
    fields: dict[str, Any]
    options: dict[str, Any] = field(repr=False)
    attempt: int = 1


_PATIENT = 2  # attempts of which nothing is said
listeners: list[Callable[[str], None]] = []
"""Who, in this process, hears in words what is asked for again and again."""


class _Busy(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


class Session:
    """A connection to one service at ``base`` (scheme, host and path prefix, without trailing slash).

    ``ca_file`` is the only trusted CA when given, and then nothing of the environment (CA variables, proxies) is used;
    without it the system's store, the usual CA variables and proxies apply. ``pinned`` refuses addresses of other
    hosts, so that a link in an answer can never carry a token elsewhere. ``direct``: no proxy is asked.
    """

    def __init__(
        self,
        base: str,
        service: str,
        *,
        pace: Pace,
        ca_file: Path | None = None,
        auth: httpx.Auth | None = None,
        journal: CallLog | None = None,
        pinned: bool = True,
        direct: bool = False,
    ) -> None:
        self.base = base.rstrip("/")
        self.service = service
        self.pace = pace
        self.journal: CallLog = journal or NoLog()
        self._pinned = pinned
        self.clock_offset: float | None = None
        """Seconds that the service's clock is ahead of this machine's, by the Date of its latest answer."""
        self.writes = 0
        """How many writes were begun, so that whoever remembers what was read knows when to forget it."""
        self._spacing = _spacing_of(self.base)
        self._client = bounded.bound(
            _opened(
                verify=tls_context(ca_file),
                trust_env=ca_file is None and not direct,
                auth=auth,
                timeout=httpx.Timeout(pace.read, connect=pace.connect, pool=pace.connect),
                headers={"user-agent": f"entra-id-runbook/{VERSION}", "accept": "application/json"},
                follow_redirects=False,
            )
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def now(self) -> datetime.datetime:
        """The time by the service's clock (UTC), as far as it is known."""
        return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.clock_offset or 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        effect: Effect | None = None,
        repeatable: bool | None = None,
        note: Mapping[str, Any] | None = None,
        outcome: Callable[[Answer], Mapping[str, Any]] | None = None,
    ) -> Answer:
        """Send one call and return its answer, whatever its status.

        ``path`` is relative to the base, or a whole address on the same host. ``effect`` may be given for a POST that
        only reads; ``repeatable`` for a read that may be sent once only (a code to redeem). ``note`` goes into the
        journal with the call, and what ``outcome`` makes of the answer with its outcome. Raises
        :class:`TransportError`; it says whether a write may have been applied.
        """
        url = with_query(self._address(path), params)
        effect = effect or ("read" if method in _READS else "write")
        self.writes += effect == "write"
        call_id = str(uuid.uuid4())
        host = httpx.URL(url).netloc.decode("ascii")
        fields = {"service": self.service, "host": host, "method": method, "path": shown_path(url)}
        fields |= {"effect": effect, "client_request_id": call_id, **(note or {})}
        options = {"json": json, "data": form, "headers": {"client-request-id": call_id, **(headers or {})}}
        call = _Call(method, url, effect, effect == "read" if repeatable is None else repeatable, fields, options)
        if self.pace.spaced:
            threading.Event().wait(self._spacing.delay(urlsplit(url).path.removeprefix("/v1.0"), time.monotonic()))
        return self._journaled(call, outcome or _made)

    def settled(self, ticket: object, *, applied: bool, created: bool = False) -> None:
        """Journal what reading has shown of a write (by its ticket) whose answer left open whether it was applied."""
        self.journal.settled(ticket, applied=applied, created=created)

    def _journaled(self, call: _Call, outcome: Callable[[Answer], Mapping[str, Any]]) -> Answer:
        ticket = self.journal.intent(**call.fields) if call.effect == "write" else None
        started = time.monotonic()
        result: dict[str, Any] = {"status": None, "request_id": None}
        failure: RunbookError | None = None
        answer: Answer | None = None
        try:
            answer = self._attempts(call)
            result = {"status": answer.status, "request_id": answer.request_id}
        except (httpx.HTTPError, Unreadable) as error:
            failure = _failure(error, call, _proxy_of(call.url) if self._client.trust_env else None)
        except RunbookError as error:
            failure = error  # no token: nothing was sent
        if failure is not None:
            result["error"] = failure.what
        result |= {"ms": round((time.monotonic() - started) * 1000), "retries": call.attempt - 1}
        if call.effect == "write":
            if answer is not None and answer.ok:
                result |= outcome(answer)
            elif _uncertain(answer, failure):
                result["uncertain"] = True
            self.journal.outcome(ticket, **{**call.fields, **result})
        else:
            self.journal.call(**call.fields, **result)
        if answer is None:
            # Raised outside the except block: httpx's error refers to the request, whose body may hold a secret.
            failure = failure or TransportError(f"{call.method} {call.fields['path']} was not sent.")
            failure.ticket = ticket
            raise failure
        return replace(answer, ticket=ticket)

    def _attempts(self, call: _Call) -> Answer:
        try:
            for attempt in retry.attempts(self.pace, lambda error: self._again(error, call)):
                call.attempt = attempt.num
                for tell in listeners if attempt.num > _PATIENT else ():
                    tell(f"waiting for an answer of {call.fields['host']}: asked {attempt.num} times")
                with attempt:
                    answer = self._once(call)
                    if answer.status in retry.statuses("busy", *(("uncertain",) if call.repeatable else ())):
                        raise _Busy(answer)
                    return answer
        except _Busy as busy:
            return busy.answer
        raise AssertionError("the retry loop ends by returning or raising")

    def _once(self, call: _Call) -> Answer:
        with bounded.Deadline(self.pace.whole), self._client.stream(call.method, call.url, **call.options) as response:
            raw = bounded.content(response.iter_bytes())
        headers = response.headers
        self.clock_offset = retry.clock_offset(headers)
        text = bounded.text(raw, response.charset_encoding)
        body = None
        if text.strip() and "json" in headers.get("content-type", ""):
            try:
                body = bounded.parsed(text)
            except Unreadable:
                # The status of a refusal says enough; a success that cannot be read says nothing.
                if response.is_success:
                    raise
        request_id = headers.get("request-id") or headers.get("x-ms-request-id") or headers.get("x-request-id")
        return Answer(response.status_code, headers, text, body, request_id)

    def _again(self, error: Exception, call: _Call) -> bool | float:
        """Whether (and after how many seconds) to ask again after ``error``."""
        if isinstance(error, _Busy):
            if error.answer.status not in retry.statuses("not_applied") and not call.repeatable:
                return False
            asked = retry.retry_after(error.answer.headers)
            if asked is not None and asked > self.pace.longest_retry_after:
                return False
            return asked or True
        if isinstance(error, _UNSENT):
            return not _is_tls(error)
        return call.repeatable and isinstance(error, (*_PASSING, Unreadable))

    def _address(self, path: str) -> str:
        if not path.startswith(("http://", "https://")):
            return f"{self.base}/{path.lstrip('/')}"
        ours, theirs = urlsplit(self.base), urlsplit(path)
        if self._pinned and (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            raise TransportError.named("another_host", ours=ours.netloc, theirs=theirs.netloc)
        return path


class Client:
    """A client of one service of a target: a session at a pace, closed with it. Safe to use from several threads."""

    def __init__(
        self, target: Target, base: str, service: str, auth: httpx.Auth | None, journal: CallLog | None
    ) -> None:
        self.pace = target.pace
        ca_file = target.endpoints.ca_file
        self.session = Session(base, service, pace=self.pace, ca_file=ca_file, auth=auth, journal=journal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.session.close()


class Spacing:
    """Keeps requests apart where the service documents a rate and sends no Retry-After."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}

    def delay(self, path: str, now: float) -> float:
        """Seconds to wait before a request to ``path`` at ``now``; takes the turn."""
        paths, seconds = retry.spacing(path)
        if not seconds:
            return 0
        with self._lock:
            start = max(now, self._next.get(paths, now))
            self._next[paths] = start + seconds
        return start - now


_spacings: defaultdict[str, Spacing] = defaultdict(Spacing)


class _NoCookies(httpx.Cookies):
    """Keeps none: no service here is signed in to by one."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Nothing."""


def _opened(**options: Any) -> httpx.Client:
    try:
        proxies = [value for name, value in getproxies_environment().items() if name in ("http", "https", "all")]
        if options["trust_env"] and any((httpx.URL(each).port or 0) > _LAST_PORT for each in proxies):
            raise ValueError("a port out of range would be taken modulo 65536")
        client = httpx.Client(**options)
    except (httpx.InvalidURL, ValueError, ImportError) as error:
        # The library's words may hold a part of the address, and that a password.
        wrong = "needs the library socksio" if isinstance(error, ImportError) else "is no address of a proxy"
        named = sorted(name for name, value in os.environ.items() if value and name.lower().endswith("_proxy"))
        raise InputError(Problem(", ".join(named), f"what one of these variables holds {wrong}.")) from None
    client._cookies = _NoCookies()
    return client


def _proxy_of(url: str) -> str | None:
    """The variable whose proxy leads to ``url``, as httpx reads the environment; ``None`` where there is none."""
    if proxy_bypass(urlsplit(url).hostname or ""):
        return None
    names = (
        name for scheme in (urlsplit(url).scheme, "all") for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    )
    return next((name for name in names if os.environ.get(name)), None)


def _spacing_of(base: str) -> Spacing:
    """The turns at the service at ``base``, one for all sessions of this process: it counts by tenant, not by token."""
    return _spacings[base]


def with_query(url: str, params: Mapping[str, str] | None) -> str:
    """``url`` with ``params`` added to the query that it has; httpx would put them in its place."""
    if not params:
        return url
    return url + ("&" if "?" in url else "?") + urlencode(params, quote_via=quote, safe="$")


def _made(answer: Answer) -> Mapping[str, Any]:
    """The id of what a write made or changed, where its answer says one."""
    body = answer.body if isinstance(answer.body, dict) else {}
    made = body.get("id") or body.get("keyId")
    return {"id": made} if isinstance(made, str) else {}


def _uncertain(answer: Answer | None, failure: RunbookError | None) -> bool:
    if answer is None:
        return isinstance(failure, TransportError) and failure.maybe_applied
    return answer.status in retry.statuses("uncertain")


def _is_tls(error: BaseException | None) -> bool:
    return any(isinstance(cause, ssl.SSLError) or "CERTIFICATE_VERIFY" in str(cause) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _failure(error: httpx.HTTPError | Unreadable, call: _Call, proxy: str | None) -> TransportError:
    """Our error for ``error``: plain words, and no reference to httpx's objects, which hold the request's body."""
    reason = (str(error) or type(error).__name__) + (f" (by the proxy that {proxy} names)" if proxy else "")
    what = f"{call.method} {call.fields['path']} at {call.fields['host']} brought no usable answer: {reason}."
    broken = _broken(error, call)
    return told(
        TransportError(what, maybe_applied=broken in ("sent", "bounds") and call.effect == "write"), broken=broken
    )


def _broken(error: httpx.HTTPError | Unreadable, call: _Call) -> str:
    """How the connection failed, as the table of answers names it."""
    if _is_tls(error):
        return "untrusted"
    kinds = (("proxy", httpx.ProxyError), ("bounds", OutOfBounds), ("unsent", _UNSENT))
    otherwise = "sent" if call.effect == "write" else "unanswered"
    return next((name for name, kind in kinds if isinstance(error, kind)), otherwise)
