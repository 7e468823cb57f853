from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runbook.clients.calls import CallLog
from runbook.errors import RecordError
from runbook.records import summary
from runbook.records.journal import Journal, NullJournal, read, verify_chain
from runbook.records.verify import GENESIS, canonical, event_hash
from runbook.secrets import Secret

WRITER = Path(__file__).with_name("writer.py")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.create(tmp_path, "run-1", target="sandbox")


def _writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), str(folder), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_each_line_is_canonical_and_names_the_hash_of_the_line_before(journal: Journal) -> None:
    journal.event("section.started", section="redirect_uri", title="Rückkehr")
    first, second = (json.loads(line) for line in journal.path.read_bytes().splitlines())
    assert (first["event"], first["run_id"], first["seq"], first["prev"]) == ("run.started", "run-1", 1, GENESIS)
    assert second["prev"] == first["hash"] == event_hash(first)
    assert journal.path.read_bytes().splitlines()[1] == canonical(second)


def test_an_event_is_in_the_file_when_the_call_returns(journal: Journal) -> None:
    number = journal.event("section.started", section="a")
    assert read(journal.path)[-1]["seq"] == number == 2


def test_a_call_belongs_to_the_section_that_runs(journal: Journal) -> None:
    journal.call(method="GET", path="/before")
    journal.event("section.started", section="redirect_uri")
    journal.call(method="GET", path="/within")
    journal.event("section.finished", section="redirect_uri", verdict="passed")
    with journal.section("teardown"):
        journal.call(method="GET", path="/named")
    journal.call(method="GET", path="/after")
    assert [event["section"] for event in read(journal.path) if event["event"] == "http.call"] == [
        "",
        "redirect_uri",
        "teardown",
        "",
    ]


def test_an_outcome_names_its_intent(journal: Journal) -> None:
    log: CallLog = journal
    ticket = log.intent(method="POST", path="/v1.0/applications")
    log.outcome(ticket, method="POST", path="/v1.0/applications", status=201)
    intent, outcome = read(journal.path)[-2:]
    assert (intent["event"], outcome["event"], outcome["intent"]) == ("http.intent", "http.outcome", intent["seq"])


def test_secrets_never_reach_the_file(journal: Journal) -> None:
    journal.call(path="/token?code=0.AXoAabcdefghijklmnop", secretText="abcdefgh", secret=Secret("top-secret-value"))
    text = journal.path.read_text()
    assert "abcdefgh" not in text
    assert "top-secret-value" not in text


def test_names_of_the_journal_itself_are_refused_as_data(journal: Journal) -> None:
    with pytest.raises(ValueError, match="seq"):
        journal.event("section.started", seq=7)


def test_an_object_of_unknown_form_is_refused_and_nothing_is_written(journal: Journal) -> None:
    with pytest.raises(TypeError):
        journal.event("section.started", thing=object())
    assert len(read(journal.path)) == 1


def test_a_record_is_not_begun_twice(tmp_path: Path, journal: Journal) -> None:
    with pytest.raises(RecordError, match="exists already"):
        Journal.create(tmp_path, journal.run_id)


def test_a_missing_journal_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError):
        Journal.open(tmp_path)
    with pytest.raises(RecordError):
        read(tmp_path / "journal.jsonl")


def test_a_null_journal_takes_every_event_and_keeps_none() -> None:
    log: CallLog = NullJournal()
    log.outcome(log.intent(method="POST"), status=201)


def test_every_cut_of_the_last_line_is_absent_for_readers_and_said_by_the_next_writer(journal: Journal) -> None:
    journal.event("section.started", section="a" * 40)
    whole = journal.path.read_bytes()
    start = whole.index(b"\n") + 1
    for end in range(start + 1, len(whole)):
        journal.path.write_bytes(whole[:end])
        assert [event["event"] for event in read(journal.path)] == ["run.started"]
        Journal.open(journal.path).event("run.finished", verdict="failed")
        events = read(journal.path)
        assert [event["event"] for event in events] == ["run.started", "journal.torn", "run.finished"]
        assert events[1]["bytes"] == end - start
        assert verify_chain(events) == []


def test_a_torn_tail_longer_than_the_lines_that_follow_leaves_nothing_behind(journal: Journal) -> None:
    with journal.path.open("ab") as file:
        file.write(b'{"event":"http.call","path":"' + b"x" * 200_000)
    journal.event("run.finished", verdict="failed")
    assert [event["event"] for event in read(journal.path)] == ["run.started", "journal.torn", "run.finished"]
    assert journal.path.read_bytes().endswith(b"\n")
    assert journal.path.stat().st_size < 10_000


