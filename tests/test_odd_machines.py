"""Odd machines: whatever surrounds it, the command ends well, or with the cause by its name; never as a defect."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox.server import running

from tests.conftest import environment

KEY = "abcDEF123~planted-longer"
SANDBOX = "actions: [List Users]\n"
STORED = f"{SANDBOX}secret_store: file\n"
TENANT = f"""{STORED}target: entra
tenant_id: 11111111-1111-4111-8111-111111111111
client_id: 22222222-2222-4222-8222-222222222222
client_secret_ref: env:ADMIN
stackone_api_key_ref: env:ADMIN
"""
SCOPES = ("scopes", "--parameters", "p.yaml")
INIT = ("init", "x.yaml")
KEEP = ("secrets", "set", "file:stackone/api-key")
PLAN = ("plan", "--sections", "2", "--parameters", "p.yaml")
ONE = ("--sections", "1", *PLAN[3:])
UNMADE = '"$@"; code=$?; ! test -e notes.d || exit 9; exit $code'
"""Ends as the command does where that made no folder."""
THEIRS = re.compile(r"(?i).*_proxy|(ssl_cert|requests_ca|curl_ca|openssl|python(?!path)|lc_).*|sslkeylogfile|tz")
"""What this machine itself says of what the rows are about."""
TRAP = "raise SystemExit('taken')\n"


@dataclass(frozen=True)
class Odd:
    """What is odd about a machine, and how the command ends there: ``code`` and, on either stream, ``says``."""

    env: Mapping[str, str] = field(default_factory=dict)
    code: int = 0
    says: str = ""
    without: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """By path below the folder where the command runs, which is HOME too."""
    parameters: str = STORED
    command: tuple[str, ...] = PLAN
    shell: str = 'exec "$@"'
    """How ``sh`` begins the command."""


def mistaken(name: str, value: str, **more: Any) -> Odd:
    """A variable whose value is refused for a real tenant by the variable's name."""
    env = {"HTTPS_PROXY": "http://127.0.0.1:9", **more, name: value}
    return Odd(env, 2, name, parameters=TENANT)


def piped(*command: str) -> Odd:
    """A pipe that nobody writes to, where a file is to be named."""
    return Odd(code=2, says="not a file", command=(*command, "pipe"), shell='mkfifo pipe; exec "$@"')


