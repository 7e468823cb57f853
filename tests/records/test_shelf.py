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
from runbook.errors import InputError
from runbook.records import shelf
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
