"""One table of words: terminal, notebook and report say the same, with the same sign, tone and columns."""

from __future__ import annotations

import re
from typing import Any

import pytest

from runbook import words
from runbook.cli.screen import Screen
from runbook.records import report
from runbook.runs.run import PlanReport
from runbook.tenant.changes import Change
from runbook.widgets import panel as panels
from runbook.widgets.plan_table import PlanTable

CHANGES = [Change(f"thing {kind}", "before", "after", kind, "a note", hashed=f"hash of {kind}") for kind in words.SIGNS]


def terminal(capsys: pytest.CaptureFixture[str]) -> str:
    titles = {"redirect_uri": "Redirect URI"}
    told = ("sandbox", "t", True, "Contoso", "somebody", list[dict[str, Any]]())
    Screen(as_json=False).plan(PlanReport("sha256:0", {"redirect_uri": CHANGES}, titles, *told))
    return capsys.readouterr().out


def reported() -> str:
    begun = {"event": "run.started", "seq": 1, "hash": "", "sections": [{"name": "redirect_uri", "title": "Redirect"}]}
    planned = {"event": "section.plan", "seq": 2, "hash": "", "section": "redirect_uri"}
    return report.render([begun, {**planned, "changes": [change.shown() for change in CHANGES]}])


def everywhere(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The plan as each medium shows it; the terminal leaves out what stays as it is."""
    panel = PlanTable(CHANGES)
    return {"terminal": terminal(capsys), "text": panel.text(), "notebook": panel.html(), "report": reported()}


def test_a_column_of_the_plan_is_declared_in_one_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for medium, shown in everywhere(capsys).items():
        titles = [column.title for column in words.PLAN]
        assert [title for title in titles if title not in shown] == [], medium
        assert "hash of added" not in shown
    monkeypatch.setattr(words, "PLAN", (*words.PLAN, words._Column("Stands for", "hashed")))
    for medium, shown in everywhere(capsys).items():
        assert "Stands for" in shown, medium
        assert "hash of added" in shown, medium


def test_each_kind_of_change_has_one_sign_and_one_word_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    for medium, shown in everywhere(capsys).items():
        for kind in words.SIGNS:
            if (medium, kind) != ("terminal", "same"):
                assert words.signed(kind) in shown, (medium, kind)


def test_a_tone_is_the_class_of_a_word_in_the_notebook_and_in_the_report() -> None:
    html = reported()
    for kind in words.SIGNS:
        said, tone = words.signed(kind), words.tone(kind)
        assert re.search(rf'<span class="word {tone}">{re.escape(said)}</span>', html), kind
        assert panels.render("word", said) == (said if tone == "none" else f'<span class="word {tone}">{said}</span>')


@pytest.mark.parametrize("name", [*words.VERDICTS, *words.SIGNS, "done", "next", "open", "yes", "no", "read", "delete"])
def test_every_word_has_a_tone_that_each_medium_knows(name: str) -> None:
    assert words.style(name) == words._STYLES[words.tone(name)]
    for css in (panels.style(), report._environment().loader.get_source(report._environment(), "report.css")[0]):  # type: ignore[union-attr]
        assert f"--{words.tone(name)}" in css or f".{words.tone(name)}" in css


def test_what_is_missing_is_unknown_and_never_blank() -> None:
    assert [words.word(value) for value in (True, False, None, "", 0)] == ["yes", "no", "unknown", "unknown", "0"]


def test_counts_read_as_a_person_says_them() -> None:
    made = {"created": {"application": 1, "app role assignment": 2}, "deleted": {"delegated grant": 1}}
    assert words.done({"done": made}) == "1 application, 2 app role assignments created, 1 delegated grant deleted"
    assert words.done({"done": {}}) == "nothing changed"
    two = [{"verdict": "passed"}, {"verdict": "not tried"}]
    assert words.done({"done": {}, "facts": {"actions": two}}) == "1 of 2 actions proven"
    tried = {
        "done": {"created": {"group": 2, "user": 1}, "deleted": {"group": 2, "user": 1}},
        "facts": {"actions": two},
    }
    assert words.done(tried) == "1 of 2 actions proven; 3 disposable objects made and removed"
    left = {"done": {"created": {"group": 2}, "deleted": {"group": 1}}, "facts": {"actions": two}}
    assert words.done(left) == "1 of 2 actions proven; 2 groups created, 1 group deleted"
    assert words.tally(["same", "added", "same"]) == "1 added, 2 same"
    assert (words.plural(1, "retry"), words.plural(2, "retry")) == ("1 retry", "2 retries")


@pytest.mark.parametrize(
    "mark", ["\x1b[2J", "\x1b]0;title\x07", "\x9b2J", "\u202e", "\u2066", "\u200f", "\r", "\x00", "\ufeff"]
)
def test_what_would_move_a_terminal_or_turn_its_text_is_shown(mark: str) -> None:
    shown = words.visible(f"before{mark}after\nnext line")
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert "\\u" in shown
    assert shown.startswith("before")
    assert shown.endswith("after\nnext line")


def test_words_of_people_stay_as_they_are() -> None:
    for text in ("Zoë O'Brien", "日本語", "naïve [bold]markup[/bold]", "line\nline"):
        assert words.visible(text) == text
