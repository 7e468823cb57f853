from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from runbook.errors import RecordError
from runbook.records import redaction, report
from runbook.records.journal import Journal, read

MakeRun = Callable[..., Journal]
VOID = {"meta", "br", "link", "img", "hr", "input", "wbr"}


class Page(HTMLParser):
    """Text and structure of a page; well nested or it fails."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def failed(make_run: MakeRun) -> Page:
    return Page(report.render(read(make_run(verdict="failed").path)))


def test_the_verdict_comes_first_with_what_stopped_the_run_and_what_to_do(failed: Page) -> None:
    beginning = failed.words[: failed.words.index("Sections")]
    assert "failed The run failed." in beginning
    assert "2 of 6 actions are not proven. Next: grant what is missing" in beginning


def test_who_acted_with_which_tool_and_which_notebooks_is_there(failed: Page) -> None:
    who = failed.words[failed.words.index("Who acted, on which tenant") :]
    for text in ("Runbook administrator", "Tool python 3.11.2", f"Notebook 03_redirect_uri.ipynb SHA-256 {3:064x}"):
        assert text in who


def test_the_page_loads_nothing_and_runs_nothing(failed: Page, make_run: MakeRun) -> None:
    html = report.render(read(make_run(run_id="other").path))
    assert not {"script", "link", "img", "iframe", "object", "form"} & {tag for tag, _attributes in failed.tags}
    assert not [
        name for _tag, attributes in failed.tags for name in attributes if name.startswith("on") or name == "src"
    ]
    assert all(attributes["href"].startswith("#") for attributes in failed.all("a"))
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html


def test_every_table_has_a_caption_and_every_head_a_scope(failed: Page) -> None:
    assert all(attributes.get("scope") for attributes in failed.all("th"))
    assert len(failed.all("caption")) == len(failed.all("table")) > 20
    assert [tag for tag, _ in failed.tags if tag == "h1"] == ["h1"]


def test_the_picture_says_in_words_what_it_shows(failed: Page) -> None:
    assert all(attributes["role"] == "img" and attributes["aria-labelledby"] for attributes in failed.all("svg"))
    assert "Of 14 permissions: 14 wanted, 14 requested, 13 granted, 12 in token; 1 unknown." in failed.words


def test_the_matrix_shows_which_cells_are_red_and_why(failed: Page) -> None:
    assert "Add Group Member yes yes yes yes yes yes yes no no no yes failed" in failed.words
    assert "yes yes yes unknown not tried unknown not tried" in failed.words
    assert (
        "Application: The application permission GroupMember.ReadWrite.All is requested but not granted. "
        "Who can mend it: a Privileged Role Administrator. Next: Grant admin consent in section 4"
    ) in failed.words


def test_an_explanation_that_is_only_a_text_is_shown_too(make_run: MakeRun) -> None:
    events = read(make_run(verdict="failed").path)
    for event in events:
        for action in event.get("facts", {}).get("actions", ()):
            action.pop("explanations", None)
    assert "the text of the same for a terminal" in Page(report.render(events)).words


def test_a_run_that_left_actions_untried_does_not_claim_them(make_run: MakeRun) -> None:
    journal = make_run(verdict="passed")
    events = read(journal.path)
    for event in events:
        if event.get("section") == "verify_actions" and event["event"] == "section.finished":
            event["facts"]["actions"][0]["verdict"] = "not tried"
    assert "5 of 6 actions were proven by using them" in Page(report.render(events)).words


def test_every_call_is_there_with_its_request_id(make_run: MakeRun) -> None:
    events = read(make_run().path)
    words = Page(report.render(events)).words
    calls = [event for event in events if event["event"] in ("http.call", "http.outcome")]
    assert all(event["request_id"] in words and event["path"] in words for event in calls)


def test_what_a_tenant_calls_its_things_is_text_and_never_markup(make_run: MakeRun) -> None:
    journal = make_run()
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    journal.event(
        "section.plan",
        section="redirect_uri",
        changes=[dict.fromkeys(("what", "now", "wanted", "note"), evil) | {"kind": "added"}],
    )
    journal.call(method="GET", path=evil, status=200)
    page = Page(report.render(read(journal.path)))
    assert not {"script", "img"} & {tag for tag, _attributes in page.tags}
    assert page.words.count("alert(1)") >= 8


def test_a_journal_cut_at_any_event_has_a_report_that_says_incomplete(make_run: MakeRun) -> None:
    events = read(make_run().path)
    for end in range(len(events)):
        words = Page(report.render(events[:end])).words
        assert "incomplete The run did not come to its end." in words
        assert "passed" not in words[: words.index("Sections")]


def test_a_write_without_an_outcome_is_said_at_the_top(make_run: MakeRun) -> None:
    events = read(make_run().path)
    end = next(index for index, event in enumerate(events) if event["event"] == "http.intent") + 1
    assert "Outcome not known POST /v1.0/applications was announced" in Page(report.render(events[:end])).words


def test_a_torn_line_that_was_moved_aside_is_said(make_run: MakeRun) -> None:
    journal = make_run()
    with journal.path.open("ab") as file:
        file.write(b"half a line")
    journal.event("run.finished", verdict="passed")
    assert "11 bytes of an unfinished line were found" in Page(report.render(read(journal.path))).words


def test_the_same_journal_gives_the_same_report(make_run: MakeRun) -> None:
    events = read(make_run().path)
    assert report.render(events) == report.render(events)


def test_a_report_that_would_show_a_secret_is_not_written(make_run: MakeRun) -> None:
    folder = make_run().folder
    redaction.register("StackOne Entra ID connector")
    with pytest.raises(RecordError, match="secret was found"):
        report.write(folder)
    assert not (folder / "report.html").exists()
    assert "not part of this record" in (folder / "report.html.withheld.txt").read_text()


def test_a_record_without_a_journal_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(RecordError):
        report.write(tmp_path)