MACHINES = {
    # Where the user's own files are.
    "HOME is the root": Odd({"HOME": "/"}),
    "HOME is not there and cannot be made": Odd({"HOME": "/proc/nobody"}, 1, "RUNBOOK_SECRETS_DIR", command=KEEP),
    "HOME is a file": Odd({"HOME": "/etc/hostname"}, 1, "RUNBOOK_SECRETS_DIR", command=KEEP),
    "HOME is relative": Odd({"HOME": "some/where"}),
    "no HOME and nobody's uid": Odd(
        code=2,
        says="HOME",
        command=SCOPES,
        without=("HOME", "TERM", "LANG", "USER", "LOGNAME"),
        shell='chmod 777 . && exec setpriv --reuid 54321 --clear-groups "$@"',
    ),
    "another uid without an entry, in a home of its own": Odd(
        shell='chmod 777 . && exec setpriv --reuid=4242 --regid=4242 --clear-groups "$@"', command=SCOPES
    ),
    "HOME with every sign that a shell reads": Odd(
        {"HOME": 'its "own" $HOME\'s\nplace'}, files={'its "own" $HOME\'s\nplace/x': ""}
    ),
    "HOME of no known letters": Odd({"HOME": os.fsdecode(b"\xff\xfe")}),
    "HOME is a link": Odd({"HOME": "link"}, shell='ln -s . link; exec "$@"'),
    "a very long path": Odd({"HOME": "x" * 250 + "/" + "y" * 250 + "/" + "z" * 250}),
    "a path that is too long": Odd({"HOME": "/" + "x" * 300}, 1, "RUNBOOK_SECRETS_DIR", command=KEEP),
    "the working folder is deleted": Odd(shell='mkdir gone; cd gone; rmdir ../gone; exec "$@"', command=("scopes",)),
    "the working folder is deleted, at a plan": Odd(
        shell='mkdir gone; cd gone; rmdir ../gone; exec "$@"', command=("plan", "--sections", "2")
    ),
    "a state of a sandbox below a plain file": Odd(
        {"ENTRA_SANDBOX_STATE": "/etc/hostname/state.sqlite3"}, 2, "ENTRA_SANDBOX_STATE", command=("sandbox", "serve")
    ),
    "modules beside that are named as Python's own": Odd(
        files={f"{name}.py": TRAP for name in ("json", "typing", "signal", "random", "yaml", "email")}
    ),
    "folders of the desktop standard that cannot be made": Odd(
        {f"XDG_{name}_HOME": "/proc/nobody" for name in ("DATA", "STATE", "CACHE", "CONFIG")}
    ),
    "no place for the state of a sandbox": Odd(
        {"HOME": "/proc/nobody"}, 1, "ENTRA_SANDBOX_STATE", without=("RUNBOOK_SANDBOX",)
    ),
    "a folder for records that cannot be written": Odd(
        code=1, says="/proc/nobody", command=("run", *PLAN[1:], "--records", "/proc/nobody")
    ),
    "folders of the desktop standard that are relative": Odd({"XDG_DATA_HOME": "some/where"}),
    "a folder of secrets that is a file": Odd(
        {"RUNBOOK_SECRETS_DIR": "/etc/hostname"}, 1, "RUNBOOK_SECRETS_DIR", command=KEEP
    ),
    "TMPDIR is not there": Odd({"TMPDIR": "/nonexistent"}),
    "TMPDIR cannot be written": Odd({"TMPDIR": "/proc"}),
    "TMPDIR cannot be written, for a sandbox of one's own": Odd({"TMPDIR": "/proc"}, without=("RUNBOOK_SANDBOX",)),
    "a state that is something else": Odd(
        {"ENTRA_SANDBOX_STATE": "notes"},
        1,
        "ENTRA_SANDBOX_STATE",
        files={"notes": "buy milk\n" * 200},
        shell='chmod 600 notes; exec "$@"',
        without=("RUNBOOK_SANDBOX",),
    ),
    "a state that is somebody's file": Odd(
        {"ENTRA_SANDBOX_STATE": "notes"},
        1,
        "something else",
        files={"notes": "buy milk\n"},
        shell=f"chmod 644 notes; {UNMADE}",
        without=("RUNBOOK_SANDBOX",),
    ),
    "a state that is a folder": Odd(
        {"ENTRA_SANDBOX_STATE": "notes"},
        1,
        "is no file",
        files={"notes/x": ""},
        shell=UNMADE,
        without=("RUNBOOK_SANDBOX",),
    ),
    "a state that is a folder, asked for its tenants": Odd(
        {"ENTRA_SANDBOX_STATE": "notes"}, 2, "is no file", files={"notes/x": ""}, command=("sandbox", "tenants")
    ),
    "secrets that are a folder": Odd(
        {"RUNBOOK_SECRETS_DIR": "own"}, 1, "is a folder", files={"own/secrets.enc/x": ""}, command=KEEP
    ),
    "a run that is long over": Odd({"RUNBOOK_RUN": "/nonexistent"}, 1, "unset RUNBOOK_RUN"),
    "a folder for records that is a link to nothing": Odd(
        code=1, says="leads nowhere", command=("run", *ONE), shell='ln -s nowhere records; exec "$@"'
    ),
    "a folder for records that is a link to nothing, for the doctor": Odd(
        code=1,
        says="Records cannot be written below",
        command=("doctor", *ONE),
        shell='ln -s nowhere records; exec "$@"',
    ),
    "a folder for records that looks like an option": Odd(
        says="records verify ./-dash/", command=("run", *ONE, "--records", "-dash")
    ),
    "a folder for records above": Odd(
        command=("run", *ONE, "--records", ".."),
        shell='mkdir -p a/b; cp p.yaml a/b; cd a/b; "$@" && ls ../../a.signing-key.pem',
    ),
    "a secret that is not there, to be removed": Odd(
        code=1, says="runbook secrets list", command=("secrets", "remove", "file:none/none")
    ),
    # What is named is no file: a pipe would be waited for.
    "a pipe for a secret": Odd(
        code=1, says="not a file", command=("secrets", "get"), shell='mkfifo pipe; exec "$@" "file-at:$PWD/pipe"'
    ),
    "a pipe for actions": piped("scopes", "--actions-file"),
    "a pipe for parameters": piped("scopes", "--parameters"),
    "a pipe for a newer guide": piped("actions", "--check"),
    "a pipe for a fleet": piped("fleet", "run"),
    "a pipe for a key": piped("records", "verify", ".", "--public-key"),
    "a pipe for a sandbox's line": piped("plan", "--sandbox"),
    "TMPDIR is a file": Odd({"TMPDIR": "/etc/hostname"}),
    "TMPDIR is too long for a socket": Odd({"TMPDIR": "/tmp/" + "x" * 200}),
    "a mask that takes nothing away": Odd(shell='umask 0; exec "$@"'),
    "a mask that takes everything away": Odd(shell='umask 777; exec "$@"'),
    "few open files": Odd(shell='ulimit -n 24; exec "$@"'),
    "no more open files than a few, at a run": Odd(
        shell='ulimit -n 64; exec "$@"', command=("run", "--sections", "1", *PLAN[3:])
    ),
    "the plainest of locales, and no UTF-8": Odd({"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0"}),
    # Streams.
    "both outputs are a full disk": Odd(command=SCOPES, shell='exec "$@" >/dev/full 2>&1', code=1),
    "standard error is a full disk": Odd(command=SCOPES, shell='exec "$@" 2>/dev/full'),
    "standard input is closed": Odd(command=SCOPES, shell='exec "$@" <&-'),
    "nobody is there to be asked": Odd(code=2, says="standard input", command=INIT, shell='exec "$@" <&-'),
    "nowhere to ask": Odd(code=2, says="standard output", command=INIT, shell='exec "$@" >&-'),
    "no stream to keep a secret from": Odd(code=2, says="is empty", command=KEEP, shell='exec "$@" <&-'),
    "nobody is there to be shown a secret": Odd(command=("secrets", "get", "env:ADMIN"), shell='exec "$@" >&-'),
    "standard output is closed": Odd(command=SCOPES, shell='exec "$@" >&-'),
    "standard error is closed": Odd(command=SCOPES, shell='exec "$@" 2>&-'),
    "every stream is closed": Odd(command=SCOPES, shell='exec "$@" <&- >&- 2>&-'),
    "standard output is a full disk": Odd(command=SCOPES, shell='exec "$@" >/dev/full', code=1, says="standard output"),
    "standard output is a full disk, in JSON": Odd(
        command=SCOPES, shell='exec "$@" --json >/dev/full', code=1, says="standard output"
    ),
    "streams of ASCII only": Odd(
        {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}, says="User.Read.All", command=SCOPES
    ),
    "streams of two bytes a sign, for a sandbox of one's own": Odd(
        {"PYTHONIOENCODING": "utf-16"}, without=("RUNBOOK_SANDBOX",)
    ),
    "streams of Windows": Odd({"PYTHONIOENCODING": "cp1252"}, says="User.Read.All", command=SCOPES),
    "a language that is not installed": Odd(
        {"LC_ALL": "klingon", "LANG": "tr_TR.UTF-8", "LANGUAGE": "xx"}, command=SCOPES
    ),
    "a terminal one column wide": Odd({"COLUMNS": "1"}, command=SCOPES),
    "a terminal of no width": Odd({"COLUMNS": "wide", "LINES": "-1", "TERM": "nothing-known"}, command=SCOPES),
    "colours forced and forbidden": Odd({"FORCE_COLOR": "1", "NO_COLOR": "1"}, command=SCOPES),
    "a time zone of another world": Odd({"TZ": "Mars/Olympus"}, command=SCOPES),
    # Proxies and TLS. The sandbox is trusted by its own CA and reached directly, whatever they say.
    "proxies and certificates of a company, in a rehearsal": Odd(
        {
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "ALL_PROXY": "socks5://127.0.0.1:9",
            "NO_PROXY": "[::1",
            "SSL_CERT_FILE": "/nonexistent.pem",
            "SSL_CERT_DIR": "/nonexistent",
            "REQUESTS_CA_BUNDLE": "/nonexistent.pem",
            "CURL_CA_BUNDLE": "/nonexistent.pem",
        }
    ),
    "a file of TLS keys that cannot be written": Odd({"SSLKEYLOGFILE": "/nonexistent/keys"}, 2, "SSLKEYLOGFILE"),
    "a file of TLS keys that can": Odd({"SSLKEYLOGFILE": "keys"}),
    "OpenSSL's configuration is not there": Odd({"OPENSSL_CONF": "/nonexistent"}),
    "OpenSSL's configuration is no configuration": Odd({"OPENSSL_CONF": "/etc/hostname"}),
    "a proxy for SOCKS without its library": mistaken("ALL_PROXY", "socks5://127.0.0.1:9", HTTPS_PROXY=""),
    "a proxy that is no address": mistaken("HTTPS_PROXY", "http://[::1"),
    "a proxy with a port out of range": mistaken("HTTPS_PROXY", "http://127.0.0.1:99999"),
    "a proxy whose password would show": mistaken("HTTPS_PROXY", f"http://admin:{KEY}@127.0.0.1:x"),
    "a proxy of a scheme unknown": mistaken("https_proxy", "ftp://127.0.0.1"),
    "a proxy that does not answer": Odd({"ALL_PROXY": "http://127.0.0.1:9"}, 1, "ALL_PROXY", parameters=TENANT),
    "exceptions that are no addresses": mistaken("NO_PROXY", "[::1"),
    "certificates that are not there": mistaken("SSL_CERT_FILE", "/nonexistent.pem"),
    "certificates that are none": mistaken("REQUESTS_CA_BUNDLE", "/etc/hostname"),
    "certificates of curl that are none": mistaken("CURL_CA_BUNDLE", "/etc/hostname"),
    # Keyrings.
    "a keyring that is no backend": Odd({"PYTHON_KEYRING_BACKEND": "no.such.Backend"}, parameters=SANDBOX),
    "a keyring that always fails": Odd({"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}, parameters=SANDBOX),
    "a keyring that always fails, asked for": Odd(
        {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
        1,
        "keyring",
        parameters=f"{SANDBOX}secret_store: keyring\n",
    ),
    "a keyring's configuration that is broken": Odd(
        {"XDG_CONFIG_HOME": ".config", "PYTHON_KEYRING_BACKEND": ""},
        files={".config/python_keyring/keyringrc.cfg": "[backend\ndefault-keyring=nope.Nope\n"},
        parameters=SANDBOX,
    ),
    # Python's own, and what it and Jupyter find.
    "warnings are errors": Odd({"PYTHONWARNINGS": "error"}),
    "docstrings and assertions are stripped": Odd({"PYTHONOPTIMIZE": "2"}),
    "a start of Python's own that is broken": Odd({"PYTHONSTARTUP": "start.py"}, files={"start.py": TRAP}),
    # Parameters.
    "a number of 5,000 digits": Odd(
        code=2, says="secret_lifetime_days", parameters=f"{STORED}secret_lifetime_days: {'9' * 5000}\n"
    ),
    "a number of 5,000 digits in JSON": Odd(
        code=2,
        says="p.json",
        files={"p.json": f'{{"secret_lifetime_days": {"9" * 5000}}}'},
        command=("plan", "--parameters", "p.json"),
    ),
    "a date that no calendar has": Odd(says="'2024-13-45'", parameters=f"{STORED}application_name: 2024-13-45\n"),
    # Ports.
    "a port out of range": Odd(code=2, says="port", command=("sandbox", "serve", "--port", "99999")),
    "a port below all": Odd(code=2, says="port", command=("sandbox", "serve", "--port", "-1")),
    # Runs.
    "IPython's and Jupyter's own files are broken": Odd(
        {"JUPYTER_CONFIG_DIR": "jupyter", "IPYTHONDIR": "ipython", "PYTHONSTARTUP": "start.py"},
        files={
            "jupyter/jupyter_config.py": TRAP,
            "jupyter/jupyter_config.json": "{",
            "ipython/profile_default/ipython_config.py": TRAP,
            "ipython/profile_default/ipython_kernel_config.py": TRAP,
            "ipython/profile_default/startup/00.py": TRAP,
            "start.py": TRAP,
        },
        command=("run", *PLAN[1:]),
    ),
    "a run with everything of its user's missing": Odd(
        {"TMPDIR": "/nonexistent", "TZ": "Mars/Olympus", "PYTHONIOENCODING": "ascii", "COLUMNS": "1"},
        without=("HOME", "LANG", "TERM"),
        command=("run", *PLAN[1:]),
    ),
    "JupyterLab as root, with options passed on": Odd(
        command=("lab", "books", "--", "--allow-root", "--port=8899", "--show-config"), says="8899"
    ),
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("sandbox")
    with running(folder / "state.sqlite3") as ready:
        (folder / "ready.json").write_text(json.dumps(ready))
        yield folder / "ready.json"


@pytest.mark.parametrize("odd", MACHINES.values(), ids=MACHINES.keys())
def test_it_ends_well_or_with_the_cause_by_its_name(odd: Odd, sandbox: Path, tmp_path: Path) -> None:
    for name, text in odd.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "p.yaml").write_text(odd.parameters)
    ours = {name: value for name, value in environment(tmp_path).items() if not THEIRS.fullmatch(name)}
    env = {**ours, **{"RUNBOOK_SANDBOX": str(sandbox), "ADMIN": KEY, **odd.env}}
    done = subprocess.run(
        ["sh", "-c", odd.shell, "sh", sys.executable, "-m", "runbook", *odd.command],
        cwd=tmp_path,
        env={name: value for name, value in env.items() if name not in odd.without},
        input=b"a value to keep",
        capture_output=True,
        timeout=120,
        check=False,
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == odd.code, said
    assert odd.says in said
    assert "defect" not in said
    assert "Traceback" not in said
    assert KEY not in said
