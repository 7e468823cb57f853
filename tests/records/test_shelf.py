"""Many records in one table, and what differs between two of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from runbook.cli.app import app
from runbook.errors import InputError, RecordError
from runbook.records import report, shelf
from runbook.records.shelf import last_proof
from runbook.runs.run import run
from tests.sections.conftest import Journey, journey, sandbox  # noqa: F401 - fixtures


@pytest.fixture
def shelved(journey: Callable[..., Journey], tmp_path: Path) -> tuple[Journey, Path]:  # noqa: F811
    """Two runs of one application, the second with another action and a longer life of the secret."""
    records = tmp_path / "records"
    own = journey(actions=["get_organization"])
    for actions in (["get_organization"], ["get_organization", "list_users"]):
        assert run(own.params(actions=actions), (1, 5), records).exit_code == 0
    return own, records


def ask(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["records", *map(str, arguments)])


def test_each_record_is_a_row_the_newest_first(shelved: tuple[Journey, Path]) -> None:
    own, records = shelved
    listed = json.loads(ask("list", records, "--json").stdout)
    assert [row["started_at"] for row in listed] == sorted((row["started_at"] for row in listed), reverse=True)
    assert {row["application"] for row in listed} == {own.values["unique_name"]}
    assert {row["verdict"] for row in listed} == {"passed"}
    assert all(row["holds"] and row["signature"].startswith("SHA256:") for row in listed)
    assert listed[1]["created"] > listed[0]["created"]
    assert "Contoso" in ask("list", records).stdout


def test_a_record_that_does_not_hold_or_never_ended_says_so(shelved: tuple[Journey, Path]) -> None:
    _, records = shelved
    newest, oldest = (Path(entry.folder) for entry in shelf.entries(records))
    (newest / "summary.json").write_text("{}")
    journal = (oldest / "journal.jsonl").read_text().splitlines(keepends=True)
    (oldest / "journal.jsonl").write_text("".join(journal[:-1]))
    assert {entry.holds for entry in shelf.entries(records)} == {False}
    assert [entry.verdict for entry in shelf.entries(records) if entry.folder == str(oldest)] == ["incomplete"]
    assert ask("list", records).stdout.count("does not hold") == 2


def test_csv_opens_in_a_spreadsheet_without_a_formula(journey: Callable[..., Journey], tmp_path: Path) -> None:  # noqa: F811
    own = journey()
    run(own.params(), (1, 1), tmp_path / "=cmd")
    (row,) = csv.DictReader(io.StringIO(ask("list", tmp_path / "=cmd", "--csv").stdout))
    (entry,) = shelf.entries(tmp_path / "=cmd")
    assert tuple(row) == tuple(vars(entry))
    (bad,) = csv.DictReader(io.StringIO(shelf.as_csv([shelf.Entry(**{**vars(entry), "who": "=1+1"})])))
    assert bad["who"] == "'=1+1"


def test_two_runs_differ_in_what_was_chosen_and_what_came_of_it(shelved: tuple[Journey, Path]) -> None:
    _, records = shelved
    after, before = (Path(entry.folder) for entry in shelf.entries(records))
    rows = {
        row["what"]: (row["before"], row["after"]) for row in json.loads(ask("diff", before, after, "--json").stdout)
    }
    assert rows["parameter actions"] == ("get_organization", "get_organization, list_users")
    assert rows["permission User.Read.All (delegated)"] == ("absent", "wanted, requested, granted")
    assert "secret: key id" not in rows
    assert json.loads(ask("diff", before, before, "--json").stdout) == []


def test_records_of_two_applications_are_not_compared(
    shelved: tuple[Journey, Path],
    journey: Callable[..., Journey],  # noqa: F811
    tmp_path: Path,
) -> None:
    _, records = shelved
    other = journey()
    run(other.params(), (1, 1), tmp_path / "others")
    (stranger,) = shelf.entries(tmp_path / "others")
    with pytest.raises(InputError, match="Compare two records of one application"):
        shelf.difference(Path(shelf.entries(records)[0].folder), Path(stranger.folder))
    with pytest.raises(InputError, match="is not a record"):
        shelf.difference(tmp_path, tmp_path)


def rewritten(name: str, value: object) -> Callable[[Path], None]:
    """Gives a value to every event of a journal, under ``name``."""

    def tamper(record: Path) -> None:
        events = [{**json.loads(line), name: value} for line in (record / "journal.jsonl").read_text().splitlines()]
        (record / "journal.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in events))

    return tamper


def appended(line: str) -> Callable[[Path], None]:
    def tamper(record: Path) -> None:
        journal = record / "journal.jsonl"
        journal.write_text(f"{journal.read_text().splitlines()[0]}\n{line}\n")

    return tamper


def summed(value: object) -> Callable[[Path], None]:
    def tamper(record: Path) -> None:
        file = record / "summary.json"
        file.write_text(json.dumps(dict.fromkeys(json.loads(file.read_text()), value)))

    return tamper


TAMPERED: dict[str, tuple[Callable[[Path], None], set[str], str]] = {
    "a line that is no event": (appended("null"), {"list", "report", "diff"}, "line 2 of"),
    "a line nested too deeply": (appended("[" * 100_000), {"list", "report", "diff"}, "line 2 of"),
    "a time that no calendar has": (rewritten("at", "2026-99-27T00:00:00Z"), {"report"}, "not what a run writes"),
    "numbers for times": (rewritten("at", 1), {"report"}, "not what a run writes"),
    "a text for what was known": (rewritten("known", "x"), {"list", "diff"}, "not what a run writes"),
    "a text for parameters": (rewritten("parameters", "x"), {"list", "diff"}, "not what a run writes"),
    "a summary of numbers": (summed(1), {"list", "diff"}, "not what a run writes"),
    "a summary of lists": (summed([1]), {"list", "diff"}, "not what a run writes"),
    "a summary of texts": (summed("x"), {"list", "diff"}, "not what a run writes"),
}


@pytest.mark.parametrize(("tamper", "unread", "says"), TAMPERED.values(), ids=TAMPERED.keys())
def test_a_record_that_is_not_as_written_is_said_to_be_so_and_hides_no_other(
    tamper: Callable[[Path], None], unread: set[str], says: str, make_record: Callable[..., Path], tmp_path: Path
) -> None:
    good, bad = make_record(), make_record(run_id="20261124T220455Z-4f1c2b")
    tamper(bad)
    rows = {row["run_id"]: row for row in json.loads(ask("list", good.parent, "--json").stdout)}
    assert (rows[good.name]["verdict"], rows[good.name]["holds"]) == ("passed", True)
    assert (rows[bad.name]["verdict"] == "unreadable") is ("list" in unread)
    assert not rows[bad.name]["holds"]
    assert bad.name in ask("list", good.parent).stdout
    assert last_proof(good.parent, "no such tenant", "") is None, "nor does it end a look at the last proof"
    for line in (("report", bad, "--output", tmp_path / "x.html"), ("diff", good, bad), ("diff", bad, good)):
        raised = ask(*line).exception
        if line[0] in unread:
            assert isinstance(raised, RecordError)
            assert says in raised.what
            assert raised.next_step
        else:
            assert raised is None or isinstance(raised, InputError | SystemExit)


def test_a_report_goes_into_no_folder_and_says_what_to_do(make_record: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="a file would take its place") as refused:
        report.write(make_record(), tmp_path)
    assert "--output" in refused.value.next_step
