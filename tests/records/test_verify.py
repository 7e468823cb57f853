from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook.errors import RecordError, SecretStoreError
from runbook.records import manifest, report, verify
from runbook.records.journal import Journal
from runbook.records.verify import canonical, event_hash
from runbook.secrets import Secret
from tests.signing import new_key

from .conftest import notebook_text, publish, rewrite

MakeRecord = Callable[..., Path]
NOTEBOOK = "02_register_application.ipynb"


@pytest.fixture(scope="module")
def key() -> Secret:
    return new_key()


@pytest.fixture
def record(make_record: MakeRecord) -> Path:
    return make_record()


def problems(record: Path, public_key: str | None = None) -> str:
    found = verify.verify(record, public_key)
    assert not found.ok
    return "\n".join(found.problems)


def test_a_record_as_it_was_written_is_intact_and_complete(record: Path) -> None:
    found = verify.verify(record)
    assert (found.ok, found.complete, found.signed, found.verdict) == (True, True, False, "passed")
    assert found.run_id == record.name
    assert "accidents only" in str(found)


def test_a_signed_record_is_intact_under_the_signers_key(make_record: MakeRecord, key: Secret) -> None:
    record = make_record(key)
    for form in (manifest.public_key(key), manifest.public_key(key).encode()):
        found = verify.verify(record, form)
        assert (found.ok, found.signed) == (True, True)
    assert found.signer.startswith("SHA256:")


def test_a_moved_copy_verifies_too(record: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    assert verify.verify(shutil.copytree(record, tmp_path / "archive" / record.name)).ok


def test_a_renamed_folder_is_found(record: Path, tmp_path: Path) -> None:
    assert "renamed" in str(problems(shutil.copytree(record, tmp_path / "20200101T000000000Z-000000")))


def test_a_folder_that_nobody_wrote_is_found(record: Path) -> None:
    (record / "empty" / "deeper").mkdir(parents=True)
    assert "the folder empty was added" in problems(record)


def test_an_empty_folder_is_no_record(tmp_path: Path) -> None:
    assert not verify.verify(tmp_path).ok


@pytest.mark.parametrize("name", ["manifest.json", "journal.jsonl", "summary.json", NOTEBOOK])
def test_a_pipe_in_place_of_a_file_is_found_and_not_waited_for(record: Path, name: str) -> None:
    (record / name).unlink()
    os.mkfifo(record / name)
    assert not verify.verify(record).ok


def test_a_huge_file_is_not_read(record: Path) -> None:
    with (record / "journal.jsonl").open("r+b") as file:
        file.truncate(verify.LARGEST + 1)
    assert "journal.jsonl" in problems(record)


def test_an_unsigned_record_is_never_called_intact(record: Path) -> None:
    first = str(verify.verify(record)).splitlines()[0]
    assert "intact" not in first
    assert "consistent, unsigned: anybody could have written it" in first
    assert "target sandbox, tenant 6a8a4f0e" in first


def test_a_changed_cell_is_named(record: Path) -> None:
    rewrite(record / NOTEBOOK, lambda document: document["cells"][1].update(source=["section(apply=False)"]))
    assert f"{NOTEBOOK} was changed: cell 2" in problems(record)


def test_a_changed_output_is_named(record: Path) -> None:
    rewrite(record / NOTEBOOK, lambda document: document["cells"][1]["outputs"][0].update(text=["all is well"]))
    assert f"{NOTEBOOK} was changed: the output of cell 2" in problems(record)


def test_a_cell_more_is_said(record: Path) -> None:
    (record / NOTEBOOK).write_text(notebook_text("one", "two"))
    assert "3 cells, 2 when it was written" in problems(record)


def test_a_notebook_that_is_none_any_more_is_said(record: Path) -> None:
    (record / NOTEBOOK).write_text("[]")
    assert "no notebook any more" in problems(record)


def test_a_cut_tail_of_the_journal_is_found(record: Path) -> None:
    journal = record / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-3]))
    found = problems(record)
    assert "journal.jsonl was cut or extended" in found
    assert "the run never ended" in found


def test_a_torn_journal_is_found(record: Path) -> None:
    journal = record / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-1])
    assert "ends in the middle of a line" in problems(record)


def test_a_sealed_record_takes_no_event(record: Path) -> None:
    with pytest.raises(RecordError, match="sealed"):
        Journal.open(record)


def test_an_event_more_is_found(record: Path) -> None:
    Journal(record / "journal.jsonl").event("run.finished", verdict="passed")
    assert "cut or extended" in problems(record)


def test_a_removed_file_is_found(record: Path) -> None:
    (record / NOTEBOOK).unlink()
    assert f"{NOTEBOOK} was removed" in problems(record)


