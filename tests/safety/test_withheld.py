"""A record in which a secret is found is not published, and says so."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from runbook.errors import RecordError
from runbook.records import redaction, verify
from runbook.records.journal import Journal
from runbook.runs.engine import execute
from runbook.runs.run import publish
from runbook.secrets import Secret
from runbook.secrets.secret import MASK


@pytest.fixture
def planted() -> Iterator[str]:
    """A value that looks like nothing: only who knows it can tell that it is a secret."""
    yield secrets.token_hex(16)
    redaction.forget()


def printed(folder: Path, planted: str) -> Journal:
    """A record whose notebook prints the planted value."""
    source = folder / "source.ipynb"
    (folder / "word.txt").write_text(planted)
    says = f"print('it is', open({str(folder / 'word.txt')!r}).read())"
    book = new_notebook(cells=[new_code_cell(says)])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, source)
    journal = Journal.create(folder / "records", "run", target="sandbox", tenant_id="t")
    notebook = journal.folder / "01_select_actions.ipynb"
    assert execute(source, notebook, {}).ok
    journal.event("run.finished", verdict="passed")
    return journal


def everything(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.iterdir())


def test_a_record_with_a_secret_that_redaction_missed_is_not_published_and_says_so(
    tmp_path: Path, planted: str
) -> None:
    journal = printed(tmp_path, planted)
    assert planted in everything(journal.folder), "the test itself: the kernel printed it and nobody knew it"
    Secret(planted)  # now this process knows that it is one
    with pytest.raises(RecordError, match=r"not published: a secret was found in 01_select_actions\.ipynb"):
        publish(journal.folder)
    assert not (journal.folder / "manifest.json").exists()
    assert not (journal.folder / "01_select_actions.ipynb").exists()
    note = (journal.folder / "01_select_actions.ipynb.withheld.txt").read_text()
    assert "is not part of this record" in note
    assert planted not in everything(journal.folder)
    assert not verify.verify(journal.folder).ok


def test_a_secret_that_the_runner_knows_is_masked_in_what_a_kernel_prints(tmp_path: Path, planted: str) -> None:
    Secret(planted)
    journal = printed(tmp_path, planted)
    publish(journal.folder)
    assert verify.verify(journal.folder).problems == []
    assert planted not in everything(journal.folder)
    book = json.loads((journal.folder / "01_select_actions.ipynb").read_text())
    assert MASK in json.dumps(book["cells"][-1]["outputs"])
