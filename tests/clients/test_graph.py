"""Microsoft Graph's client against a scripted service."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from runbook.catalog.request import is_advanced
from runbook.clients.calls import FixedToken
from runbook.clients.graph import GraphClient
from runbook.clients.odata import key, literal, query
from runbook.clients.target import Target
from runbook.errors import GraphError, SignInError, TransportError
from runbook.secrets import Secret

from .conftest import Log
from .service import Asked, Reply, Service


class Tokens:
    """Gives a new token each time one is asked for, and keeps the claims that it was asked with."""

    def __init__(self) -> None:
        self._number = itertools.count(1)
        self._current = self._next()
        self.claims: list[str | None] = []

    def _next(self) -> Secret:
        return Secret(f"token-{next(self._number)}")

    def token(self) -> Secret:
        return self._current

    def renew(self, claims: str | None) -> Secret:
        self.claims.append(claims)
        self._current = self._next()
        return self._current


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def graph(target: Target, tokens: Tokens, log: Log) -> Iterator[GraphClient]:
    with GraphClient(target, tokens, log) as client:
        yield client


def body_of_error(code: str, message: str) -> dict[str, object]:
    inner = {"date": "2026-03-01T12:00:00", "request-id": "r-inner", "client-request-id": "c"}
    return {"error": {"code": code, "message": message, "innerError": inner}}


def test_a_list_follows_next_links_verbatim_and_lazily(service: Service, graph: GraphClient) -> None:
    link = f"{service.base}/v1.0/users?%24skiptoken=a%2Bb%2Fc%3D"
    service.on(
        "GET",
        "/v1.0/users",
        Reply(200, {"value": [{"id": "1"}, {"id": "2"}], "@odata.nextLink": link}),
        Reply(200, {"value": [], "@odata.nextLink": link + "2"}),
        Reply(200, {"value": [{"id": "3"}]}),
    )
    users = graph.list("/users", select=("id",), top=2)
    assert [next(users)["id"], next(users)["id"]] == ["1", "2"]
    assert len(service.asked) == 1
    assert [user["id"] for user in users] == ["3"]
    assert service.asked[0].query == {"$select": "id", "$top": "2"}
    assert service.asked[1].target == "/v1.0/users?%24skiptoken=a%2Bb%2Fc%3D"
    assert service.asked[2].query == {"$skiptoken": "a+b/c=2"}


@pytest.mark.parametrize(
    ("path", "options"),
    [("/users", {"search": '"displayName:Anna"'}), ("/users?$search=%22displayName%3AAnna%22", {})],
    ids=["as an option", "in the path"],
)
def test_the_consistency_level_is_sent_with_every_page(
    service: Service, graph: GraphClient, path: str, options: dict[str, Any]
) -> None:
    link = f"{service.base}/v1.0/users?$skiptoken=x"
    service.on("GET", "/v1.0/users", Reply(200, {"value": [], "@odata.nextLink": link}), Reply(200, {"value": []}))
    assert list(graph.list(path, **options)) == []
    assert [asked.headers.get("consistencylevel") for asked in service.asked] == ["eventual", "eventual"]
    assert service.asked[0].query == {"$search": '"displayName:Anna"', "$count": "true"}
    assert service.asked[1].query == {"$skiptoken": "x"}


def test_a_query_in_the_path_is_kept_beside_the_options(service: Service, graph: GraphClient) -> None:
    service.on("GET", "/v1.0/users", Reply(200, {"value": []}))
    list(graph.list("/users?$top=3"))
    list(graph.list("/users?$search=%22displayName%3Aa%26b%22", select=("id",)))
    assert [asked.query for asked in service.asked] == [
        {"$top": "3"},
        {"$search": '"displayName:a&b"', "$select": "id", "$count": "true"},
    ]
    assert [asked.headers.get("consistencylevel") for asked in service.asked] == [None, "eventual"]


@pytest.mark.parametrize("value", ["a+b", "a b", "a&b=c", "ä/?#'", "100%", "(x,y)"])
def test_a_filter_value_arrives_as_it_was_given(service: Service, graph: GraphClient, value: str) -> None:
    service.on("GET", "/v1.0/users", Reply(200, {"value": []}))
    list(graph.list("/users", filter=f"displayName eq {literal(value)}"))
    assert service.asked[0].query == {"$filter": f"displayName eq {literal(value)}"}


def test_a_next_link_to_another_host_gets_no_token(service: Service, graph: GraphClient) -> None:
    service.on("GET", "/v1.0/users", Reply(200, {"value": [], "@odata.nextLink": "https://evil.example/v1.0/users"}))
    with pytest.raises(TransportError, match="another host"):
        list(graph.list("/users"))


@pytest.mark.parametrize(
    ("options", "advanced"),
    [
        ({"filter": "displayName eq 'a ne b'"}, False),
        ({"filter": "startswith(displayName,'a')"}, False),
        ({"filter": "displayName eq 'it''s not endsWith(x'"}, False),
        ({"orderby": "displayName"}, False),
        ({"select": ("id",), "top": 5}, False),
        ({"filter": "displayName ne 'a'"}, True),
        ({"filter": "not(accountEnabled eq true)"}, True),
        ({"filter": "endsWith(mail,'@contoso.com')"}, True),
        ({"filter": "owners/$count eq 0"}, True),
        ({"filter": "accountEnabled eq true", "orderby": "displayName"}, True),
        ({"search": '"displayName:a"'}, True),
        ({"count": True}, True),
    ],
)
def test_advanced_queries_are_recognised(options: dict[str, object], advanced: bool) -> None:
    assert is_advanced("/users", query(**options)) is advanced  # type: ignore[arg-type]


def test_values_in_filters_and_keys_are_escaped() -> None:
    assert literal("O'Neil") == "'O''Neil'"
    assert key("uniqueName", "a/b's") == "(uniqueName='a%2Fb%27%27s')"


def test_graphs_error_becomes_ours_with_code_request_id_and_next_step(service: Service, graph: GraphClient) -> None:
    refusal = body_of_error("Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    service.on("POST", "/v1.0/users", Reply(403, refusal, {"request-id": "r-header"}))
    with pytest.raises(GraphError) as caught:
        graph.post("/users", {"displayName": "A"})
    error = caught.value
    assert (error.status, error.code, error.request_id) == (403, "Authorization_RequestDenied", "r-header")
    assert error.message == "Insufficient privileges to complete the operation."
    assert "permission" in error.meaning
    assert error.next_step


def test_a_request_id_in_the_body_alone_is_found(service: Service, graph: GraphClient) -> None:
    service.on("GET", "/v1.0/me", Reply(400, body_of_error("Request_BadRequest", "No.")))
    with pytest.raises(GraphError) as caught:
        graph.get("/me")
    assert caught.value.request_id == "r-inner"


@pytest.mark.parametrize("body", [None, b"<html>502</html>", ["x"], {"error": "x"}, {"error": {"code": None}}])
def test_an_error_without_graphs_body_is_still_an_error(service: Service, graph: GraphClient, body: object) -> None:
    content_type = {"content-type": "text/html"} if isinstance(body, bytes) else {}
    service.on("GET", "/v1.0/me", Reply(400, body, content_type))
    with pytest.raises(GraphError) as caught:
        graph.get("/me")
    assert caught.value.status == 400


def test_a_throttled_error_says_how_long_to_wait(service: Service, graph: GraphClient) -> None:
    service.on("GET", "/v1.0/users", Reply(429, body_of_error("TooManyRequests", "x"), {"retry-after": "3600"}))
    with pytest.raises(GraphError) as caught:
        list(graph.list("/users"))
    assert caught.value.retry_after == 3600


def test_find_gives_none_for_what_is_not_there_and_raises_what_is_forbidden(
    service: Service, graph: GraphClient
) -> None:
    service.on("GET", "/v1.0/groups/1", Reply(404, body_of_error("Request_ResourceNotFound", "x")))
    service.on("GET", "/v1.0/groups/2", Reply(403, body_of_error("Authorization_RequestDenied", "x")))
    assert graph.find("/groups/1") is None
    with pytest.raises(GraphError):
        graph.find("/groups/2")


@pytest.mark.parametrize(("status", "body"), [(201, {"id": "1"}), (204, None)], ids=["created", "updated"])
def test_an_upsert_gives_what_it_created(
    service: Service, graph: GraphClient, status: int, body: dict[str, str] | None
) -> None:
    service.on("PATCH", "/v1.0/applications(uniqueName='x')", Reply(status, body))
    path = "/applications" + key("uniqueName", "x")
    assert graph.set(path, {"displayName": "X"}, create_missing=True) == body
    assert service.asked[0].headers["prefer"] == "create-if-missing"


def test_setting_values_waits_out_replication(service: Service, graph: GraphClient) -> None:
    late = Reply(404, body_of_error("Request_ResourceNotFound", "Resource '1' does not exist"))
    service.on("PATCH", "/v1.0/applications/1", late, late, Reply(204))
    graph.set("/applications/1", {"tags": []})
    assert len(service.asked) == 3


UNCERTAIN = [Reply(503, {}), Reply(500, {}), Reply(502, {}), Reply(504, {}), Reply(reset=True)]


@pytest.mark.parametrize("answer", UNCERTAIN, ids=["503", "500", "502", "504", "reset"])
@pytest.mark.parametrize("applied", [True, False])
def test_values_whose_answer_was_lost_are_compared_before_they_are_sent_again(
    service: Service, graph: GraphClient, answer: Reply, applied: bool
) -> None:
    there = {"id": "1", "tags": ["ours"] if applied else [], "web": {"redirectUris": ["https://a/"], "homePage": None}}
    service.on("PATCH", "/v1.0/applications/1", answer, Reply(204))
    service.on("GET", "/v1.0/applications/1", Reply(200, there))
    graph.set("/applications/1", {"tags": ["ours"], "web": {"redirectUris": ["https://a/"]}})
    assert [asked.method for asked in service.asked] == ["PATCH", "GET"] + ([] if applied else ["PATCH"])


def test_a_refusal_of_values_is_raised_at_once(service: Service, graph: GraphClient) -> None:
    service.on("PATCH", "/v1.0/applications/1", Reply(400, body_of_error("Request_BadRequest", "Invalid value")))
    with pytest.raises(GraphError):
        graph.set("/applications/1", {"tags": []})
    assert len(service.asked) == 1


@pytest.mark.parametrize("answer", UNCERTAIN, ids=["503", "500", "502", "504", "reset"])
def test_what_is_removed_in_spite_of_its_answer_is_done(service: Service, graph: GraphClient, answer: Reply) -> None:
    gone = Reply(404, body_of_error("Request_ResourceNotFound", "x"))
    service.on("DELETE", "/v1.0/groups/1", answer, gone)
    assert graph.remove("/groups/1") is True
    service.on("DELETE", "/v1.0/groups/2", gone)
    assert graph.remove("/groups/2") is False


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_read_is_repeated_after_a_passing_failure(service: Service, graph: GraphClient, status: int) -> None:
    service.on("GET", "/v1.0/groups/1", Reply(status, body_of_error("UnknownError", "")), Reply(200, {"id": "1"}))
    assert graph.get("/groups/1") == {"id": "1"}


@pytest.mark.parametrize(
    ("links", "asked"), [(["x"], 2), (["x", "y"], 3), (["x", "y", "z"], 4), ([7], 1), ([["x"]], 1), ([True], 1)]
)
def test_a_list_whose_next_page_leads_back_or_nowhere_ends_with_an_error(
    service: Service, graph: GraphClient, links: list[Any], asked: int
) -> None:
    base = f"{graph.session.base}/users?$skiptoken="
    named = [f"{base}{link}" if isinstance(link, str) else link for link in links]
    pages = [{"value": [{"id": "1"}], "@odata.nextLink": link} for link in [*named, named[0]]]
    service.on("GET", "/v1.0/users", *(Reply(200, page) for page in pages))
    with pytest.raises(TransportError, match="leads nowhere or back"):
        list(graph.list("/users"))
    assert len(service.asked) == asked


def test_a_single_write_does_not_wait(service: Service, graph: GraphClient) -> None:
    path, absent = "/applications/1/addPassword", body_of_error("Request_ResourceNotFound", "x")
    service.on("POST", f"/v1.0{path}", Reply(404, absent), Reply(204))
    with pytest.raises(GraphError):
        graph.post(path, {})


def test_a_fresh_write_that_may_have_been_applied_is_not_repeated(service: Service, graph: GraphClient) -> None:
    service.on("POST", "/v1.0/oauth2PermissionGrants", Reply(404, body_of_error("Directory_ObjectNotFound", "x")))
    with pytest.raises(GraphError):
        graph.post("/oauth2PermissionGrants", {}, fresh=True)
    assert len(service.asked) == 1


def test_a_delete_of_what_is_gone_is_no_error(service: Service, graph: GraphClient) -> None:
    service.on("DELETE", "/v1.0/groups/1", Reply(404, body_of_error("Request_ResourceNotFound", "x")))
    assert graph.remove("/groups/1") is False


def challenge(claims: dict[str, object]) -> dict[str, str]:
    encoded = base64.b64encode(json.dumps(claims).encode()).decode()
    uri = "https://login.microsoftonline.com/common/oauth2/authorize"
    said = f'Bearer realm="", authorization_uri="{uri}", error="insufficient_claims", claims="{encoded}"'
    return {"www-authenticate": said}


CLAIMS = {"access_token": {"nbf": {"essential": True, "value": "1767225600"}}}


def test_a_claims_challenge_is_answered_with_a_new_token_once(
    service: Service, graph: GraphClient, tokens: Tokens
) -> None:
    service.on("GET", "/v1.0/me", Reply(401, None, challenge(CLAIMS)), Reply(200, {"id": "1"}))
    assert graph.get("/me") == {"id": "1"}
    assert [json.loads(claims or "") for claims in tokens.claims] == [CLAIMS]
    assert [asked.headers["authorization"] for asked in service.asked] == ["Bearer token-1", "Bearer token-2"]


def test_a_second_challenge_in_a_row_is_an_error(service: Service, graph: GraphClient, tokens: Tokens) -> None:
    service.on("GET", "/v1.0/me", Reply(401, body_of_error("InvalidAuthenticationToken", "x"), challenge(CLAIMS)))
    with pytest.raises(GraphError) as caught:
        graph.get("/me")
    assert caught.value.status == 401
    assert len(tokens.claims) == 1


class NoTokens:
    """A sign-in that is refused."""

    def token(self) -> Secret:
        raise SignInError("no token", code="AADSTS7000215")

    def renew(self, claims: str | None) -> Secret | None:
        raise AssertionError(claims)


def test_a_write_for_which_there_is_no_token_has_an_outcome_all_the_same(
    service: Service, target: Target, log: Log
) -> None:
    with GraphClient(target, NoTokens(), log) as graph, pytest.raises(SignInError):
        graph.post("/groups", {})
    assert [(kind, line.get("error")) for kind, line in log.lines] == [("intent", None), ("outcome", "no token")]
    assert service.asked == []


def test_a_refusal_whose_body_is_broken_is_still_a_refusal(service: Service, graph: GraphClient) -> None:
    service.on("POST", "/v1.0/groups", Reply(403, b'{"error": {"co'))
    with pytest.raises(GraphError) as caught:
        graph.post("/groups", {})
    assert caught.value.status == 403


def test_a_fixed_token_is_not_replaced(service: Service, target: Target) -> None:
    service.on("GET", "/v1.0/me", Reply(401, body_of_error("InvalidAuthenticationToken", "x"), challenge(CLAIMS)))
    with (
        GraphClient(target, FixedToken(Secret("fixed"))) as graph,
        pytest.raises(GraphError, match="InvalidAuthenticationToken"),
    ):
        graph.get("/me")
    assert [asked.headers["authorization"] for asked in service.asked] == ["Bearer fixed"]


def test_a_token_is_never_in_the_log(service: Service, graph: GraphClient, log: Log) -> None:
    service.on("POST", "/v1.0/applications/1/addPassword", Reply(200, {"secretText": "canary"}))
    graph.post("/applications/1/addPassword", {"passwordCredential": {}})
    written = json.dumps(log.lines)
    assert "token-1" not in written
    assert "canary" not in written


def test_ensure_reads_before_it_repeats_a_reset_write(service: Service, graph: GraphClient) -> None:
    made: list[str] = []

    def reset_after_writing(_asked: Asked) -> Reply:
        made.append("grant")
        return Reply(reset=True)

    service.on("POST", "/v1.0/oauth2PermissionGrants", reset_after_writing)
    service.on("GET", "/v1.0/oauth2PermissionGrants", lambda _asked: Reply(200, {"value": [{"id": g} for g in made]}))

    def find() -> dict[str, object] | None:
        return next(graph.list("/oauth2PermissionGrants", filter="clientId eq '1'"), None)

    found, created = graph.ensure(find, lambda: graph.post("/oauth2PermissionGrants", {}), what="The grant")
    assert (found, created, made) == ({"id": "grant"}, True, ["grant"])
