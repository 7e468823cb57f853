from __future__ import annotations

import base64
import datetime
import enum
import html
import json
import logging
import re
import string
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.records import redaction
from runbook.records.redaction import find, register, scrub, scrub_text
from runbook.secrets import Secret
from runbook.secrets.secret import MASK

PEM = (
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n"
    "-----END PRIVATE KEY-----"
)
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2dyYXBoIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"

secrets_ = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=12, max_size=40
).filter(
    lambda value: len(value.strip()) >= 12 and len(set(value)) >= 6 and "*" not in value and value == value.strip()
)
surroundings = st.text(string.ascii_letters + string.digits + " \n\t.,:;=/+-_'\"<>&%{}[]", max_size=60)
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | surroundings,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(surroundings, inner, max_size=3),
    max_leaves=6,
)


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*map(str, value), *(leaf for member in value.values() for leaf in _leaves(member))]
    if isinstance(value, list):
        return [leaf for member in value for leaf in _leaves(member)]
    return [str(value)]


def _plant(data: st.DataObject, planted: Any) -> Any:
    """``planted`` somewhere in a nested structure."""
    for _ in range(data.draw(st.integers(0, 4))):
        neighbours = data.draw(plain_json)
        match data.draw(st.sampled_from(["list", "dict", "tuple", "json"])):
            case "list":
                planted = [neighbours, planted]
            case "dict":
                planted = {data.draw(surroundings): planted, "neighbours": neighbours}
            case "tuple":
                planted = (planted, neighbours)
            case "json":
                planted = json.dumps(planted)
    return planted


ENCODINGS = {
    "as it is": lambda value: value,
    "url": lambda value: quote(value, safe=""),
    "url, lower case": lambda value: quote(value, safe="").replace("%2F", "%2f").replace("%3D", "%3d"),
    "url, mixed case": lambda value: re.sub(
        "%[0-9A-F]{2}", lambda one: one.group().lower() if one.start() % 2 else one.group(), quote(value, safe="")
    ),
    "form": quote_plus,
    "query": lambda value: urlencode({"q": value}),
    "json": json.dumps,
    "json, not ascii": lambda value: json.dumps(value, ensure_ascii=False),
    "json in json": lambda value: json.dumps(json.dumps(value)),
    "html": html.escape,
    "python": repr,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64, url-safe": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "basic": lambda value: base64.b64encode(f"client-id:{value}".encode()).decode(),
    "basic of an api key": lambda value: base64.b64encode(f"{value}:".encode()).decode(),
}


@given(st.data(), secrets_, st.sampled_from(sorted(ENCODINGS)), surroundings, surroundings)
def test_a_known_value_survives_in_no_structure_and_no_encoding(
    data: st.DataObject, value: str, encoding: str, before: str, after: str
) -> None:
    redaction.forget()
    register(Secret(value))
    encoded = ENCODINGS[encoding](value)
    inner = encoded.strip("\"'=").removeprefix("q=")
    clean = scrub(_plant(data, before + encoded + after))
    assert not [leaf for leaf in _leaves(clean) if value in leaf or inner in leaf]
    assert find(json.dumps(clean)) == ()


@pytest.mark.parametrize("value", ["a/bb=cc+d/ee=f", "letters/and=Digits123+"])
def test_the_case_of_a_percent_encodings_digits_says_nothing(value: str) -> None:
    redaction.forget()
    register(Secret(value))
    encoded = ENCODINGS["url, mixed case"](value)
    assert encoded not in (encoded.upper(), encoded.lower(), quote(value, safe=""))
    assert scrub_text(f"before {encoded} after") == f"before {MASK} after"


NAMES = [
    "secretText",
    "client_secret",
    "access_token",
    "refresh_token",
    "id_token",
    "password",
    "assertion",
    "Authorization",
]
NAMES += [
    "clientSecret",
    "CLIENT-SECRET",
    "stackone_api_key",
    "device_code",
    "code_verifier",
    "new_client_secret",
    "private_key",
]
values = st.text(string.ascii_letters + string.digits + "~._-+/=!§ü\\\"' ", min_size=8, max_size=40).filter(
    lambda value: any(character.isdigit() for character in value)
)


