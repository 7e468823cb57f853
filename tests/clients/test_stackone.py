"""StackOne's client against a scripted service."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from runbook.clients.stackone import StackOneClient
from runbook.clients.target import Target
from runbook.errors import InputError, StackOneError, TransportError

from .conftest import Log
from .service import Asked, Reply, Service


@pytest.fixture
def stackone(target: Target, log: Log) -> Iterator[StackOneClient]:
    with StackOneClient(target, log) as client:
        yield client


def test_the_key_is_the_user_name_of_basic_with_an_empty_password(
    service: Service, stackone: StackOneClient, target: Target
) -> None:
    service.on("GET", "/accounts/1", Reply(200, {"id": "1"}))
    stackone.account("1")
    kind, _, value = service.asked[0].headers["authorization"].partition(" ")
    assert kind == "Basic"
    assert target.stackone_api_key is not None
    assert base64.b64decode(value).decode() == target.stackone_api_key.reveal() + ":"


def test_without_a_key_nothing_is_sent_and_the_parameter_is_named(service: Service, target: Target) -> None:
    with (
        StackOneClient(replace(target, stackone_api_key=None)) as stackone,
        pytest.raises(InputError, match="stackone_api_key_ref"),
    ):
        stackone.account("1")
    assert service.asked == []


def paged(total: int, *, with_total: bool, largest: int = 1000, refuses: bool = False) -> object:
    def answer(asked: Asked) -> Reply:
        page, size = int(asked.query["page"]), int(asked.query["page_size"])
        if refuses and size > largest:
            return Reply(400, {"statusCode": 400, "message": f"page_size must not be greater than {largest}"})
        size = min(size, largest)
        items = [{"id": str(n)} for n in range(total)][(page - 1) * size : page * size]
        body = {"page": page, "page_size": size, "data": items}
        return Reply(200, body | ({"total": total} if with_total else {}))

    return answer


@pytest.mark.parametrize("with_total", [True, False])
@pytest.mark.parametrize("total", [0, 1, 25, 26, 60, 100, 230])
@pytest.mark.parametrize(("largest", "refuses"), [(1000, False), (25, False), (40, False), (25, True)])
def test_profiles_are_listed_over_all_pages(
    service: Service, stackone: StackOneClient, total: int, with_total: bool, largest: int, refuses: bool
) -> None:
    answer = paged(total, with_total=with_total, largest=largest, refuses=refuses)
    service.on("GET", "/connector_profiles", answer)
    found = [profile["id"] for profile in stackone.connector_profiles(connector_key="microsoftentraid")]
    assert found == [str(n) for n in range(total)]
    assert {asked.query["connector_key"] for asked in service.asked} == {"microsoftentraid"}


def test_a_thousand_profiles_are_few_pages(service: Service, stackone: StackOneClient) -> None:
    service.on("GET", "/connector_profiles", paged(1000, with_total=True))
    assert len(list(stackone.connector_profiles())) == 1000
    assert len(service.asked) == 10


def test_what_no_smaller_page_mends_is_told(service: Service, stackone: StackOneClient) -> None:
    service.on("GET", "/connector_profiles", Reply(400, {"statusCode": 400, "message": "connector_key: unknown"}))
    with pytest.raises(StackOneError, match="connector_key: unknown"):
        list(stackone.connector_profiles(connector_key="x"))
    assert [asked.query["page_size"] for asked in service.asked] == ["100", "25"]


@pytest.mark.parametrize("claimed", [{"total": 10**9}, {}])
@pytest.mark.parametrize("asked", ["accounts", "connector_profiles"])
def test_a_list_that_gives_a_page_twice_ends_with_an_error(
    service: Service, stackone: StackOneClient, asked: str, claimed: dict[str, int]
) -> None:
    full = [{"id": str(number)} for number in range(25)]
    service.on("GET", f"/{asked}", Reply(200, {"data": full, **claimed}))
    with pytest.raises(TransportError, match="leads nowhere or back"):
        list(getattr(stackone, asked)())
    assert len(service.asked) == 2


def test_a_plain_list_of_accounts_is_understood(service: Service, stackone: StackOneClient) -> None:
    service.on("GET", "/accounts", Reply(200, [{"id": "1", "status": "active"}]))
    found = list(stackone.accounts(provider="microsoftentraid", owner_id="me"))
    assert found == [{"id": "1", "status": "active"}]
    asked = service.asked[0].query
    assert (asked["providers"], asked["origin_owner_id"]) == ("microsoftentraid", "me")
    assert "provider" not in asked


def test_accounts_of_other_providers_are_left_out_where_the_filter_is_not_known(
    service: Service, stackone: StackOneClient
) -> None:
    both = [{"id": "1", "provider": "hibob"}, {"id": "2", "provider": "microsoftentraid"}]
    service.on("GET", "/accounts", Reply(200, both))
    assert [each["id"] for each in stackone.accounts(provider="microsoftentraid")] == ["2"]


def test_profiles_are_asked_for_by_their_older_name_where_the_newer_is_not_known(
    service: Service, stackone: StackOneClient
) -> None:
    service.on("GET", "/connector_profiles", Reply(404, {"statusCode": 404, "message": "Cannot GET"}))
    service.on("GET", "/auth_configs", paged(26, with_total=True))
    assert len(list(stackone.connector_profiles())) == 26
    service.on("GET", "/connector_profiles", Reply(401, {"statusCode": 401, "message": "Unauthorized"}))
    with pytest.raises(StackOneError, match="401"):
        list(stackone.connector_profiles())


@pytest.mark.parametrize("include", ["action_details", "operation_details"])
def test_path_parameters_go_by_the_names_of_the_actions_own_metadata(
    service: Service, stackone: StackOneClient, include: str
) -> None:
    def metadata(asked: Asked) -> Reply:
        if asked.query["include"] != include:
            return Reply(400, {"statusCode": 400, "message": "include: unknown value"})
        names = {"type": "object", "properties": {"groupId": {}, "directoryObjectId": {}}}
        details = {"input_schema": {"properties": {"path": names}}}
        return Reply(200, {"data": [{"key": "x", "actions": [{"id": "remove", include: details}]}], "next": None})

    service.on("GET", "/actions", metadata)
    service.on("POST", "/actions/rpc", Reply(200, {"data": {}}))
    for _ in range(2):
        stackone.call_action("remove", "1", path={"group-id": "g", "directoryObject-id": "d"}, effect="write")
    sent = [asked.json for asked in service.asked if asked.path == "/actions/rpc"]
    assert [each["path"] for each in sent] == [{"groupId": "g", "directoryObjectId": "d"}] * 2
    assert sum(asked.path == "/actions" for asked in service.asked) <= 2


def test_the_names_of_all_actions_of_an_account_are_one_request_whoever_asks(
    service: Service, stackone: StackOneClient
) -> None:
    def metadata(asked: Asked) -> Reply:
        key = asked.query.get("filter[action_key]")
        told = {"input_schema": {"properties": {"path": {"properties": {"userId": {}}}}}}
        bare = {"id": "list", "action_details": {"input_schema": {"properties": {}}}}
        known = [bare, *({"id": name, "action_details": told} for name in ([key] if key else "abcd"))]
        return Reply(200, {"data": [{"key": "x", "actions": known}], "next": None})

    service.on("GET", "/actions", metadata)
    service.on("POST", "/actions/rpc", Reply(200, {"data": {}}))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: stackone.call_action(name, "1", path={"id": "u"}, effect="read"), "abcd"))
    (once,) = [asked for asked in service.asked if asked.path == "/actions"]
    assert once.query["filter[account_ids]"] == "1"
    stackone.call_action("elsewhere", "1", path={"id": "u"}, effect="read")
    assert [asked.json["path"] for asked in service.asked if asked.path == "/actions/rpc"] == [{"userId": "u"}] * 5


@pytest.mark.parametrize(
    "answer", [Reply(404, {}), Reply(200, {"data": [], "next": None}), Reply(200, {"data": [{"actions": [{}]}]})]
)
def test_without_metadata_path_parameters_keep_their_names(
    service: Service, stackone: StackOneClient, answer: Reply
) -> None:
    service.on("GET", "/actions", answer)
    service.on("POST", "/actions/rpc", Reply(200, {"data": {}}))
    stackone.call_action("get", "1", path={"group-id": "g"}, effect="read")
    assert service.asked[-1].json["path"] == {"group-id": "g"}


def test_a_connect_session_sends_what_is_given_and_nothing_else(service: Service, stackone: StackOneClient) -> None:
    service.on("POST", "/connect_sessions", Reply(201, {"id": "1", "token": "t", "auth_link_url": "https://x"}))
    made = stackone.connect_session(
        owner_id="o", owner_name="O", provider="microsoftentraid", expires_in=1800, connector_profile_id="p"
    )
    assert made["auth_link_url"] == "https://x"
    assert service.asked[0].json == {
        "origin_owner_id": "o",
        "origin_owner_name": "O",
        "provider": "microsoftentraid",
        "connector_profile_id": "p",
        "expires_in": 1800,
        "type": "PRODUCTION",
    }


def test_an_action_goes_through_the_account(service: Service, stackone: StackOneClient, log: Log) -> None:
    service.on("POST", "/actions/rpc", Reply(200, {"data": [{"id": "u"}], "next": None}))
    answer = stackone.call_action("microsoftentraid_list_users", "acc-1", query={"top": 5}, effect="read")
    assert answer["data"] == [{"id": "u"}]
    asked = service.asked[0]
    assert asked.headers["x-account-id"] == "acc-1"
    assert asked.json == {"action": "microsoftentraid_list_users", "query": {"top": 5}}
    kind, line = log.lines[0]
    assert (kind, line["action"], line["account_id"]) == ("call", "microsoftentraid_list_users", "acc-1")


@pytest.mark.parametrize(("effect", "sent"), [("read", 2), ("write", 1)])
def test_only_an_action_that_reads_is_repeated(
    service: Service, stackone: StackOneClient, effect: str, sent: int
) -> None:
    service.on("POST", "/actions/rpc", Reply(503, {"statusCode": 503, "message": "x"}), Reply(200, {"data": []}))
    if effect == "read":
        stackone.call_action("a", "acc-1", effect="read")
    else:
        with pytest.raises(StackOneError):
            stackone.call_action("a", "acc-1", effect="write")
    assert len(service.asked) == sent


@pytest.mark.parametrize(
    ("status", "body", "message", "meaning"),
    [
        (401, {"statusCode": 401, "message": "Unauthorized"}, "Unauthorized", "key"),
        (400, {"statusCode": 400, "message": "Account not found"}, "Account not found", "account"),
        (400, {"statusCode": 400, "message": ["a must be set", "b too"]}, "a must be set; b too", "does not accept"),
        (502, {"statusCode": 502, "message": "x", "provider_errors": [{"status": 403}]}, "x", "unwell"),
        (418, None, "no reason given", ""),
    ],
)
def test_an_error_body_becomes_our_error(
    service: Service, stackone: StackOneClient, status: int, body: object, message: str, meaning: str
) -> None:
    service.on("GET", "/accounts/1", Reply(status, body))
    with pytest.raises(StackOneError) as caught:
        stackone.account("1")
    assert (caught.value.status, caught.value.message) == (status, message)
    assert meaning in caught.value.meaning


def test_the_error_of_the_service_behind_is_named(service: Service, stackone: StackOneClient) -> None:
    body = {"statusCode": 502, "message": "x", "provider_errors": [{"status": 403, "url": "https://graph"}]}
    service.on("GET", "/accounts/1", Reply(400, body))
    with pytest.raises(StackOneError, match="behind it answered 403"):
        stackone.account("1")


def test_an_answer_that_is_no_list_is_an_error(service: Service, stackone: StackOneClient) -> None:
    service.on("GET", "/connector_profiles", Reply(200, {"data": "x"}))
    with pytest.raises(TransportError):
        list(stackone.connector_profiles())


def test_a_session_token_is_not_in_the_log(service: Service, stackone: StackOneClient, log: Log) -> None:
    service.on("POST", "/connect_sessions", Reply(201, {"id": "1", "token": "canary", "auth_link_url": "canary"}))
    stackone.connect_session(owner_id="o", owner_name="O", provider="p", expires_in=1800)
    assert "canary" not in json.dumps(log.lines)
