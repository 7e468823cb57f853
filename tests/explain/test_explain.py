from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
from pydantic import ValidationError

from runbook.clients import explanation as module
from runbook.clients.explain import aadsts, sign_in_error
from runbook.clients.explanation import Facts, explain, looks_like_secret_id, table
from runbook.errors import GraphError, NotSettled, StackOneError, TransportError
from runbook.secrets import Secret

SECRET_ID = "c7a1d2e3-0000-4f00-8000-5d6e7f8a9b0c"
DENIED = {"service": "graph", "status": 403, "code": "Authorization_RequestDenied"}


def entra(code: int, text: str = "…") -> Exception:
    answer = {
        "error": "invalid_client",
        "error_description": f"AADSTS{code}: {text} Trace ID: 1",
        "error_codes": [code],
    }
    return sign_in_error(answer, subject="a test")


def graph(status: int, code: str, message: str = "", path: str = "/v1.0/groups") -> Exception:
    return GraphError("GET failed", status=status, code=code, message=message, path=path, request_id="r-1")


RECOGNISED: list[tuple[str, Any, dict[str, Any]]] = [
    ("secret_id_for_value", entra(7000215), {"secret_looks_like_id": True}),
    ("secret_not_yet_valid", entra(7000215), {"age_seconds": 8}),
    (
        "app_role_id_as_scope",
        graph(400, "Request_BadRequest"),
        {"misplaced_ids": ("df021288-bdef-4463-88db-98f22de89214",)},
    ),
    (
        "app_role_id_as_scope",
        graph(400, "Request_BadRequest", "Permission being assigned was not found on application 'x'."),
        {},
    ),
    ("consent_page_lied", Facts(), {"consent_redirected": True, "granted": False}),
    ("missing_service_principal", graph(403, "Authorization_IdentityNotFound"), {}),
    ("missing_service_principal", entra(7000229), {}),
    ("missing_service_principal", entra(700016), {"service_principal": False}),
    ("wrong_tenant", entra(700016), {}),
    ("wrong_tenant", entra(90002), {}),
    ("wrong_tenant", graph(401, "InvalidAuthenticationToken"), {"token_tenant": "aaaa", "tenant_id": "bbbb"}),
    ("admin_role_missing", DENIED, {"permission_type": "delegated", "granted": True, "in_token": True}),
    ("admin_role_missing", entra(90094), {}),
    ("conditional_access", entra(53003), {}),
    ("conditional_access", entra(50076), {}),
    (
        "conditional_access",
        graph(401, "InvalidAuthenticationToken", "Continuous access evaluation resulted in challenge"),
        {},
    ),
    ("throttled", graph(429, "TooManyRequests"), {"retry_after": 17.0}),
    ("throttled", StackOneError("too many", status=429), {}),
    ("replication", NotSettled("the grant was not seen"), {}),
    ("replication", graph(404, "Request_ResourceNotFound"), {"age_seconds": 3}),
    (
        "replication",
        graph(
            400,
            "Request_BadRequest",
            "The appId 'x' of the service principal does not reference a valid application object.",
        ),
        {},
    ),
    ("replication", graph(400, "Request_BadRequest", "One of the objects being referenced don't exist."), {}),
    (
        "replication",
        graph(
            403,
            "Authorization_RequestDenied",
            "When using this permission, the backing application of the service principal being created must …",
        ),
        {},
    ),
    ("clock_skew", entra(700024), {}),
    ("clock_skew", graph(401, "InvalidAuthenticationToken", "The token is not yet valid."), {}),
    ("clock_skew", graph(401, "InvalidAuthenticationToken"), {"clock_offset_seconds": -900}),
    ("secret_policy_forbids", graph(400, "CredentialTypeNotAllowedAsPerAppPolicy"), {}),
    (
        "secret_policy_forbids",
        graph(400, "Request_BadRequest", "Credential type not allowed as per assigned policy 'x'."),
        {},
    ),
    ("secret_policy_lifetime", graph(400, "CredentialInvalidLifetimeAsPerAppPolicy"), {}),
    ("not_requested", DENIED, {"requested": False, "granted": False}),
    ("not_granted", DENIED, {"requested": True, "granted": False, "in_token": False}),
    ("token_older_than_grant", DENIED, {"granted": True, "in_token": False}),
    ("account_older_than_grant", StackOneError("denied", status=403), {"granted": True}),
    ("beyond_permission", DENIED, {"permission_type": "application", "granted": True, "in_token": True}),
    ("consent_not_everywhere", entra(65001), {"age_seconds": 5}),
    ("no_licence", graph(403, "AccessDenied", "Your tenant is not licensed for this feature."), {}),
    ("account_inactive", StackOneError("account", status=412), {"account_active": False}),
]


