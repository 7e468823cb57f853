"""What a journal's outcomes say of what was done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbook.records import summary
from runbook.records.journal import Journal, NullJournal, read

GRAPH = {"service": "graph", "host": "graph.microsoft.com", "effect": "write"}


def _done(journal: NullJournal, method: str, path: str, status: int | None, **more: Any) -> int:
    ticket = journal.intent(**GRAPH, method=method, path=path)
    journal.outcome(ticket, **GRAPH, method=method, path=path, status=status, **more)
    return ticket


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("PATCH", "/v1.0/applications(uniqueName='x')", 201, {"created": {"application": 1}}),
        ("PATCH", "/v1.0/applications(uniqueName='x')", 204, {"updated": {"application": 1}}),
        ("PATCH", "/v1.0/applications/1", 204, {"updated": {"application": 1}}),
        ("DELETE", "/v1.0/applications/1", 204, {"deleted": {"application": 1}}),
        ("DELETE", "/v1.0/directory/deletedItems/1", 204, {}),
        ("POST", "/v1.0/directory/deletedItems/1/restore", 200, {"updated": {"object": 1}}),
        ("POST", "/v1.0/servicePrincipals", 201, {"created": {"service principal": 1}}),
        ("POST", "/v1.0/servicePrincipals/1/appRoleAssignedTo", 201, {"created": {"app role assignment": 1}}),
        ("DELETE", "/v1.0/servicePrincipals/1/appRoleAssignedTo/2", 204, {"deleted": {"app role assignment": 1}}),
        ("POST", "/v1.0/oauth2PermissionGrants", 201, {"created": {"delegated grant": 1}}),
        ("POST", "/v1.0/applications/1/addPassword", 200, {"created": {"client secret": 1}}),
        ("POST", "/v1.0/applications/1/removePassword", 204, {"deleted": {"client secret": 1}}),
        ("POST", "/v1.0/groups/1/members/$ref", 204, {"updated": {"object": 1}}),
        ("DELETE", "/v1.0/groups/1/members/2/$ref", 204, {"updated": {"object": 1}}),
        ("POST", "/v1.0/applications/1/addPassword", 403, {}),
        ("POST", "/connect_sessions", 201, {}),
    ],
)
def test_an_outcome_says_what_was_done_to_what(method: str, path: str, status: int, words: dict[str, Any]) -> None:
    journal = NullJournal()
    _done(journal, method, path, status)
    assert journal.done.words() == words


def test_an_object_that_was_updated_twice_is_one_object() -> None:
    journal = NullJournal()
    for path in ("/v1.0/applications/1", "/v1.0/applications/1", "/v1.0/applications/2"):
        _done(journal, "PATCH", path, 204)
    assert journal.done.words() == {"updated": {"application": 2}}
    assert journal.done.counts()["updated"] == 3


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("microsoftentraid_create_user", {"created": {"object": 1}}),
        ("microsoftentraid_add_group_member", {"updated": {"object": 1}}),
        ("microsoftentraid_verify_domain", {"updated": {"object": 1}}),
        ("microsoftentraid_delete_application", {"deleted": {"application": 1}}),
    ],
)
def test_a_write_through_stackone_is_its_actions_own(action: str, words: dict[str, Any]) -> None:
    journal = NullJournal()
    ticket = journal.intent(service="stackone", method="POST", path="/actions/rpc", action=action)
    journal.outcome(ticket, service="stackone", method="POST", path="/actions/rpc", action=action, status=200)
    assert journal.done.words() == words


def test_each_part_of_a_batch_counts_by_its_own_status() -> None:
    journal = NullJournal()
    parts = [{"method": "POST", "path": "/servicePrincipals/1/appRoleAssignedTo", "status": s} for s in (201, 201, 429)]
    _done(journal, "POST", "/v1.0/$batch", 200, parts=parts)
    assert journal.done.words() == {"created": {"app role assignment": 2}}


@pytest.mark.parametrize(("applied", "created"), [(True, 1), (False, 0)])
def test_an_uncertain_write_is_unknown_until_reading_has_shown_what_became_of_it(
    tmp_path: Path, applied: bool, created: int
) -> None:
    journal = Journal.create(tmp_path, "r", sections=[{"name": "a"}])
    journal.event("section.started", section="a")
    ticket = _done(journal, "POST", "/v1.0/servicePrincipals", 503, uncertain=True)
    folded = summary.fold(read(journal.path))
    assert folded["sections"][0]["created"] == 0
    assert [write["seq"] for write in folded["writes_without_outcome"]] == [ticket]
    assert folded["sections"][0]["done"] == {"perhaps changed": {"service principal": 1}}
    journal.settled(ticket, applied=applied, created=True)
    folded = summary.fold(read(journal.path))
    assert (folded["sections"][0]["created"], folded["writes_without_outcome"]) == (created, [])
    assert journal.done.counts()["created"] == created


def test_a_refusal_that_had_taken_effect_counts_once_it_is_seen() -> None:
    journal = NullJournal()
    ticket = _done(journal, "POST", "/v1.0/oauth2PermissionGrants", 404)
    journal.settled(ticket, applied=True, created=True)
    assert journal.done.words() == {"created": {"delegated grant": 1}}


def test_what_a_section_did_is_in_the_summary_though_it_never_ended(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, "r", sections=[{"name": "api_permissions"}, {"name": "client_secret"}])
    journal.event("section.started", section="api_permissions")
    _done(journal, "POST", "/v1.0/oauth2PermissionGrants", 201, granted={"delegated": ["User.Read", "Group.Read.All"]})
    _done(
        journal, "POST", "/v1.0/servicePrincipals/1/appRoleAssignedTo", 403, granted={"application": ["User.Read.All"]}
    )
    journal.event("section.started", section="client_secret")
    journal.event("secret.kept", section="client_secret", secret={"key_id": "k", "ref": "file:t/a/k"})
    folded = summary.fold(read(journal.path))
    assert [(one["created"], one["verdict"]) for one in folded["sections"]] == [(1, "incomplete"), (0, "incomplete")]
    assert folded["secret"] == {"key_id": "k", "ref": "file:t/a/k"}
    assert [(row["name"], row["granted"]) for row in folded["permissions"]["delegated"]] == [
        ("Group.Read.All", True),
        ("User.Read", True),
    ]
    assert folded["permissions"]["application"] == []
