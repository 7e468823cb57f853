"""What every notebook keeps to, so that it reads well, runs alone and stores nothing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

from runbook.runs.provenance import folder, notebook, notebook_name
from runbook.parameters import Parameters
from runbook.sections import NAMES, SECTIONS, section

NOTEBOOKS = sorted(folder().glob("*.ipynb"))
OPTIONS = {"parameters_file", "record"}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def book(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    return nbformat.read(request.param, as_version=nbformat.NO_CONVERT)


def source(cell: nbformat.NotebookNode) -> str:
    return str(cell.source)


def test_the_folder_reads_like_the_guide() -> None:
    assert [path.name for path in NOTEBOOKS] == ["00_start.ipynb", *map(notebook_name, NAMES)]


def test_notebook_is_valid_and_every_cell_has_an_id_of_its_own(book: nbformat.NotebookNode) -> None:
    nbformat.validate(book)
    assert (book.nbformat, book.metadata.kernelspec.name) == (4, "python3")
    ids = [cell.id for cell in book.cells]
    assert len(ids) == len(set(ids))


def test_notebook_is_stored_without_outputs(book: nbformat.NotebookNode) -> None:
    for cell in book.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert "widgets" not in book.metadata


def test_notebook_begins_with_a_title_and_two_lines_on_what_it_changes(book: nbformat.NotebookNode) -> None:
    first = book.cells[0]
    title, _, about, *rest = source(first).splitlines()
    assert first.cell_type == "markdown"
    assert title.startswith("# ")
    assert about
    assert rest[0]
    assert "In the portal" in source(first)


def test_the_place_in_the_portal_is_told_alike_by_notebook_and_record() -> None:
    for path, each in zip(NOTEBOOKS[1:], SECTIONS, strict=True):
        assert f"*In the portal:* {each.PORTAL}" in source(nbformat.read(path, 4).cells[0]).splitlines()


def test_one_short_cell_of_typed_commented_parameters(book: nbformat.NotebookNode) -> None:
    tagged = [cell for cell in book.cells if "parameters" in cell.metadata.get("tags", [])]
    assert tagged == [book.cells[1]]
    lines = source(tagged[0]).splitlines()
    assert len(lines) <= 12
    for statement, line in zip(ast.parse(source(tagged[0])).body, lines, strict=True):
        assert isinstance(statement, ast.AnnAssign), line
        assert isinstance(statement.target, ast.Name)
        assert statement.target.id in OPTIONS | Parameters.model_fields.keys()
        assert isinstance(statement.value, ast.Constant)
        assert statement.value.value is None


def test_cells_are_short_enough_to_read_at_a_glance(book: nbformat.NotebookNode) -> None:
    for cell in book.cells[2:]:
        assert len(source(cell).splitlines()) <= 10


def test_the_last_cell_is_the_verdict(book: nbformat.NotebookNode) -> None:
    assert re.fullmatch(r"(step|front)\.verdict\(\)", source(book.cells[-1]))


@pytest.mark.parametrize("name", NAMES)
def test_notebook_opens_its_own_section_and_has_its_number(name: str) -> None:
    book = nbformat.read(notebook(name), as_version=4)
    assert f'notebook.open("{name}", globals())' in source(book.cells[2])
    assert source(book.cells[0]).startswith(f"# {section(name).NUMBER}. ")


def test_the_wheel_takes_the_notebooks_along() -> None:
    import tomllib

    project = Path(__file__).parents[2] / "pyproject.toml"
    included = tomllib.loads(project.read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["notebooks"] == "runbook/_notebooks"
