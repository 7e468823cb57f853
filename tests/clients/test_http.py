"""The transport, over real TLS sockets."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from runbook.clients.calls import shown_path
from runbook.clients.http import Session, Spacing, _spacing_of
from runbook.clients.retry import Pace
from runbook.errors import InputError, TransportError

from .conftest import Log
from .service import Asked, Reply, Service


@pytest.fixture
def waits() -> Iterator[list[float]]:
    """How long the retry loop decided to wait, each time."""
    found: list[float] = []

    def note(details: RetryDetails) -> None:
        found.append(details.wait_for)

    set_on_retry_hooks([note])
    try:
        yield found
    finally:
        set_on_retry_hooks(None)


def test_a_server_of_an_unknown_ca_is_refused_and_nothing_is_sent(service: Service, other_ca: Path, pace: Pace) -> None:
    with (
        Session(service.base, "graph", pace=pace, ca_file=other_ca) as session,
        pytest.raises(TransportError) as caught,
    ):
        session.request("POST", "/things", json={})
    assert "not trusted" in caught.value.meaning
    assert not caught.value.maybe_applied
    assert service.asked == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_targets_ca_file_beats_the_environment(
    service: Service, other_ca: Path, monkeypatch: pytest.MonkeyPatch, variable: str, pace: Pace
) -> None:
    monkeypatch.setenv(variable, str(other_ca))
    service.on("GET", "/ping", Reply(200, {}))
    with Session(service.base, "graph", pace=pace, ca_file=service.ca_file) as one:
        assert one.request("GET", "/ping").ok


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_without_a_ca_file_the_environments_ca_is_used(
    service: Service, monkeypatch: pytest.MonkeyPatch, variable: str, pace: Pace
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(service.ca_file))
    service.on("GET", "/ping", Reply(200, {}))
    with Session(service.base, "graph", pace=pace) as one:
        assert one.request("GET", "/ping").ok


def test_without_any_ca_the_systems_store_does_not_trust_a_private_ca(
    service: Service, monkeypatch: pytest.MonkeyPatch, pace: Pace
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    with Session(service.base, "graph", pace=pace) as one, pytest.raises(TransportError):
        one.request("GET", "/ping")


def test_a_ca_file_that_is_none_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pace: Pace) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(InputError, match="REQUESTS_CA_BUNDLE"):
        Session("https://localhost:1", "graph", pace=pace)


def test_a_target_with_a_ca_file_ignores_the_environments_proxy(
    service: Service, monkeypatch: pytest.MonkeyPatch, pace: Pace
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    service.on("GET", "/ping", Reply(200, {}))
    with Session(service.base, "graph", pace=pace, ca_file=service.ca_file) as one:
        assert one.request("GET", "/ping").ok


def test_retry_after_is_waited_out_as_given(service: Service, session: Session, waits: list[float]) -> None:
    service.on("GET", "/ping", Reply(429, headers={"retry-after": "0.07"}), Reply(200, {"a": 1}))
    assert session.request("GET", "/ping").body == {"a": 1}
    assert waits == [pytest.approx(0.07)]


@pytest.mark.parametrize("status", [429, 503, 504])
def test_a_busy_read_is_repeated_until_it_succeeds(service: Service, session: Session, status: int) -> None:
    service.on("GET", "/ping", Reply(status), Reply(status), Reply(200, {"a": 1}))
    assert session.request("GET", "/ping").body == {"a": 1}


def test_what_a_service_sets_as_a_cookie_is_not_sent_to_it(service: Service, session: Session) -> None:
    service.on("GET", "/things", Reply(200, {}, headers={"Set-Cookie": "kept=1; Path=/"}))
    for _ in range(2):
        session.request("GET", "/things")
    assert [{name.lower() for name in asked.headers} & {"cookie"} for asked in service.asked] == [set(), set()]


def test_a_service_that_stays_busy_gives_its_last_answer(service: Service, session: Session, pace: Pace) -> None:
    service.on("GET", "/ping", Reply(503))
    assert session.request("GET", "/ping").status == 503
    assert len(service.asked) == pace.attempts


def test_a_retry_after_beyond_patience_is_given_up(service: Service, session: Session, waits: list[float]) -> None:
    service.on("GET", "/ping", Reply(429, headers={"retry-after": "86400"}))
    assert session.request("GET", "/ping").status == 429
    assert waits == []


def test_a_throttled_write_is_repeated(service: Service, session: Session) -> None:
    service.on("POST", "/things", Reply(429), Reply(201, {"id": "1"}))
    assert session.request("POST", "/things", json={}).status == 201


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_write_that_may_have_been_applied_is_not_repeated(service: Service, session: Session, status: int) -> None:
    service.on("POST", "/things", Reply(status))
    assert session.request("POST", "/things", json={}).status == status
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [Reply(reset=True), Reply(201, {"id": "1"}, cut=3), Reply(201, b'{"id": "1')],
    ids=["reset", "cut off", "broken json"],
)
def test_a_write_without_a_whole_answer_is_sent_once(service: Service, session: Session, reply: Reply) -> None:
    service.on("POST", "/things", reply)
    with pytest.raises(TransportError) as caught:
        session.request("POST", "/things", json={})
    assert caught.value.maybe_applied
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [Reply(reset=True), Reply(200, {"id": "1"}, cut=3), Reply(200, b'{"id": "1')],
    ids=["reset", "cut off", "broken json"],
)
def test_a_read_without_a_whole_answer_is_repeated(service: Service, session: Session, reply: Reply) -> None:
    service.on("GET", "/things", reply, Reply(200, {"id": "1"}))
    assert session.request("GET", "/things").body == {"id": "1"}


def test_a_read_that_stays_broken_is_an_error_without_doubt(service: Service, session: Session) -> None:
    service.on("GET", "/things", Reply(200, {"id": "1"}, cut=3))
    with pytest.raises(TransportError) as caught:
        session.request("GET", "/things")
    assert not caught.value.maybe_applied


def test_a_write_to_a_closed_port_was_surely_not_applied(pace: Pace, service: Service, log: Log) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = f"https://localhost:{port}"
    with (
        Session(base, "graph", pace=pace, ca_file=service.ca_file, journal=log) as session,
        pytest.raises(TransportError) as caught,
    ):
        session.request("POST", "/things", json={})
    assert not caught.value.maybe_applied
    assert log.retries == pace.attempts - 1
    assert "uncertain" not in log.lines[-1][1]


def test_a_silent_server_ends_in_a_timeout(service: Service, pace: Pace) -> None:
    service.on("GET", "/ping", Reply(silent=True))
    once = pace.model_copy(update={"attempts": 1, "read": 0.1})
    with Session(service.base, "graph", pace=once, ca_file=service.ca_file) as session, pytest.raises(TransportError):
        session.request("GET", "/ping")


def test_an_answer_that_drips_in_forever_ends_in_a_timeout(service: Service, pace: Pace) -> None:
    service.on("GET", "/ping", Reply(200, {"text": "x" * 2000}, drip=0.02))
    once = pace.model_copy(update={"attempts": 1, "whole": 0.2})
    with (
        Session(service.base, "graph", pace=once, ca_file=service.ca_file) as session,
        pytest.raises(TransportError, match="took over"),
    ):
        session.request("GET", "/ping")


def test_the_intent_of_a_write_is_logged_before_it_goes_out(service: Service, session: Session, log: Log) -> None:
    seen: list[list[str]] = []

    def look(_asked: Asked) -> Reply:
        seen.append([kind for kind, _ in log.lines])
        return Reply(201, {"id": "1"}, headers={"request-id": "r-1"})

    service.on("POST", "/things", look)
    session.request("POST", "/things", json={})
    assert seen == [["intent"]]
    kind, outcome = log.lines[1]
    assert kind == "outcome"
    assert (outcome["ticket"], outcome["status"], outcome["request_id"], outcome["retries"]) == (1, 201, "r-1", 0)


def test_a_write_that_broke_off_has_an_outcome_without_status(service: Service, session: Session, log: Log) -> None:
    service.on("POST", "/things", Reply(reset=True))
    with pytest.raises(TransportError):
        session.request("POST", "/things", json={})
    assert [kind for kind, _ in log.lines] == ["intent", "outcome"]
    assert log.lines[1][1]["status"] is None
    assert log.lines[1][1]["error"]


def test_a_read_is_logged_once_with_its_retries(service: Service, session: Session, log: Log) -> None:
    service.on("GET", "/ping", Reply(429), Reply(200, {}))
    session.request("GET", "/ping", params={"$top": "5"})
    assert [(kind, line["path"], line["retries"], line["status"]) for kind, line in log.lines] == [
        ("call", "/ping?$top=5", 1, 200)
    ]


def test_the_outcome_of_a_write_names_what_was_made(service: Service, session: Session, log: Log) -> None:
    service.on("POST", "/things", Reply(201, {"id": "1", "secretText": "canary"}))
    answer = session.request("POST", "/things", json={})
    kind, outcome = log.lines[1]
    assert (kind, outcome["id"], outcome["ticket"]) == ("outcome", "1", answer.ticket)
    assert "canary" not in json.dumps(log.lines)


@pytest.mark.parametrize("reply", [Reply(503), Reply(200, {"id": "1"}, cut=3)], ids=["503", "cut off"])
def test_a_write_that_may_have_been_applied_is_uncertain_until_it_is_settled(
    reply: Reply, service: Service, session: Session, log: Log
) -> None:
    service.on("POST", "/things", reply)
    try:
        ticket = session.request("POST", "/things", json={}).ticket
    except TransportError as error:
        ticket = error.ticket
    assert log.lines[1][1]["uncertain"]
    session.settled(ticket, applied=True, created=True)
    assert log.lines[2] == ("settled", {"ticket": 1, "applied": True, "created": True})


def test_every_call_carries_its_own_client_request_id(service: Service, session: Session, log: Log) -> None:
    service.on("GET", "/ping", Reply(200, {}))
    session.request("GET", "/ping")
    session.request("GET", "/ping")
    sent = [asked.headers["client-request-id"] for asked in service.asked]
    assert len(set(sent)) == 2
    assert sent == [line["client_request_id"] for _, line in log.lines]


@pytest.mark.parametrize("name", ["code", "client_secret", "client_assertion", "token", "$skiptoken", "unknown"])
def test_a_shown_path_keeps_names_and_drops_values_that_might_be_secret(name: str) -> None:
    shown = shown_path(f"https://host/path/1?{name}=canary&$top=5")
    assert shown == f"/path/1?{name}=…&$top=5"


def test_nothing_sent_in_a_body_or_header_is_logged(service: Service, session: Session, log: Log) -> None:
    service.on("POST", "/token", Reply(200, {"access_token": "canary"}))
    session.request(
        "POST", "/token", form={"client_secret": "canary"}, headers={"x-key": "canary"}, params={"code": "canary"}
    )
    assert "canary" not in json.dumps(log.lines)


def test_an_error_holds_no_reference_to_the_request_body(service: Service, session: Session) -> None:
    service.on("POST", "/token", Reply(reset=True))
    with pytest.raises(TransportError) as caught:
        session.request("POST", "/token", form={"client_secret": "canary"})
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_an_address_of_another_host_is_refused_before_anything_is_sent(service: Service, session: Session) -> None:
    with pytest.raises(TransportError, match="another host"):
        session.request("GET", "https://localhost:1/users")
    with pytest.raises(TransportError, match="another host"):
        session.request("GET", service.base.replace("https", "http") + "/users")
    assert service.asked == []


def test_retries_can_be_switched_off_as_stamina_does(service: Service, session: Session) -> None:
    service.on("GET", "/ping", Reply(503), Reply(200, {}))
    stamina.set_active(False)
    try:
        assert session.request("GET", "/ping").status == 503
    finally:
        stamina.set_active(True)


def test_conditional_access_requests_take_turns_a_second_apart() -> None:
    spacing = Spacing()
    assert spacing.delay("/identity/conditionalAccess/policies", 100.0) == 0
    second = spacing.delay("/identity/conditionalAccess/namedLocations", 100.0)
    assert second >= 1
    assert spacing.delay("/identity/conditionalAccess/policies/1", 100.0) == pytest.approx(2 * second)
    assert spacing.delay("/identity/conditionalAccess/policies/1", 200.0) == 0


def test_all_sessions_at_one_service_take_turns_together() -> None:
    here, there = "https://graph.example", "https://graph.example.org"
    assert _spacing_of(here).delay("/identity/conditionalAccess/policies", 100.0) == 0
    assert _spacing_of(here).delay("/identity/conditionalAccess/policies", 100.0) > 0
    assert _spacing_of(there).delay("/identity/conditionalAccess/policies", 100.0) == 0


def test_other_requests_wait_for_nobody() -> None:
    spacing = Spacing()
    assert [spacing.delay("/users", 100.0) for _ in range(3)] == [0, 0, 0]


RETRIES = """
import sys
from pathlib import Path
from runbook.clients import retry
from runbook.clients.http import Session
with Session(sys.argv[1], "graph", pace=retry.pace(rehearsal=True), ca_file=Path(sys.argv[2])) as session:
    print(session.request("GET", "/ping").status)
"""


def test_a_retry_prints_nothing_by_itself(service: Service) -> None:
    service.on("GET", "/ping", Reply(503), Reply(200, {}))
    command = [sys.executable, "-c", RETRIES, service.base, str(service.ca_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("200\n", "")