@pytest.mark.parametrize(("name", "failure", "circumstances"), RECOGNISED)
def test_a_failure_is_recognised_by_code_and_circumstances(
    name: str, failure: Any, circumstances: dict[str, Any]
) -> None:
    found = explain(failure, **circumstances)
    assert found.name == name
    assert found.cause
    assert found.who
    assert found.remedy
    assert "{" not in str(found)


def test_every_row_of_the_table_is_recognised_by_a_case_here() -> None:
    assert {row.name for row in table().rows} == {name for name, _failure, _circumstances in RECOGNISED}


@pytest.mark.parametrize(
    ("failure", "circumstances", "not_name"),
    [
        (entra(7000215), {"secret_looks_like_id": False, "age_seconds": 4000}, "secret_id_for_value"),
        (graph(404, "Request_ResourceNotFound"), {"age_seconds": 4000}, "replication"),
        (graph(401, "InvalidAuthenticationToken"), {"clock_offset_seconds": 20}, "clock_skew"),
        (graph(401, "InvalidAuthenticationToken"), {"token_tenant": "AAAA", "tenant_id": "aaaa"}, "wrong_tenant"),
        (Facts(), {"consent_redirected": True, "granted": None}, "consent_page_lied"),
        (DENIED, {"granted": None, "in_token": None}, "not_granted"),
    ],
)
def test_what_is_not_shown_is_not_claimed(failure: Any, circumstances: dict[str, Any], not_name: str) -> None:
    assert explain(failure, **circumstances).name != not_name


def test_the_evidence_is_of_this_run() -> None:
    found = explain(graph(403, "Authorization_RequestDenied"), granted=False, permissions=("User.Read.All",))
    assert found.evidence == {
        "status": "403",
        "code": "Authorization_RequestDenied",
        "request_id": "r-1",
        "path": "/v1.0/groups",
        "granted": "no",
    }
    assert "User.Read.All" in found.cause


def test_a_code_that_stackone_quotes_is_recognised() -> None:
    nested = StackOneError(
        "link failed", status=400, message="provider: AADSTS7000229: The client application is missing"
    )
    assert explain(nested).name == "missing_service_principal"


def test_a_code_without_circumstances_means_what_the_clients_tables_say() -> None:
    found = explain(entra(7000222))
    row = aadsts()["7000222"]
    assert (found.cause, found.who, found.remedy) == (row.meaning, row.who, row.remedy)
    assert explain(graph(403, "Directory_QuotaExceeded")).cause.startswith("The quota of directory objects")
    assert "API key" in explain(StackOneError("no", status=401)).cause


def test_an_error_of_our_own_explains_itself() -> None:
    error = TransportError("no answer", meaning="The network is down.", next_step="check the network.")
    assert (explain(error).cause, explain(error).remedy) == ("The network is down.", "Check the network.")


@pytest.mark.parametrize("failure", [Facts(), ValueError("x"), {"status": 418}, graph(418, "Teapot")])
def test_a_failure_that_nothing_is_known_about_says_so(failure: Any) -> None:
    assert explain(failure).cause.startswith("The cause is not known")


def test_a_secret_id_is_told_from_a_value() -> None:
    assert looks_like_secret_id(Secret(SECRET_ID))
    assert not looks_like_secret_id(Secret("Abc8Q~d_1234567890abcdefghijklmnopqrstuvw"))


def test_a_fact_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(TypeError):
        explain(Facts(), mood="bad")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("who", "somebody"),
        ("cause", "It is {mood}."),
        ("remedy", "Wait {patience}."),
        ("when", {}),
        ("when", {"facts": {"mood": True}}),
        ("when", {"message": "("}),
        ("when", {"state": 403}),
        ("colour", "red"),
    ],
)
def test_a_row_that_is_not_as_it_must_be_is_refused_on_load(part: str, value: object) -> None:
    document = json.loads(resources.files("runbook").joinpath("explanations.json").read_text())
    document["rows"][0][part] = value
    with pytest.raises(ValidationError):
        type(table()).model_validate(document)


def test_the_special_stands_before_the_general() -> None:
    rows = table().rows
    shadowed = [
        (earlier.name, later.name)
        for index, later in enumerate(rows)
        for earlier in rows[:index]
        if later.when == earlier.when
    ]
    assert shadowed == []


def test_every_row_names_its_source() -> None:
    assert all(row.source for row in module.table().rows)