@given(st.data(), values, st.sampled_from(NAMES))
def test_what_stands_under_a_telling_name_never_survives(data: st.DataObject, value: str, name: str) -> None:
    redaction.forget()
    value = f"§{value}"  # a character that its surroundings cannot have
    member = data.draw(st.sampled_from([value, [value], {"value": value}, [{"x": [value]}], (value, None)]))
    clean = scrub(_plant(data, {name: member}))
    assert not [leaf for leaf in _leaves(clean) if value in leaf]


@given(values.filter(lambda value: value.strip() and "\\" not in value and '"' not in value), st.sampled_from(NAMES))
def test_what_stands_under_a_telling_name_in_text_never_survives(value: str, name: str) -> None:
    redaction.forget()
    for text in (
        json.dumps({name: value}, ensure_ascii=False),
        json.dumps(json.dumps({name: value}, ensure_ascii=False), ensure_ascii=False),
        repr({name: value}),
        f'{name} = "{value}"',
        html.escape(json.dumps({name: value}, ensure_ascii=False)),
        f"<tr><th>{name}</th><td>{html.escape(value)}</td></tr>",
        urlencode({"grant_type": "x", name: value, "scope": "y"}),
    ):
        clean = scrub_text(text)
        assert not [form for form in (value, html.escape(value), quote_plus(value)) if form in clean]
        assert MASK in clean


@pytest.mark.parametrize(
    "secret",
    [
        PEM,
        PEM.replace("PRIVATE", "RSA PRIVATE"),
        JWT,
        "v1.eu1.Y2xpZW50LXNlY3JldC1vZi1zdGFja29uZQ",
        "abc8Q~d_1234567890abcdefghijklmnopqrstuvw",
        "0.AXoA" + "aB3_" * 30,
    ],
    ids=["PEM", "RSA PEM", "JWT", "StackOne key", "Entra secret", "refresh token"],
)
@pytest.mark.parametrize("around", ["{}", "value: {}", '"{}"', "<td>{}</td>", "https://x/?v={}&w=1", "a {} b"])
def test_what_has_the_shape_of_a_secret_never_survives(secret: str, around: str) -> None:
    text = around.format(secret)
    assert find(text)
    clean = scrub_text(text)
    assert secret not in clean
    assert secret[-20:] not in clean
    assert find(clean) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh12345678",
        "authorization: Basic djEuZXUxLmFiY2Q6",
        "curl -H 'Authorization: Bearer abcdefgh12345678'",
        "https://user:hunter2hunter2@proxy.example:3128/",
        "https://localhost/callback?code=0.AXoAabcdefghijklmnop&state=1",
        "https://localhost/callback#code=0.AXoAabcdefghijklmnop",
        "what was sent:\ncode=0.AXoAabcdefghijklmnop",
        "<td>\u017fecret</td> <td> PAS\u017fWORD </td><td>abcd1234abcd</td>",
        "https://hub.example/?token=abcd1234abcd",
        'Cookie: ESTSAUTH="abcd1234abcd"',
        '{"token": "abcd1234abcd"}',
        "\x1b[31mclient_secret\x1b[39m\x1b[33m=\x1b[39m\x1b[32m'abcd1234abcd'\x1b[39m",
        "headers['Authorization'] = 'abcd1234abcd'",
    ],
)
def test_secrets_of_requests_and_tracebacks_are_masked(text: str) -> None:
    clean = scrub_text(text)
    assert MASK in clean
    values_ = ("abcd1234abcd", "abcdefgh12345678", "djEuZXUx", "hunter2", "0.AXoA")
    assert not [value for value in values_ if value in clean]


