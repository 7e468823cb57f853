"""However a command ends: a word or its one document, the exit code of the book, and nothing left running."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from entra_sandbox.server import running

from runbook.cli.screen import Screen
from runbook.errors import HandOver
from runbook.records.verify import verify
from runbook.runs.run import RunOutcome
from tests.conftest import Listener, Runner, environment
from tests.safety.processes import descendants, wait_for_end, watched

SECRET = "abc8Q~Wrong.secret_value-00000000000000"
CALLS = ("--sandbox", "ready.json", "--json")
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start(folder: Path, *arguments: str, ignored: bool = False, **how: Any) -> subprocess.Popen[str]:
    """``runbook`` in a session of its own, as a terminal starts it; ``ignored``: SIGHUP, as by nohup."""

    def begin() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)

    streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    command = [sys.executable, "-m", "runbook", *arguments]
    environ = environment(folder, PYTHONWARNINGS="ignore")
    return subprocess.Popen(
        command, cwd=folder, env=environ, text=True, start_new_session=True, preexec_fn=begin, **streams
    )


def document(text: str) -> Any:
    """The one document that stands there, and nothing besides."""
    assert text.endswith("\n")
    return json.loads(text)


MISUSED = {
    "an unknown option": ("run", "--json", "--nope"),
    "an option without its value": ("plan", "--json", "--sections"),
    "a word too many": ("secrets", "set", "file:x", "hunter2-hunter2", "--json"),
    "an unknown command": ("nope", "--json"),
    "an unknown command of a group": ("records", "nope", "--json"),
    "an argument that is missing": ("records", "verify", "--json"),
    "a number out of range": ("fleet", "run", "x.csv", "--workers", "-1", "--json"),
    "text for a number": ("rotate", "--json", "--overlap", "hunter2-hunter2"),
    "a value that is none of its option": ("scopes", "--json", "--separator", "tab"),
    "a secret for a parameter": ("plan", "--json", "--set", f"client_id={SECRET}"),
    "a secret for a name": ("plan", "--json", "--set", f"{SECRET}=1"),
    "a secret without a name": ("plan", "--json", "--set", SECRET),
    "a secret for a file": ("plan", "--json", "--parameters", SECRET),
    "a secret for one of several words": ("actions", "--json", "--effect", SECRET),
    "a secret for a command": (SECRET, "--json"),
    "a secret for an option": ("run", "--json", f"--{SECRET}"),
}


@pytest.mark.parametrize("line", MISUSED.values(), ids=MISUSED.keys())
def test_a_command_line_that_is_wrong_gives_one_document_and_repeats_no_secret(
    line: Sequence[str], command: Runner
) -> None:
    done = command(*line)
    found = document(done.stdout)
    assert (done.returncode, found["exit_code"], found["error"]) == (2, 2, "InputError")
    assert found["problems"]
    assert found["next"]
    said = done.stdout + done.stderr
    assert SECRET not in said
    assert "hunter2" not in said
    assert ("looks like a secret" in said) == any(SECRET in word for word in line)


BROKEN = {
    "a list": ("actions | head -n 1", 0, ""),
    "a document": ("actions --json | true", 0, ""),
    "the help": ("--help | true", 0, ""),
    "a refusal": ("nope 2>&1 | true", 2, ""),
    "a disk that is full": ("actions >/dev/full", 1, "standard output"),
    "a document on a full disk": ("actions --json >/dev/full", 1, "standard output"),
    "both streams on a full disk": ("actions >/dev/full 2>&1", 1, ""),
    "a refusal for a closed stream": ("nope --json >&-", 2, "no such command"),
    "no buffer": ("actions --json | head -c 1", 0, ""),
}


@pytest.mark.parametrize(("line", "code", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_a_stream_that_ends_ends_no_work(line: str, code: int, says: str, tmp_path: Path) -> None:
    script = f"set -o pipefail; {sys.executable} -m runbook {line}; echo ${{PIPESTATUS[0]}} >code"
    unbuffered = {"PYTHONUNBUFFERED": "1"} if "head -c" in line else {}
    env = environment(tmp_path, **unbuffered)
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert int((tmp_path / "code").read_text()) == code, done.stderr
    assert says in done.stderr
    assert bool(done.stderr) == bool(says)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_what_a_stream_takes_in_parts_is_written_to_its_end_or_said(unbuffered: str, tmp_path: Path) -> None:
    env = environment(tmp_path, PYTHONUNBUFFERED=unbuffered)
    line = [sys.executable, "-m", "runbook", "actions", "--json"]
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)  # less than is written at once
    process = subprocess.Popen(line, stdout=theirs, stderr=subprocess.PIPE, env=env)
    os.close(theirs)
    assert process.stderr is not None
    with os.fdopen(ours, "rb") as reader, process.stderr as said:
        assert select.select([ours], [], [], 60)[0]
        while process.poll() is None and psutil.Process(process.pid).status() != psutil.STATUS_SLEEPING:
            pass  # the pipe is full; it is not read before that was noticed
        assert len(json.loads(reader.read())) > 60
        assert (process.wait(60), said.read()) == (0, b"")
    short = ["bash", "-c", f"ulimit -f 1; {shlex.join(line)} >out"]
    done = subprocess.run(short, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "standard output cannot be used" in done.stderr) == (1, True)


def test_a_link_goes_into_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is a pipe waited for that stands there."""
    empty: dict[str, Any] = dict.fromkeys(("actions", "left_behind", "writes_without_outcome"), ())
    summary = {
        **empty,
        "verdict": "parked",
        "application": {},
        "http": dict.fromkeys(("requests", "writes", "retries"), 0),
    }
    item = HandOver("link_account", "Link the account", "https://example.com/once", kept="file:link/once")
    Screen(as_json=False).outcome(RunOutcome(3, summary, tmp_path, hand_over=item), str(tmp_path))
    assert "holds something else, which stays" in " ".join(capsys.readouterr().out.split())


