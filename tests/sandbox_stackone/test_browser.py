"""The attendant's browser reads pages as a person does and sends forms as HTML has it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from entra_sandbox.browser import Browser, Lost, read

PAGE = """<!doctype html><title>Sign in</title><style>h1 {}</style>
<h1>Hello <em>there</em></h1><p role="alert">Wrong<br>&lt;password&gt;</p>
<form action="/next" method="POST">
  <input type="hidden" name="flow" value="f1">
  <label for="u">User name</label><input id="u" name="login" type="email" value="a@b">
  <label>Remember <input type="checkbox" name="keep" checked></label>
  <label><input type="checkbox" name="other" value="o">Other</label>
  <label for="s">Type</label><select id="s" name="type">
    <option value="1">One</option><option value="2" selected>Two</option></select>
  <label for="t">Scopes</label><textarea id="t" name="scopes">A.Read
 B.Read</textarea>
  <input name="off" disabled value="x"><button type="button" name="no">Help</button>
  <button name="do" value="cancel">Cancel</button><button name="do" value="go"> Sign
  in </button><input type="submit" name="do" value="Send">
</form>
<a href="list?x=1">The <b>list</b></a>"""


def test_a_page_is_read_as_it_is_shown() -> None:
    screen = read("https://localhost:1/a/b", 401, PAGE)
    assert (screen.title, screen.headings, screen.alerts) == ("Sign in", ["Hello there"], ["Wrong <password>"])
    assert screen.says() == "Hello there / Wrong <password> (HTTP 401)"
    assert screen.link("the list") == "https://localhost:1/a/list?x=1"
    assert "h1 {}" not in screen.text


def test_fields_are_found_by_their_labels() -> None:
    (form,) = read("https://localhost:1/", 200, PAGE).forms
    assert [one.text for one in form.fields] == ["User name", "Remember", "Other", "Type", "Scopes"]
    assert [one.text for one in form.buttons] == ["Cancel", "Sign in", "Send"]
    select = form.find("Type")
    assert select is not None
    assert (select.value, select.options) == ("2", [("1", "One"), ("2", "Two")])


def test_a_form_sends_what_html_says_with_the_pressed_button_alone() -> None:
    (form,) = read("https://localhost:1/", 200, PAGE).forms
    assert form.data(form.button("Sign in")) == {
        "flow": ["f1"],
        "login": ["a@b"],
        "keep": ["on"],
        "type": ["2"],
        "scopes": ["A.Read B.Read"],
        "do": ["go"],
    }


def test_an_address_where_nothing_answers_is_told(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(ca)
    with Browser(str(ca)) as browser, pytest.raises(Lost, match="could not be opened") as lost:
        browser.open("http://localhost:1/hub/secret?code=secret-too")
    assert "secret-too" not in str(lost.value)


@pytest.mark.parametrize("html", ["", "<form", "</div></form><input name=x>", "<form><select><option></form>", "<<>>"])
def test_broken_html_is_survived(html: str) -> None:
    assert read("https://localhost:1/", 200, html).status == 200
