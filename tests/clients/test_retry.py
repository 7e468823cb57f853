"""What passes by itself, and what is read from headers."""

from __future__ import annotations

import pytest

from runbook.clients import retry
from runbook.clients.graph import graph_error
from runbook.clients.http import Answer
from runbook.errors import GraphError, StackOneError, TransportError

LASTING = [
    ("POST", "/servicePrincipals", 403, "Authorization_RequestDenied", "Insufficient privileges"),
    ("POST", "/servicePrincipals", 400, "Request_BadRequest", "Property appId is required"),
    ("POST", "/servicePrincipals/1/appRoleAssignedTo", 400, "Request_BadRequest", "Permission not found"),
    ("POST", "/oauth2PermissionGrants", 400, "Request_BadRequest", "Invalid scope"),
    ("PATCH", "/applications/1", 400, "Request_BadRequest", "Invalid value"),
    ("DELETE", "/domains/1", 404, "Request_ResourceNotFound", "x"),
]


def said(method: str, path: str, status: int, code: str, message: str) -> GraphError:
    return graph_error(Answer(status, {}, "", {"error": {"code": code, "message": message}}), method, path)


@pytest.mark.parametrize("lasting", LASTING, ids=lambda item: f"{item[0]} {item[1]} {item[4]}")
def test_a_lasting_error_is_not_taken_for_a_passing_one(lasting: tuple[str, str, int, str, str]) -> None:
    assert retry.transient(said(*lasting)) is None


def test_an_error_of_another_service_is_never_in_graphs_table() -> None:
    error = StackOneError("x", status=404, method="GET", path="/groups/1", message="", code="Request_ResourceNotFound")
    assert retry.transient(error) is None


@pytest.mark.parametrize(("status", "doubtful"), [(400, False), (403, False), (429, False), (500, True), (503, True)])
def test_a_server_error_leaves_open_whether_a_write_was_applied(status: int, doubtful: bool) -> None:
    assert retry.maybe_applied(said("POST", "/groups", status, "x", "x")) is doubtful


def test_a_grant_answered_by_not_found_may_have_been_applied() -> None:
    assert retry.maybe_applied(said("POST", "/oauth2PermissionGrants", 404, "Directory_ObjectNotFound", "x"))


@pytest.mark.parametrize("flag", [True, False])
def test_a_transport_error_says_itself_whether_it_may_have_been_applied(flag: bool) -> None:
    assert retry.maybe_applied(TransportError("x", maybe_applied=flag)) is flag


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), (" 0 ", 0.0), ("-3", 0.0), ("Sun, 01 Mar 2020 11:00:00 GMT", 0.0), ("soon", None), ("", None)],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry.retry_after({"retry-after": value}) == seconds


def test_a_date_to_come_is_waited_for() -> None:
    waited = retry.retry_after({"retry-after": "Sun, 01 Mar 2099 12:00:00 GMT"})
    assert waited is not None
    assert waited > 86_400


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_retry_after_that_is_no_finite_number_is_ignored(value: str) -> None:
    assert retry.retry_after({"retry-after": value}) is None


def test_a_real_tenant_is_asked_more_gently_than_a_rehearsal() -> None:
    real, rehearsal = retry.pace(rehearsal=False), retry.pace(rehearsal=True)
    assert real.interval > rehearsal.interval
    assert real.sightings >= rehearsal.sightings
    assert real.spaced


def test_conditional_access_has_its_documented_spacing() -> None:
    assert retry.spacing("/identity/conditionalAccess/policies")[1] >= 1
    assert not retry.spacing("/users")[1]
