"""The table of transient errors and what is read from headers."""

from __future__ import annotations

import datetime

import pytest

from runbook.clients import retry
from runbook.clients.graph import graph_error
from runbook.clients.retry import TransientError, table
from runbook.errors import GraphError, StackOneError, TransportError

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)

# What Graph says, by the row that must be recognised: method, path, status, code, message.
SAID = {
    "application-not-everywhere": (
        *("PATCH", "/applications/1", 404, "Request_ResourceNotFound"),
        "Resource '1' does not exist or one of its queried reference-property objects are not present.",
    ),
    "application-conflict": ("PATCH", "/applications/1", 409, "Directory_ConcurrencyViolation", "x"),
    "application-patch-conflict": ("PATCH", "/applications(appId='1')", 409, "Request_ResourceNotFound", "x"),
    "application-unknown-to-principal": (
        *("POST", "/servicePrincipals", 400, "Request_BadRequest"),
        "The appId '1' of the service principal does not reference a valid application object.",
    ),
    "application-owned-by-delay": (
        *("POST", "/servicePrincipals", 403, "Authorization_RequestDenied"),
        "When using this permission, the backing application of the service principal being created must in the local "
        "tenant",
    ),
    "principal-exists": (
        *("POST", "/servicePrincipals", 409, "Request_MultipleObjectsWithSameKeyValue"),
        "The service principal cannot be created, updated, or restored because the service principal name 1 is "
        "already in use.",
    ),
    "principal-not-everywhere": ("GET", "/servicePrincipals(appId='1')", 404, "Request_ResourceNotFound", "Resource"),
    "assignment-reference": (
        *("POST", "/servicePrincipals/1/appRoleAssignedTo", 400, "Request_BadRequest"),
        "Not a valid reference update.",
    ),
    "assignment-exists": (
        *("POST", "/servicePrincipals/1/appRoleAssignedTo", 400, "Request_BadRequest"),
        "Permission being assigned already exists on the object",
    ),
    "assignment-conflict": (
        *("POST", "/servicePrincipals/1/appRoleAssignments", 409, "Request_MultipleObjectsWithSameKeyValue"),
        "x",
    ),
    "grant-perhaps-applied": ("POST", "/oauth2PermissionGrants", 404, "Directory_ObjectNotFound", "Unable to read"),
    "grant-principal-not-everywhere": ("POST", "/oauth2PermissionGrants", 404, "Request_ResourceNotFound", "Resource"),
    "grant-exists": ("POST", "/oauth2PermissionGrants", 409, "Request_MultipleObjectsWithSameKeyValue", "x"),
    "grant-exists-as-bad-request": (
        *("POST", "/oauth2PermissionGrants", 400, "Request_BadRequest"),
        "Permission entry already exists.",
    ),
    "grant-not-everywhere": ("PATCH", "/oauth2PermissionGrants/1", 404, "Request_ResourceNotFound", "x"),
    "link-not-everywhere": (
        *("POST", "/groups/1/members/$ref", 400, "Request_BadRequest"),
        "The source resource object or one of the objects being referenced don't exist.",
    ),
    "link-target-not-found": ("POST", "/groups/1/members/$ref", 404, "Request_ResourceNotFound", "Resource"),
    "link-exists": (
        *("POST", "/groups/1/members/$ref", 400, "Request_BadRequest"),
        "One or more added object references already exist for the following modified properties: 'members'.",
    ),
    "object-not-everywhere": ("GET", "/groups/1", 404, "Request_ResourceNotFound", "Resource '1' does not exist"),
    "named-location-not-everywhere": ("GET", "/identity/conditionalAccess/namedLocations/1", 404, "NotFound", "x"),
    "concurrent-write": ("PATCH", "/groups/1", 409, "Directory_ConcurrencyViolation", "x"),
}

LASTING = [
    ("POST", "/servicePrincipals", 403, "Authorization_RequestDenied", "Insufficient privileges"),
    ("POST", "/servicePrincipals", 400, "Request_BadRequest", "Property appId is required"),
    ("POST", "/servicePrincipals/1/appRoleAssignedTo", 400, "Request_BadRequest", "Permission not found"),
    ("POST", "/oauth2PermissionGrants", 400, "Request_BadRequest", "Invalid scope"),
    ("PATCH", "/applications/1", 400, "Request_BadRequest", "Invalid value"),
    ("DELETE", "/domains/1", 404, "Request_ResourceNotFound", "x"),
]


def said(method: str, path: str, status: int, code: str, message: str) -> GraphError:
    return graph_error(status, {"error": {"code": code, "message": message}}, method, path, {})


@pytest.mark.parametrize("row", table().errors, ids=lambda row: row.id)
def test_every_row_recognises_what_graph_says(row: TransientError) -> None:
    found = retry.transient(said(*SAID[row.id]))
    assert found is not None
    assert found.id == row.id


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
    assert retry.maybe_applied(said(*SAID["grant-perhaps-applied"]))


@pytest.mark.parametrize("flag", [True, False])
def test_a_transport_error_says_itself_whether_it_may_have_been_applied(flag: bool) -> None:
    assert retry.maybe_applied(TransportError("x", maybe_applied=flag)) is flag


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("-3", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry.retry_after({"retry-after": value}, now=NOW) == seconds


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_retry_after_that_is_no_finite_number_is_ignored(value: str) -> None:
    assert retry.retry_after({"retry-after": value}) is None


def test_a_real_tenant_is_asked_more_gently_than_a_rehearsal() -> None:
    real, rehearsal = retry.pace(rehearsal=False), retry.pace(rehearsal=True)
    assert real.interval >= 1
    assert real.sightings >= rehearsal.sightings
    assert real.spaced


def test_conditional_access_has_its_documented_spacing() -> None:
    row = retry.spacing("/identity/conditionalAccess/policies")
    assert row is not None
    assert row.seconds >= 1
    assert retry.spacing("/users") is None
