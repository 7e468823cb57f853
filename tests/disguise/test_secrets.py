"""Secrets on a machine without a desktop: put in and got out by commands, or provided by the platform."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from runbook.records.journal import read as read_journal
from tests.disguise.conftest import Desk, Tenant

Begin = Callable[..., Desk]
CANARY = "a canary~value with spaces"


def secrets(at: Desk, *arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return at.spoken([sys.executable, "-m", "runbook", "secrets", *arguments], given, **variables)


def test_a_secret_is_set_from_stdin_listed_shown_and_removed(desk: Begin) -> None:
    at = desk()
    reference = "file:desk/one"
    done = secrets(at, "set", reference, given=f"{CANARY}\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert CANARY not in done.stdout
    assert reference in secrets(at, "list", "file").stdout.splitlines()
    assert secrets(at, "get", reference).stdout == f"{CANARY}\n"
    assert json.loads(secrets(at, "get", reference, "--json").stdout)["value"] == CANARY
    assert secrets(at, "remove", reference).returncode == 0
    assert secrets(at, "get", reference).returncode == 1
    assert secrets(at, "remove", reference).returncode == 1


def test_nothing_is_kept_of_an_empty_value_nor_where_secrets_are_only_read(desk: Begin, tmp_path: Path) -> None:
    at = desk()
    assert secrets(at, "set", "file:desk/empty", given="\n").returncode == 2
    for reference in ("env:SOME_KEY", f"file-at:{tmp_path}/key"):
        for command in ("set", "remove"):
            done = secrets(at, command, reference, given=CANARY)
            assert done.returncode == 1
            assert "only read" in done.stderr
            assert CANARY not in done.stdout + done.stderr


def test_a_value_in_place_of_a_reference_is_refused_and_not_repeated(desk: Begin) -> None:
    value = "abc8Q~0123456789.abcdefghij_KLMNOPQRSTUVWX"
    for text in (value, f"file:{value}"):
        done = secrets(desk(), "set", text, given="x")
        assert done.returncode == 2
        assert value not in done.stdout + done.stderr


def test_on_a_screen_it_asks_before_it_shows(desk: Begin) -> None:
    at = desk()
    secrets(at, "set", "file:desk/shown", given=CANARY)
    for answer, shown in (("n\n", False), ("y\n", True)):
        ours, theirs = pty.openpty()
        line = [sys.executable, "-m", "runbook", "secrets", "get", "file:desk/shown"]
        process = subprocess.Popen(
            line, stdin=theirs, stdout=theirs, stderr=theirs, env=at.tenant.environment, cwd=at.folder
        )
        os.close(theirs)
        os.write(ours, answer.encode())
        said = b""
        while True:
            try:
                said += (part := os.read(ours, 4096))
            except OSError:
                break
            if not part:
                break
        process.wait(timeout=60)
        os.close(ours)
        assert (CANARY.encode() in said) is shown
        assert process.returncode == (0 if shown else 2)


def test_secrets_of_the_environment_and_of_mounted_files_serve_a_run(
    desk: Begin, tenant: Tenant, tmp_path: Path
) -> None:
    secret = Path(tenant.ready["client_secret_file"]).read_text(encoding="utf-8").strip()
    mounted = tmp_path / "api-key"
    mounted.write_text(Path(tenant.ready["stackone_api_key_file"]).read_text(encoding="utf-8").strip() + "\n")
    at = desk(client_secret_ref="env:ADMIN_CLIENT_SECRET", stackone_api_key_ref=f"file-at:{mounted}")
    code, document = at.run("--sections", "1..2", ADMIN_CLIENT_SECRET=secret)
    assert code == 0, document
    record = at.folder / document["record"]
    assert read_journal(record)[0]["parameters"]["client_secret_ref"] == "env:ADMIN_CLIENT_SECRET"
    for path in record.iterdir():
        assert secret not in path.read_text(encoding="utf-8")


def test_a_variable_that_is_not_set_is_said_before_anything_is_sent(desk: Begin) -> None:
    done = desk(client_secret_ref="env:ADMIN_CLIENT_SECRET").call("plan")
    assert done.returncode == 1
    assert "env:ADMIN_CLIENT_SECRET" in done.stderr
