"""Each notebook alone, by papermill's own command, as Run all does it, and under nbval."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from runbook.runs.provenance import folder
from tests.conftest import Listener
from tests.notebooks.conftest import Desk, shown
from tests.styled import lacking

NOTEBOOKS = sorted(folder().glob("*.ipynb"))


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_by_papermills_own_command_and_ends_in_its_verdict(desk: Desk, source: Path) -> None:
    done, out = desk.papermill(source, "-f", str(desk.parameters))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    book = nbformat.read(out, as_version=4)
    nbformat.validate(book)
    verdict = book.cells[-1].outputs[0]
    assert verdict.data["text/plain"].startswith("Passed: ")
    assert 'class="bar good"' in verdict.data["text/html"]
    assert not any(secret in out.read_text() for secret in desk.secrets)
    pages = [output.get("data", {}).get("text/html", "") for cell in book.cells for output in cell.get("outputs", ())]
    assert [lacking(page) for page in pages] == [[] for _ in pages]


def test_each_of_them_kept_a_record_of_its_own_section(desk: Desk) -> None:
    summaries = [json.loads(path.read_text()) for path in sorted((desk.folder / "records").glob("*/summary.json"))]
    assert [(s["verdict"], [x["name"] for x in s["sections"]]) for s in summaries] == [
        ("passed", [path.stem[3:]]) for path in NOTEBOOKS[1:]
    ]


def test_notebooks_execute_under_nbval(desk: Desk) -> None:
    copies = desk.folder / "nbval"
    shutil.copytree(folder(), copies)
    shutil.copy(desk.parameters, copies / "parameters.yaml")
    names = [path.name for path in NOTEBOOKS]
    done = desk.call(
        "pytest", "--nbval-lax", "--nbval-current-env", "-q", "-p", "no:cacheprovider", *(f"nbval/{n}" for n in names)
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{sum(count_code(path) for path in NOTEBOOKS)} passed" in done.stdout


def count_code(path: Path) -> int:
    return sum(cell.cell_type == "code" for cell in nbformat.read(path, 4).cells)


def test_without_leave_to_apply_nothing_is_written_and_the_verdict_says_planned(desk: Desk) -> None:
    given = ("-f", str(desk.parameters), "-p", "unique_name", "another-one", "-p", "apply", "False")
    done, out = desk.papermill(folder() / "02_register_application.ipynb", *given)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Planned: Register the application: nothing was written." in shown(out)


def test_a_failing_section_shows_what_to_do_and_stops_papermill_without_a_stack(desk: Desk) -> None:
    absent = "00000000-0000-4000-8000-000000000000"
    given = ("-f", str(desk.parameters), "-p", "application_object_id", absent)
    done, out = desk.papermill(folder() / "02_register_application.ipynb", *given)
    assert done.returncode != 0
    text = shown(out)
    assert f"There is no application with the object id {absent}" in text
    assert "Failed: Register the application" in text
    assert "Next: check application_object_id" in text
    assert "Traceback (most recent call last)" not in text
    last = nbformat.read(out, 4).cells[-1]
    assert last.outputs[-1].ename == "SectionFailed"
    assert len(last.outputs[-1].traceback) == 1


@pytest.mark.parametrize("source", [NOTEBOOKS[0], NOTEBOOKS[4]], ids=lambda path: path.stem)
def test_mistaken_parameters_stop_a_notebook_before_the_first_request(
    desk: Desk, listener: Listener, source: Path
) -> None:
    mistaken = desk.folder / "mistaken.yaml"
    mistaken.write_text(json.dumps({"sandbox_file": str(listener.ready_file), "redirct_uri": "x", "apply": "maybe"}))
    done, out = desk.papermill(source, "-f", str(mistaken))
    assert done.returncode != 0
    assert "InputRefused: 2 mistakes in the parameters; nothing was sent" in shown(out)
    assert "redirct_uri: is not a parameter. Did you mean redirect_uri?" in shown(out)
    assert listener.connections == []


def test_the_kernel_of_a_notebook_that_is_run_again_in_place_starts_anew(desk: Desk) -> None:
    """Run all twice in one kernel: the second pass reads the tenant anew and does not trip over its own variables."""
    book = nbformat.read(folder() / "03_redirect_uri.ipynb", 4)
    again = nbformat.from_dict(book)
    again.cells = [*book.cells, *(nbformat.v4.new_code_cell(c.source) for c in book.cells if c.cell_type == "code")]
    twice = desk.folder / "twice.ipynb"
    nbformat.write(again, twice)
    shutil.copy(desk.parameters, desk.folder / "parameters.yaml")
    done = desk.call("jupyter", "nbconvert", "--to", "notebook", "--execute", "--output", "out.ipynb", "twice.ipynb")
    assert done.returncode == 0, done.stderr[-2000:]
    said = shown(desk.folder / "out.ipynb")
    assert said.count("Passed: Redirect URI") == 1, "what the first pass said is out of date once it is opened anew"
    assert said.count("the notebook was opened anew") == 4, "header, plan, evidence and verdict"
