"""The emulator's facts against the client's catalogue: two compilations of the same documents, kept apart.

A row that differs is wrong on one side; which one, Microsoft's page decides (``docs_page`` of the action). Nothing
differs on purpose: a set that the page lists and the permissions reference denies stands apart on both sides
(``not_relied_on`` and ``contradicted``).
"""

from __future__ import annotations

from typing import Any

import pytest
from entra_sandbox import facts
from entra_sandbox.stackone import actions
from entra_sandbox.stackone.input_schemas import input_schema
from jsonschema import Draft202012Validator

from runbook import catalog
from runbook.catalog import Action, Permission
from tests.sandbox_house.published_permissions import merged


def sets(alternatives: Any) -> list[frozenset[str]]:
    """Complete sets in their order; the order inside a set says nothing."""
    return [frozenset(one) for one in alternatives]


def asked(action: Action) -> dict[str, Any]:
    """What the client says of an action, in the form of the facts."""
    own = facts.actions()[action.slug]
    return {
        "id": action.stackone_id,
        "name": action.name,
        "request": (action.method, action.path),
        "parameters": tuple(one.name for one in action.path_parameters),
        "effect": action.effect,
        "options that Graph does not have": set(action.query) - set(own.query),
        "takes a body": action.body is not None,
        "delegated": sets(action.delegated.alternatives),
        "application": sets(action.application.alternatives),
        "contradicted": {frozenset(one["set"]) for _, access in action.accesses() for one in access.not_relied_on},
        "least": frozenset(action.delegated.least),
        "scopes of the guide": action.guide_scopes or (),
        "besides": {
            target: {kind: frozenset(n) for kind, n in row.items()} for target, row in action.by_target.items()
        },
    }


def known(action: facts.Action) -> dict[str, Any]:
    """What the emulator says of it."""
    return {
        "id": actions.id_of(action),
        "name": action.name,
        "request": (action.method, action.path),
        "parameters": action.parameters,
        "effect": action.effect,
        "options that Graph does not have": set(),
        "takes a body": action.body is not None,
        "delegated": sets(action.delegated),
        "application": sets(action.application),
        "contradicted": set(sets(action.contradicted)),
        "least": frozenset(action.least),
        "scopes of the guide": action.scopes,
        "besides": {
            target: {kind: frozenset(one[0]) for kind, one in row.items()} for target, row in action.besides.items()
        },
    }


def test_both_know_the_same_actions() -> None:
    assert {action.slug for action in catalog.actions()} == facts.actions().keys()


@pytest.mark.parametrize("action", catalog.actions(), ids=lambda action: action.slug)
def test_an_action_is_the_same_request_with_the_same_permissions_on_both_sides(action: Action) -> None:
    client, emulator = asked(action), known(facts.actions()[action.slug])
    differing = {
        f"{action.slug}: {field}": (client[field], emulator[field])
        for field in client
        if client[field] != emulator[field]
    }
    assert not differing, f"(catalogue, facts) of {action.docs_page}"


@pytest.mark.parametrize(
    "action", [action for action in catalog.actions() if action.body is not None], ids=lambda action: action.slug
)
def test_what_the_client_may_send_is_what_microsofts_type_holds(action: Action) -> None:
    assert action.body is not None
    schema = input_schema(facts.actions()[action.slug])
    body = {**schema["properties"]["body"], "$defs": schema["$defs"]}
    Draft202012Validator(body).validate(action.body.example)
    writable = {name for name in action.body.schema.get("properties", {}) if "@odata." not in name}
    assert writable <= body["properties"].keys()
    assert set(body["required"]) <= set(action.body.schema.get("required", ()))


@pytest.mark.parametrize("permission", catalog.permissions().values(), ids=lambda permission: permission.name)
def test_a_permission_has_the_same_published_ids_and_needs_the_same_consent(permission: Permission) -> None:
    own = facts.permissions()[permission.name]
    assert (permission.id("delegated"), permission.id("application")) == (own.delegated, own.application)
    assert permission.needs_admin_consent("delegated") == own.admin


def test_newly_published_permissions_are_added_and_known_ones_keep_their_ids() -> None:
    known = {"A.Read": {"delegated": "1", "application": None, "admin": True}}
    scopes = [{"value": "A.Read", "id": "1", "type": "User"}, {"value": "B.Read", "id": "3", "type": "Admin"}]
    roles = [{"value": "A.Read", "id": "2"}]
    assert merged(known, {"oauth2PermissionScopes": scopes, "appRoles": roles}) == {
        "A.Read": {"delegated": "1", "application": "2", "admin": False},
        "B.Read": {"delegated": "3", "application": None, "admin": True},
    }
    with pytest.raises(ValueError, match=r"A\.Read, delegated: 1 is known, 9 is published"):
        merged(known, {"oauth2PermissionScopes": [{**scopes[0], "id": "9"}], "appRoles": []})
