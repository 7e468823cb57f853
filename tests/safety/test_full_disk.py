"""A disk that is full, at whatever file, leaves whole files only and a record that does not claim to be complete."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from runbook.records import summary, verify
from runbook.records.journal import read, verify_chain
from runbook.whole import is_leftover
from tests.conftest import environment
from tests.safety.moments import served


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with served(tmp_path_factory.mktemp("home")) as ready:
        yield ready


# What is too large: the journal from the middle of section 2 on; the first notebook; the report.
@pytest.mark.parametrize("largest", [16_000, 40_000], ids=["journal", "notebook"])
def test_a_file_that_cannot_be_written_is_said_and_nothing_is_claimed(
    sandbox: Path, clean_home: Path, tmp_path: Path, largest: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runbook", "run", "--sandbox", str(sandbox), "--sections", "1..2"],
        cwd=tmp_path,
        env=environment(clean_home),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        # No file may grow beyond this many bytes (setrlimit(2)): writing says "File too large", as a full disk does.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest)),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "cannot be written" in done.stderr or "could not be" in done.stderr, done.stderr
    assert "defect" not in done.stderr
    (record,) = (tmp_path / "records").iterdir()
    events = read(record)
    assert verify_chain(events) == []
    assert summary.fold(events)["verdict"] != "passed"
    assert not verify.verify(record).complete
    for path in record.iterdir():
        assert not is_leftover(path)
        if path.suffix == ".ipynb":
            nbformat.validate(nbformat.read(path, 4))
        elif path.suffix == ".json":
            json.loads(path.read_text())