@pytest.mark.parametrize("name", ["summary.json", "journal.jsonl", "manifest.json"])
def test_a_removed_part_is_found(record: Path, name: str) -> None:
    (record / name).unlink()
    assert name in problems(record)


def test_an_added_file_is_found(record: Path) -> None:
    (record / "more").mkdir()
    (record / "more" / "evidence.txt").write_text("all is well")
    assert "more/evidence.txt was added" in problems(record)


def test_swapped_files_are_found(record: Path) -> None:
    first, second = sorted(record.glob("*.ipynb"))
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    assert f"{first.name} was swapped: it holds what {second.name} held" in problems(record)


def test_a_file_behind_a_link_is_found(record: Path, tmp_path: Path) -> None:
    (record / NOTEBOOK).rename(tmp_path / NOTEBOOK)
    (record / NOTEBOOK).symlink_to(tmp_path / NOTEBOOK)
    assert "is a link" in problems(record)


def test_a_record_that_never_ended_is_found(make_run: Callable[..., Journal]) -> None:
    journal = Journal.create(make_run().folder.parent, "killed", target="sandbox", tenant_id="t")
    journal.event("section.started", section="redirect_uri")
    publish(journal.folder)
    found = verify.verify(journal.folder)
    assert not found.complete
    assert found.verdict == "incomplete"
    assert "the run never ended: the last event is number 2, section.started" in found.problems


def test_a_run_that_was_killed_before_anything_was_published_is_readable(make_run: Callable[..., Journal]) -> None:
    journal = Journal.create(make_run().folder.parent, "killed", target="sandbox")
    assert "the run never ended" in problems(journal.folder)


def test_a_journal_rewritten_with_a_new_chain_does_not_fit_the_manifest(record: Path) -> None:
    _rechain(record / "journal.jsonl", lambda event: event.update(status=200) if event.get("status") == 201 else None)
    found = problems(record)
    assert "cut or extended" in found
    assert "was changed after" not in found


def test_a_summary_that_claims_more_than_the_journal_is_found(make_record: MakeRecord) -> None:
    record = make_record(verdict="failed")
    rewrite(record / "summary.json", lambda document: document.update(verdict="passed"))
    manifest.seal(record)
    assert "summary.json claims that the run passed; the journal does not" in problems(record)


def test_a_summary_of_another_run_is_found(record: Path) -> None:
    rewrite(record / "summary.json", lambda document: document.update(run_id="other", tenant_id="elsewhere"))
    manifest.seal(record)
    assert "another run_id" in problems(record)
    assert "another tenant_id" in problems(record)


def test_a_signature_by_another_key_is_found(make_record: MakeRecord, key: Secret) -> None:
    assert "signed by another key" in problems(make_record(key), manifest.public_key(new_key()))


def test_everything_rewritten_and_signed_anew_is_found_by_the_key(make_record: MakeRecord, key: Secret) -> None:
    record = make_record(key)
    _rechain(record / "journal.jsonl", lambda event: event.update(status=200) if event.get("status") == 201 else None)
    (record / "report.html").unlink()
    (record / "manifest.json").unlink()
    publish(record, new_key())
    assert verify.verify(record).ok
    assert "signed by another key" in problems(record, manifest.public_key(key))


@pytest.mark.parametrize("with_key", [True, False])
def test_a_signature_taken_away_is_found(make_record: MakeRecord, key: Secret, with_key: bool) -> None:
    record = make_record(key)
    (record / "manifest.sig").unlink()
    assert "there is no manifest.sig" in problems(record, manifest.public_key(key) if with_key else None)


def test_an_unsigned_record_fails_where_a_signature_is_demanded(record: Path, key: Secret) -> None:
    assert "must be signed" in problems(record, manifest.public_key(key))


@pytest.mark.parametrize("signed", [True, False])
def test_every_random_change_of_one_byte_is_found(make_record: MakeRecord, key: Secret, signed: bool) -> None:
    record = make_record(key if signed else None)
    files = sorted(path for path in record.rglob("*") if path.is_file())
    sizes = [path.stat().st_size for path in files]
    chance = random.Random(500)
    missed = []
    for _ in range(500):
        path = chance.choices(files, weights=sizes if chance.random() < 0.5 else None)[0]
        before = path.read_bytes()
        position, other = chance.randrange(len(before)), chance.randrange(1, 256)
        path.write_bytes(before[:position] + bytes([before[position] ^ other]) + before[position + 1 :])
        if verify.verify(record).ok:
            missed.append((path.name, position, other))
        path.write_bytes(before)
    assert missed == []
    assert verify.verify(record).ok


