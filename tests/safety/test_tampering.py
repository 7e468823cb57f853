"""``runbook records verify`` after each tampering with the record of a real run, which a key of the store signed."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runbook.cli.app import app
from runbook.records import manifest, verify
from runbook.secrets.stores import open_store
from tests.safety.moments import served
from tests.signing import new_key

REFERENCE = "file:records/signing-key"
NOTEBOOK = "02_register_application.ipynb"


@dataclass(frozen=True)
class Signed:
    """The record of a run and who signed it; also the sandbox, for further runs."""

    record: Path
    signer: Path
    ready: Path
    home: Path


def carry_out(folder: Path, ready: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runbook", "run", "--sandbox", str(ready), "--set", "secret_store=file"]
    environment = {**os.environ, "HOME": str(home)}
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240
    )


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    """A run of two sections, whose record is signed."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch, served(home) as ready:
        for name in [name for name in os.environ if name.startswith(("XDG_", "RUNBOOK_"))]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        key = new_key()
        assert open_store("file").put("records/signing-key", key) == REFERENCE
        (folder / "signer.pem").write_text(manifest.public_key(key))
        done = carry_out(folder, ready, home, "--sections", "1..2", "--set", f"signing_key_ref={REFERENCE}")
        assert done.returncode == 0, done.stdout + done.stderr
        (record,) = (folder / "records").iterdir()
        yield Signed(record, folder / "signer.pem", ready, home)


@pytest.fixture
def copy(signed: Signed, tmp_path: Path) -> Path:
    """A copy of the record, to be tampered with."""
    return shutil.copytree(signed.record, tmp_path / signed.record.name)


Check = Callable[[Path], tuple[int, str]]


@pytest.fixture
def check(signed: Signed) -> Check:
    """``runbook records verify``: its exit code and what it says."""

    def verified(record: Path) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["records", "verify", str(record), "--public-key", str(signed.signer)])
        return done.exit_code, " ".join(done.output.split())

    return verified


def test_the_record_is_intact_and_signed_by_the_key_of_the_store(signed: Signed, check: Check) -> None:
    code, said = check(signed.record)
    assert code == 0, said
    raw = verify._raw_public_key(signed.signer.read_text())
    assert f"Signed by {verify.fingerprint(raw)}" in said
    private = open_store("file").get(REFERENCE).reveal().splitlines()[1]
    assert not any(private in path.read_text() for path in signed.record.iterdir())


def changed_cell(record: Path) -> None:
    book = json.loads((record / NOTEBOOK).read_text())
    code = next(cell for cell in book["cells"] if cell["cell_type"] == "code")
    code["source"] = ["print('nothing was done')"]
    (record / NOTEBOOK).write_text(json.dumps(book, indent=1))


def changed_output(record: Path) -> None:
    book = json.loads((record / NOTEBOOK).read_text())
    book["cells"][-1]["outputs"][0]["data"]["text/plain"] = "Passed: everything"
    (record / NOTEBOOK).write_text(json.dumps(book, indent=1))


def cut_tail(record: Path) -> None:
    lines = (record / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (record / "journal.jsonl").write_bytes(b"".join(lines[:-4]))


def removed_file(record: Path) -> None:
    (record / "01_select_actions.ipynb").unlink()


def added_file(record: Path) -> None:
    (record / "approval.txt").write_text("approved")


def swapped_files(record: Path) -> None:
    one, two = record / "01_select_actions.ipynb", record / NOTEBOOK
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def never_ended(record: Path) -> None:
    """As a killed runner leaves it."""
    cut_tail(record)
    for name in ("manifest.json", "manifest.sig", "summary.json", "report.html"):
        (record / name).unlink()


def sealed_anew(record: Path) -> None:
    """Somebody changes an output and signs with a key of their own."""
    changed_output(record)
    manifest.seal(record, new_key())


def sealed_anew_without_signature(record: Path) -> None:
    changed_output(record)
    manifest.seal(record)


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (changed_cell, f"{NOTEBOOK} was changed: cell"),
        (changed_output, f"{NOTEBOOK} was changed: the output of cell"),
        (cut_tail, "journal.jsonl was cut or extended"),
        (removed_file, "01_select_actions.ipynb was removed"),
        (added_file, "approval.txt was added"),
        (swapped_files, "was swapped: it holds what 01_select_actions.ipynb held"),
        (never_ended, "the run never ended"),
        (sealed_anew, "signed by another key"),
        (sealed_anew_without_signature, "this record must be signed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_tampering_is_found_and_named(
    copy: Path, check: Check, tamper: Callable[[Path], None], words: str
) -> None:
    tamper(copy)
    code, said = check(copy)
    assert code == 1
    assert words in said


def test_a_byte_changed_anywhere_is_found_500_times_of_500(copy: Path, signed: Signed) -> None:
    draw = random.Random(500)
    files = sorted(path for path in copy.iterdir() if path.is_file())
    sizes = [path.stat().st_size for path in files]
    key = signed.signer.read_bytes()
    missed = []
    for _ in range(500):
        (path,) = draw.choices(files, sizes)
        content = path.read_bytes()
        place = draw.randrange(len(content))
        changed = bytearray(content)
        changed[place] ^= draw.randint(1, 255)
        path.write_bytes(changed)
        if verify.verify(copy, key).ok:
            missed.append((path.name, place))
        path.write_bytes(content)
    assert missed == []
    assert verify.verify(copy, key).ok


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_every_byte_of_the_seal_counts(copy: Path, signed: Signed, name: str) -> None:
    content = (copy / name).read_bytes()
    key = signed.signer.read_bytes()
    for place in random.Random(1).sample(range(len(content)), 60):
        (copy / name).write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert not verify.verify(copy, key).ok, place


def test_the_check_stands_alone_as_one_file(signed: Signed, copy: Path, tmp_path: Path) -> None:
    alone = shutil.copy(Path(verify.__file__), tmp_path / "verify.py")

    def call(record: Path, *options: str) -> subprocess.CompletedProcess[str]:
        # Isolated: neither this folder nor any variable of the environment leads to the package.
        command = [sys.executable, "-I", *options, alone, str(record), "--public-key", str(signed.signer)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = call(signed.record)
    assert (done.returncode, "The record is intact" in done.stdout) == (0, True), done.stdout + done.stderr
    changed_output(copy)
    assert call(copy).returncode == 1
    # Without any other package everything but the signature is still checked, and it says so.
    bare = call(signed.record, "-S")
    assert bare.returncode == 1
    assert bare.stdout.count("  - ") == 1
    assert "needs the Python package cryptography" in bare.stdout


def test_a_run_that_could_not_be_signed_is_refused_before_it_begins(signed: Signed, tmp_path: Path) -> None:
    absent = "signing_key_ref=file:records/no-such-key"
    done = carry_out(tmp_path, signed.ready, signed.home, "--sections", "1..2", "--set", absent)
    assert done.returncode == 1
    assert "There is no secret under file:records/no-such-key" in done.stderr
    assert not (tmp_path / "records").exists()
