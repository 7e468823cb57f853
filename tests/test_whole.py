from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runbook import whole


def test_text_and_bytes_are_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    whole.write(tmp_path / "a", "ä")
    whole.write(tmp_path / "b", b"\x00")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": "ä".encode(), "b": b"\x00"}


def test_the_mode_is_kept_or_given(tmp_path: Path) -> None:
    path = tmp_path / "private"
    whole.write(path, "1", mode=0o600)
    whole.write(path, "2")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    whole.write(path, "3", mode=0o644)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_write_that_fails_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")
    program = (
        "import resource, signal, sys\n"
        "from runbook import whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "try:\n"
        "    whole.write(sys.argv[1], 'x' * 100)\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip()
    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == {"summary.json": "old"}


def test_what_is_no_file_is_neither_replaced_nor_waited_for(tmp_path: Path) -> None:
    """A device lies where only the administrator makes one: a name of nothing in its folder stands for it."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "pipe")
    device = Path("/dev") / f"no-device-{os.getpid()}"
    try:
        for path in (tmp_path / "pipe", tmp_path / "folder", tmp_path / "linked", device):
            with pytest.raises(OSError, match="would take its place"):
                whole.write(path, "1")
    finally:
        device.unlink(missing_ok=True)
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "linked").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "folder", "linked"}
    with pytest.raises(OSError, match="not a file"):
        whole.read(tmp_path / "pipe")


def test_a_link_to_the_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("untouched")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    whole.write(tmp_path / "link", "new")
    assert (tmp_path / "elsewhere").read_text() == "untouched"
    assert not (tmp_path / "link").is_symlink()
