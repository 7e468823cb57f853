"""The served process: its ready line, its files, its ports, its log, its end."""

import json
import os
import pty
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from entra_sandbox import running
from entra_sandbox.guard import MAX_BODY, shown_path
from entra_sandbox.server import AlreadyServed
from entra_sandbox.store import UnsafeStateFile

from tests.sandbox_entra.conftest import World, tls


@contextmanager
def served(state: Path, *options: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """``sandbox serve`` in a process of its own, and its ready line."""
    command = [sys.executable, "-m", "entra_sandbox", "serve", "--state", str(state), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline()), process
        finally:
            process.kill()


def end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    return out, err


def token(ready: dict[str, Any], **changes: str) -> httpx.Response:
    secret = Path(ready["client_secret_file"]).read_text(encoding="utf-8")
    ask = {"grant_type": "client_credentials", "client_id": ready["client_id"], "client_secret": secret}
    ask |= {"scope": "https://graph.microsoft.com/.default", **changes}
    address = f"{ready['authority']}/{ready['tenant_id']}/oauth2/v2.0/token"
    return httpx.post(address, data=ask, verify=tls(ready), trust_env=False)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A sandbox that was used, stopped and served again."""
    state = tmp_path_factory.mktemp("served") / "state.sqlite3"
    with served(state) as (first, process):
        answers = [token(first), token(first, client_secret="a-wrong-secret-value")]
        token(first, client_id="a-secret-in-the-wrong-place")
        leaked = f"{first['pages']}/hub/{'x' * 60}?token=query-secret&code=query-code"
        httpx.get(leaked, trust_env=False)
        files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(f"{state}.d").iterdir()}
        out, err = end(process, signal.SIGTERM)
    with served(state) as (second, process):
        again = token(second)
        _, second_err = end(process, signal.SIGINT)
    return {
        "state": state,
        "first": first,
        "second": second,
        "answers": [*answers, again],
        "files": files,
        "out": out,
        "err": err + second_err,
    }


def test_the_ready_line_has_what_other_programs_need(history: dict[str, Any]) -> None:
    ready = history["first"]
    assert set(ready) == {
        *("authority", "graph", "stackone", "pages", "ca_file", "tenant_id", "client_id", "client_secret_ref"),
        *("client_secret_file", "stackone_api_key_file", "users", "stackone_dashboard", "browser_arguments"),
    }
    assert ready["authority"] == ready["graph"] == ready["stackone"]
    assert re.fullmatch(r"https://localhost:\d+", ready["authority"])
    assert re.fullmatch(r"http://localhost:\d+", ready["pages"])
    assert {role for one in ready["users"].values() for role in one["roles"]} >= {
        "Global Administrator",
        "Application Developer",
    }
    assert any(not one["roles"] for one in ready["users"].values())
    assert history["out"] == ""


def test_the_administrators_application_gets_a_token(history: dict[str, Any]) -> None:
    assert [answer.status_code for answer in history["answers"]] == [200, 401, 200]


def test_nothing_changes_from_run_to_run(history: dict[str, Any]) -> None:
    assert history["first"] == history["second"]


def test_every_file_is_the_owners_alone(history: dict[str, Any]) -> None:
    assert set(history["files"].values()) == {0o600}
    assert {"ca.key", "vault.key", "control-token", "client-secret", "ready.json"} <= set(history["files"])
    assert stat.S_IMODE(history["state"].stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(f"{history['state']}.d").stat().st_mode) == 0o700


def test_the_log_tells_requests_and_no_secret(history: dict[str, Any]) -> None:
    log, ready = history["err"], history["first"]
    assert f"POST /{ready['tenant_id']}/oauth2/v2.0/token 200" in log
    assert "AADSTS7000215" in log
    secrets = [
        Path(ready[name]).read_text(encoding="utf-8") for name in ("client_secret_file", "stackone_api_key_file")
    ]
    secrets += [person["password"] for person in ready["users"].values()]
    secrets += [history["answers"][0].json()["access_token"], "a-wrong-secret-value", "query-secret", "query-code"]
    secrets += ["a-secret-in-the-wrong-place"]
    assert [secret for secret in [*secrets, "x" * 60] if secret in log] == []
    assert "Traceback" not in log


def test_only_hashes_and_sealed_values_lie_in_the_state(history: dict[str, Any]) -> None:
    ready = history["first"]
    content = b"".join(path.read_bytes() for path in history["state"].parent.glob("state.sqlite3*") if path.is_file())
    assert Path(ready["client_secret_file"]).read_bytes() not in content
    assert not [one for one in ready["users"].values() if one["password"].encode() in content]


def test_no_ready_file_is_left_behind(history: dict[str, Any]) -> None:
    assert not Path(f"{history['state']}.d", "ready.json").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_state_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    state = tmp_path / "state.sqlite3"
    state.touch(mode=0o600)
    state.chmod(mode)
    with pytest.raises(UnsafeStateFile, match="must be readable by its owner alone"), running(state):
        pass


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [("--state", "", "must be readable by its owner alone"), ("--faults", "illnesses: [{kind: flu}]", "flu")],
)
def test_what_is_refused_is_told_with_exit_code_2(tmp_path: Path, option: str, text: str, said: str) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    file.chmod(0o644)
    command = [sys.executable, "-m", "entra_sandbox", "serve", "--state", str(tmp_path / "state"), option, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_told_and_replaced_for_good(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with running(state) as ready:
        port = int(ready["authority"].rsplit(":", 1)[1])
    said: list[str] = []
    with socket.create_server(("127.0.0.1", port)), running(state, say=said.append) as ready:
        moved = ready["authority"]
    assert moved != f"https://localhost:{port}"
    assert len(said) == 1
    assert str(port) in said[0]
    with running(state, say=said.append) as ready:
        assert ready["authority"] == moved
    assert len(said) == 1


def test_a_state_is_served_once(world: World, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entra_sandbox.server._CLAIM_SECONDS", 0.0)
    assert world.ready
    with pytest.raises(AlreadyServed), running(state):
        pass


def test_it_listens_on_loopback_alone(world: World) -> None:
    ports = {f"{int(world.ready[name].rsplit(':', 1)[1]):04X}" for name in ("authority", "pages")}
    listening = "0A"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    found = {line[1] for line in lines if line[3] == listening and line[1].split(":")[1] in ports}
    assert found == {f"0100007F:{port}" for port in ports}


def test_a_foreign_host_name_is_refused(world: World, http: httpx.Client) -> None:
    for host in ("evil.example", "login.microsoftonline.com", "localhost.evil.example"):
        assert http.get("/_sandbox/health", headers={"host": host}).status_code == 421
    assert http.get("/_sandbox/health", headers={"host": f"127.0.0.1:{world.base.rsplit(':', 1)[1]}"}).is_success


def test_a_body_that_is_too_large_is_refused(http: httpx.Client, world: World) -> None:
    address = f"/{world.tenant}/oauth2/v2.0/token"
    head = f"POST {address} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n"
    port = int(world.base.rsplit(":", 1)[1])
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        tls(world.ready).wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")
    chunks = (b"a" * 65536 for _ in range(MAX_BODY // 65536 + 2))
    assert http.post("/v1.0/users", content=chunks).status_code == 413


def test_control_calls_need_their_token(http: httpx.Client, control: httpx.Client) -> None:
    assert http.get("/_sandbox/health").json() == {"status": "ok"}
    for header in ({}, {"authorization": "Bearer wrong"}):
        assert http.post("/_sandbox/clock", json={"offset": 0}, headers=header).status_code == 401
    assert control.post("/_sandbox/clock", json={"offset": "soon"}).status_code == 400
    assert control.post("/_sandbox/clock", content=b"\xff").status_code == 400


def test_old_tls_is_refused(world: World) -> None:
    context = tls(world.ready)
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    port = int(world.base.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as plain, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(plain, server_hostname="localhost")


def test_long_parts_of_a_path_are_not_logged() -> None:
    assert shown_path("/hub/" + "a" * 50) == "/hub/…"
    assert (
        shown_path("/v1.0/users/8a0d2f6e-2f54-4f6a-9d4d-0f4a8f1f2c3d")
        == "/v1.0/users/8a0d2f6e-2f54-4f6a-9d4d-0f4a8f1f2c3d"
    )


def test_the_process_leaves_nothing_behind(history: dict[str, Any]) -> None:
    for name in ("authority", "pages"):
        port = int(history["second"][name].rsplit(":", 1)[1])
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert history["state"].exists()


def test_what_was_asked_for_and_is_not_emulated_is_named_at_the_end(tmp_path: Path) -> None:
    with served(tmp_path / "state.sqlite3") as (ready, process):
        headers = {"authorization": f"Bearer {token(ready).json()['access_token']}"}
        with httpx.Client(base_url=ready["graph"], verify=tls(ready), trust_env=False, headers=headers) as http:
            person = http.get("/v1.0/users?$top=1").json()["value"][0]["id"]
            asked = [f"/v1.0/users/{person}/messages", "/v1.0/me/../drives", f"/v1.0/users/{person}/messages"]
            assert [http.get(path).status_code for path in asked] == [501, 501, 501]
        _, err = end(process, signal.SIGTERM)
    assert "GET /users/{}/messages  2 times" in err
    assert "GET /drives  1 time" in err
    assert person not in err.partition("Asked for and not emulated")[2]


def test_on_a_terminal_the_ready_line_is_a_table_without_a_password(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    state = tmp_path / "state.sqlite3"
    command = [sys.executable, "-m", "entra_sandbox", "serve", "--state", str(state)]
    process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    try:
        said = ""
        while "Ctrl-C" not in said:
            said += os.read(ours, 4096).decode()
        file = Path(re.findall(r"passwords +in (.+?)\r?\n", said)[0])
        ready = json.loads(file.read_text())
    finally:
        process.terminate()
        process.wait(timeout=30)
        os.close(ours)
    assert ready["graph"] in said
    assert "(Global Administrator)" in said
    assert stat.S_IMODE(file.parent.stat().st_mode) & 0o077 == 0, "nobody else reads the passwords"
    secrets = [str(person["password"]) for person in ready["users"].values()]
    assert not [each for each in (*secrets, str(ready["stackone_dashboard"]["password"])) if each in said]
