"""The table of answers as it is loaded, and what is said where no row fits."""

from __future__ import annotations

import json
import re
from importlib import resources
from string import Formatter
from typing import Any

import pytest
from pydantic import ValidationError

from runbook.clients import retry
from runbook.clients.answers import (
    _CIRCUMSTANCES,
    Table,
    _known,
    _words,
    explain,
    look_up,
    looks_like_secret_id,
    table,
    told,
)
from runbook.clients.entra import _sign_in_error
from runbook.errors import GraphError, RunbookError, StackOneError, TransportError
from runbook.secrets import Secret

SECRET_ID = "c7a1d2e3-0000-4f00-8000-5d6e7f8a9b0c"
PARTS = "Correct that part"


def entra(code: int, **circumstances: Any) -> RunbookError:
    answer = {"error": "invalid_client", "error_description": f"AADSTS{code}: … Trace ID: 1", "error_codes": [code]}
    return _sign_in_error(answer, subject="a test", **circumstances)


def graph(status: int, code: str, message: str = "", path: str = "/groups") -> GraphError:
    return GraphError("GET failed", status=status, code=code, message=message, path=path, request_id="r-1")


DENIED = graph(403, "Authorization_RequestDenied")


def name(failure: BaseException, **circumstances: Any) -> str:
    found = look_up(failure, **circumstances)
    return found.name if found else ""


@pytest.mark.parametrize(
    ("failure", "circumstances", "not_name"),
    [
        (entra(7000215), {"secret_looks_like_id": False, "age_seconds": 4000}, "secret_young"),
        (entra(7000215), {"secret_looks_like_id": False}, "secret_id_of_connector"),
        (graph(404, "Request_ResourceNotFound"), {"age_seconds": 4000}, "object_young"),
        (graph(401, "InvalidAuthenticationToken"), {"clock_offset_seconds": 20}, "clock_skew"),
        (RunbookError("x"), {"consent_redirected": True, "granted": None}, "consent_page_lied"),
        (DENIED, {"granted": None, "in_token": None}, "not_granted"),
    ],
)
def test_what_is_not_shown_is_not_claimed(failure: Any, circumstances: dict[str, Any], not_name: str) -> None:
    assert name(failure, **circumstances) != not_name


def test_the_evidence_is_of_this_run() -> None:
    found = explain(graph(403, "Authorization_RequestDenied"), granted=False, permissions=("User.Read.All",))
    assert found.evidence == {
        "status": "403",
        "code": "Authorization_RequestDenied",
        "request_id": "r-1",
        "path": "/groups",
        "granted": "no",
    }
    assert "User.Read.All" in found.cause


@pytest.mark.parametrize("quoted", ["AADSTS7000229: The client application is missing", "x AADSTS7000229"])
def test_a_code_that_stackone_quotes_is_recognised(quoted: str) -> None:
    assert name(StackOneError("link failed", status=400, message=f"provider: {quoted}")) == "principal_missing"


def test_an_error_keeps_the_circumstances_of_the_place_where_it_came_up() -> None:
    error = entra(7000215, whose="administrator", secret_looks_like_id=True)
    assert name(error) == "secret_id_of_administrator"
    assert name(error, age_seconds=3) == "secret_id_of_administrator"


def test_an_answer_of_something_young_passes_and_the_same_of_something_old_does_not() -> None:
    assert retry.transient(entra(65001, age_seconds=3.0)) is not None
    assert retry.transient(entra(65001)) is None


def test_an_error_of_our_own_explains_itself() -> None:
    error = TransportError("no answer", meaning="The network is down.", next_step="check the network.")
    assert (explain(error).cause, explain(error).remedy) == ("The network is down.", "Check the network.")
    assert told(error).meaning == "The network is down."


def test_a_defect_says_what_it_is_and_claims_no_cause() -> None:
    found = explain(ValueError("x"))
    assert (found.answer, found.cause) == ("", "x")
    assert found.remedy


def test_no_row_leaves_a_person_alone() -> None:
    for row in table().rows:
        assert PARTS not in row.remedy
        assert "cause is not known" not in row.cause
        assert row.remedy.endswith("."), row.name
        assert row.cause.endswith("."), row.name


def test_a_secret_id_is_told_from_a_value() -> None:
    assert looks_like_secret_id(Secret(SECRET_ID))
    assert not looks_like_secret_id(Secret("Abc8Q~d_1234567890abcdefghijklmnopqrstuvw"))


def test_a_fact_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(TypeError):
        explain(None, mood="bad")


def test_every_row_names_people_words_and_facts_that_there_are() -> None:
    found = table()
    words, facts = set(_words(_known(None, {}))), {*_CIRCUMSTANCES, *_known(None, {})}
    assert {row.who for row in found.rows} <= found.people.keys()
    assert len({row.name for row in found.rows}) == len(found.rows)
    for row in found.rows:
        assert row.when.model_fields_set, row.name
        assert set(row.when.facts) <= facts, row.name
        for pattern in (row.when.method, row.when.message, row.when.path):
            re.compile(pattern)
        named = {name for text in (row.cause, row.remedy) for _, name, _, _ in Formatter().parse(text) if name}
        assert named <= words, row.name


@pytest.mark.parametrize(
    ("part", "value"), [("when", {"state": 403}), ("then", "hope"), ("source", ""), ("colour", "red")]
)
def test_a_row_that_is_not_as_it_must_be_is_refused_on_load(part: str, value: object) -> None:
    document = json.loads(resources.files("runbook.clients").joinpath("answers.json").read_text())
    document["rows"][0][part] = value
    with pytest.raises(ValidationError):
        Table.model_validate(document)


@pytest.mark.parametrize(
    "code", sorted({code for row in table().rows for code in row.when.code if code.startswith("AADSTS")})
)
def test_no_advice_for_the_administrators_own_sign_in_is_to_run_a_section(code: str) -> None:
    """Sections change the connector's application, which is another one."""
    advice = explain(entra(int(code.removeprefix("AADSTS")), whose="administrator")).remedy
    assert not re.search(r"[Rr]un section|link of section", advice), advice