def test_a_document_begins_with_no_mark_of_its_encoding(command: Runner) -> None:
    assert command("actions", "--json", PYTHONIOENCODING="utf-8-sig").stdout.startswith("[")


WAITING = {name: (name,) for name in ("plan", "run", "verify", "status", "doctor", "rotate", "teardown", "sign-in")}


@pytest.mark.parametrize(("number", "line"), [*enumerate(WAITING.values())], ids=WAITING.keys())
def test_a_signal_while_a_service_is_waited_for_gives_one_document_and_130(
    number: int, line: Sequence[str], listener: Listener, tmp_path: Path
) -> None:
    """The service never answers. Every signal is sent, once or twice, to the process or to its group."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ready = listener.ready_file.read_text().replace(f":{listener.port}", f":{server.getsockname()[1]}")
        listener.ready_file.write_text(ready)
        process = start(tmp_path, *line, *CALLS)
        server.settimeout(60)
        held, _ = server.accept()
        with held:
            started = watched([*descendants(process.pid)])
            for _ in range(1 + number % 2):
                (os.killpg if number > 3 else os.kill)(process.pid, STOPS[number % 3])
            out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    said = document(out)
    assert (said["exit_code"], said["error"]) == (130, "Interrupted")
    assert said["next"] == "run the same command again; it is safe to."
    assert "Traceback" not in err
    assert not wait_for_end(started, 20), "nothing that it started outlives it"
    assert not (tmp_path / "records").exists()


def told(process: subprocess.Popen[str], text: str) -> None:
    """Wait until it has said so on standard error."""
    assert process.stderr is not None
    said = ""
    while text not in said:
        mark = process.stderr.read(1)
        assert mark, said
        said += mark


@pytest.mark.parametrize("sent", STOPS, ids=lambda sent: sent.name)
def test_a_signal_while_a_person_is_asked_says_so(sent: signal.Signals, tmp_path: Path) -> None:
    process = start(tmp_path, "init")
    told(process, "target [sandbox]")
    process.send_signal(sent)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Interrupted" in err, "Traceback" in err) == (130, True, False)
    assert not (tmp_path / "parameters.yaml").exists()


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    process = start(tmp_path, "init", ignored=True)
    told(process, "target [sandbox]")
    process.send_signal(signal.SIGHUP)
    process.communicate("\n" * 6, timeout=60)
    assert process.returncode == 0
    assert (tmp_path / "parameters.yaml").exists()


def test_an_answer_that_never_comes_is_bad_input(command: Runner) -> None:
    done = command("init", given="")
    assert done.returncode == 2
    assert "before a question was answered" in done.stderr


def test_a_signal_behind_the_last_section_finds_a_sealed_record_that_passed(tmp_path: Path) -> None:
    with running(tmp_path / "state.sqlite3") as ready:
        (tmp_path / "ready.json").write_text(json.dumps(ready))
        process = start(tmp_path, "run", "--sections", "1", *CALLS)
        told(process, "Select actions")
        for _ in range(2):
            os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        found = document(out)
        assert process.returncode == found["exit_code"] == 130
        (record,) = (tmp_path / "records").iterdir()
        assert (verify(record).ok, verify(record).verdict) == (True, "passed")
        assert f"{record.name} says passed" in found["meaning"]


SHOWN = (("actions", "--resource", "Groups"), ("scopes", "--preset", "start"))


def on_terminal(width: int, folder: Path, *arguments: str) -> str:
    """What ``runbook`` shows on a terminal of ``width`` columns."""
    ours, theirs = pty.openpty()
    env = environment(folder, TERM="dumb", COLUMNS=str(width))
    command = [sys.executable, "-m", "runbook", *arguments]
    process = subprocess.Popen(command, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    with os.fdopen(ours, "rb", buffering=0) as stream:
        while part := _some(stream.read):
            said += part
    process.wait()
    return said.decode().replace("\r\n", "\n")


def _some(read: Callable[[int], bytes | None]) -> bytes:
    try:
        return read(65536) or b""
    except OSError:  # the last process on the terminal has ended
        return b""


@pytest.mark.parametrize("line", SHOWN, ids=lambda line: line[0])
def test_lines_are_as_long_as_the_terminal_is_wide_and_no_name_is_broken(line: Sequence[str], tmp_path: Path) -> None:
    whole = on_terminal(400, tmp_path, *line).split()
    for width in (40, 60, 80, 120):
        said = on_terminal(width, tmp_path, *line)
        long = [each for each in said.split("\n") if len(each.rstrip()) > width and " " in each.strip()]
        assert not [each for each in long if "://" not in each and "runbook " not in each]
        assert "…" not in said
        assert {word for word in said.split() if ".Read" in word} <= set(whole)


def test_a_table_in_a_file_is_as_wide_as_it_takes(command: Runner, tmp_path: Path) -> None:
    """Nobody can copy, or search for, a name whose end was left out, and no column is lost."""
    assert command("run", "--sections", "1..2").returncode == 0
    (record,) = [path.name for path in (tmp_path / "records").iterdir()]
    shelf, torn = command("records", "list").stdout, command("teardown", "--plan").stdout
    assert record in shelf.split()
    assert "…" not in shelf + torn
    assert {tuple(line.split()[-2:]) for line in torn.splitlines() if " absent " in line} >= {("-", "removed")}
    assert torn.count("it stays in the deleted items for 30 days") == 1
