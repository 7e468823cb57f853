from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from runbook.errors import RecordError
from runbook.records import publishing, redaction
from runbook.records.publishing import _find_in, check
from runbook.secrets.secret import MASK

from .conftest import notebook_text

VALUE = "Qx7-canary-value-91"
WIDGETS = "application/vnd.jupyter.widget-state+json"


def _write(path: Path, *outputs: dict, source: str = "section()", metadata: dict | None = None) -> Path:
    cell = nbformat.v4.new_code_cell(source, id="cell", outputs=[nbformat.from_dict(output) for output in outputs])
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=metadata or {})
    path.write_text(nbformat.writes(notebook))
    return path


def _published(path: Path) -> Path:
    publishing.write_notebook(path, json.loads(path.read_text()))
    return path


def _output(kind: str, **data: object) -> dict:
    extra = {"execution_count": 1} if kind == "execute_result" else {}
    return {"output_type": kind, **({"metadata": {}} if "data" in data else {}), **extra, **data}


@pytest.mark.parametrize(
    "output",
    [
        _output("stream", name="stdout", text=f"the value is {VALUE}\n"),
        _output("stream", name="stderr", text=f"client_secret={VALUE}\n"),
        _output("execute_result", data={"text/plain": f"'{VALUE}'", "text/html": f"<b>{VALUE}</b>"}),
        _output("display_data", data={"application/json": {"deep": [{"er": VALUE}]}}),
        _output("display_data", data={"image/svg+xml": f"<svg><text>{VALUE}</text></svg>"}),
        _output(
            "error",
            ename="KeyError",
            evalue=VALUE,
            traceback=[f"\x1b[31mKeyError\x1b[39m: {VALUE[:4]}\x1b[1m{VALUE[4:]}"],
        ),
    ],
    ids=["stdout", "stderr", "result", "json", "svg", "traceback"],
)
def test_a_known_value_is_gone_from_every_kind_of_output(tmp_path: Path, output: dict) -> None:
    redaction.register(VALUE)
    path = _published(_write(tmp_path / "a.ipynb", output))
    text = redaction.plain(path.read_text())
    assert VALUE not in text.replace("\\u001b[1m", "")
    assert MASK in text
    nbformat.validate(nbformat.read(path, as_version=4))


def test_sources_and_metadata_are_scrubbed_too(tmp_path: Path) -> None:
    redaction.register(VALUE)
    path = _write(
        tmp_path / "a.ipynb", source=f"secret = '{VALUE}'", metadata={"papermill": {"parameters": {"x": VALUE}}}
    )
    assert VALUE not in _published(path).read_text()


def test_the_state_of_widgets_is_scrubbed(tmp_path: Path) -> None:
    models = {
        "1": {"model_name": "PasswordModel", "state": {"_model_name": "PasswordModel", "value": "typed-by-a-person"}},
        "2": {
            "model_name": "HTMLModel",
            "state": {"_model_name": "HTMLModel", "value": "client_secret: 'typed-by-a-person'"},
        },
    }
    state = {"version_major": 2, "version_minor": 0, "state": models}
    path = _write(tmp_path / "a.ipynb", metadata={"widgets": {WIDGETS: state}})
    assert "typed-by-a-person" not in _published(path).read_text()


def test_a_huge_text_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    text = "begin\n" + "x" * 3 * publishing._LONGEST_TEXT + "\nend"
    path = _published(_write(tmp_path / "a.ipynb", _output("stream", name="stdout", text=text)))
    kept = nbformat.read(path, as_version=4).cells[0].outputs[0].text
    assert kept.startswith("begin")
    assert kept.endswith("end")
    assert "left out of the record" in kept
    assert len(kept) < publishing._LONGEST_TEXT + 100


def test_huge_data_is_left_out_and_said(tmp_path: Path) -> None:
    data = {"text/html": "<p>" + "x" * publishing._LONGEST_TEXT, "image/png": "x" * (publishing._LARGEST_PICTURE + 1)}
    path = _published(_write(tmp_path / "a.ipynb", _output("display_data", data=data)))
    kept = nbformat.read(path, as_version=4).cells[0].outputs[0].data
    assert list(kept) == ["text/plain"]
    assert "left out of the record" in kept["text/plain"]


def test_a_picture_of_usual_size_stays(tmp_path: Path) -> None:
    data = {"image/png": "x" * (publishing._LONGEST_TEXT + 1), "text/plain": "<Figure>"}
    path = _published(_write(tmp_path / "a.ipynb", _output("display_data", data=data)))
    assert "image/png" in nbformat.read(path, as_version=4).cells[0].outputs[0].data


@pytest.mark.parametrize("content", ["{}", "[]", '{"cells": [{}], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'])
def test_what_is_no_notebook_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(content)
    with pytest.raises(RecordError, match=r"a\.ipynb is not a notebook"):
        _published(path)
    assert path.read_text() == content


def test_a_clean_notebook_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(notebook_text("all is well"))
    assert json.loads(_published(path).read_text()) == json.loads(notebook_text("all is well"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("02_register.ipynb", notebook_text(f"it is {VALUE}")),
        ("summary.json", json.dumps({"x": {"y": VALUE}})),
        ("report.html", f"<p>{VALUE}</p>"),
        ("parameters.yaml", f"note: {VALUE}"),
        ("split.ipynb", json.dumps({"text": ["-----BEGIN PRIVATE", " KEY-----\n", "MC4CAQ\n"]})),
    ],
)
def test_a_file_that_holds_a_secret_is_withheld_with_a_note(tmp_path: Path, name: str, content: str) -> None:
    redaction.register(VALUE)
    (tmp_path / name).write_text(content)
    (tmp_path / "fine.txt").write_text("fine")
    with pytest.raises(RecordError, match="not published"):
        check(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["fine.txt", f"{name}.withheld.txt"])
    assert VALUE not in (tmp_path / f"{name}.withheld.txt").read_text()
    check(tmp_path)


def test_the_journal_is_never_withheld(tmp_path: Path) -> None:
    redaction.register(VALUE)
    (tmp_path / "journal.jsonl").write_text(VALUE)
    with pytest.raises(RecordError, match="journal"):
        check(tmp_path)
    assert (tmp_path / "journal.jsonl").exists()


def test_a_secret_hidden_by_escaping_is_found_in_json(tmp_path: Path) -> None:
    redaction.register('quo"te-and-back\\slash')
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"x": json.dumps(json.dumps('quo"te-and-back\\slash'))}))
    assert _find_in(path)
