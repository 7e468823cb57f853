"""The checks find what is wrong, and let pass what is right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.published.check import answer_problems, operation_of, request_problems, type_problems

USER: dict[str, Any] = {"id": "1", "displayName": "Noor", "businessPhones": [], "accountEnabled": True}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (USER, None),
        ({**USER, "@odata.type": "#microsoft.graph.user", "manager@odata.associationLink": "x"}, None),
        ({**USER, "nickname": "N"}, "/nickname: user has no such property"),
        ({**USER, "displayname": "N"}, "/displayname: user has no such property"),
        ({**USER, "accountEnabled": "yes"}, "/accountEnabled: 'yes' is no boolean"),
        ({**USER, "businessPhones": None}, "/businessPhones: null is not allowed"),
        ({**USER, "createdDateTime": "yesterday"}, "/createdDateTime: 'yesterday' is no date-time"),
        ({**USER, "passwordProfile": {"secret": 1}}, "/passwordProfile/secret: passwordProfile has no such property"),
        ({**USER, "@odata.type": "#microsoft.graph.group"}, ": group is no user"),
    ],
)
def test_a_user_is_held_against_the_published_type(value: dict[str, Any], problem: str | None) -> None:
    found = type_problems("user", value)
    assert (problem in found) if problem else found == []


def test_a_derived_type_has_the_properties_of_its_base() -> None:
    location = {"@odata.type": "#microsoft.graph.ipNamedLocation", "displayName": "Office", "isTrusted": True}
    assert type_problems("namedLocation", location) == []
    assert type_problems("namedLocation", {"displayName": "Office", "isTrusted": True}) != []


def test_requests_may_spell_names_in_any_casing_but_not_invent_them() -> None:
    assert request_problems("POST", "/users", b'{"DisplayName": "Noor"}') == []
    assert request_problems("POST", "/users", b'{"display": "Noor"}') == ["/display: user has no such property"]
    assert request_problems("PATCH", "/users/1", b'{"accountEnabled": 1}') == ["/accountEnabled: 1 is no boolean"]


def test_addresses_are_found_in_every_form() -> None:
    expected = operation_of("GET", "/servicePrincipals/1")
    assert expected is not None
    for path in ("/serviceprincipals/1/", "//servicePrincipals('1')", "/servicePrincipals(appId='1')"):
        assert operation_of("GET", path) == expected
    assert operation_of("GET", "/users/$count") == {}
    assert operation_of("GET", "/nowhere") is None


def test_an_error_needs_code_and_message() -> None:
    error = {"code": "NotFound", "message": "No.", "innerError": {"date": "2026-01-01T00:00:00"}}
    assert answer_problems("GET", "/users/1", 404, json.dumps({"error": error}).encode()) == []
    assert answer_problems("GET", "/users/1", 404, b'{"error": {"code": "x"}}') == ["/error/message: missing"]


def test_an_enumeration_of_flags_takes_several_members() -> None:
    """Microsoft describes these without ``enum``, with ``x-enum-members``."""
    flows = "conditionalAccessAuthenticationFlows"
    assert type_problems(flows, {"transferMethods": "deviceCodeFlow,authenticationTransfer"}) == []
    assert type_problems(flows, {"transferMethods": "pigeon"}) != []
    assert type_problems(flows, {"transferMethods": {}}) != []
