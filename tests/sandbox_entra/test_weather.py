"""Illnesses at the connection, of clocks and of what is young, as clients meet them at each of the three services."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import time
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from entra_sandbox.illnesses import Course

from tests.sandbox_entra.conftest import SCOPE, App, Play, Token, World, access, code_of

ENTRA = "/common/discovery/keys"
PLACES = {"graph": "/v1.0/users?$top=1", "entra": ENTRA, "stackone": "/accounts"}


@pytest.mark.parametrize("service", PLACES)
@pytest.mark.parametrize("kind", ["throttle", "unavailable"])
def test_retry_after_as_a_date_counts_from_the_date_of_the_answer(
    play: Play, graph: httpx.Client, service: str, kind: str
) -> None:
    """RFC 9110 section 10.2.3."""
    play({"kind": kind, "retry_after": 90, "as_date": True})
    answer = graph.get(PLACES[service])
    wait = parsedate_to_datetime(answer.headers["retry-after"]) - parsedate_to_datetime(answer.headers["date"])
    assert 89 <= wait.total_seconds() <= 91


def test_a_retry_after_of_a_day(play: Play, graph: httpx.Client) -> None:
    play({"kind": "throttle", "retry_after": 86400})
    assert graph.get(PLACES["graph"]).headers["retry-after"] == "86400"


@pytest.mark.parametrize("service", PLACES)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_each_service_fails_in_its_own_shape(play: Play, graph: httpx.Client, service: str, status: int) -> None:
    play({"kind": "unavailable", "status": status, "match": {"service": service}})
    answer = graph.get(PLACES[service])
    assert answer.status_code == status
    body = answer.json()
    assert {
        "graph": lambda: body["error"]["code"] and body["error"]["innerError"]["request-id"],
        "entra": lambda: body["error"] == "temporarily_unavailable",
        "stackone": lambda: body["statusCode"] == status,
    }[service]()


@pytest.mark.parametrize("kind", ["cut", "reset", "unavailable"])
@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_write_is_lost_before_or_after_it_took_effect_at_graph(
    play: Play, graph: httpx.Client, world: World, kind: str, when: str, made: int
) -> None:
    name = f"Lost by {kind} {when}"
    play({"kind": kind, "when": when, "match": {"method": "POST"}})
    if kind == "unavailable":
        assert graph.post("/v1.0/applications", json={"displayName": name}).status_code == 503
    else:
        with pytest.raises(httpx.TransportError):
            graph.post("/v1.0/applications", json={"displayName": name})
    assert len(world.store.find("application", displayName=name)) == made


@pytest.mark.parametrize("kind", ["cut", "reset", "unavailable", "truncate"])
def test_what_was_done_at_the_token_endpoint_and_at_stackone_stays_done(
    play: Play, http: httpx.Client, world: World, kind: str
) -> None:
    app = world.app(isFallbackPublicClient=True)
    key = Path(world.ready["stackone_api_key_file"]).read_text(encoding="utf-8").strip()
    owner = {"origin_owner_id": f"lost by {kind}", "origin_owner_name": "x"}
    device = {"client_id": app.id, "scope": "openid"}

    def ask() -> list[int]:
        answers = []
        place = f"/{world.tenant}/oauth2/v2.0/devicecode"
        for path, more in ((place, {"data": device}), ("/connect_sessions", {"json": owner, "auth": (key, "")})):
            try:
                answers.append(http.post(path, **more).status_code)  # type: ignore[arg-type]
            except httpx.TransportError:
                answers.append(0)
        return answers

    def kept() -> list[int]:
        codes = [row for row in world.store.rows("entra.deviceCode") if row.doc["client"] == app.id]
        sessions = [row for row in world.store.rows("stackone.session") if f"lost by {kind}" in row.text]
        return [len(codes), len(sessions)]

    play({"kind": kind, **({} if kind == "truncate" else {"when": "after"})})
    assert ask() == ([503, 503] if kind == "unavailable" else [0, 0])
    assert kept() == [1, 1]
    if kind != "truncate":
        play({"kind": kind, "when": "before"})
        assert ask() == ([503, 503] if kind == "unavailable" else [0, 0])
        assert kept() == [1, 1]


@pytest.mark.parametrize("kind", ["cut", "reset", "truncate"])
def test_the_token_endpoint_and_stackone_lose_their_connections_too(
    play: Play, token: Token, graph: httpx.Client, app: App, kind: str
) -> None:
    play({"kind": kind, "times": 2})
    with pytest.raises(httpx.TransportError):
        access(token, app)
    with pytest.raises(httpx.TransportError):
        graph.get("/accounts")
    assert access(token, app)


def test_a_cut_is_an_orderly_end_of_the_connection_and_a_reset_is_none(play: Play, world: World) -> None:
    place = httpx.URL(world.ready["graph"])
    context = ssl.create_default_context(cafile=world.ready["ca_file"])

    def ask() -> bytes:
        with (
            socket.create_connection((place.host, place.port)) as raw,
            context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as connection,
        ):
            connection.sendall(b"GET /v1.0/users HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return connection.recv(100)

    play({"kind": "cut"})
    assert ask() == b""
    play({"kind": "reset"})
    with pytest.raises((ConnectionResetError, ssl.SSLError)):
        ask()


def test_a_page_that_names_itself_as_the_next_for_ever(play: Play, graph: httpx.Client) -> None:
    play({"kind": "next_link"})
    page = graph.get("/v1.0/users?$top=2&$select=id").json()
    following = graph.get(page["@odata.nextLink"]).json()
    assert following == page


@pytest.mark.parametrize("query", ["?$top=2&$select=id", ""])
def test_two_pages_that_name_each_other_for_ever(play: Play, graph: httpx.Client, query: str) -> None:
    play({"kind": "next_link", "how": "cycle"})
    page = graph.get(f"/v1.0/users{query}").json()
    other = graph.get(page["@odata.nextLink"]).json()
    assert other["@odata.nextLink"] != page["@odata.nextLink"]
    assert graph.get(other["@odata.nextLink"]).json() == page


@pytest.mark.parametrize("how", ["elsewhere", "number"])
def test_a_page_that_names_a_next_one_that_is_none(play: Play, graph: httpx.Client, world: World, how: str) -> None:
    play({"kind": "next_link", "how": how})
    link = graph.get("/v1.0/users?$top=2").json()["@odata.nextLink"]
    assert link == 7 if how == "number" else httpx.URL(link).host not in ("localhost", "")
    single = graph.get(f"/v1.0/users/{world.user().login}")
    assert single.status_code == 200
    assert "@odata.nextLink" not in single.json()


def test_an_answer_that_never_ends_keeps_its_client_awake(play: Play, graph: httpx.Client) -> None:
    play({"kind": "drip", "times": 1})
    with graph.stream("GET", PLACES["graph"]) as answer:
        parts = answer.iter_raw()
        assert [next(parts).strip(), next(parts).strip()] == [b"", b""]
    assert graph.get(PLACES["graph"]).status_code == 200


def test_a_drip_breaks_off_when_its_time_is_over(play: Play, graph: httpx.Client) -> None:
    play({"kind": "drip", "seconds": 0.1})
    with pytest.raises(httpx.RemoteProtocolError):
        graph.get(PLACES["graph"])


@pytest.mark.parametrize("packed", [False, True])
def test_a_huge_answer_is_as_long_as_was_said_and_still_json(play: Play, graph: httpx.Client, packed: bool) -> None:
    play({"kind": "huge", "megabytes": 3, "gzip": packed})
    with graph.stream("GET", PLACES["graph"]) as answer:
        answer.read()
    assert len(answer.content) > 3 * 1024 * 1024
    assert answer.json()["value"]
    on_the_wire = answer.num_bytes_downloaded
    assert on_the_wire < 100_000 if packed else on_the_wire > 3 * 1024 * 1024


def _date(answer: httpx.Response) -> float:
    return parsedate_to_datetime(answer.headers["date"]).timestamp()


def test_a_service_has_a_clock_of_its_own_and_its_answers_bear_its_date(
    play: Play, graph: httpx.Client, token: Token, app: App
) -> None:
    now = time.time()
    assert all(abs(_date(graph.get(place)) - now) < 60 for place in PLACES.values())
    play({"kind": "clock_skew", "seconds": 7200, "service": "graph"}, {"kind": "clock_skew", "seconds": -7200})
    part = access(token, app).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert abs(claims["iat"] - (now - 7200)) < 60
    assert abs(_date(graph.get(ENTRA)) - (now - 7200)) < 60
    refused = graph.get(PLACES["graph"])
    assert abs(_date(refused) - now) < 60, "2 hours ahead of a clock that is 2 hours behind"


def test_one_services_clock_stands_in_what_it_writes(play: Play, graph: httpx.Client, world: World) -> None:
    play({"kind": "clock_skew", "seconds": 240, "service": "graph"})
    before = world.store.now()
    made = graph.post("/v1.0/applications", json={"displayName": "Ahead of its time"}).json()
    assert datetime.fromisoformat(made["createdDateTime"]).timestamp() >= before + 200


@pytest.mark.parametrize("service", ["graph", None])
def test_what_was_made_by_a_clock_ahead_is_seen_and_linked_when_the_clock_is_right_again(
    play: Play, graph: httpx.Client, control: httpx.Client, service: str | None
) -> None:
    play({"kind": "clock_skew", "seconds": 240, "service": service}, {"kind": "lag", "read": [0, 0], "link": [0, 0]})
    made = graph.post("/v1.0/applications", json={"displayName": f"Ahead, {service}"}).json()
    control.delete("/_sandbox/faults")
    assert graph.get(f"/v1.0/applications/{made['id']}").status_code == 200
    assert graph.post("/v1.0/servicePrincipals", json={"appId": made["appId"]}).status_code == 201


def test_a_lag_is_counted_by_a_clock_that_is_right(play: Play, graph: httpx.Client, control: httpx.Client) -> None:
    play({"kind": "clock_skew", "seconds": -240, "service": "graph"}, {"kind": "lag", "read": [60, 60]})
    made = graph.post("/v1.0/applications", json={"displayName": "Behind its time"}).json()
    control.delete("/_sandbox/faults")
    assert graph.get(f"/v1.0/applications/{made['id']}").status_code == 404


@pytest.mark.parametrize("error", ["Error_MsaAppDoesNotExist", "Directory_ConcurrencyViolation"])
def test_a_young_application_refuses_changes_by_every_key(
    play: Play, graph: httpx.Client, control: httpx.Client, error: str
) -> None:
    play({"kind": "young", "error": error, "seconds": [60, 60]})
    unique = {"prefer": "create-if-missing"}
    by_name = f"/v1.0/applications(uniqueName='young-{error}')"
    made = graph.patch(by_name, json={"displayName": "x"}, headers=unique).json()
    paths = [by_name, f"/v1.0/applications/{made['id']}", f"/v1.0/applications(appId='{made['appId']}')"]
    for path in paths:
        refused = graph.patch(path, json={"notes": "x"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, error)
        assert graph.get(path).status_code == 200
    assert graph.post(f"{paths[1]}/addPassword", json={}).status_code == 409
    control.post("/_sandbox/clock", json={"offset": 61})
    try:
        assert [graph.patch(path, json={"notes": "x"}).status_code for path in paths] == [204, 204, 204]
    finally:
        control.post("/_sandbox/clock", json={"offset": 0})


@pytest.mark.parametrize("number", [500011, 650052, 700016, 7000215, 7000229])
def test_a_young_application_gets_no_token(
    play: Play, graph: httpx.Client, token: Token, control: httpx.Client, world: World, number: int
) -> None:
    play({"kind": "young", "error": f"AADSTS{number}", "seconds": [60, 60]})
    target = world.app()
    made = graph.post(f"/v1.0/applications/{target.document['id']}/addPassword", json={}).json()
    ask = {"grant_type": "client_credentials", "client_id": target.id, "client_secret": made["secretText"]}
    refused: Any = token(**ask, scope=SCOPE)
    assert code_of(refused.json()) == number
    control.post("/_sandbox/clock", json={"offset": 61})
    try:
        assert token(**ask, scope=SCOPE).status_code == 200
    finally:
        control.post("/_sandbox/clock", json={"offset": 0})


def test_an_update_is_read_as_it_was_for_a_while(play: Play, graph: httpx.Client, control: httpx.Client) -> None:
    made = graph.post("/v1.0/applications", json={"displayName": "Before"}).json()
    path = f"/v1.0/applications/{made['id']}"
    play({"kind": "stale", "seconds": [50, 60], "match": {"method": "PATCH"}})
    assert graph.patch(path, json={"displayName": "After"}).status_code == 204
    assert graph.get(path).json()["displayName"] == "Before"
    control.post("/_sandbox/clock", json={"offset": 61})
    try:
        assert graph.get(path).json()["displayName"] == "After"
    finally:
        control.post("/_sandbox/clock", json={"offset": 0})


def test_every_kind_stands_in_the_documents_with_its_fields() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sandbox" / "illnesses.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `") and "`kind`" not in line}
    kinds = [one["properties"] for one in Course.model_json_schema()["$defs"].values() if "kind" in one["properties"]]
    assert set(rows) == {fields["kind"]["const"] for fields in kinds}
    common = {"kind", "match", "chance", "skip", "times"}
    for fields in kinds:
        row = rows[fields["kind"]["const"]]
        assert not [name for name in set(fields) - common if name not in row], row
