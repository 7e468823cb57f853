"""A parameters file, and the sandbox's line that it names, may come from somebody else: both are data."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Listener, Runner

Line = dict[str, Any]


def elsewhere(line: Line, folder: Path) -> None:
    private = folder / "home" / ".ssh"
    private.mkdir(parents=True)
    (private / "id_rsa").write_text("a private key")
    (private / "id_rsa").chmod(0o600)
    line["client_secret_file"] = str(private / "id_rsa")


def linked(line: Line, folder: Path) -> None:
    elsewhere(line, folder)
    (folder / "link").symlink_to(line["client_secret_file"])
    line["client_secret_file"] = str(folder / "link")


def long_secret(line: Line, folder: Path) -> None:
    (folder / "many").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n")
    (folder / "many").chmod(0o600)
    line["client_secret_file"] = str(folder / "many")


def pipe(line: Line, folder: Path) -> None:
    os.mkfifo(folder / "pipe", 0o600)
    line["stackone_api_key_file"] = str(folder / "pipe")


def host(name: str, address: str) -> Callable[[Line, Path], None]:
    return lambda line, _folder: line.update({name: address})


LINES: dict[str, Callable[[Line, Path], None]] = {
    "a private file of another folder": elsewhere,
    "a link to a private file": linked,
    "a file of many lines": long_secret,
    "a pipe": pipe,
    "a foreign authority": host("authority", "https://evil.example:443"),
    "a foreign Graph": host("graph", "https://graph.microsoft.com"),
    "a foreign StackOne": host("stackone", "https://api.stackone.com"),
    "a foreign page": host("pages", "http://evil.example:80"),
    "an address of the network": host("graph", "https://192.0.2.1:443"),
    "every address of this machine": host("graph", "https://0.0.0.0:443"),
    "loopback as a user name": host("authority", "https://localhost:443@evil.example"),
    "a name that begins like loopback": host("authority", "https://localhost.evil.example:443"),
    "no TLS": host("graph", "http://localhost:80"),
    "no port": host("graph", "https://localhost"),
    "a port that is none": host("graph", "https://localhost:x"),
}


@pytest.mark.parametrize("spoil", LINES.values(), ids=LINES.keys())
def test_a_line_that_is_no_sandbox_of_this_user_is_refused_and_nothing_is_sent(
    spoil: Callable[[Line, Path], None], command: Runner, listener: Listener, tmp_path: Path
) -> None:
    line = json.loads(listener.ready_file.read_text())
    spoil(line, tmp_path)
    listener.ready_file.write_text(json.dumps(line))
    done = command("plan", "--sandbox", str(listener.ready_file), timeout=60)
    assert done.returncode == 2, done.stderr
    assert not listener.connections
    assert "a private key" not in done.stdout + done.stderr


ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
FILES = {
    "aliases of aliases": (ALIASES + "actions: *i\n", "more values"),
    "an alias of itself": ("actions: &a [*a]\n", "deep"),
    "a deep list": ("actions: " + "[" * 5_000, "deep"),
    "a name twice": ("tenant_id: a\ntenant_id: b\n", "twice"),
    "an object of Python": ("actions: !!python/object/apply:os.system [id]\n", "YAML"),
    "a character that is none": ("actions: \x00\n", "YAML"),
    "a list in place of a mapping": ("- actions\n", "mapping"),
}


@pytest.mark.parametrize(("text", "says"), FILES.values(), ids=FILES.keys())
def test_a_file_that_would_cost_or_hide_something_is_refused(
    text: str, says: str, command: Runner, tmp_path: Path
) -> None:
    (tmp_path / "choice.yaml").write_text(text)
    done = command("plan", "--parameters", "choice.yaml", timeout=60)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr


@pytest.mark.parametrize("text", ['{"tenant_id": "a", "tenant_id": "b"}', "[" * 5_000, '{"a": ' + "9" * 5_000 + "}"])
def test_so_is_such_a_file_in_json(text: str, command: Runner, tmp_path: Path) -> None:
    (tmp_path / "choice.json").write_text(text)
    assert command("plan", "--parameters", "choice.json", timeout=60).returncode == 2


def test_a_pipe_or_a_folder_in_place_of_a_file_is_refused_at_once(command: Runner, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for name in ("pipe.yaml", "."):
        done = command("plan", "--parameters", name, timeout=60)
        assert done.returncode == 2, done.stderr
        assert "not a file" in done.stderr


@pytest.mark.parametrize(("given", "means"), [("0100", False), ("100", True), ("1_00", False), ("0x64", False)])
def test_a_number_means_what_stands_there_in_a_file_and_on_the_command_line(
    given: str, means: bool, command: Runner, listener: Listener, tmp_path: Path
) -> None:
    (tmp_path / "choice.yaml").write_text(f"\ufeffsecret_lifetime_days: {given}\n", encoding="utf-8")
    named = ("--sandbox", str(listener.ready_file))
    for way in (("--parameters", "choice.yaml"), ("--set", f"secret_lifetime_days={given}")):
        assert (command("plan", *named, *way, timeout=60).returncode != 2) is means
