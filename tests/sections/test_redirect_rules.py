from __future__ import annotations

import pytest

from runbook.redirect_rules import redirect_problems


@pytest.mark.parametrize(
    "uri",
    [
        "https://api.stackone.com/connect/oauth2/microsoftentraid/callback",
        "http://localhost:4711/connect/oauth2/microsoftentraid/callback",
        "http://127.0.0.1:4711/callback",
        "https://contoso.com/callback?tenant=1",
    ],
)
def test_uris_that_entra_takes_have_no_problem(uri: str) -> None:
    assert redirect_problems(uri) == []


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("", "empty"),
        ("http://contoso.com/callback", "https"),
        ("ftp://contoso.com/callback", "https"),
        ("contoso.com/callback", "absolute"),
        ("https:///callback", "absolute"),
        ("https://contoso.com/a b", "spaces"),
        ("https://contoso.com/callback#top", "fragment"),
        ("https://*.contoso.com/callback", "wildcard"),
        ("https://contoso.com/*", "wildcard"),
        ("https://contoso.com/it's", "'"),
        ("https://contoso.com/a,b;c", ", ;"),
        ("http://[::1]:80/callback", "https"),
        ("https://[::1]/callback", "IPv6"),
        ("https://user:word@contoso.com/callback", "password"),
        ("https://contoso.com:port/callback", "not a URI"),
        ("https://contoso.com/" + "a" * 240, "characters"),
    ],
)
def test_uris_that_entra_refuses_say_why(uri: str, words: str) -> None:
    assert words in " ".join(redirect_problems(uri))


def test_every_problem_of_a_uri_is_named_at_once() -> None:
    assert len(redirect_problems("ftp://*.contoso.com/it's#here")) == 4