@pytest.mark.parametrize(
    "text",
    [
        "HTTP Basic authentication is used; Bearer authentication too.",
        'WWW-Authenticate: Bearer realm="", error="insufficient_claims"',
        "403 Authorization_RequestDenied: Insufficient privileges",
        '{"code": "CredentialInvalidLifetimeAsPerAppPolicy"}',
        "client_secret_ref = 'keyring:entra-id-runbook/x'",
        "password: str = ''",
        "in_token=True, token=None",
        "exit code=1, code: 'Request_BadRequest'",
        "secret_lifetime_days: 180",
        "the connector of v1.0/users and v1.30.0",
        "https://graph.microsoft.com/v1.0/users?$select=id&$top=5",
        "client_secret='**********'",
        "6a8a4f0e-3f4e-4a57-8a35-0f9c3a5e7d11",
        "9f2c4b7d0e6a1c3358f1d2b4a6978c0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert scrub_text(text) == text
    assert find(text) == ()


def test_metadata_about_secrets_is_left_alone() -> None:
    facts = {
        "secret": {"key_id": "c7a1", "ends_at": "2027-05-22", "ref": "keyring:x"},
        "passwordCredentials": [{"keyId": "c7a1", "hint": "abc", "displayName": "StackOne connector"}],
        "permissions": {"delegated": [{"name": "User.Read.All", "in_token": True}]},
        "error": {"code": "Authorization_RequestDenied"},
        "client_secret_ref": "file:secrets/connector",
        "password": None,
    }
    assert scrub(facts) == facts


def test_an_authorization_code_is_told_from_an_error_code() -> None:
    assert scrub({"code": "0.AXoAabcdefghijklmnop"}) == {"code": MASK}
    assert scrub({"code": "AADSTS7000215"}) == {"code": "AADSTS7000215"}


@given(plain_json)
def test_scrubbing_keeps_the_shape_and_is_stable(value: Any) -> None:
    redaction.forget()
    once = scrub(value)
    assert type(once) is type(value)
    assert scrub(once) == once
    assert find(json.dumps(once)) == find(json.dumps(scrub(once)))


def test_other_types_become_their_plain_form() -> None:
    class Colour(enum.Enum):
        RED = "red"

    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    given_ = {
        "secret": Secret("abcdefgh"),
        "at": moment,
        "path": Path("a/b"),
        "id": uuid.UUID(int=1),
        "of": Colour.RED,
        "all": {2, 1},
    }
    assert json.loads(json.dumps(scrub(given_))) == {
        "secret": MASK,
        "at": "2026-01-02 00:00:00+00:00",
        "path": "a/b",
        "id": str(uuid.UUID(int=1)),
        "of": "red",
        "all": [1, 2],
    }


def test_an_object_of_unknown_form_is_refused() -> None:
    with pytest.raises(TypeError, match="Logger"):
        scrub({"x": logging.getLogger()})


def test_a_private_key_kept_as_lines_is_masked_as_one() -> None:
    lines = ["before\n", *PEM.splitlines(keepends=True), "\n", "after"]
    clean = scrub({"text": lines})["text"]
    assert "MC4CAQ" not in "".join(clean)
    assert "".join(clean).startswith("before\n")
    assert "".join(clean).endswith("\nafter")


def test_a_finding_names_kind_and_line_and_never_the_value() -> None:
    register("correct-horse-battery")
    (found,) = find("one\ntwo\nit is correct-horse-battery")
    assert (found.kind, found.line, found.offset) == ("known value", 3, 14)
    assert "correct-horse" not in str(found)


def test_a_value_that_begins_like_another_is_masked_to_its_end() -> None:
    register("abcdefgh", "abcdefghijkl")
    assert scrub_text("x abcdefghijkl y") == f"x {MASK} y"


def test_values_too_short_to_be_told_from_text_are_left_to_their_names() -> None:
    register("abc")
    assert scrub_text("abc in abcdef") == "abc in abcdef"
    assert scrub({"password": "abc"}) == {"password": MASK}


def test_a_value_that_becomes_known_later_is_masked_in_a_text_that_was_scrubbed_before() -> None:
    text = "kept for a moment: canary-0123456789"
    assert scrub_text(text) == text
    register("canary-0123456789")
    assert scrub_text(text) == f"kept for a moment: {MASK}"


_PIECES = (*NAMES, "TOKEN", "stackone_-api_-key", "client_-assertion", "current_password", "İ")
_MARKS = (
    "_",
    "-",
    "=",
    ":",
    "%3D",
    " ",
    "\n",
    "'",
    '"',
    '\\"',
    "&quot;",
    "{",
    "]",
    "b'",
    "abcDEF123456",
    "Basic ",
    "file:a",
)


@given(st.lists(st.sampled_from((*_PIECES, *_MARKS)), max_size=14).map("".join))
def test_trying_a_pattern_only_near_its_hints_finds_what_trying_it_everywhere_finds(text: str) -> None:
    lowered = text.lower()
    names = redaction._names(text, lowered)
    for rule in redaction._RULES:
        everywhere = [*rule.pattern.finditer(text)] if any(hint in lowered for hint in rule.hints) else []
        found = [each.span() for each in rule.matches(text, lowered, names)]
        assert found == [each.span() for each in everywhere]


def test_forgotten_values_are_text_again() -> None:
    register("correct-horse-battery")
    redaction.forget()
    assert scrub_text("correct-horse-battery") == "correct-horse-battery"