def test_a_repair_that_is_killed_half_way_is_said_again(journal: Journal) -> None:
    with journal.path.open("ab") as file:
        file.write(b"x" * 5000)
    torn = journal.path.read_bytes()
    journal.event("section.started", section="a")
    said = journal.path.read_bytes().splitlines(keepends=True)[1]
    begun = torn[:-5000] + said
    # as if the line that says so had been written and the rest not yet cut off
    journal.path.write_bytes(begun + torn[len(begun) :])
    Journal.open(journal.path).event("run.finished", verdict="failed")
    events = read(journal.path)
    assert [event["event"] for event in events] == ["run.started", "journal.torn", "journal.torn", "run.finished"]
    assert verify_chain(events) == []


def test_a_whole_line_that_is_no_event_is_not_repaired(journal: Journal) -> None:
    with journal.path.open("ab") as file:
        file.write(b"not an event\n")
    with pytest.raises(RecordError, match="not an event"):
        Journal.open(journal.path).event("run.finished")
    with pytest.raises(RecordError, match="not an event"):
        read(journal.path)


def test_two_processes_appending_at_once_keep_one_chain(journal: Journal) -> None:
    writers = [_writer(journal.folder, name, 30) for name in ("runner", "kernel")]
    numbers = [int(line) for writer in writers for line in writer.communicate()[0].split()]
    events = read(journal.path)
    assert verify_chain(events) == []
    assert sorted(numbers) == sorted(set(numbers))
    for name in ("runner", "kernel"):
        assert [event["number"] for event in events if event.get("writer") == name and "number" in event] == list(
            range(30)
        )


def test_threads_of_one_process_keep_one_chain(journal: Journal) -> None:
    threads = [threading.Thread(target=lambda: [journal.call(path="/x") for _ in range(40)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = read(journal.path)
    assert len(events) == 161
    assert verify_chain(events) == []


def test_a_writer_killed_at_any_moment_leaves_a_readable_journal_that_claims_no_more_than_happened(
    tmp_path: Path,
) -> None:
    chance = random.Random(20261123)
    for moment in range(40):
        journal = Journal.create(tmp_path, f"run-{moment}", target="sandbox")
        writer = _writer(journal.folder, "kernel", 500)
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(chance.randrange(1, 60))]
        writer.send_signal(signal.SIGKILL)
        acknowledged += map(int, writer.communicate()[0].split())
        events = read(journal.path)
        assert verify_chain(events) == []
        assert len(events) >= acknowledged[-1]
        folded = summary.fold(events)
        assert folded["verdict"] == "incomplete"
        unanswered = {event["seq"] for event in events if event["event"] == "http.intent"} - {
            event["intent"] for event in events if event["event"] == "http.outcome"
        }
        assert {write["seq"] for write in folded["writes_without_outcome"]} == unanswered
        journal.event("run.finished", verdict="failed")
        assert verify_chain(read(journal.path)) == []


def test_a_kernel_killed_beside_its_runner_costs_the_runner_nothing(tmp_path: Path) -> None:
    chance = random.Random(9)
    for moment in range(6):
        journal = Journal.create(tmp_path, f"run-{moment}", target="sandbox")
        runner, kernel = _writer(journal.folder, "runner", 25), _writer(journal.folder, "kernel", 500)
        assert kernel.stdout is not None
        acknowledged = [int(kernel.stdout.readline()) for _ in range(chance.randrange(1, 30))]
        kernel.send_signal(signal.SIGKILL)
        acknowledged += map(int, kernel.communicate()[0].split())
        acknowledged += map(int, runner.communicate()[0].split())
        assert runner.returncode == 0
        events = read(journal.path)
        assert verify_chain(events) == []
        assert {event["seq"] for event in events} >= set(acknowledged)
        assert sum(event.get("writer") == "runner" for event in events) == 50


def test_a_full_disk_is_a_record_error_before_anything_is_sent(journal: Journal) -> None:
    program = (
        "import resource, signal, sys\n"
        "from runbook.errors import RecordError\n"
        "from runbook.records.journal import Journal\n"
        "journal = Journal.open(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"
        "try:\n"
        "    journal.intent(path='x' * 1000)\n"
        "except RecordError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(journal.folder)], capture_output=True, text=True, check=True
    )
    assert "no further change was sent" in done.stdout
    assert len(read(journal.path)) == 1
    journal.event("run.finished", verdict="failed")
    assert [event["event"] for event in read(journal.path)] == ["run.started", "journal.torn", "run.finished"]