def test_what_an_attacker_writes_into_a_manifest_never_raises(record: Path) -> None:
    path = record / "manifest.json"
    written = json.loads(path.read_text())
    for name in written:
        for value in (None, 1, "text", [], [None], [{}], {}, {"events": "many"}, [{"path": 1, "sha256": 2, "size": 3}]):
            forged = {**written, name: value}
            forged["digest"] = verify.digest(forged)
            path.write_bytes(verify.render(forged))
            verify.verify(record)
    for content in (b"", b"\xff", b"[]", b"null", b"[" * 100_000, b'{"files": 9' + b"9" * 5000 + b"}"):
        path.write_bytes(content)
        assert "manifest.json was changed" in problems(record)


@pytest.mark.parametrize("name", ["summary.json", "journal.jsonl", "manifest.sig", NOTEBOOK])
def test_what_an_attacker_writes_into_another_file_never_raises(
    make_record: MakeRecord, key: Secret, name: str
) -> None:
    record = make_record(key)
    contents: list[object] = [
        None,
        1,
        [],
        {},
        "text",
        {"run_id": "\ud800"},
        {"cells": 3},
        {"cells": [None]},
        {"hash": []},
    ]
    texts = [json.dumps(content).encode() + b"\n" for content in contents]
    for text in (*texts, b"", b"\n", b"\xff\n", b"[" * 100_000 + b"\n", b"1" * 5000 + b"\n"):
        (record / name).write_bytes(text)
        found = verify.verify(record)
        assert not found.ok
        str(found).encode()


def test_a_record_cannot_write_control_characters_to_a_terminal(record: Path) -> None:
    (record / "\x1b[2Jgone").write_text("")
    rewrite(record / "summary.json", lambda document: document.update(run_id="\x1b]0;owned\x07\ud800"))
    text = str(verify.verify(record))
    assert "\x1b" not in text
    assert "?[2Jgone was added" in text
    text.encode()


def test_the_verifier_runs_alone_with_nothing_but_the_standard_library(make_record: MakeRecord, tmp_path: Path) -> None:
    alone = tmp_path / "auditor" / "check.py"
    alone.parent.mkdir()
    shutil.copy(verify.__file__, alone)
    record = make_record()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", str(alone), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    good = run(str(record))
    assert (good.returncode, good.stderr) == (0, "")
    assert "The record is consistent" in good.stdout
    (record / NOTEBOOK).unlink()
    bad = run(str(record))
    assert bad.returncode == 1
    assert f"{NOTEBOOK} was removed" in bad.stdout
    assert run(str(record), "--public-key", str(record / "summary.json")).returncode == 2


def test_without_cryptography_a_signature_is_not_believed(make_record: MakeRecord, key: Secret) -> None:
    record = make_record(key)
    command = [sys.executable, "-I", "-S", verify.__file__, str(record)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the signature was not checked" in done.stdout


def test_the_verifier_imports_nothing_of_the_package() -> None:
    source = Path(verify.__file__).read_text()
    assert "import runbook" not in source
    assert "from runbook" not in source


def test_a_sealed_record_is_not_written_to_by_a_new_report(record: Path, tmp_path: Path) -> None:
    assert report.write(record) == record / "report.html"
    assert verify.verify(record).ok
    (record / "report.html").write_text("another version")
    with pytest.raises(RecordError, match="sealed"):
        report.write(record)
    assert report.write(record, tmp_path / "new.html").read_text().startswith("<!doctype html>")


def test_what_a_killed_writer_left_is_not_sealed_in(make_run: Callable[..., Journal]) -> None:
    folder = make_run().folder
    (folder / ".report.html.0a1b2c.writing").write_text("half")
    publish(folder)
    assert verify.verify(folder).ok


def test_a_link_is_not_sealed(make_run: Callable[..., Journal], tmp_path: Path) -> None:
    folder = make_run().folder
    (folder / "outside").symlink_to(tmp_path)
    with pytest.raises(RecordError, match="link"):
        publish(folder)


def test_a_damaged_journal_is_not_sealed(make_run: Callable[..., Journal]) -> None:
    journal = make_run()
    journal.path.write_bytes(journal.path.read_bytes().replace(b'"status":201', b'"status":200'))
    with pytest.raises(RecordError, match="damaged"):
        publish(journal.folder)


def test_a_signing_key_of_another_kind_is_refused_without_showing_it(make_run: Callable[..., Journal]) -> None:
    with pytest.raises(SecretStoreError) as raised:
        publish(make_run().folder, Secret("not-a-key-at-all"))
    assert "not-a-key-at-all" not in str(raised.value)
    assert raised.value.__cause__ is None


def _rechain(path: Path, change: Callable[[dict], None]) -> None:
    """What somebody with time does: changes events and computes every hash anew."""
    previous, lines = "0" * 64, []
    for line in path.read_bytes().splitlines():
        event = json.loads(line)
        change(event)
        event["prev"] = previous
        event["hash"] = previous = event_hash(event)
        lines.append(canonical(event) + b"\n")
    path.write_bytes(b"".join(lines))
