"""What no service would answer is refused before it costs memory or time, and the outcome is noted."""

from __future__ import annotations

import gzip
import itertools

import pytest

from runbook.clients import bounded
from runbook.clients.http import Session
from runbook.clients.retry import Pace
from runbook.errors import TransportError

from .conftest import Log
from .service import Reply, Service

NESTED = b"[" * 500 + b"]" * 500
BAD = {
    "a body without end": (Reply(200, b'"' + b"x" * (bounded.LARGEST + 10) + b'"'), "larger"),
    "a small one that unpacks into one without end": (
        Reply(200, gzip.compress(b" " * (bounded.LARGEST + 10)), {"content-encoding": "gzip"}),
        "larger",
    ),
    "JSON nested without end": (Reply(200, b"[" * 200_000), "nested"),
    "JSON nested deeper than any answer": (Reply(200, NESTED), "nested"),
    "a body that is not what it is packed as": (Reply(200, b"plain", {"content-encoding": "gzip"}), "usable"),
    "a number of many digits": (Reply(200, b'{"a": ' + b"9" * 10_000 + b"}"), "cut off"),
}


@pytest.mark.parametrize(("reply", "says"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_is_an_error_in_words_and_its_outcome_is_noted(
    method: str, reply: Reply, says: str, service: Service, session: Session, log: Log
) -> None:
    service.on(method, "/ping", reply)
    with pytest.raises(TransportError, match=says) as refused:
        session.request(method, "/ping")
    assert refused.value.maybe_applied is (method == "POST")
    kind, noted = log.lines[-1]
    assert kind == ("outcome" if method == "POST" else "call")
    assert noted["error"]


def test_headers_that_drip_in_forever_end_in_a_timeout(service: Service, pace: Pace) -> None:
    service.on("GET", "/ping", Reply(200, {}, drip_head=0.02))
    once = pace.model_copy(update={"attempts": 1, "whole": 0.2})
    with (
        Session(service.base, "graph", pace=once, ca_file=service.ca_file) as session,
        pytest.raises(TransportError, match="took over"),
    ):
        session.request("GET", "/ping")


@pytest.mark.parametrize("charset", ["klingon", "base64", "hex", "utf-16", "undefined", "idna", '"x'])
def test_letters_that_nobody_knows_are_no_reason_to_fall(charset: str, service: Service, session: Session) -> None:
    service.on("GET", "/ping", Reply(200, b"pong", {"content-type": f"text/plain; charset={charset}"}))
    assert session.request("GET", "/ping").status == 200


def test_an_answer_of_a_sensible_size_and_depth_passes(service: Service, session: Session) -> None:
    deep: object = 1
    for _ in range(bounded._DEEPEST - 10):
        deep = [deep]
    service.on("GET", "/ping", Reply(200, {"value": ["x" * 100] * 50_000, "deep": deep}))
    assert session.request("GET", "/ping").ok


def test_a_list_whose_pages_are_always_new_ends_all_the_same() -> None:
    pages = bounded.Pages("GET /users")
    with pytest.raises(TransportError, match=r"\d{4,6} pages were read"):
        _exhaust(pages)


def _exhaust(pages: bounded.Pages) -> None:
    for number in itertools.count():
        pages.turn(f"page {number}")
