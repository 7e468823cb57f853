"""The operations' notebooks keep the rules of the guide's, and travel with them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

from runbook.cli.lab import _copy_notebooks
from runbook.operations.order import ARGUMENTS
from runbook.parameters import Parameters
from runbook.runs.provenance import folder

NOTEBOOKS = sorted((folder() / "operations").glob("*.ipynb"))
OPTIONS = {"parameters_file", "record"}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def book(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    found: nbformat.NotebookNode = nbformat.read(request.param, as_version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]
    return found


def test_notebook_is_valid_and_stored_without_outputs(book: nbformat.NotebookNode) -> None:
    nbformat.validate(book)
    assert (book.nbformat, book.metadata.kernelspec.name) == (4, "python3")
    for cell in book.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


def test_one_short_cell_of_typed_commented_parameters(book: nbformat.NotebookNode) -> None:
    (cell,) = [cell for cell in book.cells if "parameters" in cell.metadata.get("tags", [])]
    lines = str(cell.source).splitlines()
    assert len(lines) <= 12
    for statement, line in zip(ast.parse(str(cell.source)).body, lines, strict=True):
        assert isinstance(statement, ast.AnnAssign), line
        assert isinstance(statement.target, ast.Name)
        assert statement.target.id in {*ARGUMENTS, *OPTIONS, *Parameters.model_fields}
        assert "#" in line


def test_cells_are_short_and_the_last_is_the_verdict(book: nbformat.NotebookNode) -> None:
    assert all(len(str(cell.source).splitlines()) <= 10 for cell in book.cells[2:])
    assert re.fullmatch(r"step\.verdict\(\)", str(book.cells[-1].source))


def test_an_operation_is_opened_by_the_same_call_as_a_section(book: nbformat.NotebookNode) -> None:
    name = str(book.cells[2].source).partition('notebook.open("')[2].partition('"')[0]
    assert (folder() / "operations" / f"{name}.ipynb").is_file()
    assert f'notebook.open("{name}", globals())' in str(book.cells[2].source)


def test_the_working_copy_of_the_lab_has_them(tmp_path: Path) -> None:
    _copy_notebooks(tmp_path)
    assert {path.name for path in (tmp_path / "operations").iterdir()} == {path.name for path in NOTEBOOKS}
